import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { run, without, writeLayout } from '../support/image-tools.ts';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';

let server: RunningKobune;
let layout: string;
let digests: { readonly manifest: string; readonly layer: string };

before(async () => {
  server = await runKobune();
  layout = join(server.scratch, 'layout');
  digests = await writeLayout(layout, { 'etc/motd': 'hello', 'data/large': Buffer.alloc(3_000_000, 'kobune') });
});
after(() => server?.[Symbol.asyncDispose]());

const at = (name: string) => `docker://localhost:${server.port}/${name}`;

describe('the registry by skopeo', { skip: without('skopeo'), timeout: 60_000 }, () => {
  const insecure = ['--src-tls-verify=false', '--dest-tls-verify=false'];
  const skopeo = (...args: string[]) => run('skopeo', args);

  it('takes an image, tells of it, and gives it back', async () => {
    await skopeo('copy', '--dest-tls-verify=false', `oci:${layout}:v1`, at('team/app:v1'));
    const told = JSON.parse(await skopeo('inspect', '--tls-verify=false', at('team/app:v1')));
    assert.deepEqual([told.Digest, told.RepoTags, told.Layers], [digests.manifest, ['v1'], [digests.layer]]);
    const copy = join(server.scratch, 'copy');
    await skopeo('copy', '--src-tls-verify=false', at(`team/app@${digests.manifest}`), `dir:${copy}`);
    const name = digests.layer.slice('sha256:'.length);
    assert.ok((await readFile(join(copy, name))).equals(await readFile(join(layout, 'blobs', 'sha256', name))));
  });

  it('copies between repositories, as Docker schema 2 too', async () => {
    await skopeo('copy', ...insecure, at('team/app:v1'), at('other/app:v1'));
    await skopeo('copy', ...insecure, '--format', 'v2s2', at('team/app:v1'), at('other/app:docker'));
    const raw = JSON.parse(await skopeo('inspect', '--raw', '--tls-verify=false', at('other/app:docker')));
    assert.equal(raw.mediaType, 'application/vnd.docker.distribution.manifest.v2+json');
    const tags = JSON.parse(await skopeo('list-tags', '--tls-verify=false', at('other/app')));
    assert.deepEqual(tags.Tags, ['docker', 'v1']);
  });

  it('takes any credentials where anybody may do anything', async () => {
    const authfile = join(server.scratch, 'auth.json');
    const login = [
      'login',
      '--tls-verify=false',
      '--authfile',
      authfile,
      '-u',
      'me',
      '-p',
      'any',
      `localhost:${server.port}`,
    ];
    assert.match(await skopeo(...login), /Login Succeeded/);
    await skopeo('inspect', '--tls-verify=false', '--authfile', authfile, at('team/app:v1'));
  });

  it('deletes an image', async () => {
    await skopeo('copy', '--dest-tls-verify=false', `oci:${layout}:v1`, at('gone/app:v1'));
    await skopeo('delete', '--tls-verify=false', at('gone/app:v1'));
    await assert.rejects(skopeo('inspect', '--tls-verify=false', at('gone/app:v1')), /manifest unknown/);
  });

  it('is the same by whatever name of this machine', async () => {
    const told = await skopeo('inspect', '--tls-verify=false', at('team/app:v1').replace('localhost', '127.0.0.1'));
    assert.equal(JSON.parse(told).Digest, digests.manifest);
  });
});

describe('the registry by podman', { skip: without('podman') || without('skopeo'), timeout: 90_000 }, () => {
  it('takes a push, and gives it to who has nothing of it', async () => {
    const podman = (storage: string, ...args: string[]) => {
      const places = ['--root', join(server.scratch, storage), '--runroot', join(server.scratch, `${storage}-run`)];
      return run('podman', [...places, '--storage-driver', 'vfs', ...args]);
    };
    const name = `localhost:${server.port}/podman/app:v1`;
    const source = `localhost:${server.port}/podman/source:v1`;
    await run('skopeo', ['copy', '--dest-tls-verify=false', `oci:${layout}:v1`, `docker://${source}`]);
    const id = (await podman('one', 'pull', '-q', '--tls-verify=false', source)).trim();
    await podman('one', 'push', '-q', '--tls-verify=false', id, name);
    await podman('two', 'pull', '-q', '--tls-verify=false', name);
    const [image] = JSON.parse(await podman('two', 'image', 'inspect', name));
    assert.equal(image.Id, id);
    assert.equal(image.RepoDigests[0], `localhost:${server.port}/podman/app@${image.Digest}`);
  });
});

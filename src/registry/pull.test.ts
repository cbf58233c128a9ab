import assert from 'node:assert/strict';
import { readdir, readlink } from 'node:fs/promises';
import { get } from 'node:http';
import { describe, it } from 'node:test';
import { MEDIA_TYPES } from '../images/index.ts';
import { descriptorOf, digestOf, imageOf, startTestRegistry } from './testing/test-registry.ts';

/** OCI Distribution Specification 1.1, "Pull". */
describe('OCI pull', { timeout: 20_000 }, () => {
  it('answers GET /v2/ with 200 (end-1)', async () => {
    await using registry = await startTestRegistry();
    for (const path of ['/v2/', '/v2']) {
      const answer = await registry.ask('GET', path);
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['docker-distribution-api-version'], 'registry/2.0');
    }
    assert.equal((await registry.ask('POST', '/v2/')).status, 405);
  });

  it('gives manifests by tag and by digest, byte for byte, with type and digest (end-3)', async () => {
    await using registry = await startTestRegistry();
    const { bytes } = imageOf({});
    const digest = await registry.pushImage('team/app', 'v1');
    for (const reference of ['v1', digest]) {
      const answer = await registry.ask('GET', `/v2/team/app/manifests/${reference}`);
      assert.equal(answer.status, 200);
      assert.equal(answer.body.toString(), bytes);
      assert.equal(answer.headers['content-type'], MEDIA_TYPES.ociManifest);
      assert.equal(answer.headers['docker-content-digest'], digest);
      const head = await registry.ask('HEAD', `/v2/team/app/manifests/${reference}`);
      assert.equal(head.status, 200);
      assert.equal(head.body.length, 0);
      assert.equal(head.headers['docker-content-digest'], digest);
      assert.equal(Number(head.headers['content-length']), bytes.length);
      assert.equal(head.headers['content-type'], MEDIA_TYPES.ociManifest);
    }
  });

  it('answers 404 for a manifest, tag or repository that is not there', async () => {
    await using registry = await startTestRegistry();
    await registry.pushImage('team/app', 'v1');
    const other = digestOf('other');
    const cases: readonly (readonly [string, string])[] = [
      ['/v2/team/app/manifests/v2', 'MANIFEST_UNKNOWN'],
      ['/v2/team/app/manifests/.not-a-tag', 'MANIFEST_UNKNOWN'],
      [`/v2/team/app/manifests/${other}`, 'MANIFEST_UNKNOWN'],
      [`/v2/team/app/blobs/${other}`, 'BLOB_UNKNOWN'],
      ['/v2/team/none/manifests/v1', 'NAME_UNKNOWN'],
      [`/v2/team/none/blobs/${other}`, 'NAME_UNKNOWN'],
    ];
    for (const [path, code] of cases) {
      const answer = await registry.ask('GET', path);
      assert.equal(answer.status, 404, path);
      assert.deepEqual(answer.codes, [code]);
      const head = await registry.ask('HEAD', path);
      assert.equal(head.status, 404, path);
      assert.equal(head.body.length, 0);
    }
  });

  it('gives a manifest to who takes its type, and says so to who does not', async () => {
    await using registry = await startTestRegistry();
    await registry.pushImage('app', 'v1');
    const status = async (accept: string) =>
      (await registry.ask('GET', '/v2/app/manifests/v1', { headers: { accept } })).status;
    assert.equal(await status(MEDIA_TYPES.ociManifest), 200);
    assert.equal(await status(`${MEDIA_TYPES.dockerManifest}, ${MEDIA_TYPES.ociManifest};q=0.5`), 200);
    for (const any of ['*/*', 'application/*', 'application/json', '']) assert.equal(await status(any), 200, any);
    const refused = await registry.ask('GET', '/v2/app/manifests/v1', {
      headers: { accept: MEDIA_TYPES.dockerManifest },
    });
    assert.equal(refused.status, 404);
    assert.deepEqual(refused.codes, ['MANIFEST_UNKNOWN']);
    assert.match(refused.json.errors[0].message, /vnd\.oci\.image\.manifest/);
  });

  it('gives blobs with their digest, and their size to HEAD (end-2)', async () => {
    await using registry = await startTestRegistry();
    const content = Buffer.alloc(300_000, 'kobune');
    const digest = await registry.pushBlob('app', content);
    const path = `/v2/app/blobs/${digest}`;
    const answer = await registry.ask('GET', path);
    assert.equal(answer.status, 200);
    assert.ok(answer.body.equals(content));
    assert.equal(answer.headers['docker-content-digest'], digest);
    assert.equal(answer.headers['accept-ranges'], 'bytes');
    const head = await registry.ask('HEAD', path);
    assert.equal(head.status, 200);
    assert.equal(Number(head.headers['content-length']), content.length);
    assert.equal(head.headers['docker-content-digest'], digest);
    assert.equal(head.body.length, 0);
  });

  it('gives an empty blob', async () => {
    await using registry = await startTestRegistry();
    const digest = await registry.pushBlob('app', '');
    const answer = await registry.ask('GET', `/v2/app/blobs/${digest}`);
    assert.deepEqual([answer.status, answer.headers['content-length'], answer.body.length], [200, '0', 0]);
  });

  it('gives a large blob whole, to many at once, and lets go of it when a client leaves', async () => {
    await using registry = await startTestRegistry();
    const content = Buffer.alloc(9_000_001, 'kobune registry');
    const digest = await registry.pushBlob('app', content);
    const path = `/v2/app/blobs/${digest}`;
    const answers = await Promise.all(Array.from({ length: 6 }, () => registry.ask('GET', path)));
    for (const { body } of answers) assert.ok(body.equals(content));
    for (let i = 0; i < 6; i++) {
      await new Promise<void>((resolve) => {
        const request = get({ port: registry.port, host: '127.0.0.1', path, agent: false }, (response) => {
          response.once('data', () => request.destroy());
          response.on('error', () => {});
          response.once('close', resolve);
        });
        request.on('error', () => {});
      });
    }
    const hex = digest.slice('sha256:'.length);
    const held = async () => {
      const links = (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''));
      return (await Promise.all(links)).filter((target) => target.includes(hex)).length;
    };
    while ((await held()) > 0) await new Promise(setImmediate);
    assert.ok((await registry.ask('GET', path)).body.equals(content));
    assert.deepEqual(registry.failures, []);
  });

  it('gives parts of a blob by Range (RFC 9110)', async () => {
    await using registry = await startTestRegistry();
    const content = '0123456789';
    const digest = await registry.pushBlob('app', content);
    const ask = (range: string, more: Readonly<Record<string, string>> = {}) =>
      registry.ask('GET', `/v2/app/blobs/${digest}`, { headers: { range, ...more } });
    const parts: readonly (readonly [string, string, string])[] = [
      ['bytes=0-3', '0123', 'bytes 0-3/10'],
      ['bytes=4-4', '4', 'bytes 4-4/10'],
      ['bytes=7-', '789', 'bytes 7-9/10'],
      ['bytes=7-100', '789', 'bytes 7-9/10'],
      ['bytes=-2', '89', 'bytes 8-9/10'],
      ['bytes=-100', content, 'bytes 0-9/10'],
    ];
    for (const [range, expected, contentRange] of parts) {
      const answer = await ask(range);
      assert.equal(answer.status, 206, range);
      assert.equal(answer.body.toString(), expected, range);
      assert.equal(answer.headers['content-range'], contentRange, range);
    }
    for (const range of ['bytes=10-', 'bytes=99-100', 'bytes=-0', 'bytes=5-2']) {
      const answer = await ask(range);
      assert.equal(answer.status, 416, range);
      assert.equal(answer.headers['content-range'], 'bytes */10', range);
    }
    for (const range of ['bytes=0-1,4-5', 'lines=1-2', 'bytes=-', 'nonsense']) {
      const answer = await ask(range);
      assert.deepEqual([answer.status, answer.body.toString()], [200, content], range);
    }
    for (const range of ['bytes=0-3', 'bytes=99-100']) {
      const head = await registry.ask('HEAD', `/v2/app/blobs/${digest}`, { headers: { range } });
      assert.deepEqual([head.status, head.headers['content-length']], [200, '10'], range);
    }
    assert.equal((await ask('bytes=0-3', { 'if-range': `"${digest}"` })).status, 206);
    assert.equal((await ask('bytes=0-3', { 'if-range': '"something else"' })).status, 200);
  });

  it('answers 304 to who has the content already', async () => {
    await using registry = await startTestRegistry();
    const digest = await registry.pushImage('app', 'v1');
    const layer = digestOf('layer');
    for (const [path, tag] of [
      ['/v2/app/manifests/v1', digest],
      [`/v2/app/blobs/${layer}`, layer],
    ] as const) {
      const first = await registry.ask('GET', path);
      assert.equal(first.headers.etag, `"${tag}"`);
      for (const value of [`"${tag}"`, `W/"${tag}"`, `"x", "${tag}"`, '*']) {
        const answer = await registry.ask('GET', path, { headers: { 'if-none-match': value } });
        assert.deepEqual([answer.status, answer.body.length], [304, 0], value);
      }
      assert.equal((await registry.ask('GET', path, { headers: { 'if-none-match': '"x"' } })).status, 200);
    }
  });

  it('shows a repository only the blobs that were pushed or mounted to it', async () => {
    await using registry = await startTestRegistry();
    const digest = await registry.pushBlob('secret', 'what only this repository has');
    await registry.pushBlob('public', 'something else');
    for (const method of ['GET', 'HEAD']) {
      assert.equal((await registry.ask(method, `/v2/public/blobs/${digest}`)).status, 404);
    }
    const manifest = {
      ...JSON.parse(imageOf({}).bytes),
      layers: [descriptorOf('what only this repository has', 'a/b')],
    };
    await registry.pushBlob('public', '{}');
    const answer = await registry.ask('PUT', '/v2/public/manifests/v1', { body: JSON.stringify(manifest) });
    assert.deepEqual(answer.codes, ['MANIFEST_BLOB_UNKNOWN']);
  });

  it('keeps a manifest and a blob of the same content apart', async () => {
    await using registry = await startTestRegistry();
    const digest = await registry.pushImage('app', 'v1');
    assert.equal((await registry.ask('GET', `/v2/app/blobs/${digest}`)).status, 404);
    await registry.pushBlob('app', imageOf({}).bytes);
    assert.equal((await registry.ask('DELETE', `/v2/app/blobs/${digest}`)).status, 202);
    assert.equal((await registry.ask('GET', `/v2/app/manifests/${digest}`)).status, 200);
  });
});

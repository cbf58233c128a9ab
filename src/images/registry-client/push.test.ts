import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { SignJWT } from 'jose';
import { makeCertificate } from '../../base/x509/certificate.ts';
import type { TransferProgress } from '../images.ts';
import {
  addBusybox,
  addImage,
  busyboxLayer,
  makeArchive,
  noRootsReason,
  openTestImages,
  refusedWith,
  type TestImages,
} from '../test-support.ts';
import { noDistributionReason, startDistribution } from './test-distribution.ts';
import { layerOf, refuse, TestRegistry } from './test-registry.ts';

const skip = noRootsReason ?? noDistributionReason;
/** Statuses that are told while pushing, without progress. */
async function pushed(
  at: TestImages,
  name: string,
  options: object = {},
): Promise<{ statuses: string[]; tags: string[]; digests: string[] }> {
  const statuses: string[] = [];
  const onProgress = ({ id, status }: TransferProgress) => {
    if (!['Preparing', 'Waiting', 'Pushing'].includes(status) && id) statuses.push(status);
  };
  const tags = await at.images.push(name, { ...options, onProgress });
  return { statuses: statuses.sort(), tags: tags.map(({ tag }) => tag), digests: tags.map(({ digest }) => digest) };
}

describe('pushing to docker-registry', { skip }, () => {
  it('sends what is missing, so that it can be pulled by others', async () => {
    await using registry = await startDistribution();
    await using at = await openTestImages();
    const name = `${registry.host}/team/app`;
    const image = await addImage(at, `${name}:1`, [busyboxLayer(), makeArchive([{ path: 'app', content: 'hi' }])], {
      config: { Cmd: ['cat', '/app'] },
    });
    const first = await pushed(at, `${name}:1`);
    assert.deepEqual([first.statuses, first.tags], [['Pushed', 'Pushed'], ['1']]);
    assert.deepEqual((await at.images.get(image.id)).digests, [`${name}@${first.digests[0]}`]);
    const again = await pushed(at, `${name}:1`);
    assert.deepEqual(
      [again.statuses, again.digests],
      [['Layer already exists', 'Layer already exists'], first.digests],
    );
    await using other = await openTestImages();
    assert.equal((await other.images.pull(`${name}:1`)).id, image.id);
    const inspected = JSON.parse(
      execFileSync('skopeo', ['inspect', '--tls-verify=false', `docker://${name}:1`], { encoding: 'utf8' }),
    ) as { Digest: string };
    assert.equal(inspected.Digest, first.digests[0]);
  });

  it('has the registry take blobs from its other repositories', async () => {
    await using registry = await startDistribution();
    await using at = await openTestImages();
    await addBusybox(at, `${registry.host}/base:1`);
    await pushed(at, `${registry.host}/base:1`);
    await addImage(at, `${registry.host}/app:1`, [busyboxLayer(), makeArchive([{ path: 'app' }])]);
    assert.deepEqual((await pushed(at, `${registry.host}/app:1`)).statuses, ['Mounted from base', 'Pushed']);
  });

  it('pushes all tags of a repository', async () => {
    await using registry = await startDistribution();
    await using at = await openTestImages();
    const name = `${registry.host}/app`;
    await addImage(at, `${name}:1`, [makeArchive([{ path: 'a' }])]);
    await addImage(at, `${name}:2`, [makeArchive([{ path: 'b' }])]);
    assert.deepEqual((await pushed(at, name, { allTags: true })).tags, ['1', '2']);
    const message = /An image does not exist locally with the tag: localhost:\d+\/app$/;
    await assert.rejects(at.images.push(`${name}:3`), refusedWith('ImageNotFound', message));
    await assert.rejects(at.images.push(name), refusedWith('ImageNotFound', message), 'there is no latest');
    await assert.rejects(
      at.images.push(`${registry.host}/none`, { allTags: true }),
      refusedWith('ImageNotFound', /does not exist locally/),
    );
    await assert.rejects(
      at.images.push(`${name}@sha256:${'0'.repeat(64)}`),
      refusedWith('InvalidReference', /digest reference/),
    );
  });

  it('keeps the manifest of an image that was pulled, also with zstd layers', async () => {
    await using registry = await startDistribution();
    await using at = await openTestImages();
    await addBusybox(at, `${registry.host}/app:1`);
    await pushed(at, `${registry.host}/app:1`);
    const zstd = `${registry.host}/zstd:1`;
    execFileSync('skopeo', [
      'copy',
      '-q',
      '--src-tls-verify=false',
      '--dest-tls-verify=false',
      '--dest-compress-format',
      'zstd',
      '--dest-compress',
      `docker://${registry.host}/app:1`,
      `docker://${zstd}`,
    ]);
    await using other = await openTestImages();
    const image = await other.images.pull(zstd);
    await other.images.tag(zstd, `${registry.host}/copy:1`);
    const { statuses, digests } = await pushed(other, `${registry.host}/copy:1`);
    assert.deepEqual(statuses, ['Mounted from zstd']);
    assert.ok(image.digests.some((name) => name.endsWith(digests[0]!)));
  });

  it('logs in with a password', async () => {
    await using registry = await startDistribution({ users: { me: 'secret' } });
    await using at = await openTestImages();
    const name = `${registry.host}/app:1`;
    await addBusybox(at, name);
    await assert.rejects(at.images.push(name), refusedWith('Unauthorized', /no basic auth credentials/));
    await assert.rejects(
      at.images.push(name, { auth: { username: 'me', password: 'wrong' } }),
      refusedWith('Unauthorized', /unauthorized/),
    );
    const auth = { username: 'me', password: 'secret' };
    await pushed(at, name, { auth });
    await using other = await openTestImages();
    await other.images.pull(name, { auth });
  });

  it('logs in with a token of a server, for just what it does', async () => {
    await using at = await openTestImages();
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const validity = { notBefore: Date.now() - 3_600_000, notAfter: Date.now() + 86_400_000 };
    const pem = makeCertificate({
      ...validity,
      subject: 'tokens',
      publicKey,
      issuer: 'tokens',
      issuerKey: privateKey,
      serial: Buffer.from([1]),
      use: { type: 'authority' },
    });
    const certificate = join(at.directory, 'tokens.pem');
    await writeFile(certificate, pem);
    const scopes: string[][] = [];
    const server = createServer(async (request, response) => {
      const url = new URL(request.url!, 'http://tokens');
      const asked = url.searchParams.getAll('scope');
      scopes.push(asked);
      const access = asked.map((scope) => {
        const [type, name, actions] = scope.split(':');
        return { type, name, actions: actions!.split(',') };
      });
      const token = await new SignJWT({ access })
        .setProtectedHeader({ alg: 'ES256', typ: 'JWT', x5c: [new X509Certificate(pem).raw.toString('base64')] })
        .setIssuer('test')
        .setAudience('test')
        .setSubject('me')
        .setIssuedAt()
        .setNotBefore('-1m')
        .setExpirationTime('5m')
        .sign(privateKey);
      response.end(JSON.stringify({ token, expires_in: 300 }));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const realm = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
      await using registry = await startDistribution({ token: { realm, certificate } });
      const auth = { username: 'me', password: 'secret' };
      await addBusybox(at, `${registry.host}/base:1`);
      await pushed(at, `${registry.host}/base:1`, { auth });
      assert.deepEqual(scopes, [['repository:base:pull,push']]);
      await addBusybox(at, `${registry.host}/app:1`);
      assert.deepEqual((await pushed(at, `${registry.host}/app:1`, { auth })).statuses, ['Mounted from base']);
      assert.deepEqual(scopes.slice(1), [
        ['repository:app:pull,push'],
        ['repository:app:pull,push', 'repository:base:pull'],
      ]);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});

type UploadRegistry = TestRegistry & {
  fail: (() => number | 'cut') | undefined;
  refuseStreams: number | 'cut' | undefined;
};

/** A registry that takes uploads as told: each answer of an upload by its number. */
async function uploadRegistry(): Promise<UploadRegistry> {
  const registry = (await TestRegistry.start()) as UploadRegistry;
  registry.fail = undefined;
  registry.refuseStreams = undefined;
  /** What was sent ahead, by the path of the upload. */
  const streamed = new Map<string, Buffer>();
  registry.intercept = async ({ method, path, body }, response) => {
    const url = new URL(path, 'http://registry');
    if (method === 'POST') {
      response.writeHead(202, { location: `${url.pathname}1?state=x` });
      response.end();
      return true;
    }
    if (method === 'PATCH') {
      if (registry.refuseStreams === 'cut') response.destroy();
      else if (registry.refuseStreams !== undefined) refuse(response, registry.refuseStreams, 'UNSUPPORTED');
      else {
        const next = `${url.pathname}-2`;
        streamed.set(next, await body);
        response.writeHead(202, { location: `${next}?state=y` }).end();
      }
      return true;
    }
    if (method !== 'PUT') return false;
    if (url.pathname.includes('/uploads/')) {
      const failure = registry.fail?.();
      if (failure === 'cut') {
        response.destroy();
        return true;
      }
      const bytes = streamed.get(url.pathname) ?? (await body);
      if (failure !== undefined) refuse(response, failure, 'UNAVAILABLE');
      else {
        registry.blobs.set(url.searchParams.get('digest')!, bytes);
        response.writeHead(201).end();
      }
      return true;
    }
    const [, repository, reference] = /^\/v2\/(.+)\/manifests\/(.+)$/.exec(path)!;
    registry.addManifest(
      `${repository}:${reference}`,
      (await body).toString(),
      'application/vnd.oci.image.manifest.v1+json',
    );
    response.writeHead(201).end();
    return true;
  };
  return registry;
}

/** Larger than what is compressed before it is sent. */
const LARGE = 6 * 1024 * 1024;

describe('pushing large layers', { skip: noRootsReason }, () => {
  it('sends them while they are compressed, and remembers the result', async () => {
    await using registry = await uploadRegistry();
    await using at = await openTestImages();
    const image = await addImage(at, `${registry.host}/app:1`, [layerOf('large', LARGE), layerOf('small', 1000)]);
    const first = await pushed(at, `${registry.host}/app:1`);
    assert.deepEqual(first.statuses, ['Pushed', 'Pushed']);
    const [patch] = registry.requests.filter(({ method }) => method === 'PATCH');
    assert.equal(registry.made(/^PATCH/).length, 1);
    assert.equal(patch!.headers['transfer-encoding'], 'chunked');
    assert.deepEqual(registry.made(/^PUT .*uploads\/1-2\?state=y&digest=/).length, 1);
    await using other = await openTestImages();
    assert.equal((await other.images.pull(`${registry.host}/app:1`)).id, image.id);
    assert.deepEqual(await readdir(join(at.directory, 'images/packing')), []);
    registry.blobs.clear();
    assert.deepEqual((await pushed(at, `${registry.host}/app:1`)).digests, first.digests);
    assert.equal(registry.made(/^PATCH/).length, 1, 'the digest is known, and may be asked for');
  });

  for (const how of [404, 416, 'cut'] as const) {
    it(`sends them in one piece to a registry that does not take streams: ${how}`, async () => {
      await using registry = await uploadRegistry();
      registry.refuseStreams = how;
      await using at = await openTestImages();
      const image = await addImage(at, `${registry.host}/app:1`, [layerOf('large', LARGE)]);
      assert.deepEqual((await pushed(at, `${registry.host}/app:1`)).statuses, ['Pushed']);
      assert.equal(registry.made(/^PATCH/).length, 1);
      await using other = await openTestImages();
      assert.equal((await other.images.pull(`${registry.host}/app:1`)).id, image.id);
    });
  }

  it('tries again, with all of it, when the end of the upload fails', async () => {
    await using registry = await uploadRegistry();
    await using at = await openTestImages();
    const image = await addImage(at, `${registry.host}/app:1`, [layerOf('large', LARGE)]);
    const failures: (number | 'cut')[] = [503, 'cut'];
    registry.fail = () => failures.shift()!;
    assert.deepEqual((await pushed(at, `${registry.host}/app:1`)).statuses, ['Pushed']);
    await using other = await openTestImages();
    assert.equal((await other.images.pull(`${registry.host}/app:1`)).id, image.id);
  });

  it('stops sending what the registry turns out to have', async () => {
    await using registry = await uploadRegistry();
    const [name, archive] = [`${registry.host}/app:1`, layerOf('large', LARGE)];
    await using first = await openTestImages();
    await addImage(first, name, [archive]);
    await pushed(first, name);
    await using at = await openTestImages();
    await addImage(at, name, [archive]);
    const { intercept } = registry;
    // The upload does not begin before the archive is complete.
    const asked = Promise.withResolvers<void>();
    registry.intercept = async (request, response) => {
      if (request.method === 'HEAD') asked.resolve();
      if (request.method === 'POST') await asked.promise;
      return intercept(request, response);
    };
    const before = registry.made(/^PUT .*uploads/).length;
    assert.deepEqual((await pushed(at, name)).statuses, ['Layer already exists']);
    assert.equal(registry.made(/^PUT .*uploads/).length, before);
  });

  it('gives up when it is told to, and keeps nothing half-made', async () => {
    await using registry = await uploadRegistry();
    await using at = await openTestImages();
    await addImage(at, `${registry.host}/app:1`, [layerOf('large', LARGE)]);
    const { intercept } = registry;
    const abort = new AbortController();
    registry.intercept = async (request, response) => {
      if (request.method !== 'PATCH') return intercept(request, response);
      abort.abort();
      return true;
    };
    await assert.rejects(at.images.push(`${registry.host}/app:1`, { signal: abort.signal }), { name: 'AbortError' });
    assert.deepEqual(await readdir(join(at.directory, 'images/packing')), []);
    assert.deepEqual(registry.made(/^PUT/), []);
  });
});

describe('pushing over a bad connection', { skip: noRootsReason }, () => {
  it('tries an upload again that was cut or refused for a while', async () => {
    await using registry = await uploadRegistry();
    await using at = await openTestImages();
    const image = await addImage(at, `${registry.host}/app:1`, [
      makeArchive([{ path: 'a', content: 'x'.repeat(100_000) }]),
    ]);
    const failures: (number | 'cut')[] = [503, 'cut', 429];
    registry.fail = () => failures.shift()!;
    await pushed(at, `${registry.host}/app:1`);
    assert.deepEqual(failures, []);
    await using other = await openTestImages();
    assert.equal((await other.images.pull(`${registry.host}/app:1`)).id, image.id);
  });

  it('gives up on what will not pass, and pushes no manifest', async () => {
    await using registry = await uploadRegistry();
    await using at = await openTestImages();
    await addImage(at, `${registry.host}/app:1`, [makeArchive([{ path: 'a' }])]);
    registry.fail = () => 400;
    await assert.rejects(at.images.push(`${registry.host}/app:1`), refusedWith('RegistryError', /unavailable/));
    assert.deepEqual(registry.made(/PUT .*manifests/), []);
    assert.equal(registry.made(/PUT .*uploads/).length, 1);
    registry.fail = () => 'cut';
    await assert.rejects(
      at.images.push(`${registry.host}/app:1`),
      refusedWith('RegistryError', /cannot talk to the registry/),
    );
    await assert.rejects(at.images.push(`${registry.host}/app:1`, { signal: AbortSignal.abort() }), {
      name: 'AbortError',
    });
  });

  it('tells that an upload has been sent nowhere', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    await addImage(at, `${registry.host}/app:1`, [makeArchive([{ path: 'a' }])]);
    for (const [location, problem] of [
      ['http://[', /names a place that cannot be asked: http:\/\/\[/],
      ['', /tells no place to upload to/],
    ] as const) {
      registry.intercept = ({ method }, response) => {
        if (method !== 'POST') return false;
        response.writeHead(202, { location }).end();
        return true;
      };
      await assert.rejects(at.images.push(`${registry.host}/app:1`), refusedWith('RegistryError', problem));
    }
  });

  it('compresses a layer the same way each time, once', async () => {
    await using registry = await uploadRegistry();
    await using at = await openTestImages();
    await addBusybox(at, `${registry.host}/app:1`);
    await addBusybox(at, `${registry.host}/more:1`);
    const [one, two] = await Promise.all([pushed(at, `${registry.host}/app:1`), pushed(at, `${registry.host}/more:1`)]);
    assert.deepEqual(one.digests, two.digests);
    await using other = await openTestImages();
    await addBusybox(other, `${registry.host}/app:1`);
    assert.deepEqual((await pushed(other, `${registry.host}/app:1`)).digests, one.digests);
    // The compressed archive goes with the last image that has the layer.
    await at.images.remove(`${registry.host}/app:1`);
    await at.images.remove(`${registry.host}/more:1`);
    await at.content.collect();
    assert.deepEqual(await at.store.range({ prefix: [] }), []);
  });
});

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { ServiceError } from '../../base/errors.ts';
import { makeCertificate } from '../../base/x509/certificate.ts';
import { MEDIA_TYPES } from '../oci.ts';
import { makeArchive, noRootsReason, openTestImages, type TestImages } from '../test-support.ts';
import { refuse, TestRegistry } from './test-registry.ts';

const skip = noRootsReason;
const layer = (name: string, size = 0) => makeArchive([{ path: name, content: incompressible(size) }]);

/** Bytes that stay as many when they are compressed. */
function incompressible(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = 1;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

const isRefused = (code: string, problem: RegExp) => (error: unknown) =>
  error instanceof ServiceError && error.code === code && problem.test(error.message);

async function assertNothing(at: TestImages): Promise<void> {
  assert.deepEqual(await at.images.list(), []);
  for (const name of ['layers', 'unpacking']) assert.deepEqual(await readdir(join(at.directory, 'images', name)), []);
  assert.deepEqual(await readdir(join(at.directory, 'blobs/temporary')), []);
  await at.content.collect();
  assert.deepEqual(await readdir(join(at.directory, 'blobs/sha256')), []);
}

describe('pulling an image', { skip }, () => {
  it('fetches what is not here, and tells it as Docker does', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    const { digest, config } = registry.addImage('team/app:1', [layer('a', 100_000), layer('b')]);
    const said: string[] = [];
    const events: string[] = [];
    at.images.onEvent(({ action, id, attributes }) => events.push(`${action} ${id} ${attributes.name}`));
    const name = `${registry.host}/team/app`;
    const image = await at.images.pull(`${name}:1`, {
      onProgress: ({ id, status }) => said.push(id ? `${id}: ${status}` : status),
    });
    assert.equal(image.id, config);
    assert.deepEqual([image.tags, image.digests], [[`${name}:1`], [`${name}@${digest}`]]);
    assert.equal(said[0], '1: Pulling from team/app');
    assert.deepEqual(said.slice(-2), [`Digest: ${digest}`, `Status: Downloaded newer image for ${name}:1`]);
    for (const status of ['Pulling fs layer', 'Download complete', 'Extracting', 'Pull complete']) {
      assert.ok(new Set(said.filter((line) => line.endsWith(`: ${status}`))).size === 2, status);
    }
    assert.deepEqual(events, [`pull ${name}:1 ${name}`]);
    const before = registry.requests.length;
    said.length = 0;
    await at.images.pull(`${name}:1`, { onProgress: ({ id, status }) => said.push(id ? `${id}: ${status}` : status) });
    assert.deepEqual(
      registry.made(/./).slice(before),
      ['GET /v2/team/app/manifests/1'],
      'all but the manifest is here',
    );
    assert.equal(said.at(-1), `Status: Image is up to date for ${name}:1`);
    assert.equal(said.filter((line) => line.endsWith(': Already exists')).length, 2);
    assert.equal((await at.images.pull(`${name}@${digest}`)).id, image.id);
    const root = await at.images.roots.create('r', image.layers);
    assert.equal(readFileSync(join(root.path, 'a')).length, 100_000);
  });

  it('chooses the platform', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    const manifests = ['amd64', 'arm64'].map((architecture) => ({
      mediaType: MEDIA_TYPES.ociManifest,
      ...pick(registry.addImage(`app:${architecture}`, [layer(architecture)], { os: 'linux', architecture })),
      platform: { os: 'linux', architecture },
    }));
    const index = registry.addManifest('app:latest', { schemaVersion: 2, manifests }, MEDIA_TYPES.ociIndex);
    const name = `${registry.host}/app`;
    const arm = await at.images.pull(name, { platform: { os: 'linux', architecture: 'arm64' } });
    assert.equal(arm.config.architecture, 'arm64');
    assert.deepEqual(arm.digests, [`${name}@${index.digest}`]);
    await assert.rejects(
      at.images.pull(name, { platform: { os: 'linux', architecture: 's390x' } }),
      isRefused('NoSuchManifest', /no matching manifest for linux\/s390x/),
    );
    await assert.rejects(
      at.images.pull(`${name}:amd64`, { platform: { os: 'linux', architecture: 'arm64' } }),
      isRefused('NoSuchManifest', /does not match the specified platform: wanted linux\/arm64, actual: linux\/amd64/),
    );
    const remote = await at.images.inspectRemote(name);
    assert.deepEqual(remote.platforms, [
      { architecture: 'amd64', os: 'linux' },
      { architecture: 'arm64', os: 'linux' },
    ]);
    assert.equal(remote.descriptor.digest, index.digest);
    assert.deepEqual((await at.images.inspectRemote(`${name}:arm64`)).platforms, [
      { architecture: 'arm64', os: 'linux' },
    ]);
  });

  it('takes layers that another image has here, however they are compressed', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    registry.addImage('one:1', [layer('a'), layer('b')]);
    await at.images.pull(`${registry.host}/one:1`);
    const { layers } = registry.addImage('two:1', [layer('a'), layer('c')]);
    registry.blobs.delete(layers[0]!);
    assert.equal((await at.images.pull(`${registry.host}/two:1`)).layers.length, 2);
    // The same first layer, compressed another way.
    const again = gzipSync(layer('a'), { level: 1 });
    const digest = registry.addBlob(again);
    const [name, manifest] = [...registry.manifests].find(([key]) => key === 'two:1')!;
    const document = JSON.parse(manifest.bytes.toString()) as { layers: { digest: string; size: number }[] };
    document.layers[0] = { ...document.layers[0]!, digest, size: again.length };
    registry.addManifest(name, document, MEDIA_TYPES.ociManifest);
    registry.blobs.delete(digest);
    await at.images.pull(`${registry.host}/two:1`);
  });

  it('shares the work with others that pull the same', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    const { layers } = registry.addImage('app:1', [layer('a', 300_000), layer('b')]);
    const name = `${registry.host}/app:1`;
    const pulled = await Promise.all([1, 2, 3].map(() => at.images.pull(name)));
    assert.equal(new Set(pulled.map(({ id }) => id)).size, 1);
    for (const digest of layers) assert.equal(registry.made(new RegExp(`GET .*/blobs/${digest}`)).length, 1);
  });

  it('fetches at most three blobs at once', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    registry.addImage(
      'app:1',
      Array.from({ length: 8 }, (_, i) => layer(`f${i}`)),
    );
    let open = 0;
    let most = 0;
    registry.intercept = ({ path }, response) => {
      if (!path.includes('/blobs/')) return false;
      most = Math.max(most, ++open);
      response.on('close', () => open--);
      return new Promise((resolve) => setImmediate(() => setImmediate(() => resolve(false))));
    };
    await at.images.pull(`${registry.host}/app:1`);
    assert.ok(most <= 3, `${most} at once`);
  });

  it('unpacks a layer as soon as it has come', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    const { layers } = registry.addImage('app:1', [layer('a'), layer('b')]);
    let go = () => {};
    const second = new Promise<void>((resolve) => {
      go = resolve;
    });
    registry.intercept = async ({ path }) => {
      if (path.endsWith(layers[1]!)) await second;
      return false;
    };
    const first = layers[0]!.slice(7, 19);
    await at.images.pull(`${registry.host}/app:1`, {
      onProgress: ({ id, status }) => {
        if (id === first && status === 'Pull complete') go();
      },
    });
  });

  it('asks mirrors first, without the credentials', async () => {
    await using registry = await TestRegistry.start();
    await using mirror = await TestRegistry.start();
    await using at = await openTestImages({
      locate: () => undefined,
      mirrors: (host) => (host === registry.host ? ['http://localhost:1', `http://${mirror.host}`] : []),
    });
    mirror.addImage('app:1', [layer('a')]);
    registry.addImage('app:2', [layer('b')]);
    const auth = { username: 'me', password: 'secret' };
    await at.images.pull(`${registry.host}/app:1`, { auth });
    assert.deepEqual(registry.requests, []);
    assert.ok(mirror.requests.every(({ headers }) => headers.authorization === undefined));
    await at.images.pull(`${registry.host}/app:2`, { auth });
    assert.deepEqual((await at.images.list()).flatMap(({ tags }) => tags).sort(), [
      `${registry.host}/app:1`,
      `${registry.host}/app:2`,
    ]);
  });

  it('talks to a registry where it is located, under its own name, and trusts the certificate that is told', async () => {
    const { key, cert, ca } = certificates('registry.example');
    await using registry = await TestRegistry.start({ key, cert });
    registry.addImage('app:1', [layer('a')]);
    const url = `https://127.0.0.1:${registry.port}`;
    await using at = await openTestImages({
      locate: (host) =>
        host === 'registry.example' ? { url, host, ca } : host === 'untrusted.example' ? { url, host } : undefined,
    });
    const image = await at.images.pull('registry.example/app:1');
    assert.deepEqual(image.tags, ['registry.example/app:1']);
    assert.ok(registry.requests.every(({ headers }) => headers.host === 'registry.example'));
    await assert.rejects(
      at.images.pull('untrusted.example/app:1'),
      isRefused('RegistryError', /cannot talk to the registry untrusted\.example: .*certificate/),
    );
    // On loopback HTTP is tried first, then TLS.
    await assert.rejects(at.images.pull(`localhost:${registry.port}/app:1`), isRefused('RegistryError', /certificate/));
  });
});

describe('pulling over a bad connection', { skip }, () => {
  it('goes on where a download was cut', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    const { layers } = registry.addImage('app:1', [layer('a', 500_000)]);
    const bytes = registry.blobs.get(layers[0]!)!;
    let cuts = 0;
    registry.intercept = ({ path, headers }, response) => {
      if (!path.endsWith(layers[0]!) || cuts === 3) return false;
      cuts++;
      const start = Number(/\d+/.exec(headers.range ?? '0'));
      response.writeHead(start ? 206 : 200, {
        'content-length': bytes.length - start,
        'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}`,
      });
      response.write(bytes.subarray(start, start + 100_000), () => response.destroy());
      return true;
    };
    await at.images.pull(`${registry.host}/app:1`);
    const ranges = registry.requests
      .filter(({ path }) => path.endsWith(layers[0]!))
      .map(({ headers }) => headers.range);
    assert.deepEqual(ranges, [undefined, 'bytes=100000-', 'bytes=200000-', 'bytes=300000-']);
  });

  it('begins anew at a registry without ranges', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    const { layers } = registry.addImage('app:1', [layer('a', 300_000)]);
    registry.ignoreRanges = true;
    const bytes = registry.blobs.get(layers[0]!)!;
    let cut = false;
    registry.intercept = ({ path }, response) => {
      if (!path.endsWith(layers[0]!) || cut) return false;
      cut = true;
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, 70_000), () => response.destroy());
      return true;
    };
    await at.images.pull(`${registry.host}/app:1`);
  });

  it('tries again what fails for reasons that pass, and nothing else', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    const { layers } = registry.addImage('app:1', [layer('a')]);
    const failures = [503, 429, 500, 0];
    registry.intercept = ({ path }, response) => {
      if (!path.includes('/manifests/') && !path.includes('/blobs/')) return false;
      const status = failures.shift();
      if (status === undefined) return false;
      if (status === 0) response.destroy();
      else refuse(response, status, 'TOOMANYREQUESTS');
      return true;
    };
    await at.images.pull(`${registry.host}/app:1`);
    assert.equal(registry.made(/manifests/).length, 5);
    registry.intercept = ({ path }, response) => {
      if (!path.includes('/manifests/')) return false;
      refuse(response, 400, 'NAME_INVALID');
      return true;
    };
    await assert.rejects(at.images.pull(`${registry.host}/app:1`), isRefused('RegistryError', /name invalid/));
    assert.equal(registry.made(/manifests/).length, 6);
    assert.equal(registry.made(new RegExp(layers[0]!)).length, 1);
  });

  it('gives up after some attempts, and leaves nothing behind', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    const { layers } = registry.addImage('app:1', [layer('a'), layer('b', 200_000)]);
    registry.intercept = ({ path }, response) => {
      if (!path.endsWith(layers[1]!)) return false;
      refuse(response, 503, 'UNAVAILABLE');
      return true;
    };
    await assert.rejects(at.images.pull(`${registry.host}/app:1`), isRefused('RegistryError', /unavailable/));
    assert.equal(registry.made(new RegExp(layers[1]!)).length, 5);
    await assertNothing(at);
  });

  it('stops when it is aborted, and leaves nothing behind', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    const { layers } = registry.addImage('app:1', [layer('a'), layer('b', 500_000)]);
    const bytes = registry.blobs.get(layers[1]!)!;
    let closed = () => {};
    const over = new Promise<void>((resolve) => {
      closed = resolve;
    });
    registry.intercept = ({ path }, response) => {
      if (!path.endsWith(layers[1]!)) return false;
      response.on('close', closed);
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, 100_000));
      return true;
    };
    const abort = new AbortController();
    const pulling = at.images.pull(`${registry.host}/app:1`, {
      signal: abort.signal,
      onProgress: ({ status, current }) => {
        if (status === 'Downloading' && (current ?? 0) > 50_000) abort.abort();
      },
    });
    await assert.rejects(pulling, { name: 'AbortError' });
    await over;
    await assertNothing(at);
    registry.intercept = () => false;
    await at.images.pull(`${registry.host}/app:1`);
    await assert.rejects(at.images.pull(`${registry.host}/app:1`, { signal: AbortSignal.abort() }), {
      name: 'AbortError',
    });
  });

  it('goes on for others when one of them aborts', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    const { layers } = registry.addImage('app:1', [layer('a', 500_000)]);
    const bytes = registry.blobs.get(layers[0]!)!;
    let sent = 0;
    let send = (_count: number) => {};
    registry.intercept = ({ path }, response) => {
      if (!path.endsWith(layers[0]!)) return false;
      response.writeHead(200, { 'content-length': bytes.length });
      send = (count) => {
        response.write(bytes.subarray(sent, sent + count));
        sent += count;
      };
      send(10_000);
      return true;
    };
    /** Pulls, and tells when the download has brought something. */
    const pull = (signal?: AbortSignal) => {
      let loading = () => {};
      let begin = () => {};
      const begun = new Promise<void>((resolve) => {
        begin = resolve;
      });
      const downloading = new Promise<void>((resolve) => {
        loading = resolve;
      });
      const pulling = at.images.pull(`${registry.host}/app:1`, {
        ...(signal && { signal }),
        onProgress: ({ status }) => {
          if (status === 'Pulling fs layer') begin();
          if (status === 'Downloading') loading();
        },
      });
      return { pulling, begun, downloading };
    };
    const abort = new AbortController();
    const first = pull(abort.signal);
    await first.downloading;
    const second = pull();
    await second.begun;
    let joined = false;
    const joining = second.downloading.then(() => {
      joined = true;
    });
    // It hears of what comes once it waits for the same download.
    for (let i = 0; i < 4500 && !joined; i++) {
      send(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await joining;
    abort.abort();
    await assert.rejects(first.pulling, { name: 'AbortError' });
    send(bytes.length - sent);
    await second.pulling;
    assert.equal(registry.made(new RegExp(layers[0]!)).length, 1);
  });
});

describe('pulling from a registry that answers wrongly', { skip }, () => {
  const wrong: [string, (registry: TestRegistry) => void, string, RegExp][] = [
    [
      'another layer',
      (registry) => spoil(registry, 'layer', (bytes) => Buffer.concat([bytes.subarray(0, -9), Buffer.alloc(9)])),
      'InvalidContent',
      /has digest sha256:\w+ instead of/,
    ],
    [
      'a longer layer',
      (registry) => spoil(registry, 'layer', (bytes) => Buffer.concat([bytes, Buffer.alloc(9)])),
      'InvalidContent',
      /larger than/,
    ],
    [
      'another configuration',
      (registry) => spoil(registry, 'config', (bytes) => Buffer.from(bytes.toString().replace('linux', 'LINUX'))),
      'InvalidContent',
      /has digest/,
    ],
    [
      'another layer under its digest that the manifest names',
      swapLayer,
      'InvalidArchive',
      /layer's content has digest/,
    ],
    [
      'a manifest with another digest than it tells',
      (registry) => {
        registry.intercept = ({ path }, response) => {
          if (path.includes('/manifests/')) response.setHeader('docker-content-digest', `sha256:${'0'.repeat(64)}`);
          return false;
        };
      },
      'RegistryError',
      /manifest with digest/,
    ],
    [
      'schema 1',
      (registry) =>
        replace(
          registry,
          JSON.stringify({ schemaVersion: 1, name: 'x', fsLayers: [] }),
          'application/vnd.docker.distribution.manifest.v1+prettyjws',
        ),
      'InvalidManifest',
      /schema version 1, which is not supported/,
    ],
    [
      'an artifact',
      (registry) =>
        replace(
          registry,
          JSON.stringify({
            schemaVersion: 2,
            config: { mediaType: MEDIA_TYPES.ociEmpty, digest: `sha256:${'0'.repeat(64)}`, size: 2 },
            layers: [],
          }),
          MEDIA_TYPES.ociManifest,
        ),
      'InvalidManifest',
      /artifact and not of an image/,
    ],
    [
      'a huge manifest',
      (registry) => replace(registry, ' '.repeat(5_000_000), MEDIA_TYPES.ociManifest),
      'RegistryError',
      /larger than/,
    ],
    ['no JSON', (registry) => replace(registry, 'hello', MEDIA_TYPES.ociManifest), 'InvalidManifest', /not JSON/],
    [
      'too many layers for its configuration',
      (registry) =>
        changeManifest(registry, (manifest) => ({ ...manifest, layers: [...manifest.layers, ...manifest.layers] })),
      'InvalidImage',
      /it tells 1 layers, and there are 2/,
    ],
    [
      'a configuration of 1 GB',
      (registry) =>
        changeManifest(registry, (manifest) => ({ ...manifest, config: { ...manifest.config, size: 2 ** 30 } })),
      'InvalidImage',
      /larger than/,
    ],
    [
      'a layer that climbs out',
      (registry) => void registry.addImage('app:1', [makeArchive([{ path: '../../escaped' }])]),
      'InvalidArchive',
      /leads out of it/,
    ],
    [
      'nothing of the image',
      (registry) => registry.manifests.clear(),
      'NoSuchManifest',
      /manifest for localhost:\d+\/app:1 not found: manifest unknown: manifest unknown/,
    ],
    [
      'a denial',
      (registry) => {
        registry.intercept = ({ path }, response) => {
          if (path === '/v2/') return false;
          refuse(response, 403, 'DENIED');
          return true;
        };
      },
      'AccessDenied',
      /access denied for localhost:\d+\/app, repository does not exist or may require 'docker login': denied: denied/,
    ],
    [
      'no registry at all',
      (registry) => {
        registry.intercept = (_, response) => {
          response.writeHead(404, { 'content-type': 'text/html' });
          response.end('<html>');
          return true;
        };
      },
      'NoSuchManifest',
      /unexpected status 404/,
    ],
    [
      'an endless redirection',
      (registry) => {
        registry.intercept = ({ path }, response) => {
          if (!path.includes('/blobs/')) return false;
          response.writeHead(307, { location: path });
          response.end();
          return true;
        };
      },
      'RegistryError',
      /redirects more than/,
    ],
  ];
  for (const [what, spoilIt, code, problem] of wrong) {
    it(`refuses ${what}, and keeps nothing`, async () => {
      await using registry = await TestRegistry.start();
      await using at = await openTestImages();
      registry.addImage('app:1', [layer('a', 50_000)]);
      spoilIt(registry);
      await assert.rejects(at.images.pull(`${registry.host}/app:1`), isRefused(code, problem));
      await assertNothing(at);
    });
  }

  it('tells that nobody listens there', async () => {
    await using at = await openTestImages();
    await assert.rejects(
      at.images.pull('localhost:1/app'),
      isRefused('RegistryError', /cannot talk to the registry localhost:1: connect ECONNREFUSED/),
    );
    await assert.rejects(
      at.images.pull('registry.invalid/app'),
      isRefused('RegistryError', /cannot talk to the registry registry\.invalid/),
    );
  });
});

interface ManifestDocument {
  readonly config: { readonly digest: string; readonly size: number };
  readonly layers: readonly { readonly digest: string }[];
}

function pick({ digest, size }: { digest: string; size: number }): { digest: string; size: number } {
  return { digest, size };
}

function documentOf(registry: TestRegistry): ManifestDocument {
  return JSON.parse(registry.manifests.get('app:1')!.bytes.toString()) as ManifestDocument;
}

function changeManifest(registry: TestRegistry, change: (manifest: ManifestDocument) => unknown): void {
  registry.addManifest('app:1', change(documentOf(registry)), MEDIA_TYPES.ociManifest);
}

function replace(registry: TestRegistry, text: string, mediaType: string): void {
  registry.addManifest('app:1', text, mediaType);
}

/** Serves other bytes under a digest. */
function spoil(registry: TestRegistry, part: 'layer' | 'config', change: (bytes: Buffer) => Buffer): void {
  const { config, layers } = documentOf(registry);
  const { digest } = part === 'config' ? config : layers[0]!;
  registry.blobs.set(digest, change(registry.blobs.get(digest)!));
}

/** The manifest names a layer that is not the one of the configuration. */
function swapLayer(registry: TestRegistry): void {
  const other = gzipSync(makeArchive([{ path: 'other' }]));
  const digest = registry.addBlob(other);
  changeManifest(registry, (manifest) => ({
    ...manifest,
    layers: [{ ...manifest.layers[0], digest, size: other.length }],
  }));
}

/** A server's certificate of an authority of its own, as PEM. */
function certificates(name: string): { key: string; cert: string; ca: string } {
  const authority = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const server = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const validity = { notBefore: Date.now() - 3_600_000, notAfter: Date.now() + 86_400_000 };
  const common = { ...validity, issuer: 'test authority', issuerKey: authority.privateKey };
  const ca = makeCertificate({
    ...common,
    subject: 'test authority',
    publicKey: authority.publicKey,
    serial: Buffer.from([1]),
    use: { type: 'authority' },
  });
  const cert = makeCertificate({
    ...common,
    subject: name,
    publicKey: server.publicKey,
    serial: Buffer.from([2]),
    use: { type: 'server', names: [name] },
  });
  return { key: server.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), cert, ca };
}

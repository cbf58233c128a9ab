import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { makeCertificate } from '../../base/x509/certificate.ts';
import { MEDIA_TYPES } from '../oci.ts';
import { addImage, makeArchive, noRootsReason, openTestImages, refusedWith } from '../test-support.ts';
import { layerOf, TestRegistry } from './test-registry.ts';

const skip = noRootsReason;

describe('pulling an image', { skip }, () => {
  it('fetches what is not here, and tells it as Docker does', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    const { digest, config } = registry.addImage('team/app:1', [layerOf('a', 100_000), layerOf('b')]);
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

  it('takes a name that several IDs begin with for the name that it is', async () => {
    await using registry = await TestRegistry.start();
    // Enough for two IDs with the same first digit.
    await using at = await openTestImages({ locate: () => ({ url: `http://${registry.host}` }) });
    for (let i = 0; i < 17; i++) await addImage(at, `made:${i}`, [makeArchive([{ path: String(i) }])]);
    const first = (await at.images.list()).map(({ id }) => id['sha256:'.length]!);
    const twice = first.find((digit, i) => first.indexOf(digit) !== i)!;
    registry.addImage(`library/${twice}:latest`, [layerOf('a')]);
    assert.deepEqual((await at.images.pull(twice)).tags, [`${twice}:latest`]);
  });

  it('chooses the platform', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    const manifests = ['amd64', 'arm64'].map((architecture) => ({
      mediaType: MEDIA_TYPES.ociManifest,
      ...pick(registry.addImage(`app:${architecture}`, [layerOf(architecture)], { os: 'linux', architecture })),
      platform: { os: 'linux', architecture },
    }));
    const index = registry.addManifest('app:latest', { schemaVersion: 2, manifests }, MEDIA_TYPES.ociIndex);
    const name = `${registry.host}/app`;
    const arm = await at.images.pull(name, { platform: { os: 'linux', architecture: 'arm64' } });
    assert.equal(arm.config.architecture, 'arm64');
    assert.deepEqual(arm.digests, [`${name}@${index.digest}`]);
    await assert.rejects(
      at.images.pull(name, { platform: { os: 'linux', architecture: 's390x' } }),
      refusedWith('NoSuchManifest', /no matching manifest for linux\/s390x/),
    );
    await assert.rejects(
      at.images.pull(`${name}:amd64`, { platform: { os: 'linux', architecture: 'arm64' } }),
      refusedWith('NoSuchManifest', /does not match the specified platform: wanted linux\/arm64, actual: linux\/amd64/),
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
    registry.addImage('one:1', [layerOf('a'), layerOf('b')]);
    await at.images.pull(`${registry.host}/one:1`);
    const { layers } = registry.addImage('two:1', [layerOf('a'), layerOf('c')]);
    registry.blobs.delete(layers[0]!);
    assert.equal((await at.images.pull(`${registry.host}/two:1`)).layers.length, 2);
    // The same first layer, compressed another way.
    const again = gzipSync(layerOf('a'), { level: 1 });
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
    const { layers } = registry.addImage('app:1', [layerOf('a', 300_000), layerOf('b')]);
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
      Array.from({ length: 8 }, (_, i) => layerOf(`f${i}`)),
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
    const { layers } = registry.addImage('app:1', [layerOf('a'), layerOf('b')]);
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
    mirror.addImage('app:1', [layerOf('a')]);
    registry.addImage('app:2', [layerOf('b')]);
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
    registry.addImage('app:1', [layerOf('a')]);
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
      refusedWith('RegistryError', /cannot talk to the registry untrusted\.example: .*certificate/),
    );
    // On loopback HTTP is tried first, then TLS.
    await assert.rejects(
      at.images.pull(`localhost:${registry.port}/app:1`),
      refusedWith('RegistryError', /certificate/),
    );
  });
});

function pick({ digest, size }: { digest: string; size: number }): { digest: string; size: number } {
  return { digest, size };
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

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MEDIA_TYPES } from '../images/index.ts';
import { descriptorOf, digestOf, imageOf, startTestRegistry, type TestRegistry } from './testing/test-registry.ts';

const PATH = '/v2/app/manifests';

async function put(registry: TestRegistry, reference: string, manifest: unknown, type?: string) {
  const body = typeof manifest === 'string' ? manifest : JSON.stringify(manifest);
  const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type };
  return registry.ask('PUT', `${PATH}/${reference}`, { headers, body });
}

async function withParts(): Promise<TestRegistry> {
  const registry = await startTestRegistry();
  await registry.pushBlob('app', '{}');
  await registry.pushBlob('app', 'layer');
  return registry;
}

const image = JSON.parse(imageOf({}).bytes);

/** OCI Distribution Specification 1.1, "Pushing Manifests". */
describe('OCI manifest push', { timeout: 20_000 }, () => {
  it('stores a manifest as it came and answers 201 with where it is (end-7)', async () => {
    await using registry = await withParts();
    const bytes = `${JSON.stringify({ ...image, 'org.example.unknown': { a: [1, null] } }, undefined, 3)}\n\n`;
    const digest = digestOf(bytes);
    for (const reference of ['v1', digest]) {
      const answer = await put(registry, reference, bytes, `${MEDIA_TYPES.ociManifest}; charset=utf-8`);
      assert.equal(answer.status, 201);
      assert.equal(answer.headers['docker-content-digest'], digest);
      const pulled = await registry.ask('GET', answer.headers.location!);
      assert.equal(pulled.body.toString(), bytes);
      assert.equal(pulled.headers['content-type'], MEDIA_TYPES.ociManifest, 'without parameters');
    }
  });

  it('moves a tag to another manifest, which stays by its digest', async () => {
    await using registry = await startTestRegistry();
    const first = await registry.pushImage('app', 'latest', { layers: ['1'] });
    const second = await registry.pushImage('app', 'latest', { layers: ['2'] });
    assert.equal((await registry.ask('HEAD', `${PATH}/latest`)).headers['docker-content-digest'], second);
    assert.equal((await registry.ask('HEAD', `${PATH}/${first}`)).status, 200);
  });

  it('takes every kind of manifest', async () => {
    await using registry = await withParts();
    const docker = {
      ...image,
      mediaType: MEDIA_TYPES.dockerManifest,
      config: descriptorOf('{}', MEDIA_TYPES.dockerConfig),
      layers: [descriptorOf('layer', MEDIA_TYPES.dockerLayerGzip)],
    };
    const noType = { ...image, mediaType: undefined };
    const child = {
      ...descriptorOf(JSON.stringify(image), MEDIA_TYPES.ociManifest),
      platform: { architecture: 'amd64', os: 'linux' },
    };
    const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [child, child] };
    const nested = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociIndex,
      artifactType: 'application/vnd.example+json',
      manifests: [descriptorOf(JSON.stringify(index), MEDIA_TYPES.ociIndex)],
    };
    const kinds: readonly (readonly [object, string | undefined, string])[] = [
      [image, MEDIA_TYPES.ociManifest, MEDIA_TYPES.ociManifest],
      [docker, MEDIA_TYPES.dockerManifest, MEDIA_TYPES.dockerManifest],
      [docker, undefined, MEDIA_TYPES.dockerManifest],
      [noType, MEDIA_TYPES.ociManifest, MEDIA_TYPES.ociManifest],
      [noType, undefined, MEDIA_TYPES.ociManifest],
      [noType, 'application/json', MEDIA_TYPES.ociManifest],
      [{ ...image, layers: [] }, undefined, MEDIA_TYPES.ociManifest],
      [{ ...image, layers: null, subject: null }, undefined, MEDIA_TYPES.ociManifest],
      [
        { ...image, config: { ...image.config, data: Buffer.from('{}').toString('base64') } },
        undefined,
        MEDIA_TYPES.ociManifest,
      ],
      [index, MEDIA_TYPES.ociIndex, MEDIA_TYPES.ociIndex],
      [{ ...index, mediaType: MEDIA_TYPES.dockerList }, undefined, MEDIA_TYPES.dockerList],
      [nested, undefined, MEDIA_TYPES.ociIndex],
      [{ schemaVersion: 2, manifests: [] }, undefined, MEDIA_TYPES.ociIndex],
    ];
    for (const [i, [manifest, type, expected]] of kinds.entries()) {
      const answer = await put(registry, `kind-${i}`, manifest, type);
      assert.equal(answer.status, 201, `${i}: ${answer.body}`);
      assert.equal((await registry.ask('GET', `${PATH}/kind-${i}`)).headers['content-type'], expected, String(i));
    }
  });

  it('refuses what is no manifest, saying why', async () => {
    await using registry = await withParts();
    const layer = image.layers[0];
    const cases: readonly (readonly [unknown, string | undefined, RegExp])[] = [
      ['', undefined, /not JSON/],
      ['{', undefined, /not JSON/],
      ['[]', undefined, /not a JSON object/],
      ['null', undefined, /not a JSON object/],
      [{}, undefined, /schemaVersion/],
      [{ ...image, schemaVersion: '2' }, undefined, /schemaVersion/],
      [{ ...image, schemaVersion: 1 }, undefined, /schema version 1/],
      [{ ...image, mediaType: 7 }, undefined, /mediaType is not a string/],
      [image, MEDIA_TYPES.ociIndex, /mediaType is not the one/],
      [{ ...image, mediaType: undefined }, MEDIA_TYPES.ociIndex, /has no "config"/],
      [
        { ...image, mediaType: undefined },
        'application/vnd.docker.distribution.manifest.v1+prettyjws',
        /schema version 1/,
      ],
      [
        { ...image, mediaType: 'application/vnd.example+json' },
        undefined,
        /vnd\.example\+json is not supported; these are/,
      ],
      [{ ...image, mediaType: 'application/vnd.oci.artifact.manifest.v1+json' }, undefined, /is not supported/],
      [{ ...image, manifests: [] }, MEDIA_TYPES.ociManifest, /has no "manifests"/],
      [{ ...image, fsLayers: [] }, undefined, /has no "fsLayers"/],
      [{ ...image, config: undefined }, undefined, /config is not a descriptor/],
      [{ ...image, config: [] }, undefined, /config is not a descriptor/],
      [{ ...image, layers: {} }, undefined, /layers is not a list/],
      [{ ...image, layers: [layer, 'x'] }, undefined, /layers\[1\] is not a descriptor/],
      [{ ...image, layers: [{ ...layer, size: -1 }] }, undefined, /layers\[0\]\.size/],
      [{ ...image, layers: [{ ...layer, size: 1.5 }] }, undefined, /layers\[0\]\.size/],
      [{ ...image, layers: [{ ...layer, size: '5' }] }, undefined, /layers\[0\]\.size/],
      [{ ...image, layers: [{ ...layer, size: 6 }] }, undefined, /has 5 bytes, not the 6/],
      [{ ...image, layers: [{ ...layer, digest: 'sha256:../../x' }] }, undefined, /layers\[0\]\.digest/],
      [{ ...image, layers: [{ ...layer, digest: `md5:${'0'.repeat(32)}` }] }, undefined, /layers\[0\]\.digest/],
      [{ ...image, layers: [{ ...layer, mediaType: undefined }] }, undefined, /layers\[0\]\.mediaType is missing/],
      [{ ...image, layers: [{ ...layer, mediaType: 'a b' }] }, undefined, /layers\[0\]\.mediaType/],
      [{ ...image, layers: [{ ...layer, annotations: { a: 1 } }] }, undefined, /layers\[0\]\.annotations/],
      [{ ...image, annotations: ['a'] }, undefined, /annotations is not an object/],
      [{ ...image, artifactType: 'no type' }, undefined, /artifactType is not a media type/],
      [{ ...image, subject: 'x' }, undefined, /subject is not a descriptor/],
      [{ ...image, config: { ...image.config, data: 'e30' } }, undefined, undefined as never],
      [{ ...image, config: { ...image.config, data: 'AAAA' } }, undefined, /config\.data is not the content/],
      [{ ...image, layers: Array.from({ length: 4201 }, () => layer) }, undefined, /more than 4200/],
    ];
    for (const [manifest, type, message] of cases) {
      const answer = await put(registry, 'bad', manifest, type);
      if (message === undefined) {
        assert.equal(answer.status, 201, 'Base64 without padding is Base64');
        await registry.ask('DELETE', `${PATH}/bad`);
        continue;
      }
      assert.equal(answer.status, 400, `${message}: ${answer.body}`);
      assert.deepEqual(answer.codes, ['MANIFEST_INVALID']);
      assert.match(answer.json.errors[0].message, message);
    }
    assert.equal((await registry.ask('GET', `${PATH}/bad`)).status, 404);
    const invalid = Buffer.concat([
      Buffer.from('{"schemaVersion":2,"a":"'),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('"}'),
    ]);
    assert.equal((await registry.ask('PUT', `${PATH}/bad`, { body: invalid })).status, 400, 'not UTF-8');
  });

  it('refuses a manifest whose parts are not in the repository, naming each', async () => {
    await using registry = await startTestRegistry();
    await registry.pushBlob('elsewhere', 'layer');
    await registry.pushBlob('app', '{}');
    const manifest = { ...image, layers: [...image.layers, descriptorOf('none', MEDIA_TYPES.ociLayer)] };
    const answer = await put(registry, 'v1', manifest);
    assert.equal(answer.status, 404);
    assert.deepEqual(answer.codes, ['MANIFEST_BLOB_UNKNOWN', 'MANIFEST_BLOB_UNKNOWN']);
    assert.deepEqual(
      answer.json.errors.map(({ detail }: { detail: { digest: string } }) => detail.digest),
      [digestOf('layer'), digestOf('none')],
    );
    const index = { schemaVersion: 2, manifests: [descriptorOf('none', MEDIA_TYPES.ociManifest)] };
    assert.deepEqual((await put(registry, 'v1', index)).codes, ['MANIFEST_BLOB_UNKNOWN']);
    assert.equal((await registry.ask('GET', `${PATH}/v1`)).status, 404);
  });

  it('does not ask for layers that are not to be distributed, and warns of them', async () => {
    await using registry = await withParts();
    for (const type of [
      'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
      'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    ]) {
      const foreign = { ...descriptorOf('elsewhere', type), urls: ['https://example.com/layer'] };
      const answer = await put(registry, 'v1', { ...image, layers: [foreign] });
      assert.equal(answer.status, 201);
      assert.match(String(answer.headers.warning), /^299 - "Non-distributable layers are deprecated/);
    }
  });

  it('refuses a digest that is not that of the bytes, and references that are none', async () => {
    await using registry = await withParts();
    const wrong = await put(registry, digestOf('else'), image);
    assert.deepEqual([wrong.status, wrong.codes], [400, ['DIGEST_INVALID']]);
    for (const reference of ['.hidden', '-x', `a${'b'.repeat(128)}`, 'a%20b', 'a+b', '%C3%A9']) {
      const answer = await put(registry, reference, image);
      assert.deepEqual([answer.status, answer.codes], [400, ['MANIFEST_INVALID']], reference);
    }
    assert.deepEqual((await put(registry, 'sha256:abc', image)).codes, ['DIGEST_INVALID']);
    assert.equal((await put(registry, `_${'b'.repeat(127)}`, image)).status, 201);
  });

  it('takes a manifest by its SHA-512', async () => {
    await using registry = await withParts();
    const bytes = JSON.stringify(image);
    const digest = digestOf(bytes, 'sha512');
    assert.equal((await put(registry, digest, bytes)).status, 201);
    const pulled = await registry.ask('GET', `${PATH}/${digest}`);
    assert.deepEqual([pulled.status, pulled.body.toString()], [200, bytes]);
    assert.equal(pulled.headers['docker-content-digest'], digest);
    const layer = 'layer by its SHA-512';
    const layerDigest = digestOf(layer, 'sha512');
    await registry.ask('POST', `/v2/app/blobs/uploads/?digest=${layerDigest}`, { body: layer });
    const manifest = { ...image, layers: [{ ...image.layers[0], digest: layerDigest, size: layer.length }] };
    assert.equal((await put(registry, 'v512', manifest)).status, 201);
  });

  it('takes manifests of up to 4 MiB, and answers 413 to larger ones', async () => {
    await using registry = await withParts();
    const room = 4 * 1024 * 1024 - JSON.stringify({ ...image, annotations: { a: '' } }).length;
    const fill = (size: number) => ({ ...image, annotations: { a: 'x'.repeat(size) } });
    assert.equal((await put(registry, 'large', fill(room))).status, 201);
    const answer = await put(registry, 'too-large', fill(room + 1));
    assert.deepEqual([answer.status, answer.codes], [413, ['MANIFEST_INVALID']]);
    const streamed = await registry.ask('PUT', `${PATH}/too-large`, {
      headers: { 'transfer-encoding': 'chunked' },
      body: JSON.stringify(fill(room + 1)),
    });
    assert.equal(streamed.status, 413);
  });

  it('pushes on condition (If-Match, If-None-Match)', async () => {
    await using registry = await startTestRegistry();
    const first = await registry.pushImage('app', 'v1', { layers: ['1'] });
    await registry.pushImage('app', 'other', { layers: ['2'] });
    const { bytes } = imageOf({ layers: ['2'] });
    const conditional = (reference: string, headers: Record<string, string>) =>
      registry.ask('PUT', `${PATH}/${reference}`, { headers, body: bytes });
    assert.equal((await conditional('v1', { 'if-match': `"${digestOf('x')}"` })).status, 412);
    assert.equal((await conditional('v1', { 'if-none-match': '*' })).status, 412);
    assert.equal((await registry.ask('HEAD', `${PATH}/v1`)).headers['docker-content-digest'], first);
    assert.equal((await conditional('v1', { 'if-none-match': `"x", "${first}"` })).status, 412);
    assert.equal((await conditional('new', { 'if-match': '*' })).status, 412);
    assert.equal((await conditional('v1', { 'if-match': `"x", "${first}"` })).status, 201);
    assert.equal((await conditional('v1', { 'if-match': '*' })).status, 201);
    assert.equal((await conditional('v1', { 'if-none-match': `"${first}"` })).status, 201);
    assert.equal((await conditional('new', { 'if-none-match': '*' })).status, 201);
  });

  it('makes a repository by a push, and shows none that only was asked about', async () => {
    await using registry = await startTestRegistry();
    await registry.ask('GET', '/v2/a/b/c/manifests/v1');
    assert.deepEqual((await registry.ask('GET', '/v2/_catalog')).json, { repositories: [] });
    await registry.pushImage('a/b/c', 'v1');
    assert.deepEqual((await registry.ask('GET', '/v2/_catalog')).json, { repositories: ['a/b/c'] });
  });
});

import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { MEDIA_TYPES } from '../oci.ts';
import { assertNothingKept, makeArchive, noRootsReason, openTestImages, refusedWith } from '../test-support.ts';
import { layerOf, refuse, TestRegistry } from './test-registry.ts';

const skip = noRootsReason;

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
    ...['http://[', 'ftp://localhost/blob'].map((place): (typeof wrong)[number] => [
      `a redirection to ${place}`,
      (registry) => {
        registry.intercept = ({ path }, response) => {
          if (!path.includes('/blobs/')) return false;
          response.writeHead(307, { location: place }).end();
          return true;
        };
      },
      'RegistryError',
      /names a place that cannot be asked/,
    ]),
  ];
  for (const [what, spoilIt, code, problem] of wrong) {
    it(`refuses ${what}, and keeps nothing`, async () => {
      await using registry = await TestRegistry.start();
      await using at = await openTestImages();
      registry.addImage('app:1', [layerOf('a', 50_000)]);
      spoilIt(registry);
      await assert.rejects(at.images.pull(`${registry.host}/app:1`), refusedWith(code, problem));
      await assertNothingKept(at);
    });
  }

  it('verifies a manifest by whichever digest it was asked for', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    registry.addImage('app:1', [layerOf('a')]);
    const { bytes, mediaType } = registry.manifests.get('app:1')!;
    const sha512 = `sha512:${hash('sha512', bytes)}`;
    registry.addImage('other:1', [layerOf('b')]);
    const wrong = registry.manifests.get('other:1')!;
    for (const [digest, code, problem] of [
      [sha512, 'RegistryError', /manifest with digest sha256:\w+ instead of sha512:/],
      [`sha256:${hash('sha256', bytes)}`, 'RegistryError', /manifest with digest sha256:\w+ instead of sha256:/],
      [`sha256:${hash('sha256', bytes).toUpperCase()}`, 'InvalidReference', /cannot be verified/],
      [`sha384:${'0'.repeat(96)}`, 'InvalidReference', /cannot be verified/],
    ] as const) {
      registry.manifests.set(`app:${digest}`, wrong);
      await assert.rejects(at.images.pull(`${registry.host}/app@${digest}`), refusedWith(code, problem), digest);
    }
    await assertNothingKept(at);
    registry.manifests.set(`app:${sha512}`, { bytes, mediaType });
    const image = await at.images.pull(`${registry.host}/app@${sha512}`);
    assert.deepEqual(image.digests, [`${registry.host}/app@${sha512}`]);
    assert.equal((await at.images.get(`${registry.host}/app@${sha512}`)).id, image.id);
    await at.images.remove(image.id);
    await assertNothingKept(at);
  });

  it('tells that nobody listens there', async () => {
    await using at = await openTestImages();
    await assert.rejects(
      at.images.pull('localhost:1/app'),
      refusedWith('RegistryError', /cannot talk to the registry localhost:1: connect ECONNREFUSED/),
    );
    await assert.rejects(
      at.images.pull('registry.invalid/app'),
      refusedWith('RegistryError', /cannot talk to the registry registry\.invalid/),
    );
  });
});

describe('listing tags of a registry that answers wrongly', () => {
  it('ends when pages lead in a circle', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    registry.intercept = ({ path }, response) => {
      if (!path.includes('/tags/')) return false;
      response.setHeader('link', `</v2/app/tags/list?last=${path.includes('last=a') ? 'b' : 'a'}>; rel="next"`);
      response.end('{"tags":[]}');
      return true;
    };
    await assert.rejects(
      at.images.remoteTags(`${registry.host}/app`),
      refusedWith('RegistryError', /the list of tags has no end/),
    );
    assert.equal(registry.made(/tags/).length, 3);
  });
});

interface ManifestDocument {
  readonly config: { readonly digest: string; readonly size: number };
  readonly layers: readonly { readonly digest: string }[];
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

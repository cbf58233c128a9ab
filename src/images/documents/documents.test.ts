import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ServiceError } from '../../base/errors.ts';
import { type Descriptor, type Index, MEDIA_TYPES } from '../oci.ts';
import { parseConfig } from './parse-config.ts';
import { checkImage, parseManifest } from './parse-manifest.ts';
import { choosePlatform, parsePlatform, platformText, runsOn } from './platform.ts';

const DIGEST = `sha256:${'ab'.repeat(32)}`;
const bytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const layer = (more: object = {}) => ({ mediaType: MEDIA_TYPES.ociLayerGzip, digest: DIGEST, size: 3, ...more });
const image = (more: object = {}) => ({
  schemaVersion: 2,
  mediaType: MEDIA_TYPES.ociManifest,
  config: { mediaType: MEDIA_TYPES.ociConfig, digest: DIGEST, size: 2 },
  layers: [layer()],
  ...more,
});
const read = (value: unknown, type?: string) => {
  const parsed = parseManifest(bytes(value), type);
  if (parsed.kind === 'image') checkImage(parsed.manifest);
  return parsed;
};

describe('manifests', () => {
  it('are images or indexes, of OCI or Docker', () => {
    assert.equal(read(image()).kind, 'image');
    assert.equal(read(image({ mediaType: undefined }), `${MEDIA_TYPES.ociManifest}; charset=utf-8`).kind, 'image');
    const docker = image({
      mediaType: MEDIA_TYPES.dockerManifest,
      layers: [layer({ mediaType: MEDIA_TYPES.dockerLayerGzip })],
    });
    assert.equal(read(docker, 'application/octet-stream').mediaType, MEDIA_TYPES.dockerManifest);
    for (const mediaType of [MEDIA_TYPES.ociIndex, MEDIA_TYPES.dockerList]) {
      const parsed = read({
        schemaVersion: 2,
        mediaType,
        manifests: [{ ...layer(), platform: { os: 'linux', architecture: 'arm64' } }],
      });
      assert.equal(parsed.kind === 'index' && parsed.index.manifests[0]?.platform?.architecture, 'arm64');
    }
    assert.equal(read({ schemaVersion: 2, manifests: null }, MEDIA_TYPES.ociIndex).kind, 'index');
    assert.equal(read(image({ layers: null })).kind, 'image');
  });

  for (const [what, value, type, problem] of [
    ['what is no JSON', '{', undefined, /not JSON/],
    ['what is no object', '[]', undefined, /not an object/],
    ['schema 1', { schemaVersion: 1, fsLayers: [] }, undefined, /schema version 1, which is not supported/],
    ['schema 1 by its type', {}, 'application/vnd.docker.distribution.manifest.v1+prettyjws', /schema version 1/],
    ['another version', { schemaVersion: 3 }, undefined, /schemaVersion 3/],
    [
      'an unknown type',
      image({ mediaType: 'application/x' }),
      undefined,
      /type application\/x, which is not supported; these are/,
    ],
    ['a type that is not the served one', image(), MEDIA_TYPES.ociIndex, /served as .* but calls itself/],
    ['an image that is an index, too', image({ manifests: [] }), undefined, /has "manifests"/],
    [
      'an index that is an image, too',
      { schemaVersion: 2, manifests: [], layers: [] },
      MEDIA_TYPES.ociIndex,
      /has "config" or "layers"/,
    ],
    [
      'an artifact',
      image({ config: { mediaType: 'application/vnd.x', digest: DIGEST, size: 2 } }),
      undefined,
      /artifact and not of an image/,
    ],
    [
      'a foreign layer',
      image({ layers: [layer({ mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip' })] }),
      undefined,
      /kept elsewhere/,
    ],
    ['a layer of other addresses', image({ layers: [layer({ urls: ['https://x'] })] }), undefined, /"urls"/],
    [
      'a layer of unknown type',
      image({ layers: [layer({ mediaType: 'text/plain' })] }),
      undefined,
      /layer of type text\/plain/,
    ],
    ['a wrong digest', image({ layers: [layer({ digest: 'sha256:../../x' })] }), undefined, /layers\[0\]\.digest/],
    ['a wrong size', image({ layers: [layer({ size: -1 })] }), undefined, /layers\[0\]\.size that is not a size/],
    ['too many layers', image({ layers: Array(501).fill(layer()) }), undefined, /more than 500/],
    ['what is too large', image({ annotations: { a: 'x'.repeat(5_000_000) } }), undefined, /larger than/],
  ] as const) {
    it(`refuse ${what}`, () => {
      assert.throws(
        () => read(value, type),
        (error) => error instanceof ServiceError && problem.test(error.message),
      );
    });
  }

  it('are read or refused, whatever they hold', () => {
    const base = image();
    fc.assert(
      fc.property(
        fc.constantFrom('config', 'layers', 'manifests', 'mediaType', 'schemaVersion'),
        fc.jsonValue(),
        (key, value) => {
          try {
            read({ ...base, [key]: value }, MEDIA_TYPES.ociManifest);
          } catch (error) {
            assert.ok(error instanceof ServiceError, String(error));
          }
        },
      ),
      { seed: 5, numRuns: 1000 },
    );
  });
});

describe('image configurations', () => {
  const config = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [DIGEST] } };

  it('keep what a container is made with', () => {
    const given = {
      ...config,
      created: '2026-01-01T00:00:00Z',
      config: {
        Env: ['A=b'],
        Cmd: null,
        Entrypoint: ['/x'],
        ExposedPorts: { '80/tcp': {} },
        Volumes: null,
        Labels: { a: 'b' },
        Healthcheck: { Test: ['CMD', 'x'], Interval: 1_000_000_000 },
        StopTimeout: 3,
        OnBuild: [],
        Unknown: 1,
      },
      history: [{ created_by: 'x', empty_layer: true }, {}],
    };
    const parsed = parseConfig(bytes(given));
    assert.deepEqual(parsed.config, {
      Env: ['A=b'],
      Entrypoint: ['/x'],
      ExposedPorts: { '80/tcp': {} },
      Labels: { a: 'b' },
      Healthcheck: { Test: ['CMD', 'x'], Interval: 1_000_000_000 },
      StopTimeout: 3,
      OnBuild: [],
    });
    assert.deepEqual(parsed.history, [{ created_by: 'x', empty_layer: true }, {}]);
  });

  it('are refused when a member is not what it must be', () => {
    for (const [value, problem] of [
      [{ ...config, rootfs: { type: 'x' } }, /root file system of type "x"/],
      [{ ...config, rootfs: { type: 'layers', diff_ids: ['x'] } }, /diff_id/],
      [{ ...config, config: { Env: 'A=b' } }, /config\.Env that is not a list/],
      [{ ...config, config: { Cmd: [1] } }, /config\.Cmd\[0\] that is not a text/],
      [{ ...config, config: { Labels: { a: 1 } } }, /config\.Labels\.a/],
      [{ ...config, config: { Healthcheck: { Retries: 1.5 } } }, /Retries/],
      [{ ...config, os: 7 }, /os that is not a text/],
    ] as const) {
      assert.throws(
        () => parseConfig(bytes(value)),
        (error) => error instanceof ServiceError && problem.test(error.message),
      );
    }
  });
});

describe('platforms', () => {
  const entry = (text: string): Descriptor => ({
    ...layer(),
    annotations: { for: text },
    platform: parsePlatform(text),
  });
  const index = (...texts: string[]): Index => ({ schemaVersion: 2, manifests: texts.map(entry) });

  for (const [wanted, offered, chosen] of [
    ['linux/amd64', ['linux/arm64', 'linux/amd64'], 'linux/amd64'],
    ['linux/arm/v7', ['linux/arm/v5', 'linux/arm/v6', 'linux/arm64'], 'linux/arm/v6'],
    ['linux/arm', ['linux/arm/v8', 'linux/arm/v7'], 'linux/arm/v7'],
    ['linux/arm64', ['linux/arm/v7', 'linux/arm64/v8'], 'linux/arm64'],
    ['linux/arm64/v8', ['linux/arm/v7', 'linux/386'], 'linux/arm/v7'],
    ['linux/amd64/v3', ['linux/amd64', 'linux/amd64/v2'], 'linux/amd64/v2'],
    ['linux/x86_64', ['linux/amd64'], 'linux/amd64'],
    ['linux/s390x', ['linux/amd64', 'linux/s390x'], 'linux/s390x'],
  ] as const) {
    it(`choose ${chosen} for ${wanted} out of ${offered.join(', ')}`, () => {
      const found = choosePlatform(index(...offered), parsePlatform(wanted));
      assert.equal(platformText(found.platform!), chosen);
    });
  }

  it('are told when there is none that fits', () => {
    assert.throws(
      () => choosePlatform(index('linux/arm64', 'windows/amd64'), parsePlatform('linux/amd64')),
      /no matching manifest for linux\/amd64 in the manifest list entries/,
    );
    assert.throws(() => choosePlatform(index('linux/amd64/v4'), parsePlatform('linux/amd64')), ServiceError);
    assert.equal(
      choosePlatform({ schemaVersion: 2, manifests: [layer()] }, parsePlatform('linux/amd64')).digest,
      DIGEST,
    );
    assert.ok(runsOn({ os: 'linux', architecture: 'aarch64' }, parsePlatform('linux/arm64')));
    assert.ok(!runsOn({ os: 'linux', architecture: 'amd64' }, parsePlatform('linux/arm64')));
    assert.throws(() => parsePlatform('linux'), /not a platform/);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Manifest } from '../../oci.ts';
import { CACHE_CONFIG_TYPE, CACHE_TYPE, decodeCache, encodeCache, parseCacheManifest } from './cache-document.ts';

const digest = (character: string) => `sha256:${character.repeat(64)}`;
const layer = { mediaType: 'application/x', digest: digest('a'), size: 3 };
const chain = {
  results: [
    { created: 1, layer: { descriptor: layer, diffId: digest('b'), size: 9 } },
    { created: 2, layer: undefined },
  ],
  keys: [['c'.repeat(64)], []],
  descriptions: ['RUN a', ''],
};

describe('the document of a build cache', () => {
  const { config, layers } = encodeCache([chain], new Map([[digest('b'), layer]]));
  const manifest = { layers } as Manifest;
  const document = JSON.parse(Buffer.from(config).toString());
  const decode = (value: unknown) => decodeCache(Buffer.from(JSON.stringify(value)), manifest);

  it('is read as it was written', () => {
    assert.deepEqual(decodeCache(config, manifest), [chain]);
  });

  it('that is damaged is refused, wherever it is', () => {
    const [first] = document.chains;
    for (const value of [
      null,
      {},
      { ...document, version: 2 },
      { ...document, layers: [] },
      { ...document, layers: [null] },
      { ...document, layers: [{ diffId: 'x', size: 1 }] },
      { ...document, chains: [null] },
      { ...document, chains: [{ ...first, keys: [] }] },
      { ...document, chains: [{ ...first, keys: [['x'], []] }] },
      { ...document, chains: [{ ...first, results: [null, null] }] },
      ...[7, -1, 'length', 0.5].map((index) => {
        const results = [{ created: 1, layer: index }, first.results[1]];
        return { ...document, chains: [{ ...first, results }] };
      }),
    ]) {
      assert.throws(() => decode(value), { code: 'InvalidCache' }, JSON.stringify(value));
    }
  });

  it('is told from images, and its manifest is checked', () => {
    const of = (value: unknown) => parseCacheManifest(Buffer.from(JSON.stringify(value)));
    const good = { artifactType: CACHE_TYPE, config: { ...layer, mediaType: CACHE_CONFIG_TYPE }, layers: [layer] };
    assert.deepEqual(of(good), good);
    for (const other of [null, {}, { ...good, artifactType: 'x' }, { ...good, config: layer }]) {
      assert.equal(of(other), undefined);
    }
    for (const damaged of [{ ...layer, digest: 'sha256:../x' }, { ...layer, size: -1 }, null]) {
      assert.throws(() => of({ ...good, layers: [damaged] }), { code: 'InvalidCache' });
    }
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ServiceError } from '../../base/errors.ts';
import { MEDIA_TYPES } from '../oci.ts';
import { MANIFEST_TYPES, readManifest } from './manifest-document.ts';
import { descriptorOf, imageOf } from './testing/test-repositories.ts';

const SEED = 20_240_607;

/** Reads it, or throws the error that tells a client what is wrong: nothing else may happen. */
function tryRead(bytes: Uint8Array, type: string | undefined): boolean {
  try {
    const { mediaType, blobs, manifests } = readManifest(bytes, type);
    assert.ok(MANIFEST_TYPES.includes(mediaType));
    for (const { digest, size } of [...blobs, ...manifests]) {
      assert.match(digest, /^sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})$/);
      assert.ok(Number.isSafeInteger(size) && size >= 0);
    }
    return true;
  } catch (error) {
    assert.ok(error instanceof ServiceError, String(error));
    assert.equal(error.code, 'MANIFEST_INVALID');
    assert.ok(error.message.length < 1000);
    return false;
  }
}

describe('registry: manifests of any kind of bytes', { timeout: 30_000 }, () => {
  it('are read or refused, never anything else', () => {
    const type = fc.option(fc.oneof(fc.constantFrom(...MANIFEST_TYPES), fc.string()), { nil: undefined });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), type, (bytes, mediaType) => {
        tryRead(bytes, mediaType);
      }),
      { seed: SEED, numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), type, (text, mediaType) => {
        tryRead(Buffer.from(text), mediaType);
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it('are read or refused when one member is something else', () => {
    const image = JSON.parse(
      imageOf('layer', { subject: descriptorOf('x', MEDIA_TYPES.ociManifest), annotations: { a: 'b' } }),
    );
    const index = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociIndex,
      manifests: [descriptorOf('x', MEDIA_TYPES.ociManifest)],
    };
    let read = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(image, index),
        fc.nat(),
        fc.oneof(fc.anything(), fc.constantFrom('__proto__', 'sha256:', 2 ** 53, -0, Number.NaN)),
        (document, at, value) => {
          const copy = structuredClone(document);
          replaceOne(copy, at, value);
          if (
            tryRead(Buffer.from(JSON.stringify(copy, (_key, part) => (typeof part === 'bigint' ? 1 : part))), undefined)
          )
            read++;
        },
      ),
      { seed: SEED, numRuns: 1000 },
    );
    assert.ok(read > 0);
  });

  it('are refused in good time when they are deep or wide', () => {
    const deep = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`;
    tryRead(Buffer.from(deep), undefined);
    const wide = JSON.stringify({ schemaVersion: 2, manifests: Array.from({ length: 100_000 }, () => ({})) });
    assert.equal(tryRead(Buffer.from(wide), undefined), false);
    const prototype = `{"schemaVersion":2,"__proto__":{"manifests":[]},"config":{"__proto__":1}}`;
    assert.equal(tryRead(Buffer.from(prototype), undefined), false);
  });
});

/** Puts `value` in place of the `at`th member, counted through the whole document. */
function replaceOne(document: object, at: number, value: unknown): void {
  const places: [Record<string, unknown>, string][] = [];
  const walk = (part: unknown) => {
    if (typeof part !== 'object' || part === null) return;
    for (const [name, member] of Object.entries(part)) {
      places.push([part as Record<string, unknown>, name]);
      walk(member);
    }
  };
  walk(document);
  const [holder, name] = places[at % places.length]!;
  holder[name] = value;
}

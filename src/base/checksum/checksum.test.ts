import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type ChecksumKind,
  checksum,
  checksumKinds,
  checksumLength,
  combineChecksums,
  createChecksum,
} from './index.ts';

/** The check values of the CRC catalogue and FIPS 180-4: the ASCII digits 1 to 9. */
const known: Record<ChecksumKind, string> = {
  CRC32: 'cbf43926',
  CRC32C: 'e3069283',
  CRC64NVME: 'ae8b14860a799888',
  SHA1: 'f7c3bc1d808e04732adf679965ccc34ca7ae3441',
  SHA512:
    'd9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274ad27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85',
  MD5: '25f9e794323b453885f5181f1b624d0b',
  SHA256: '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225',
};

/** Bytes that repeat only after a long while, without a random source. */
function sample(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 12345;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

/** The definition, one bit at a time. */
function slowCrc(bytes: Uint8Array, bits: bigint, polynomial: bigint): string {
  const ones = (1n << bits) - 1n;
  let crc = ones;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ polynomial : crc >> 1n;
  }
  return (crc ^ ones).toString(16).padStart(Number(bits) / 4, '0');
}

describe('checksums', () => {
  for (const kind of checksumKinds) {
    it(`computes the published check value of ${kind}`, () => {
      assert.equal(checksum(kind, Buffer.from('123456789')).toString('hex'), known[kind]);
      assert.equal(checksum(kind, Buffer.alloc(0)).length, checksumLength[kind]);
    });

    it(`gives the same ${kind} however the bytes are cut`, () => {
      const bytes = sample(10_007);
      const whole = checksum(kind, bytes);
      for (const size of [1, 3, 7, 8, 9, 64, 1000]) {
        const computation = createChecksum(kind);
        for (let i = 0; i < bytes.length; i += size) computation.update(bytes.subarray(i, i + size));
        assert.deepEqual(computation.digest(), whole);
      }
    });
  }

  it('agrees with the definition of each CRC at every length around a step', () => {
    for (let length = 0; length < 40; length++) {
      const bytes = sample(length);
      assert.equal(checksum('CRC32', bytes).toString('hex'), slowCrc(bytes, 32n, 0xedb88320n));
      assert.equal(checksum('CRC32C', bytes).toString('hex'), slowCrc(bytes, 32n, 0x82f63b78n));
      assert.equal(checksum('CRC64NVME', bytes).toString('hex'), slowCrc(bytes, 64n, 0x9a6c9329ac4bc9b5n));
    }
  });

  for (const kind of ['CRC32', 'CRC32C', 'CRC64NVME'] as const) {
    it(`combines the ${kind} of parts into that of the whole`, () => {
      const bytes = sample(20_000);
      for (const cuts of [[0], [1], [4096, 8192, 12288], [1, 1, 19_999], [20_000]]) {
        const edges = [0, ...cuts, bytes.length];
        const parts = edges.slice(1).map((end, i) => bytes.subarray(edges[i], end));
        assert.deepEqual(
          combineChecksums(
            kind,
            parts.map((part) => ({ digest: checksum(kind, part), size: part.length })),
          ),
          checksum(kind, bytes),
        );
      }
    });
  }
});

import { createHash } from 'node:crypto';
import { type Checksum, Crc32, Crc32c, Crc64Nvme } from './crc.ts';

/** Names as S3's `ChecksumAlgorithm` has them; the header is `x-amz-checksum-<lower case>`. */
export type ChecksumKind = 'CRC32' | 'CRC32C' | 'CRC64NVME' | 'SHA1' | 'SHA256' | 'SHA512' | 'MD5';

/** S3 also knows three kinds of XXHASH; those are refused by name. */
export const checksumKinds: readonly ChecksumKind[] = [
  'CRC32',
  'CRC32C',
  'CRC64NVME',
  'SHA1',
  'SHA256',
  'SHA512',
  'MD5',
];

/** Bytes of each kind's digest. */
export const checksumLength: Readonly<Record<ChecksumKind, number>> = {
  CRC32: 4,
  CRC32C: 4,
  CRC64NVME: 8,
  SHA1: 20,
  SHA256: 32,
  SHA512: 64,
  MD5: 16,
};

/** A new computation. Source: S3 User Guide, "Checking object integrity in Amazon S3". */
export function createChecksum(kind: ChecksumKind): Checksum {
  switch (kind) {
    case 'CRC32':
      return new Crc32();
    case 'CRC32C':
      return new Crc32c();
    case 'CRC64NVME':
      return new Crc64Nvme();
    case 'SHA1':
      return new CryptoHash('sha1');
    case 'SHA256':
      return new CryptoHash('sha256');
    case 'SHA512':
      return new CryptoHash('sha512');
    case 'MD5':
      return new CryptoHash('md5');
  }
}

/** The checksum of one buffer. */
export function checksum(kind: ChecksumKind, bytes: Uint8Array): Buffer {
  const computation = createChecksum(kind);
  computation.update(bytes);
  return computation.digest();
}

class CryptoHash implements Checksum {
  readonly #hash: ReturnType<typeof createHash>;
  #digest: Buffer | undefined;
  constructor(algorithm: 'sha1' | 'sha256' | 'sha512' | 'md5') {
    this.#hash = createHash(algorithm);
  }
  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }
  digest(): Buffer {
    this.#digest ??= this.#hash.digest();
    return this.#digest;
  }
}

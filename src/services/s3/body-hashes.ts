import { createHash, type Hash, hash } from 'node:crypto';
import { type ChecksumKind, checksum, createChecksum } from '../../base/checksum/index.ts';
import { ServiceError } from '../../base/errors.ts';
import { type AnnouncedChecksum, checksumMismatch, invalidChecksumValue } from './checksums.ts';
import type { StoredChecksum } from './records.ts';

/** What a body is to be compared with. */
export interface BodyChecks {
  readonly announced: AnnouncedChecksum | undefined;
  /** Kind to compute: the announced one, or the default. */
  readonly kind: ChecksumKind;
  /** Hexadecimal, from the Content-MD5 header. */
  readonly md5: string | undefined;
  /** The trailers of a stream whose announced checksum the wire has verified. */
  readonly verified: () => Readonly<Record<string, string>> | undefined;
}

/** What is known of a body once it has been seen whole. */
export interface BodyIdentity {
  /** MD5, hexadecimal. */
  readonly etag: string;
  readonly checksum: StoredChecksum;
}

/** Identifies a body that is in memory. Throws `BadDigest` when it is not what the client announced. */
export function identifyBytes(bytes: Uint8Array, checks: BodyChecks): BodyIdentity {
  const etag = hash('md5', bytes);
  checkMd5(checks.md5, etag);
  const stored = verifiedChecksum(checks) ?? computedChecksum(checks, checksum(checks.kind, bytes));
  return { etag, checksum: stored };
}

/** Identifies a body chunk by chunk, as it comes: what has just been received is still in the processor's cache. */
export class BodyHashes {
  readonly #checks: BodyChecks;
  readonly #md5: Hash | undefined;
  readonly #checksum: ReturnType<typeof createChecksum> | undefined;

  /** `elsewhere`: the MD5 is computed by another, and given to `finish`. */
  constructor(checks: BodyChecks, md5: 'here' | 'elsewhere') {
    this.#checks = checks;
    this.#md5 = md5 === 'here' ? createHash('md5') : undefined;
    const isVerified = checks.announced !== undefined && checks.verified() !== undefined;
    // The blob store computes SHA-256 itself.
    this.#checksum = checks.kind === 'SHA256' || isVerified ? undefined : createChecksum(checks.kind);
  }

  update(chunk: Uint8Array): void {
    this.#md5?.update(chunk);
    this.#checksum?.update(chunk);
  }

  /** `blobDigest`: `sha256:…` of the same bytes. Throws `BadDigest`. */
  finish(blobDigest: string, md5?: string): BodyIdentity {
    const etag = md5 ?? this.#md5!.digest('hex');
    checkMd5(this.#checks.md5, etag);
    const digest = this.#checksum?.digest() ?? Buffer.from(blobDigest.slice('sha256:'.length), 'hex');
    return { etag, checksum: verifiedChecksum(this.#checks) ?? computedChecksum(this.#checks, digest) };
  }
}

/** What the client announced, when that was compared with the body before it came here. */
function verifiedChecksum({ announced, verified }: BodyChecks): StoredChecksum | undefined {
  const trailers = verified();
  if (!announced || !trailers) return undefined;
  const value = announced.trailer === undefined ? announced.value : trailers[announced.trailer];
  if (value === undefined) throw invalidChecksumValue(announced.kind);
  return { kind: announced.kind, value, type: 'FULL_OBJECT' };
}

function computedChecksum({ announced, kind }: BodyChecks, digest: Buffer): StoredChecksum {
  const value = digest.toString('base64');
  if (announced && announced.value === undefined) throw invalidChecksumValue(kind);
  if (announced && announced.value !== value) throw checksumMismatch(kind);
  return { kind, value, type: 'FULL_OBJECT' };
}

/** Reads a Content-MD5 header into hexadecimal digits. Throws `InvalidDigest`. */
export function parseContentMd5(value: string): string {
  const bytes = Buffer.from(value, 'base64');
  if (bytes.length !== 16) {
    throw new ServiceError('InvalidDigest', 'The Content-MD5 you specified was invalid.', {
      members: { 'Content-MD5': value },
    });
  }
  return bytes.toString('hex');
}

function checkMd5(expected: string | undefined, actual: string): void {
  if (expected === undefined || expected === actual) return;
  throw new ServiceError('BadDigest', 'The Content-MD5 you specified did not match what we received.', {
    members: { ExpectedDigest: expected, CalculatedDigest: actual },
  });
}

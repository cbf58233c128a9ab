import { createHash, hash } from 'node:crypto';
import { Readable } from 'node:stream';
import { type ChecksumKind, checksum, createChecksum } from '../../base/checksum/index.ts';
import { ServiceError } from '../../base/errors.ts';
import type { BlobLease } from '../../store/index.ts';
import type { RequestBody } from '../service.ts';
import { type AnnouncedChecksum, checksumMismatch, invalidChecksumValue } from './checksums.ts';
import type { PartBody, StoredChecksum } from './records.ts';
import { newBodyId, type S3State } from './state.ts';

/** Most bytes of one PutObject or UploadPart: 5 GB. Source: S3 User Guide, "Amazon S3 multipart upload limits". */
export const maxSingleUpload = 5 * 1024 ** 3;

/** Bodies up to this many bytes are gathered in memory: their hashes then do not hold others up. */
export const maxGathered = 1024 ** 2;

/** Bytes that have arrived whole and verified, but that no record names yet. */
export interface ReceivedBody {
  readonly body: PartBody;
  readonly size: number;
  /** MD5, hexadecimal. */
  readonly etag: string;
  readonly checksum: StoredChecksum;
  /** Set for `inline`. */
  readonly bytes?: Uint8Array;
  /** Set for `blob`; released once the reference is committed, or the request failed. */
  readonly lease?: BlobLease;
}

export interface ReceiveOptions {
  readonly announced: AnnouncedChecksum | undefined;
  /** Kind to compute when the client announced none. */
  readonly defaultKind: ChecksumKind;
  /** Value of the Content-MD5 header. */
  readonly contentMd5?: string | undefined;
}

/** What is compared with the bytes: the trailers are those of a stream whose announced checksum the wire verified. */
interface Checks {
  readonly announced: AnnouncedChecksum | undefined;
  readonly kind: ChecksumKind;
  readonly md5: string | undefined;
  readonly verified: () => Readonly<Record<string, string>> | undefined;
}

/**
 * Takes in a body (a stream, bytes, text or nothing): small ones into memory, others straight to a file, in constant
 * memory. Verifies length, Content-MD5 and checksum. When it throws, nothing stays behind.
 */
export async function receiveBody(s3: S3State, source: unknown, options: ReceiveOptions): Promise<ReceivedBody> {
  const stream = toStream(source);
  const checks: Checks = {
    announced: options.announced,
    kind: options.announced?.kind ?? options.defaultKind,
    md5: options.contentMd5 === undefined ? undefined : parseContentMd5(options.contentMd5),
    verified: () => (stream instanceof Readable ? stream.trailers : undefined),
  };
  if (stream instanceof Uint8Array) return receiveBytes(s3, stream, checks);
  const declared = stream.contentLength;
  if (declared === undefined && stream.trailers !== undefined) {
    stream.destroy();
    throw new ServiceError('MissingContentLength', 'You must provide the Content-Length HTTP header.', { status: 411 });
  }
  if (declared !== undefined && declared > maxSingleUpload) {
    stream.destroy();
    throw entityTooLarge(declared);
  }
  if (declared !== undefined && declared <= maxGathered) {
    const buffer = declared <= s3.inlineLimit ? undefined : s3.buffers.take();
    const bytes = await gather(stream, declared, buffer);
    const received = await receiveBytes(s3, bytes, checks);
    // Only now does nobody read it any more; after an error that is not certain, so it is left to the collector.
    if (buffer) s3.buffers.give(buffer);
    return received;
  }
  return receiveStream(s3, stream, declared, checks);
}

function toStream(source: unknown): Uint8Array | (Readable & Partial<RequestBody>) {
  if (source === undefined || source === null) return new Uint8Array(0);
  if (typeof source === 'string') return Buffer.from(source);
  return source as Uint8Array | (Readable & Partial<RequestBody>);
}

/** All bytes of a stream that has said how many there are: in `buffer`, if there is one. */
function gather(stream: Readable, declared: number, buffer: Buffer | undefined): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    let bytes: Uint8Array | undefined;
    let received = 0;
    stream.on('data', (chunk: Uint8Array) => {
      if (received === 0 && chunk.length >= declared) bytes = chunk;
      else {
        bytes ??= buffer?.subarray(0, declared) ?? Buffer.allocUnsafe(declared);
        if (received + chunk.length <= declared) bytes.set(chunk, received);
      }
      received += chunk.length;
    });
    stream.on('end', () => {
      if (received === declared) resolve(bytes ?? new Uint8Array(0));
      else reject(incompleteBody());
    });
    stream.on('error', reject);
    stream.on('close', () => {
      if (!stream.readableEnded) reject(incompleteBody());
    });
  });
}

async function receiveBytes(s3: S3State, bytes: Uint8Array, checks: Checks): Promise<ReceivedBody> {
  const etag = hash('md5', bytes);
  checkMd5(checks.md5, etag);
  const stored = verifiedChecksum(checks) ?? computedChecksum(checks, checksum(checks.kind, bytes));
  const received = { size: bytes.length, etag, checksum: stored };
  if (bytes.length === 0) return { ...received, body: { kind: 'empty' } };
  if (bytes.length <= s3.inlineLimit) return { ...received, body: { kind: 'inline', id: newBodyId(s3) }, bytes };
  const blob = await s3.blobs.write(bytes);
  return { ...received, body: { kind: 'blob', id: newBodyId(s3), digest: blob.digest }, lease: blob };
}

async function receiveStream(
  s3: S3State,
  stream: Readable,
  declared: number | undefined,
  checks: Checks,
): Promise<ReceivedBody> {
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  const head: Uint8Array[] = [];
  let buffered = 0;
  while (buffered <= s3.inlineLimit) {
    const { value, done } = await chunks.next();
    if (done) {
      checkLength(declared, buffered);
      return receiveBytes(s3, Buffer.concat(head), checks);
    }
    head.push(value);
    buffered += value.length;
  }
  const md5 = createHash('md5');
  const isVerified = checks.announced !== undefined && checks.verified() !== undefined;
  // The blob store computes SHA-256 itself: its digest serves.
  const computation = checks.kind === 'SHA256' || isVerified ? undefined : createChecksum(checks.kind);
  let size = 0;
  const take = (chunk: Uint8Array): Uint8Array => {
    size += chunk.length;
    if (size > maxSingleUpload) throw entityTooLarge(size);
    md5.update(chunk);
    computation?.update(chunk);
    return chunk;
  };
  async function* flow(): AsyncGenerator<Uint8Array> {
    try {
      for (const chunk of head) yield take(chunk);
      for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield take(next.value);
    } finally {
      await chunks.return?.();
    }
    checkLength(declared, size);
  }
  const blob = await s3.blobs.write(flow());
  try {
    const etag = md5.digest('hex');
    checkMd5(checks.md5, etag);
    const digest = computation ? computation.digest() : Buffer.from(blob.digest.slice('sha256:'.length), 'hex');
    const stored = verifiedChecksum(checks) ?? computedChecksum(checks, digest);
    const body: PartBody = { kind: 'blob', id: newBodyId(s3), digest: blob.digest };
    return { body, size, etag, checksum: stored, lease: blob };
  } catch (error) {
    blob.release();
    throw error;
  }
}

/** What the client announced, when that was compared with the body before it came here. */
function verifiedChecksum({ announced, verified }: Checks): StoredChecksum | undefined {
  const trailers = verified();
  if (!announced || !trailers) return undefined;
  const value = announced.trailer === undefined ? announced.value : trailers[announced.trailer];
  if (value === undefined) throw invalidChecksumValue(announced.kind);
  return { kind: announced.kind, value, type: 'FULL_OBJECT' };
}

function computedChecksum({ announced, kind }: Checks, digest: Buffer): StoredChecksum {
  const value = digest.toString('base64');
  if (announced && announced.value === undefined) throw invalidChecksumValue(kind);
  if (announced && announced.value !== value) throw checksumMismatch(kind);
  return { kind, value, type: 'FULL_OBJECT' };
}

function parseContentMd5(value: string): string {
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

function checkLength(declared: number | undefined, actual: number): void {
  if (declared !== undefined && declared !== actual) throw incompleteBody();
}

function incompleteBody(): ServiceError {
  return new ServiceError(
    'IncompleteBody',
    'You did not provide the number of bytes specified by the Content-Length HTTP header',
  );
}

function entityTooLarge(size: number): ServiceError {
  return new ServiceError('EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size', {
    members: { ProposedSize: String(size), MaxSizeAllowed: String(maxSingleUpload) },
  });
}

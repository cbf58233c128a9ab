import { Readable } from 'node:stream';
import type { ChecksumKind } from '../../base/checksum/index.ts';
import { ServiceError } from '../../base/errors.ts';
import type { BlobLease } from '../../store/index.ts';
import type { RequestBody } from '../service.ts';
import { type BodyChecks, BodyHashes, type BodyIdentity, identifyBytes, parseContentMd5 } from './body-hashes.ts';
import type { AnnouncedChecksum } from './checksums.ts';
import type { PartBody } from './records.ts';
import { newBodyId, type S3State } from './state.ts';

/** Most bytes of one PutObject or UploadPart: 5 GB. Source: S3 User Guide, "Amazon S3 multipart upload limits". */
export const maxSingleUpload = 5 * 1024 ** 3;

/** Bodies up to this many bytes are gathered in memory: their file's digest is then computed on another thread. */
export const maxGathered = 1024 ** 2;

/** Bytes that have arrived whole and verified, but that no record names yet. */
export interface ReceivedBody extends BodyIdentity {
  readonly body: PartBody;
  readonly size: number;
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

/**
 * Takes in a body (a stream, bytes, text or nothing): small ones into memory, others straight to a file, in constant
 * memory. Verifies length, Content-MD5 and checksum. When it throws, nothing stays behind.
 */
export async function receiveBody(s3: S3State, source: unknown, options: ReceiveOptions): Promise<ReceivedBody> {
  const stream = toStream(source);
  const checks: BodyChecks = {
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
  if (declared !== undefined && declared <= s3.inlineLimit) {
    return receiveBytes(s3, await gather(stream, Buffer.allocUnsafe(declared)), checks);
  }
  if (declared !== undefined && declared <= maxGathered) return receiveGathered(s3, stream, declared, checks);
  return receiveStream(s3, stream, declared, checks);
}

function toStream(source: unknown): Uint8Array | (Readable & Partial<RequestBody>) {
  if (source === undefined || source === null) return new Uint8Array(0);
  if (typeof source === 'string') return Buffer.from(source);
  return source as Uint8Array | (Readable & Partial<RequestBody>);
}

/** Fills `buffer` from a stream that has said it has as many bytes; `seen` is told each chunk. */
function gather(stream: Readable, buffer: Buffer, seen?: (chunk: Uint8Array) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let received = 0;
    stream.on('data', (chunk: Uint8Array) => {
      if (received + chunk.length <= buffer.length) buffer.set(chunk, received);
      received += chunk.length;
      seen?.(chunk);
    });
    stream.on('end', () => {
      if (received === buffer.length) resolve(buffer);
      else reject(incompleteBody());
    });
    stream.on('error', reject);
    stream.on('close', () => {
      if (!stream.readableEnded) reject(incompleteBody());
    });
  });
}

async function receiveBytes(s3: S3State, bytes: Uint8Array, checks: BodyChecks): Promise<ReceivedBody> {
  const received = { size: bytes.length, ...identifyBytes(bytes, checks) };
  if (bytes.length === 0) return { ...received, body: { kind: 'empty' } };
  if (bytes.length <= s3.inlineLimit) return { ...received, body: { kind: 'inline', id: newBodyId(s3) }, bytes };
  const blob = await s3.blobs.write(bytes);
  return { ...received, body: { kind: 'blob', id: newBodyId(s3), digest: blob.digest }, lease: blob };
}

async function receiveGathered(
  s3: S3State,
  stream: Readable,
  declared: number,
  checks: BodyChecks,
): Promise<ReceivedBody> {
  const hashes = new BodyHashes(checks, 'elsewhere');
  const buffer = s3.buffers.take();
  const bytes = buffer.subarray(0, declared) as Buffer<SharedArrayBuffer>;
  await gather(stream, bytes, (chunk) => hashes.update(chunk));
  const md5 = s3.md5.digest(bytes);
  md5.catch(() => {}); // told below, unless the write fails first
  const blob = await s3.blobs.write(bytes);
  return finishBlob(s3, blob, async () => {
    const identity = hashes.finish(blob.digest, await md5);
    // Only now does nobody read it any more; after an error that is not certain, so it is left to the collector.
    s3.buffers.give(buffer);
    return identity;
  });
}

/** Releases the blob when it turns out not to be what the client announced. */
async function finishBlob(
  s3: S3State,
  blob: BlobLease & { readonly digest: string; readonly size: number },
  identify: () => BodyIdentity | Promise<BodyIdentity>,
): Promise<ReceivedBody> {
  try {
    const body: PartBody = { kind: 'blob', id: newBodyId(s3), digest: blob.digest };
    return { ...(await identify()), body, size: blob.size, lease: blob };
  } catch (error) {
    blob.release();
    throw error;
  }
}

async function receiveStream(
  s3: S3State,
  stream: Readable,
  declared: number | undefined,
  checks: BodyChecks,
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
  const hashes = new BodyHashes(checks, 'here');
  let size = 0;
  const take = (chunk: Uint8Array): Uint8Array => {
    size += chunk.length;
    if (size > maxSingleUpload) throw entityTooLarge(size);
    hashes.update(chunk);
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
  return finishBlob(s3, blob, () => hashes.finish(blob.digest));
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

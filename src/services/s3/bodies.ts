import { createHash, hash } from 'node:crypto';
import { Readable } from 'node:stream';
import { type ChecksumKind, checksum, createChecksum } from '../../base/checksum/index.ts';
import { ServiceError } from '../../base/errors.ts';
import { type BlobLease, BlobNotFoundError, type Transaction } from '../../store/index.ts';
import type { RequestBody } from '../service.ts';
import { type AnnouncedChecksum, checksumMismatch, invalidChecksumValue } from './checksums.ts';
import { blobOwner, inlineBodyKey, partListKey } from './keys.ts';
import type { Body, ObjectRecord, PartBody, PartRecord, StoredChecksum } from './records.ts';
import { newBodyId, type S3State } from './state.ts';

/** Most bytes of one PutObject or UploadPart: 5 GB. Source: S3 User Guide, "Amazon S3 multipart upload limits". */
export const maxSingleUpload = 5 * 1024 ** 3;

/** Bytes of a blob that are read at once rather than streamed. */
const maxBuffered = 1024 * 1024;

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

/**
 * Takes in a body (a stream, bytes, text or nothing): small ones into memory, others straight to a file, in constant
 * memory. Verifies length, Content-MD5 and checksum. When it throws, nothing stays behind.
 */
export async function receiveBody(s3: S3State, source: unknown, options: ReceiveOptions): Promise<ReceivedBody> {
  const expectedMd5 = options.contentMd5 === undefined ? undefined : parseContentMd5(options.contentMd5);
  if (source === undefined || source === null)
    return receiveBytes(s3, new Uint8Array(0), options, expectedMd5, undefined);
  if (typeof source === 'string') return receiveBytes(s3, Buffer.from(source), options, expectedMd5, undefined);
  if (source instanceof Uint8Array && source.length <= s3.inlineLimit) {
    return receiveBytes(s3, source, options, expectedMd5, undefined);
  }
  const stream = (source instanceof Uint8Array ? Readable.from([source]) : source) as Readable & Partial<RequestBody>;
  const declared = stream.contentLength;
  if (declared !== undefined && declared > maxSingleUpload) {
    stream.destroy();
    throw entityTooLarge(declared);
  }
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  const head: Uint8Array[] = [];
  let buffered = 0;
  let ended = false;
  while (buffered <= s3.inlineLimit) {
    const { value, done } = await chunks.next();
    if (done) {
      ended = true;
      break;
    }
    head.push(value);
    buffered += value.length;
  }
  // A stream with trailers comes from the wire, which has verified what the client announced.
  const verified = (): Readonly<Record<string, string>> | undefined => stream.trailers;
  if (ended) {
    checkLength(declared, buffered);
    const bytes = head.length === 1 ? head[0]! : Buffer.concat(head);
    return receiveBytes(s3, bytes, options, expectedMd5, verified());
  }
  return receiveStream(s3, { head, rest: chunks, declared, verified }, options, expectedMd5);
}

function receiveBytes(
  s3: S3State,
  bytes: Uint8Array,
  options: ReceiveOptions,
  expectedMd5: string | undefined,
  verified: Readonly<Record<string, string>> | undefined,
): ReceivedBody {
  const etag = hash('md5', bytes);
  checkMd5(expectedMd5, etag);
  const stored =
    verifiedChecksum(options.announced, verified) ?? storedChecksum(options, checksum(kindOf(options), bytes));
  const body: PartBody = bytes.length === 0 ? { kind: 'empty' } : { kind: 'inline', id: newBodyId(s3) };
  return { body, size: bytes.length, etag, checksum: stored, bytes };
}

interface PartlyRead {
  readonly head: readonly Uint8Array[];
  readonly rest: AsyncIterator<Uint8Array>;
  readonly declared: number | undefined;
  readonly verified: () => Readonly<Record<string, string>> | undefined;
}

async function receiveStream(
  s3: S3State,
  read: PartlyRead,
  options: ReceiveOptions,
  expectedMd5: string | undefined,
): Promise<ReceivedBody> {
  const md5 = createHash('md5');
  const kind = kindOf(options);
  const isVerified = options.announced !== undefined && read.verified() !== undefined;
  // The blob store computes SHA-256 itself: its digest serves.
  const computation = kind === 'SHA256' || isVerified ? undefined : createChecksum(kind);
  let size = 0;
  async function* flow(): AsyncGenerator<Uint8Array> {
    const take = (chunk: Uint8Array): Uint8Array => {
      size += chunk.length;
      if (size > maxSingleUpload) throw entityTooLarge(size);
      md5.update(chunk);
      computation?.update(chunk);
      return chunk;
    };
    try {
      for (const chunk of read.head) yield take(chunk);
      for (let next = await read.rest.next(); !next.done; next = await read.rest.next()) yield take(next.value);
    } finally {
      await read.rest.return?.();
    }
    checkLength(read.declared, size);
  }
  const blob = await s3.blobs.write(flow());
  try {
    const etag = md5.digest('hex');
    checkMd5(expectedMd5, etag);
    const digest = computation ? computation.digest() : Buffer.from(blob.digest.slice('sha256:'.length), 'hex');
    const stored = verifiedChecksum(options.announced, read.verified()) ?? storedChecksum(options, digest);
    return {
      body: { kind: 'blob', id: newBodyId(s3), digest: blob.digest },
      size,
      etag,
      checksum: stored,
      lease: blob,
    };
  } catch (error) {
    blob.release();
    throw error;
  }
}

function kindOf(options: ReceiveOptions): ChecksumKind {
  return options.announced?.kind ?? options.defaultKind;
}

/** What the client announced, when that was compared with the body before it came here. */
function verifiedChecksum(
  announced: AnnouncedChecksum | undefined,
  trailers: Readonly<Record<string, string>> | undefined,
): StoredChecksum | undefined {
  if (!announced || !trailers) return undefined;
  const value = announced.trailer === undefined ? announced.value : trailers[announced.trailer];
  if (value === undefined) throw invalidChecksumValue(announced.kind);
  return { kind: announced.kind, value, type: 'FULL_OBJECT' };
}

function storedChecksum({ announced, defaultKind }: ReceiveOptions, digest: Buffer): StoredChecksum {
  const value = digest.toString('base64');
  if (!announced) return { kind: defaultKind, value, type: 'FULL_OBJECT' };
  if (announced.value === undefined) throw invalidChecksumValue(announced.kind);
  if (announced.value !== value) throw checksumMismatch(announced.kind);
  return { kind: announced.kind, value, type: 'FULL_OBJECT' };
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
  if (declared === undefined || declared === actual) return;
  throw new ServiceError(
    'IncompleteBody',
    'You did not provide the number of bytes specified by the Content-Length HTTP header',
  );
}

function entityTooLarge(size: number): ServiceError {
  return new ServiceError('EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size', {
    members: { ProposedSize: String(size), MaxSizeAllowed: String(maxSingleUpload) },
  });
}

/** Writes received bytes, or their reference, with the record that names them. */
export function keepBody(s3: S3State, transaction: Transaction, received: ReceivedBody): void {
  if (received.body.kind === 'inline') transaction.put(inlineBodyKey(received.body.id), received.bytes);
  else if (received.body.kind === 'blob') {
    s3.blobs.reference(transaction, received.body.digest, blobOwner(received.body.id));
  }
}

/** Removes the bytes, or their reference, together with the record that named them. */
export async function dropBody(s3: S3State, transaction: Transaction, body: Body): Promise<void> {
  if (body.kind === 'inline') transaction.delete(inlineBodyKey(body.id));
  else if (body.kind === 'blob') s3.blobs.dereference(transaction, body.digest, blobOwner(body.id));
  else if (body.kind === 'parts') {
    const list = await transaction.get<PartRecord[]>(partListKey(body.id));
    for (const part of list?.value ?? []) await dropBody(s3, transaction, part.body);
    transaction.delete(partListKey(body.id));
  }
}

/** The parts of an object made by a multipart upload; `undefined` for others, or when it was just replaced. */
export async function readPartList(s3: S3State, record: ObjectRecord): Promise<readonly PartRecord[] | undefined> {
  if (record.body.kind !== 'parts') return undefined;
  return (await s3.store.get<PartRecord[]>(partListKey(record.body.id)))?.value;
}

/**
 * Opens bytes `start`..`end` (inclusive) of an object. `undefined` when the bytes are gone: the object was replaced
 * after its record was read, so the caller reads the record again.
 */
export async function openBody(
  s3: S3State,
  record: ObjectRecord,
  range: { readonly start: number; readonly end: number },
): Promise<Readable | Uint8Array | undefined> {
  if (record.body.kind !== 'parts') return openPart(s3, record.body, record.size, range);
  const parts = await readPartList(s3, record);
  return parts && Readable.from(readParts(s3, parts, range), { objectMode: false });
}

async function openPart(
  s3: S3State,
  body: PartBody,
  size: number,
  range: { readonly start: number; readonly end: number },
): Promise<Readable | Uint8Array | undefined> {
  if (body.kind === 'empty') return new Uint8Array(0);
  if (body.kind === 'inline') {
    const entry = await s3.store.get<Uint8Array>(inlineBodyKey(body.id));
    if (!entry) return undefined;
    return range.start === 0 && range.end === size - 1 ? entry.value : entry.value.subarray(range.start, range.end + 1);
  }
  try {
    // One read into one buffer beats a stream as long as it may be held in memory.
    if (range.end - range.start < maxBuffered) return await s3.blobs.read(body.digest, range);
    return await s3.blobs.open(body.digest, range);
  } catch (error) {
    if (error instanceof BlobNotFoundError) return undefined;
    throw error;
  }
}

async function* readParts(
  s3: S3State,
  parts: readonly PartRecord[],
  range: { readonly start: number; readonly end: number },
): AsyncGenerator<Uint8Array> {
  let offset = 0;
  for (const part of parts) {
    const start = Math.max(range.start - offset, 0);
    const end = Math.min(range.end - offset, part.size - 1);
    offset += part.size;
    if (start > end) continue;
    const opened = await openPart(s3, part.body, part.size, { start, end });
    if (opened === undefined) throw new Error('the object was replaced while it was being read');
    if (opened instanceof Uint8Array) yield opened;
    else yield* opened as AsyncIterable<Uint8Array>;
  }
}

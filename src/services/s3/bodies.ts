import { Readable } from 'node:stream';
import { type BlobLease, BlobNotFoundError, type Transaction } from '../../store/index.ts';
import { blobOwner, inlineBodyKey, partListKey } from './keys.ts';
import type { ReceivedBody } from './receive-body.ts';
import type { Body, ObjectRecord, PartBody, PartRecord } from './records.ts';
import type { S3State } from './state.ts';

/** Bytes of a blob that are read at once rather than streamed. */
const maxBuffered = 1024 * 1024;

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
  return parts && openParts(s3, slicesOf(parts, range));
}

interface Slice {
  readonly part: PartRecord;
  /** Within the part, inclusive. */
  readonly start: number;
  readonly end: number;
}

/** The parts that a range touches, and how much of each. */
function slicesOf(
  parts: readonly PartRecord[],
  range: { readonly start: number; readonly end: number },
): readonly Slice[] {
  const slices: Slice[] = [];
  let offset = 0;
  for (const part of parts) {
    const start = Math.max(range.start - offset, 0);
    const end = Math.min(range.end - offset, part.size - 1);
    offset += part.size;
    if (start <= end) slices.push({ part, start, end });
  }
  return slices;
}

/** One stream of all slices. Their files are held until it has closed, for the object may be replaced meanwhile. */
async function openParts(s3: S3State, slices: readonly Slice[]): Promise<Readable | undefined> {
  const leases = await Promise.all(
    slices.map(({ part: { body } }) => (body.kind === 'blob' ? s3.blobs.lease(body.digest) : unleased)),
  );
  const release = () => {
    for (const lease of leases) lease?.release();
  };
  if (leases.includes(undefined)) {
    release();
    return undefined;
  }
  const stream = Readable.from(readSlices(s3, slices), { objectMode: false });
  stream.once('close', release);
  return stream;
}

/** For bytes that are in the store itself. */
const unleased: BlobLease = { release() {} };

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

async function* readSlices(s3: S3State, slices: readonly Slice[]): AsyncGenerator<Uint8Array> {
  for (const { part, start, end } of slices) {
    const opened = await openPart(s3, part.body, part.size, { start, end });
    if (opened === undefined) throw new Error('the object was replaced while it was being read');
    if (opened instanceof Uint8Array) yield opened;
    else yield* opened as AsyncIterable<Uint8Array>;
  }
}

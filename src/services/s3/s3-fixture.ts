import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createManualClock, type ManualClock } from '../../base/system-clock.ts';
import { createSeededRandom } from '../../base/system-random.ts';
import type { DeliveryRequest } from '../../events/index.ts';
import { type BlobStore, openBlobStore, openMemoryStore, type Store } from '../../store/index.ts';
import type { RequestContext } from '../service.ts';
import { createS3, type S3Options, type S3Service } from './create-s3.ts';

/** S3 on a memory store and a scratch directory, for tests: time stands still until it is moved. */
export interface S3Fixture extends AsyncDisposable {
  readonly s3: S3Service;
  readonly operations: S3Service['operations'];
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly clock: ManualClock;
  /** What was enqueued for delivery by transactions that committed. */
  events(): Promise<DeliveryRequest[]>;
  /** The records in those deliveries' messages. */
  eventRecords(): Promise<EventRecord[]>;
}

export interface EventRecord {
  readonly eventVersion: string;
  readonly eventName: string;
  readonly s3: {
    readonly configurationId: string;
    readonly object: {
      readonly key: string;
      readonly size?: number;
      readonly eTag?: string;
      readonly versionId?: string;
      readonly sequencer: string;
    };
  };
}

const startOfTime = Date.UTC(2026, 0, 15, 10, 30);
const silent = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

/** Opens a fixture; `await using` closes it and removes its files. */
export async function openS3Fixture(
  options: Partial<S3Options> & { readonly permits?: boolean } = {},
): Promise<S3Fixture> {
  const directory = await mkdtemp(join(tmpdir(), 'kobune-s3-'));
  const clock = createManualClock(startOfTime);
  const random = createSeededRandom();
  const store = openMemoryStore();
  const blobs = await openBlobStore({ directory, store, random, durable: false });
  const events = async (): Promise<DeliveryRequest[]> =>
    (await store.range<DeliveryRequest>({ prefix: ['test-delivery'] })).map((entry) => entry.value);
  let enqueued = 0;
  const s3 = createS3({
    store,
    blobs,
    clock,
    random,
    logger: silent,
    delivery: {
      enqueue(transaction, request) {
        const id = enqueued++;
        transaction.put(['test-delivery', id], request);
        return String(id);
      },
      supports: (arn) => /^arn:aws:(lambda|sqs|sns):/.test(arn),
      permits: async () => options.permits ?? true,
    },
    ...options,
  });
  return {
    s3,
    operations: s3.operations,
    store,
    blobs,
    clock,
    events,
    eventRecords: async () =>
      (await events()).flatMap((event) => JSON.parse(Buffer.from(event.payload).toString()).Records),
    async [Symbol.asyncDispose]() {
      await s3.close?.();
      await blobs.close();
      await store.close();
      clock.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A request's context as the wire makes it. */
export function requestContext(changes: Partial<RequestContext> = {}): RequestContext {
  return {
    service: 's3',
    operation: 'PutObject',
    account: '111122223333',
    region: 'us-east-1',
    requestId: 'REQUEST1',
    principal: {
      type: 'User',
      account: '111122223333',
      arn: 'arn:aws:iam::111122223333:user/ada',
      userId: 'AIDAEXAMPLE',
      accessKeyId: 'AKIAEXAMPLE',
    },
    sourceIp: '127.0.0.1',
    userAgent: 'test',
    secure: false,
    headers: {},
    host: '127.0.0.1:4566',
    signal: new AbortController().signal,
    responseHeaders: {},
    ...changes,
  };
}

/** Reads an answer's body whole. */
export async function bodyOf(output: { readonly Body?: unknown }): Promise<Buffer> {
  if (output.Body instanceof Uint8Array) return Buffer.from(output.Body);
  const chunks: Uint8Array[] = [];
  for await (const chunk of output.Body as Readable) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** A request body that comes in small chunks. */
export function streamOf(bytes: Uint8Array, chunkSize = 64 * 1024): never {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += chunkSize) chunks.push(bytes.subarray(at, at + chunkSize));
  return Object.assign(Readable.from(chunks), { contentLength: bytes.length, trailers: {} }) as never;
}

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';
import type { AdjustableClock } from '../../base/clock.ts';
import { ServiceError } from '../../base/errors.ts';
import { createLogger } from '../../base/json-logger.ts';
import { createSystemClock } from '../../base/system-clock.ts';
import { createSeededRandom } from '../../base/system-random.ts';
import { createDelivery, type Delivery, type DeliveryOutcome, type PendingDelivery } from '../../events/index.ts';
import type {
  FunctionEngine,
  FunctionSpec,
  Invocation,
  InvocationResult,
  ResponseSink,
} from '../../functions/index.ts';
import { type BlobStore, openBlobStore, openMemoryStore, type Store } from '../../store/index.ts';
import type { RequestContext } from '../service.ts';
import { createLambda, LAMBDA_SOURCES, type Lambda, type LambdaOptions } from './lambda.ts';
import { MemoryQueues } from './memory-queues.ts';
import type { ObjectAccess, ObjectLocation } from './ports.ts';

/** What unit tests of the service share: the real store, blobs and delivery, a frozen clock, and an engine that records. */

export const ACCOUNT = '000000000000';
export const REGION = 'us-east-1';
export const ROLE = `arn:aws:iam::${ACCOUNT}:role/lambda-role`;
export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

export const arnOf = (name: string, qualifier?: string): string =>
  `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}${qualifier === undefined ? '' : `:${qualifier}`}`;

/** Answers what a test tells it to, and remembers what it was asked. */
export class RecordingEngine implements FunctionEngine {
  readonly invocations: { readonly spec: FunctionSpec; readonly invocation: Invocation }[] = [];
  readonly retired: { readonly arn: string; readonly keep: string | undefined }[] = [];
  readonly provisioned: { readonly spec: FunctionSpec; readonly count: number }[] = [];
  readonly prepared: FunctionSpec[] = [];
  handler: (spec: FunctionSpec, invocation: Invocation) => InvocationResult | Promise<InvocationResult> = () =>
    succeed('null');
  stream: (sink: ResponseSink) => Promise<InvocationResult> = async () => succeed('');
  prepareFails: Error | undefined;

  async invoke(spec: FunctionSpec, invocation: Invocation): Promise<InvocationResult> {
    this.invocations.push({ spec, invocation });
    return this.handler(spec, invocation);
  }

  async invokeStreaming(spec: FunctionSpec, invocation: Invocation, sink: ResponseSink): Promise<InvocationResult> {
    this.invocations.push({ spec, invocation });
    return this.stream(sink);
  }

  async provision(spec: FunctionSpec, count: number): Promise<void> {
    this.provisioned.push({ spec, count });
  }

  retire(arn: string, keep?: string): void {
    this.retired.push({ arn, keep });
  }

  async prepare(spec: FunctionSpec): Promise<void> {
    this.prepared.push(spec);
    if (this.prepareFails) throw this.prepareFails;
  }

  status() {
    return { environments: [], poolSizes: {} };
  }

  async close(): Promise<void> {}
}

const REPORT = {
  durationMs: 1,
  billedDurationMs: 1,
  memorySizeMb: 128,
  maxMemoryUsedMb: 40,
  initDurationMs: undefined,
};

export function succeed(payload: string, logTail?: string): InvocationResult {
  return {
    payload: Buffer.from(payload),
    functionError: undefined,
    logTail: logTail === undefined ? undefined : Buffer.from(logTail),
    report: { ...REPORT, status: 'success' },
  };
}

export function fail(payload: string): InvocationResult {
  return {
    payload: Buffer.from(payload),
    functionError: 'Unhandled',
    logTail: undefined,
    report: { ...REPORT, status: 'error' },
  };
}

class MemoryObjects implements ObjectAccess {
  readonly objects = new Map<string, Uint8Array>();
  failWrites: ServiceError | undefined;

  async read({ bucket, key }: ObjectLocation) {
    const bytes = this.objects.get(`${bucket}/${key}`);
    if (!bytes) throw new ServiceError('NoSuchKey', 'The specified key does not exist.', { status: 404 });
    return { body: Readable.from([bytes]), size: bytes.length };
  }

  /** Buckets as targets, as S3 has them. */
  async deliver({ parameters, payload, targetArn }: PendingDelivery): Promise<DeliveryOutcome> {
    if (this.failWrites) return { type: 'failed', reason: this.failWrites.message };
    this.objects.set(`${targetArn.split(':').pop()}/${parameters?.object?.key}`, payload);
    return { type: 'delivered' };
  }
}

type Call = <T = Record<string, unknown>>(
  operation: string,
  input: object,
  context?: Partial<RequestContext>,
) => Promise<T>;

/** One Lambda service with everything around it; `close` removes all of it. */
export class LambdaFixture {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly clock: AdjustableClock;
  delivery!: Delivery;
  readonly engine = new RecordingEngine();
  readonly objects = new MemoryObjects();
  readonly queues: MemoryQueues;
  lambda!: Lambda;
  #options: Partial<LambdaOptions>;
  readonly directory: string;
  /** Every time that something was ever to happen at. */
  readonly timers: ReadonlySet<number>;

  private constructor(
    parts: Pick<LambdaFixture, 'store' | 'blobs' | 'clock' | 'directory' | 'timers'>,
    options: Partial<LambdaOptions>,
  ) {
    this.store = parts.store;
    this.blobs = parts.blobs;
    this.clock = parts.clock;
    this.queues = new MemoryQueues(parts.clock);
    this.directory = parts.directory;
    this.timers = parts.timers;
    this.#options = options;
    this.#make();
  }

  /** The service and its delivery anew, on the same store, as after a stop and a start. */
  async restart(options: Partial<LambdaOptions> = {}): Promise<void> {
    this.#options = { ...this.#options, ...options };
    await this.delivery.close();
    await this.lambda.close();
    this.#make();
    await this.lambda.start();
    await this.delivery.start();
  }

  #make(): void {
    const common = {
      store: this.store,
      clock: this.clock,
      random: createSeededRandom(7),
      logger: createLogger({ level: 'error', format: 'json', write: (line) => process.stderr.write(line) }),
    };
    this.delivery = createDelivery({ ...common, closeGraceMs: 50 });
    this.lambda = createLambda({
      ...common,
      blobs: this.blobs,
      engine: this.engine,
      delivery: this.delivery,
      objects: this.objects,
      queues: this.queues,
      directory: join(this.directory, 'code'),
      urlDomain: 'localhost:4566',
      access: { allows: async () => true },
      architecture: 'x86_64',
      ...this.#options,
    });
    const { delivery, lambda, objects } = this;
    delivery.registerTarget('lambda', async () => lambda.deliveryTarget);
    delivery.registerTarget('s3', async () => objects);
    for (const name of LAMBDA_SOURCES) delivery.registerSource(name, async () => lambda.deliverySources[name]);
  }

  static async start(options: Partial<LambdaOptions> = {}): Promise<LambdaFixture> {
    const directory = await mkdtemp(join(tmpdir(), 'lambda-'));
    await mkdir(join(directory, 'code'));
    const clock = createSystemClock({ source: () => NOW });
    clock.freeze();
    const timers = new Set<number>();
    const at = clock.at.bind(clock);
    clock.at = (time, fire) => {
      timers.add(time);
      return at(time, fire);
    };
    const store = openMemoryStore();
    const blobs = await openBlobStore({
      directory: join(directory, 'blobs'),
      store,
      random: createSeededRandom(3),
      durable: false,
    });
    const fixture = new LambdaFixture({ store, blobs, clock, directory, timers }, options);
    await fixture.lambda.start();
    await fixture.delivery.start();
    return fixture;
  }

  async close(): Promise<void> {
    await this.delivery.close();
    await this.lambda.close();
    await this.blobs.close();
    await this.store.close();
    this.clock.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  /** Calls an operation as the wire does. */
  readonly call: Call = async <T>(
    operation: string,
    input: object,
    context: Partial<RequestContext> = {},
  ): Promise<T> => {
    const run = this.lambda.operations[operation];
    assert.ok(run, `${operation} is not served`);
    return (await run(input as never, requestContext(operation, context))) as T;
  };

  /** Creates a small function and waits until it is active. */
  async create(name = 'f', input: object = {}): Promise<Record<string, unknown>> {
    const created = await this.call('CreateFunction', {
      FunctionName: name,
      Runtime: 'nodejs22.x',
      Role: ROLE,
      Handler: 'index.handler',
      Code: { ZipFile: await zip({ 'index.js': `exports.handler = async () => '${name}';` }) },
      ...input,
    });
    await this.active(name);
    return created;
  }

  async active(name: string): Promise<void> {
    await this.until(async () => {
      const configuration = await this.call('GetFunctionConfiguration', { FunctionName: name });
      return configuration.State !== 'Pending' && configuration.LastUpdateStatus !== 'InProgress';
    });
  }

  /** Resolves when the condition holds, looked at after each turn of the event loop: no time passes. */
  async until(condition: () => boolean | Promise<boolean>): Promise<void> {
    for (let turns = 0; turns < 20_000; turns += 1) {
      if (await condition()) return;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.fail('the condition never came to hold');
  }

  /** Waits until something is to happen in so many milliseconds of the clock. */
  due(ms: number): Promise<void> {
    return this.until(() => this.timers.has(this.clock.now() + ms));
  }

  /** Lets everything that is ready run: enough to see that something does not happen. */
  async settle(): Promise<void> {
    for (let turns = 0; turns < 30; turns += 1) {
      await this.store.flush();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Everything that the store holds of Lambda, to see that a failed call left nothing behind. */
  async contents(): Promise<string[]> {
    const entries = await this.store.range({ prefix: ['lambda'] });
    return entries.map((entry) => entry.key.join('/'));
  }
}

function requestContext(operation: string, given: Partial<RequestContext>): RequestContext {
  return {
    service: 'lambda',
    operation,
    account: ACCOUNT,
    region: REGION,
    requestId: '8a4b1f4e-0000-4000-8000-000000000001',
    principal: {
      type: 'Root',
      account: ACCOUNT,
      arn: `arn:aws:iam::${ACCOUNT}:root`,
      userId: ACCOUNT,
      accessKeyId: undefined,
    },
    sourceIp: '127.0.0.1',
    userAgent: 'test',
    secure: false,
    headers: {},
    host: '127.0.0.1:4566',
    signal: new AbortController().signal,
    responseHeaders: {},
    ...given,
  };
}

export interface ZipEntry {
  readonly content: string | Buffer;
  /** Unix mode, file type included. */
  readonly mode?: number;
}

/** A zip archive of the files given. */
export async function zip(files: Readonly<Record<string, string | ZipEntry>>): Promise<Buffer> {
  const archive = new ZipFile();
  for (const [name, entry] of Object.entries(files)) {
    const { content, mode } = typeof entry === 'string' ? { content: entry, mode: 0o100644 } : entry;
    archive.addBuffer(Buffer.from(content), name, { mtime: new Date(0), ...(mode === undefined ? {} : { mode }) });
  }
  archive.end();
  return buffer(archive.outputStream);
}

/** Asserts that a call fails with this ServiceError. */
export async function rejects(
  call: Promise<unknown>,
  code: string,
  options: { readonly message?: string | RegExp; readonly status?: number } = {},
): Promise<ServiceError> {
  let caught: unknown;
  await assert.rejects(call, (error) => {
    caught = error;
    return true;
  });
  assert.ok(caught instanceof ServiceError, `a ServiceError was expected: ${String(caught)}`);
  assert.equal(caught.code, code, caught.message);
  if (options.status !== undefined) assert.equal(caught.status, options.status);
  if (typeof options.message === 'string') assert.equal(caught.message, options.message);
  else if (options.message) assert.match(caught.message, options.message);
  return caught;
}

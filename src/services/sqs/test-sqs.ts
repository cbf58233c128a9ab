import assert from 'node:assert/strict';
import { ServiceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { createManualClock, type ManualClock } from '../../base/system-clock.ts';
import { createSeededRandom } from '../../base/system-random.ts';
import { openMemoryStore, type Store } from '../../store/index.ts';
import type { ServiceAccess } from '../authorization.ts';
import type { Encryption } from '../encryption.ts';
import type { RequestContext } from '../service.ts';
import { createSqs, type Sqs } from './index.ts';

export const START = Date.UTC(2026, 0, 1);
export const ACCOUNT = '000000000000';
export const REGION = 'us-east-1';

export const context = {
  service: 'sqs',
  account: ACCOUNT,
  region: REGION,
  requestId: 'r',
  principal: { type: 'Root', account: ACCOUNT, arn: `arn:aws:iam::${ACCOUNT}:root`, userId: ACCOUNT },
  headers: {},
  host: '127.0.0.1:4566',
  secure: false,
  signal: new AbortController().signal,
} as unknown as RequestContext;

export const arnOf = (name: string): string => `arn:aws:sqs:${REGION}:${ACCOUNT}:${name}`;
export const urlOf = (name: string): string => `http://127.0.0.1:4566/${ACCOUNT}/${name}`;

/** A policy that lets everybody do one thing. */
export const policyOf = (name: string, Action: string): string =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: '*', Action, Resource: arnOf(name) }],
  });

/** Simple Queue Service on a store in memory, at a time that stands still. */
export class TestSqs {
  readonly store: Store;
  readonly clock: ManualClock;
  readonly warnings: string[] = [];
  /** What IAM answers; asked in enforce mode only. */
  allows: ServiceAccess['allows'] = async () => true;
  enforce = false;
  encryption: Encryption = {
    encrypt: () => Promise.reject(new Error('no keys here')),
    decrypt: () => Promise.reject(new Error('no keys here')),
    generateDataKey: () => Promise.reject(new Error('no keys here')),
  };
  sqs!: Sqs;
  #seed = 1;

  constructor(store: Store = openMemoryStore(), clock: ManualClock = createManualClock(START)) {
    this.store = store;
    this.clock = clock;
    this.restart();
  }

  /** Another run, on the same store unless told. Call `start` for what an earlier run left. */
  restart(store: Store = this.store): void {
    const logger: Logger = {
      debug() {},
      info() {},
      warn: (message) => this.warnings.push(message),
      error: (message) => this.warnings.push(message),
      child: () => logger,
    };
    this.#seed += 1;
    this.sqs = createSqs({
      store,
      clock: this.clock,
      random: createSeededRandom(this.#seed),
      logger,
      encryption: {
        encrypt: (...args) => this.encryption.encrypt(...args),
        decrypt: (...args) => this.encryption.decrypt(...args),
        generateDataKey: (...args) => this.encryption.generateDataKey(...args),
      },
      access: { allows: (question) => this.allows(question) },
      enforce: this.enforce,
    });
  }

  // biome-ignore lint/suspicious/noExplicitAny: the answers' shapes are what is being checked
  async call(operation: string, input: object = {}, overrides: Partial<RequestContext> = {}): Promise<any> {
    return this.sqs.service.operations[operation]!(input as never, { ...context, operation, ...overrides });
  }

  async create(name: string, attributes: Readonly<Record<string, string>> = {}): Promise<string> {
    const fifo: Record<string, string> = name.endsWith('.fifo') ? { FifoQueue: 'true' } : {};
    return (await this.call('CreateQueue', { QueueName: name, Attributes: { ...fifo, ...attributes } })).QueueUrl;
  }

  // biome-ignore lint/suspicious/noExplicitAny: the answers' shapes are what is being checked
  send(queue: string, body: string, more: object = {}): Promise<any> {
    return this.call('SendMessage', { QueueUrl: urlOf(queue), MessageBody: body, ...more });
  }

  /** Up to ten messages, with all their attributes. */
  // biome-ignore lint/suspicious/noExplicitAny: the answers' shapes are what is being checked
  async receive(queue: string, more: object = {}): Promise<any[]> {
    const { Messages = [] } = await this.call('ReceiveMessage', {
      QueueUrl: urlOf(queue),
      MaxNumberOfMessages: 10,
      MessageSystemAttributeNames: ['All'],
      MessageAttributeNames: ['All'],
      ...more,
    });
    return Messages;
  }

  async bodies(queue: string, more: object = {}): Promise<string[]> {
    return (await this.receive(queue, more)).map(({ Body }) => Body);
  }

  delete(queue: string, handle: string): Promise<object> {
    return this.call('DeleteMessage', { QueueUrl: urlOf(queue), ReceiptHandle: handle });
  }

  hide(queue: string, handle: string, seconds: number): Promise<object> {
    const visibility = { ReceiptHandle: handle, VisibilityTimeout: seconds };
    return this.call('ChangeMessageVisibility', { QueueUrl: urlOf(queue), ...visibility });
  }

  async attributes(queue: string, ...names: string[]): Promise<Record<string, string>> {
    const wanted = { AttributeNames: names.length === 0 ? ['All'] : names };
    return (await this.call('GetQueueAttributes', { QueueUrl: urlOf(queue), ...wanted })).Attributes ?? {};
  }

  /** Visible, in flight and delayed. */
  async counts(queue: string): Promise<readonly number[]> {
    const found = await this.attributes(queue);
    return ['', 'NotVisible', 'Delayed'].map((kind) => Number(found[`ApproximateNumberOfMessages${kind}`]));
  }

  seconds(count: number): void {
    this.clock.advance(count * 1000);
  }

  async close(): Promise<void> {
    await this.sqs.close();
    await this.store.close();
  }
}

/** For assert.rejects: a ServiceError of this code, and of this message or one that contains it. */
export const failure =
  (code: string, message = '') =>
  (error: unknown) => {
    assert.ok(error instanceof ServiceError, String(error));
    assert.equal(error.code, code, error.message);
    assert.ok(error.message.includes(message), error.message);
    return true;
  };

/** Lets everything that can happen at this time of the clock happen. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

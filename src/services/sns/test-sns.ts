import assert from 'node:assert/strict';
import { ServiceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { createManualClock, type ManualClock } from '../../base/system-clock.ts';
import { createSeededRandom } from '../../base/system-random.ts';
import { createDelivery, type Delivery, type DeliveryOutcome, type PendingDelivery } from '../../events/index.ts';
import { openMemoryStore, type Store } from '../../store/index.ts';
import type { ServiceAccess } from '../authorization.ts';
import type { Encryption, KeyUser } from '../encryption.ts';
import type { Principal, RequestContext } from '../service.ts';
import { createSns, type OutboxEntry, type Sns } from './index.ts';
import { MessageSigner } from './message-signer.ts';
import { keys } from './records.ts';

/** A Thursday. */
export const START = Date.UTC(2026, 0, 1, 10, 0, 0);
export const ACCOUNT = '000000000000';
export const OTHER = '111111111111';
export const QUEUE = `arn:aws:sqs:us-east-1:${ACCOUNT}:q`;
export const DEAD = `arn:aws:sqs:us-east-1:${ACCOUNT}:dead`;
export const FUNCTION = `arn:aws:lambda:us-east-1:${ACCOUNT}:function:f`;

const ANONYMOUS: Principal = {
  type: 'Anonymous',
  account: ACCOUNT,
  arn: '*',
  userId: 'anonymous',
  accessKeyId: undefined,
};

const rootOf = (account: string): Principal => ({
  type: 'Root',
  account,
  arn: `arn:aws:iam::${account}:root`,
  userId: account,
  accessKeyId: account,
});

/** Who asks: the root of an account, or nobody. */
export const as = (account: string): Partial<RequestContext> => ({ account, principal: rootOf(account) });
export const UNSIGNED: Partial<RequestContext> = { principal: ANONYMOUS };

/** Something that a target got. */
export interface Arrival {
  /** Seconds after the start. */
  readonly at: number;
  readonly target: string;
  readonly body: string;
  readonly delivery: PendingDelivery;
}

/** Making a key takes long, so all tests have the same one. */
let signingKey: Promise<unknown> | undefined;

async function makeSigningKey(): Promise<unknown> {
  const store = openMemoryStore();
  await new MessageSigner({ store, random: createSeededRandom() }).certificate(
    '/SimpleNotificationService-00000000000000000000000000000000.pem',
  );
  const entry = await store.get(keys.signingKey());
  await store.close();
  return entry!.value;
}

/** SNS on a store in memory, with targets that note what they get, at a time that stands still. */
export class TestSns {
  readonly store: Store = openMemoryStore();
  readonly clock: ManualClock = createManualClock(START);
  readonly arrivals: Arrival[] = [];
  /** What targets answer. */
  answer: (delivery: PendingDelivery) => DeliveryOutcome = () => ({ type: 'delivered' });
  /** Who used keys, and what is wrong with them. */
  readonly keyUsers: KeyUser[] = [];
  keyProblem: string | undefined;
  /** What IAM answers. */
  allows: ServiceAccess['allows'] = async () => true;
  delivery!: Delivery;
  sns!: Sns;

  async start(): Promise<void> {
    signingKey ??= makeSigningKey();
    await this.store.put(keys.signingKey(), await signingKey);
    await this.run();
  }

  /** Another run on the same store. */
  async run(): Promise<void> {
    const logger: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
    const base = { store: this.store, clock: this.clock, random: createSeededRandom(), logger };
    this.delivery = createDelivery({ ...base, closeGraceMs: 20 });
    this.sns = createSns({
      ...base,
      delivery: this.delivery,
      encryption: this.#keys(),
      endpoint: () => 'http://127.0.0.1:4566',
      access: { allows: (question) => this.allows(question) },
      enforce: true,
    });
    for (const kind of ['lambda', 'sqs', 'http', 'https']) {
      this.delivery.registerTarget(kind, async () => ({ deliver: async (delivery) => this.#deliver(delivery) }));
    }
    this.delivery.registerTarget('sns', async () => this.sns.deliveryTarget);
    for (const kind of ['mailto', 'tel']) this.delivery.registerTarget(kind, async () => this.sns.outboxTarget);
    this.delivery.registerSource('sns', async () => this.sns.deliverySource);
    this.delivery.registerSource('other', async () => ({
      policy: async () => ({ maximumRetries: 0, maximumAgeSeconds: 60, backoffMs: () => 0 }),
    }));
    await this.sns.start();
    await this.delivery.start();
  }

  async stop(): Promise<void> {
    await this.delivery.close();
    await this.sns.close();
  }

  async close(): Promise<void> {
    await this.stop();
    this.clock.close();
    await this.store.close();
  }

  // biome-ignore lint/suspicious/noExplicitAny: the answers' shapes are what is being checked
  async call(operation: string, input: object = {}, overrides: Partial<RequestContext> = {}): Promise<any> {
    const context = {
      service: 'sns',
      operation,
      region: 'us-east-1',
      requestId: 'r',
      sourceIp: '127.0.0.1',
      headers: {},
      signal: new AbortController().signal,
      ...as(ACCOUNT),
      ...overrides,
    } as RequestContext;
    return this.sns.service.operations[operation]!(input as never, context);
  }

  async topic(Name = 't', Attributes: Record<string, string> = {}): Promise<string> {
    const fifo = Name.endsWith('.fifo') ? { FifoTopic: 'true' } : {};
    return (await this.call('CreateTopic', { Name, Attributes: { ...fifo, ...Attributes } })).TopicArn;
  }

  async subscribe(
    TopicArn: string,
    Protocol: string,
    Endpoint: string,
    Attributes: Record<string, string> = {},
  ): Promise<string> {
    const input = { TopicArn, Protocol, Endpoint, Attributes, ReturnSubscriptionArn: true };
    return (await this.call('Subscribe', input)).SubscriptionArn;
  }

  /** Subscribes an HTTP endpoint and confirms that. */
  async subscribeHttp(TopicArn: string, Attributes: Record<string, string> = {}, Endpoint = 'http://127.0.0.1:9/x') {
    const arn = await this.subscribe(TopicArn, 'http', Endpoint, Attributes);
    await this.settle();
    const { Token } = JSON.parse(this.arrivals.at(-1)!.body);
    await this.call('ConfirmSubscription', { TopicArn, Token });
    this.arrivals.length = 0;
    return arn;
  }

  async publish(TopicArn: string, Message: string, more: object = {}) {
    const answer = await this.call('Publish', { TopicArn, Message, ...more });
    await this.settle();
    return answer;
  }

  outbox(account = ACCOUNT): Promise<readonly OutboxEntry[]> {
    return this.sns.outbox.list({ account }, 10_000);
  }

  /** Moves the clock to each next try of a delivery in turn, and waits for what follows from it. */
  async advance(ms: number): Promise<void> {
    const end = this.clock.now() + ms;
    await this.settle();
    for (let next = await this.#next(); next <= end; next = await this.#next()) {
      this.clock.advance(next - this.clock.now());
      await this.settle();
    }
    this.clock.advance(end - this.clock.now());
    await this.settle();
  }

  async #next(): Promise<number> {
    const deliveries = await this.store.range<PendingDelivery>({ prefix: ['delivery'] });
    return Math.min(...deliveries.map(({ value }) => value.notBefore ?? Number.POSITIVE_INFINITY));
  }

  /** Resolves when nothing is due or under way. */
  async settle(): Promise<void> {
    for (let quiet = 0, turns = 0; quiet < 5; turns += 1) {
      assert.ok(turns < 200_000, 'it never came to rest');
      await new Promise((resolve) => setImmediate(resolve));
      quiet = (await this.#busy()) ? 0 : quiet + 1;
    }
  }

  async #busy(): Promise<boolean> {
    const now = this.clock.now();
    const due = { prefix: keys.expiries(), before: [...keys.expiries(), now + 1], limit: 1 };
    if ((await this.store.range(due)).length > 0) return true;
    const deliveries = await this.store.range<PendingDelivery>({ prefix: ['delivery'] });
    // Of those that are ordered, the first alone is tried.
    const lanes = new Set<string>();
    return deliveries.some(({ value: { notBefore = 0, orderingKey, targetArn } }) => {
      const lane = orderingKey && `${targetArn} ${orderingKey}`;
      if (lane && lanes.has(lane)) return false;
      if (lane) lanes.add(lane);
      return notBefore <= now;
    });
  }

  /** Keys that note who uses them; `keyProblem` is what they answer. */
  #keys(): Encryption {
    const use = (user: KeyUser): void => {
      this.keyUsers.push(user);
      if (this.keyProblem) throw new ServiceError(this.keyProblem, 'The key cannot be used.');
    };
    const sealed = (bytes: Uint8Array, context: object) =>
      Buffer.concat([Buffer.from(`${JSON.stringify(context)}\n`), bytes]);
    return {
      encrypt: async () => assert.fail('SNS encrypts by data keys'),
      decrypt: async (ciphertext, context, user) => {
        use(user);
        const text = Buffer.from(ciphertext);
        const line = text.indexOf('\n');
        assert.equal(text.subarray(0, line).toString(), JSON.stringify(context));
        return text.subarray(line + 1);
      },
      generateDataKey: async (keyArn, context, user) => {
        use(user);
        const plaintext = Buffer.alloc(32, this.keyUsers.length);
        return { keyArn, plaintext, ciphertext: sealed(plaintext, context) };
      },
    };
  }

  #deliver(delivery: PendingDelivery): DeliveryOutcome {
    const { payload, targetArn: target } = delivery;
    const at = (this.clock.now() - START) / 1000;
    this.arrivals.push({ at, target, body: Buffer.from(payload).toString(), delivery });
    return this.answer(delivery);
  }
}

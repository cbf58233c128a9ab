import assert from 'node:assert/strict';
import type { Logger } from '../../base/logger.ts';
import { createManualClock, type ManualClock } from '../../base/system-clock.ts';
import { createSeededRandom } from '../../base/system-random.ts';
import { createDelivery, type Delivery, type DeliveryOutcome, type PendingDelivery } from '../../events/index.ts';
import { openMemoryStore, type Store } from '../../store/index.ts';
import type { ServiceAccess } from '../authorization.ts';
import type { Encryption } from '../encryption.ts';
import type { RequestContext } from '../service.ts';
import { createEventBridge, type EventBridge } from './index.ts';

/** A Thursday. */
export const START = Date.UTC(2026, 0, 1, 10, 0, 0);
export const ACCOUNT = '000000000000';
export const REGION = 'us-east-1';
export const QUEUE = `arn:aws:sqs:${REGION}:${ACCOUNT}:q`;
export const LETTERS = `arn:aws:sqs:${REGION}:${ACCOUNT}:letters`;
export const FUNCTION = `arn:aws:lambda:${REGION}:${ACCOUNT}:function:f`;
export const ROLE = `arn:aws:iam::${ACCOUNT}:role/invoker`;

/** ARN of something of EventBridge, e.g. `event-bus/default`. */
export const eventsArn = (resource: string, account = ACCOUNT): string =>
  `arn:aws:events:${REGION}:${account}:${resource}`;

const CONTEXT = {
  service: 'events',
  account: ACCOUNT,
  region: REGION,
  requestId: 'r',
  sourceIp: '127.0.0.1',
  headers: {},
  principal: { type: 'Root', account: ACCOUNT, arn: `arn:aws:iam::${ACCOUNT}:root`, userId: ACCOUNT, accessKeyId: 'k' },
  signal: new AbortController().signal,
} as unknown as RequestContext;

/** Something that a target got. */
export interface Arrival {
  /** `HH:MM:SS` of the clock. */
  readonly at: string;
  readonly target: string;
  readonly body: string;
  /** The body, parsed when it is JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: the events' shapes are what is being checked
  readonly event: any;
  readonly delivery: PendingDelivery;
}

/** Keys that only tell whether the encryption context is the same. */
const ENCRYPTION: Encryption = {
  encrypt: async () => assert.fail('data keys are used'),
  generateDataKey: async (keyId, context) => {
    const plaintext = Buffer.alloc(32, 7);
    return { plaintext, ciphertext: Buffer.from(JSON.stringify({ keyId, context })), keyArn: keyId };
  },
  decrypt: async (ciphertext, context) => {
    assert.deepEqual(JSON.parse(Buffer.from(ciphertext).toString()).context, context);
    return Buffer.alloc(32, 7);
  },
};

/** EventBridge on a store in memory, with targets that note what they get, at a time that stands still. */
export class TestEventBridge {
  readonly store: Store;
  readonly clock: ManualClock;
  readonly arrivals: Arrival[] = [];
  readonly warnings: string[] = [];
  /** What targets answer. */
  answer: (delivery: PendingDelivery) => DeliveryOutcome = () => ({ type: 'delivered' });
  /** What IAM answers. */
  allows: ServiceAccess['allows'] = async () => true;
  delivery!: Delivery;
  eventbridge!: EventBridge;

  constructor(store: Store = openMemoryStore(), clock: ManualClock = createManualClock(START)) {
    this.store = store;
    this.clock = clock;
  }

  /** Another run on the same store. */
  async start(): Promise<void> {
    const warn = (message: string) => this.warnings.push(message);
    const logger: Logger = { debug() {}, info() {}, warn, error: warn, child: () => logger };
    const base = { store: this.store, clock: this.clock, random: createSeededRandom(), logger };
    this.delivery = createDelivery({ ...base, closeGraceMs: 20 });
    this.eventbridge = createEventBridge({
      ...base,
      delivery: this.delivery,
      encryption: ENCRYPTION,
      access: { allows: (question) => this.allows(question) },
      enforce: true,
    });
    for (const kind of ['lambda', 'sqs', 'sns', 'logs']) {
      this.delivery.registerTarget(kind, async () => ({ deliver: async (delivery) => this.#deliver(delivery) }));
    }
    this.delivery.registerTarget('events', async () => this.eventbridge.deliveryTarget);
    this.delivery.registerSource('events', async () => this.eventbridge.deliverySource);
    await this.eventbridge.start();
    await this.delivery.start();
  }

  async stop(): Promise<void> {
    await this.delivery.close();
    await this.eventbridge.close();
  }

  async close(): Promise<void> {
    await this.stop();
    this.clock.close();
    await this.store.close();
  }

  // biome-ignore lint/suspicious/noExplicitAny: the answers' shapes are what is being checked
  async call(operation: string, input: object = {}, overrides: Partial<RequestContext> = {}): Promise<any> {
    return this.eventbridge.service.operations[operation]!(input as never, { ...CONTEXT, operation, ...overrides });
  }

  /** Makes a rule with a pattern and one target, a queue unless told otherwise. */
  async rule(Name: string, pattern: object | undefined, target: object = {}, more: object = {}): Promise<string> {
    const given = { Name, ...(pattern ? { EventPattern: JSON.stringify(pattern) } : {}), ...more };
    const { RuleArn } = await this.call('PutRule', given);
    const { EventBusName } = more as { EventBusName?: string };
    await this.call('PutTargets', { Rule: Name, EventBusName, Targets: [{ Id: '1', Arn: QUEUE, ...target }] });
    return RuleArn;
  }

  /** Puts one event, from `app`; returns its entry of the answer. */
  async put(detail: object = {}, more: object = {}, overrides: Partial<RequestContext> = {}) {
    const entry = { Source: 'app', DetailType: 'Thing', Detail: JSON.stringify(detail), ...more };
    const { Entries } = await this.call('PutEvents', { Entries: [entry] }, overrides);
    return Entries[0];
  }

  /** What has arrived since it was last asked. */
  async arrived(): Promise<readonly Arrival[]> {
    await this.settle();
    return this.arrivals.splice(0);
  }

  /** Moves the clock and waits for what follows from that. */
  async advance(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.settle();
  }

  /** Resolves when nothing is due or under way. */
  async settle(): Promise<void> {
    for (let quiet = 0, turns = 0; quiet < 3; turns += 1) {
      assert.ok(turns < 200_000, 'it never came to rest');
      await new Promise((resolve) => setImmediate(resolve));
      quiet = (await this.#busy()) ? 0 : quiet + 1;
    }
  }

  async #busy(): Promise<boolean> {
    const now = this.clock.now();
    for (const agenda of ['rule-due', 'housekeeping-due']) {
      const due = { prefix: ['events', agenda], before: ['events', agenda, now + 1], limit: 1 };
      if ((await this.store.range(due)).length > 0) return true;
    }
    const active = await this.store.range({ prefix: ['events', 'replay-active'], limit: 1 });
    const deliveries = await this.store.range<PendingDelivery>({ prefix: ['delivery'] });
    return active.length > 0 || deliveries.some(({ value }) => (value.notBefore ?? 0) <= now);
  }

  #deliver(delivery: PendingDelivery): DeliveryOutcome {
    const body = Buffer.from(delivery.payload).toString();
    const at = new Date(this.clock.now()).toISOString().slice(11, 19);
    let event: unknown;
    try {
      event = JSON.parse(body);
    } catch {
      event = undefined;
    }
    this.arrivals.push({ at, target: delivery.targetArn, body, event, delivery });
    return this.answer(delivery);
  }
}

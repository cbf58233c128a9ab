import assert from 'node:assert/strict';
import type { Logger } from '../../base/logger.ts';
import { createManualClock, type ManualClock } from '../../base/system-clock.ts';
import { createSeededRandom } from '../../base/system-random.ts';
import {
  createDelivery,
  type Delivery,
  type DeliveryCaller,
  type DeliveryOutcome,
  type PendingDelivery,
} from '../../events/index.ts';
import { openMemoryStore, type Store } from '../../store/index.ts';
import type { ServiceAccess } from '../authorization.ts';
import type { RequestContext } from '../service.ts';
import { createScheduler, type Scheduler } from './index.ts';

/** A Thursday. */
export const START = Date.UTC(2026, 0, 1, 10, 0, 0);
export const ROLE = 'arn:aws:iam::000000000000:role/invoker';
export const FUNCTION = 'arn:aws:lambda:us-east-1:000000000000:function:f';
export const QUEUE = 'arn:aws:sqs:us-east-1:000000000000:q';
export const TOPIC = 'arn:aws:sns:us-east-1:000000000000:t';
export const BUS = 'arn:aws:events:us-east-1:000000000000:event-bus/default';

const CONTEXT = {
  service: 'scheduler',
  account: '000000000000',
  region: 'us-east-1',
  requestId: 'r',
  signal: new AbortController().signal,
} as RequestContext;

/** Something that a target got. */
export interface Arrival {
  /** `HH:MM:SS` of the clock. */
  readonly at: string;
  readonly target: string;
  readonly body: string;
  readonly caller: DeliveryCaller | undefined;
  readonly delivery: PendingDelivery;
}

/** EventBridge Scheduler on a store in memory, with targets that note what they get, at a time that stands still. */
export class TestScheduler {
  readonly store: Store;
  readonly clock: ManualClock;
  readonly arrivals: Arrival[] = [];
  /** What targets answer. */
  answer: (delivery: PendingDelivery) => DeliveryOutcome = () => ({ type: 'delivered' });
  /** What IAM answers. */
  allows: ServiceAccess['allows'] = async () => true;
  delivery!: Delivery;
  scheduler!: Scheduler;

  constructor(store: Store = openMemoryStore(), clock: ManualClock = createManualClock(START)) {
    this.store = store;
    this.clock = clock;
  }

  /** Another run on the same store. */
  async start(store: Store = this.store): Promise<void> {
    const logger: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
    const base = { store, clock: this.clock, random: createSeededRandom(), logger };
    this.delivery = createDelivery({ ...base, closeGraceMs: 20 });
    this.scheduler = createScheduler({
      ...base,
      delivery: this.delivery,
      access: { allows: (question) => this.allows(question) },
      enforce: true,
    });
    for (const kind of ['lambda', 'sqs', 'sns', 'events']) {
      this.delivery.registerTarget(kind, async () => ({ deliver: async (delivery) => this.#deliver(delivery) }));
    }
    this.delivery.registerSource('scheduler', async () => this.scheduler.deliverySource);
    await this.scheduler.start();
    await this.delivery.start();
  }

  async stop(): Promise<void> {
    await this.delivery.close();
    await this.scheduler.close();
  }

  async close(): Promise<void> {
    await this.stop();
    this.clock.close();
    await this.store.close();
  }

  // biome-ignore lint/suspicious/noExplicitAny: the answers' shapes are what is being checked
  async call(operation: string, input: object = {}, overrides: Partial<RequestContext> = {}): Promise<any> {
    return this.scheduler.service.operations[operation]!(input as never, { ...CONTEXT, operation, ...overrides });
  }

  /** Makes a schedule that invokes a queue, unless told otherwise. */
  create(Name: string, ScheduleExpression: string, more: object = {}, target: object = {}): Promise<unknown> {
    return this.call('CreateSchedule', {
      Name,
      ScheduleExpression,
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: { Arn: QUEUE, RoleArn: ROLE, Input: Name, ...target },
      ...more,
    });
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
    const due = { prefix: ['scheduler', 'due'], before: ['scheduler', 'due', now + 1], limit: 1 };
    if ((await this.store.range(due)).length > 0) return true;
    const deliveries = await this.store.range<PendingDelivery>({ prefix: ['delivery'] });
    return deliveries.some(({ value }) => (value.notBefore ?? 0) <= now);
  }

  #deliver(delivery: PendingDelivery): DeliveryOutcome {
    const { caller, payload, targetArn: target } = delivery;
    const at = new Date(this.clock.now()).toISOString().slice(11, 19);
    this.arrivals.push({ at, target, body: Buffer.from(payload).toString(), caller, delivery });
    return this.answer(delivery);
  }
}

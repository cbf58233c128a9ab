import assert from 'node:assert/strict';
import type { AdjustableClock } from '../base/clock.ts';
import { createLogger } from '../base/json-logger.ts';
import { createSystemClock } from '../base/system-clock.ts';
import { createSeededRandom } from '../base/system-random.ts';
import type { Store } from '../store/index.ts';
import {
  createDelivery,
  type Delivery,
  type DeliveryOptions,
  type DeliveryOutcome,
  type DeliveryPolicy,
  type DeliveryRequest,
  type FinalOutcome,
  type PendingDelivery,
} from './index.ts';

export const TARGET = 'arn:aws:lambda:us-east-1:000000000000:function:f';
export const START = 1_700_000_000_000;

/** Resolves when `condition` holds, looked at after each turn of the event loop: no time passes. */
export async function until(condition: () => boolean): Promise<void> {
  for (const start = performance.now(); performance.now() < start + 10_000; ) {
    if (condition()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.fail('the condition never came to hold');
}

/** A delivery with a clock that stands still and one kind of target, `lambda`. */
export class World {
  readonly clock: AdjustableClock;
  readonly store: Store;
  delivery: Delivery;
  readonly attempts: { delivery: PendingDelivery; at: number }[] = [];
  readonly log: string[] = [];
  readonly ended: { delivery: PendingDelivery; outcome: FinalOutcome }[] = [];
  policy: DeliveryPolicy = { maximumRetries: 2, maximumAgeSeconds: 3600, backoffMs: (retry) => retry * 60_000 };
  answer: (delivery: PendingDelivery) => DeliveryOutcome | Promise<DeliveryOutcome> = () => ({ type: 'delivered' });
  finished: () => void = () => {};
  readonly #timers = new Set<number>();

  constructor(store: Store, options: Partial<DeliveryOptions> = {}) {
    this.store = store;
    this.clock = createSystemClock({ source: () => START });
    this.clock.freeze();
    const at = this.clock.at.bind(this.clock);
    this.clock.at = (time, fire) => {
      this.#timers.add(time);
      return at(time, fire);
    };
    this.delivery = this.make(options);
  }

  /** Waits until something is to happen in so many milliseconds of the clock. */
  due(ms: number): Promise<void> {
    return until(() => this.#timers.has(this.clock.now() + ms));
  }

  make(options: Partial<DeliveryOptions> = {}): Delivery {
    const delivery = createDelivery({
      store: this.store,
      clock: this.clock,
      random: createSeededRandom(),
      logger: createLogger({ level: 'warn', format: 'json', write: (line) => this.log.push(line) }),
      closeGraceMs: 20,
      ...options,
    });
    delivery.registerTarget('lambda', async () => ({
      deliver: async (pending) => {
        this.attempts.push({ delivery: pending, at: this.clock.now() - START });
        return this.answer(pending);
      },
    }));
    delivery.registerSource('test', async () => ({
      policy: async () => this.policy,
      finished: async (pending, outcome) => {
        this.finished();
        this.ended.push({ delivery: pending, outcome });
      },
    }));
    return delivery;
  }

  send(targetArn = TARGET, source = 'test', extra: Partial<DeliveryRequest> = {}): Promise<string> {
    return this.store.transact(async (transaction) =>
      this.delivery.enqueue(transaction, {
        source,
        targetArn,
        payload: Buffer.from('{}'),
        account: '000000000000',
        region: 'us-east-1',
        ...extra,
      }),
    );
  }

  async pending(): Promise<number> {
    return (await this.store.range({ prefix: ['delivery'] })).length;
  }
}

/** Lets everything that is ready run: store commits and the delivery's reaction to them. */
export async function settle(world: World): Promise<void> {
  for (let turns = 0; turns < 20; turns += 1) {
    await world.store.flush();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

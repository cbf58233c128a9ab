import type { Clock } from '../../base/clock.ts';

/** Spreads the deliveries of subscriptions with a throttle policy: so many a second, at even distances. */
export class DeliveryPace {
  readonly #clock: Clock;
  /** Epoch ms of the next free place. */
  readonly #next = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Epoch ms at which the subscription's next delivery may be made. */
  take(subscription: string, perSecond: number): number {
    const now = this.#clock.now();
    const time = Math.max(now, this.#next.get(subscription) ?? 0);
    this.#next.set(subscription, time + 1000 / perSecond);
    return Math.ceil(time);
  }

  forget(subscription: string): void {
    this.#next.delete(subscription);
  }
}

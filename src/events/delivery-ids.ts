import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';

const TIME_DIGITS = 12;
const COUNT_DIGITS = 6;
const MAXIMUM_COUNT = 16 ** COUNT_DIGITS - 1;

/** Ids of deliveries: they sort in the order in which they were given out, also when the clock is set back. */
export class DeliveryIds {
  readonly #clock: Clock;
  readonly #random: Random;
  #time = 0;
  #count = 0;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** A new id, and the present time (epoch ms). */
  next(): { readonly id: string; readonly time: number } {
    const now = this.#clock.now();
    if (now > this.#time) this.#set(now, 0);
    else if (this.#count === MAXIMUM_COUNT) this.#set(this.#time + 1, 0);
    else this.#count += 1;
    const time = this.#time.toString(16).padStart(TIME_DIGITS, '0');
    const count = this.#count.toString(16).padStart(COUNT_DIGITS, '0');
    return { id: `${time}-${count}-${this.#random.hex(10)}`, time: now };
  }

  /** The id is of an earlier run: what comes now sorts after it. */
  seen(id: string): void {
    const [time, count] = id.split('-');
    const [givenTime, givenCount] = [Number.parseInt(time!, 16), Number.parseInt(count!, 16)];
    if (givenTime > this.#time || (givenTime === this.#time && givenCount > this.#count)) {
      this.#set(givenTime, givenCount);
    }
  }

  #set(time: number, count: number): void {
    this.#time = time;
    this.#count = count;
  }
}

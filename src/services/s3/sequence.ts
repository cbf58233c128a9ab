import type { Clock } from '../../base/clock.ts';

const counterDigits = 6;
const counterLimit = 16 ** counterDigits;

/**
 * Hands out numbers of 18 hexadecimal digits that only grow: 12 of the time, 6 of a counter. They order the versions of
 * a key and are the `sequencer` of events.
 */
export class Sequence {
  readonly #clock: Clock;
  #time = 0;
  #counter = 0;
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The next number; greater than `floor` too, which matters when the clock was set back between two runs. */
  next(floor?: string): string {
    const now = Math.floor(this.#clock.now());
    if (floor !== undefined) this.#raise(floor);
    if (now > this.#time) {
      this.#time = now;
      this.#counter = 0;
    } else {
      this.#counter++;
      if (this.#counter === counterLimit) {
        this.#time++;
        this.#counter = 0;
      }
    }
    return this.#time.toString(16).padStart(12, '0') + this.#counter.toString(16).padStart(counterDigits, '0');
  }

  #raise(floor: string): void {
    const time = Number.parseInt(floor.slice(0, 12), 16);
    const counter = Number.parseInt(floor.slice(12), 16);
    if (time > this.#time || (time === this.#time && counter > this.#counter)) {
      this.#time = time;
      this.#counter = counter;
    }
  }
}

/** Turns a sequence number around, so that ascending text order is newest first; its own inverse. */
export function invertSequence(digits: string): string {
  const half = digits.length / 2;
  return invertHalf(digits.slice(0, half)) + invertHalf(digits.slice(half));
}

/** Up to 12 digits fit into a number exactly. */
function invertHalf(digits: string): string {
  const highest = 16 ** digits.length - 1;
  return (highest - Number.parseInt(digits, 16)).toString(16).padStart(digits.length, '0');
}

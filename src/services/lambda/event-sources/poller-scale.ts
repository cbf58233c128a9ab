/** Source: Lambda Developer Guide, "Configuring scaling behavior for SQS event source mappings". */
const START = 5;
const PER_MINUTE = 300;
const MAXIMUM = 1250;

const INTERVAL_MS = 60_000 / PER_MINUTE;

/**
 * How many batches of a mapping may be under way: five at first, then up to 300 more for each minute in which there is
 * more to do; fewer after failures. The mapping's own bound holds throughout.
 */
export class PollerScale {
  readonly #maximum: number;
  #base: number;
  /** Epoch ms since which all places have been taken. */
  #busySince: number | undefined;

  constructor(maximumConcurrency: number | undefined) {
    this.#maximum = maximumConcurrency ?? MAXIMUM;
    this.#base = this.#start;
  }

  get #start(): number {
    return Math.min(START, this.#maximum);
  }

  limit(now: number): number {
    const raised = this.#busySince === undefined ? 0 : Math.floor((now - this.#busySince) / INTERVAL_MS);
    return Math.min(this.#base + raised, this.#maximum);
  }

  /** All places are taken and there may be more to do. Returns when there will be another place (epoch ms), if ever. */
  busy(now: number): number | undefined {
    this.#busySince ??= now;
    const raised = Math.floor((now - this.#busySince) / INTERVAL_MS);
    return this.limit(now) >= this.#maximum ? undefined : this.#busySince + (raised + 1) * INTERVAL_MS;
  }

  /** There is nothing to do: the next rush starts small. */
  calm(): void {
    this.#base = this.#start;
    this.#busySince = undefined;
  }

  /** The function failed or was throttled: half as many, growing from there. */
  backOff(now: number): void {
    this.#base = Math.max(1, Math.floor(this.limit(now) / 2));
    this.#busySince = undefined;
  }
}

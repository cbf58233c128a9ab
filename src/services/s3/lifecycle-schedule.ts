import type { Timer } from '../../base/clock.ts';
import { lastMidnight, nextMidnight } from './lifecycle-due.ts';
import { runLifecycle } from './lifecycle-run.ts';
import type { S3State } from './state.ts';

/**
 * Runs lifecycle at each midnight UTC, as S3 does, while any bucket has rules. Nothing polls: one timer of the clock
 * waits for the next midnight.
 */
export class LifecycleSchedule {
  readonly #s3: () => S3State;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(s3: () => S3State) {
    this.#s3 = s3;
  }

  /** Does what became due while nothing ran, then waits for midnight. */
  async start(): Promise<void> {
    await this.#run(lastMidnight(this.#s3().clock.now()));
    await this.#rearm();
  }

  /** A bucket got rules. */
  changed(): void {
    if (!this.#timer && !this.#running) this.#arm();
  }

  /** Resolves when no run is under way. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.idle();
  }

  #arm(): void {
    if (this.#closed) return;
    const { clock } = this.#s3();
    const due = nextMidnight(clock.now());
    this.#timer = clock.at(due, () => {
      this.#timer = undefined;
      this.#running = this.#fire(due).finally(() => {
        this.#running = undefined;
      });
    });
  }

  async #fire(due: number): Promise<void> {
    const { clock, logger } = this.#s3();
    try {
      // Time may have been moved on by days meanwhile; one run does for all of them.
      for (let asOf = due, done = 0; asOf > done; asOf = lastMidnight(clock.now())) {
        await this.#run(asOf);
        done = asOf;
      }
    } catch (error) {
      logger.error('a lifecycle run failed; the next one is at midnight', { error: String(error) });
    }
    await this.#rearm();
  }

  async #run(asOf: number): Promise<void> {
    for (const bucket of await this.#buckets()) {
      if (this.#closed) return;
      await runLifecycle(this.#s3(), bucket, asOf);
    }
  }

  async #rearm(): Promise<void> {
    if (!this.#timer && (await this.#buckets()).length > 0) this.#arm();
  }

  async #buckets(): Promise<string[]> {
    const entries = await this.#s3().store.range({ prefix: ['s3', 'config', 'lifecycle'] });
    return entries.map((entry) => entry.key[3] as string);
  }
}

import { setTimeout as wait } from 'node:timers/promises';
import type { Random } from '../../base/random.ts';
import { RegistryAnswerError } from './registry-errors.ts';

/** How often something is tried, and how long is waited in between. Real time: it is about real networks. */
export interface RetryPolicy {
  readonly attempts: number;
  /** Before the second attempt, milliseconds; it doubles each time. */
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

export const DEFAULT_RETRIES: RetryPolicy = { attempts: 5, firstDelayMs: 200, maxDelayMs: 10_000 };

const TRANSIENT_CODES = new Set([
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ECONNABORTED',
  'ERR_STREAM_PREMATURE_CLOSE',
]);
const TRANSIENT_STATUSES = new Set([408, 429, 500, 502, 503, 504]);

/** Whether the same may succeed a little later. */
export function isTransient(error: unknown): boolean {
  if (error instanceof RegistryAnswerError) return TRANSIENT_STATUSES.has(error.status);
  const { code, message } = error as NodeJS.ErrnoException;
  return TRANSIENT_CODES.has(code ?? '') || message === 'aborted' || message === 'the registry does not answer';
}

/** Counts failures in a row and waits longer after each. */
export class Backoff {
  readonly #policy: RetryPolicy;
  readonly #random: Random;
  readonly #signal: AbortSignal | undefined;
  #failures = 0;

  constructor(policy: RetryPolicy, random: Random, signal: AbortSignal | undefined) {
    this.#policy = policy;
    this.#random = random;
    this.#signal = signal;
  }

  /** After some success the next failure is a first one. */
  reset(): void {
    this.#failures = 0;
  }

  /** Waits before the next attempt; throws `error` when it will not help or was tried often enough. */
  async after(error: unknown): Promise<void> {
    const { attempts, firstDelayMs, maxDelayMs } = this.#policy;
    if (this.#signal?.aborted) throw this.#signal.reason;
    if (!isTransient(error) || ++this.#failures >= attempts) throw error;
    const told = error instanceof RegistryAnswerError ? Number(error.retryAfter) * 1000 : Number.NaN;
    const delay = Math.min(firstDelayMs * 2 ** (this.#failures - 1), maxDelayMs) * (0.5 + this.#random.fraction() / 2);
    await wait(told > 0 ? Math.min(told, 60_000) : delay, undefined, this.#signal && { signal: this.#signal });
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        await this.after(error);
      }
    }
  }
}

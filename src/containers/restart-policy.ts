import type { RestartPolicy } from './container.ts';

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 60_000;
/** A run of this length counts as a success: the next delay is the first again. */
const SETTLED_MS = 10_000;

/**
 * When to start a container again after its process has ended. Delays double from 100 ms to a minute and begin anew after a run of ten
 * seconds. Source: Docker's documentation, "Start containers automatically", and `docker run --restart`.
 */
export class Restarts {
  #delay = FIRST_DELAY_MS;

  /** Milliseconds to wait; `undefined`: it stays ended. */
  next(
    policy: RestartPolicy,
    ended: {
      readonly exitCode: number;
      readonly ranMs: number;
      readonly restartCount: number;
      readonly stoppedByUser: boolean;
    },
  ): number | undefined {
    if (ended.ranMs >= SETTLED_MS) this.#delay = FIRST_DELAY_MS;
    if (!wantsRestart(policy, ended)) return undefined;
    const delay = this.#delay;
    this.#delay = Math.min(delay * 2, LONGEST_DELAY_MS);
    return delay;
  }

  /** It was started by hand. */
  reset(): void {
    this.#delay = FIRST_DELAY_MS;
  }
}

function wantsRestart(
  { name, maximumRetries }: RestartPolicy,
  {
    exitCode,
    restartCount,
    stoppedByUser,
  }: { readonly exitCode: number; readonly restartCount: number; readonly stoppedByUser: boolean },
): boolean {
  if (stoppedByUser) return false;
  if (name === 'always' || name === 'unless-stopped') return true;
  return name === 'on-failure' && exitCode !== 0 && (maximumRetries === 0 || restartCount < maximumRetries);
}

/** Whether a container that did not run, or ended with, an earlier Kobune is to run now. */
export function startsWithEngine(
  { name }: RestartPolicy,
  { stoppedByUser, hasRun }: { readonly stoppedByUser: boolean; readonly hasRun: boolean },
): boolean {
  return hasRun && (name === 'always' || (name === 'unless-stopped' && !stoppedByUser));
}

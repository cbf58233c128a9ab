import type { Health } from '../container.ts';

export interface ProbeResult {
  /** Epoch ms of the machine. */
  readonly start: number;
  readonly end: number;
  /** -1: it could not be run, or took too long. */
  readonly exitCode: number;
  readonly output: string;
}

const REMEMBERED = 5;

/** The state after a probe. A failure while the container is still starting up does not count. Source: Dockerfile reference, "HEALTHCHECK". */
export function afterProbe(
  health: Health,
  result: ProbeResult,
  { retries, startingUp }: { readonly retries: number; readonly startingUp: boolean },
): Health {
  const log = [...health.log, result].slice(-REMEMBERED);
  if (result.exitCode === 0) return { status: 'healthy', failingStreak: 0, log };
  if (health.status === 'starting' && startingUp) return { ...health, log };
  const failingStreak = health.failingStreak + 1;
  return { status: failingStreak >= retries ? 'unhealthy' : health.status, failingStreak, log };
}

import type { Logger } from '../base/logger.ts';

/** A part that was started, and how it is stopped. */
export interface Stop {
  readonly what: string;
  readonly stop: () => Promise<unknown> | unknown;
}

/**
 * Stops one after another. One that fails is logged, and the rest is stopped all the same: state must reach the disk.
 * Answers what failed, and why.
 */
export async function stopEach(stops: readonly Stop[], logger: Logger): Promise<readonly string[]> {
  const failed: string[] = [];
  for (const { what, stop } of stops) {
    try {
      await stop();
    } catch (error) {
      const reason = error instanceof Error ? error.message : error;
      logger.warn('a part did not stop as it should', { what, error: reason });
      failed.push(`${what}: ${reason}`);
    }
  }
  return failed;
}

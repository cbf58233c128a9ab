import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';

/** What the front end needs around it, in its simplest form. */

const notNeeded = (): never => {
  throw new Error('the wire does not use this');
};

/** A clock that stands still at `time`. */
export function clockAt(time: () => number): Clock {
  return { now: time, at: notNeeded, sleep: notNeeded };
}

export const machineClock: Clock = clockAt(() => Date.now());

/** Identifiers that count up. */
export function fixedRandom(): Random {
  let count = 0;
  return {
    uuid: () => `00000000-0000-4000-8000-${String(++count).padStart(12, '0')}`,
    hex: (length) => String(++count).padStart(length, '0'),
    from: (_alphabet, length) => String(++count).padStart(length, 'A'),
    bytes: (length) => new Uint8Array(length),
    fraction: () => 0.5,
  };
}

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};

/** A logger that keeps the messages of errors. */
export function recordingLogger(): { readonly logger: Logger; readonly errors: unknown[] } {
  const errors: unknown[] = [];
  const logger: Logger = {
    ...silentLogger,
    error: (message, fields) => errors.push({ message, ...fields }),
    child: () => logger,
  };
  return { logger, errors };
}

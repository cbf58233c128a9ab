import { ServiceError } from '../../base/errors.ts';
import { compileEventPattern, type EventPattern, InvalidPatternError } from '../../events/index.ts';

/** Characters. Source: EventBridge User Guide, "Amazon EventBridge quotas": event pattern size; it can be raised. */
const MAXIMUM_PATTERN = 4096;

/** Compiles a pattern. Throws InvalidEventPatternException. */
export function checkPattern(text: string): EventPattern {
  if (text.length > MAXIMUM_PATTERN) {
    throw invalidPattern(`Event pattern is not valid. Reason: it is longer than ${MAXIMUM_PATTERN} characters`);
  }
  try {
    return compileEventPattern(text, 'eventbridge');
  } catch (error) {
    if (!(error instanceof InvalidPatternError)) throw error;
    throw invalidPattern(error.message);
  }
}

function invalidPattern(message: string): ServiceError {
  return new ServiceError('InvalidEventPatternException', message);
}

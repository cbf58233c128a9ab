import { runInNewContext } from 'node:vm';
import { ServiceError } from '../../base/errors.ts';

/** A pattern that takes longer than this on a value of 8 KB backtracks without end. */
const TIME_LIMIT_MS = 250;
const MAX_LENGTH = 1024;

/** Throws InvalidAllowedPatternException for what is no pattern, ParameterPatternMismatchException for a value that does not fit. */
export function checkAllowedPattern(pattern: string, value: string): void {
  if (pattern.length > MAX_LENGTH) throw invalid(`A pattern can have ${MAX_LENGTH} characters at most.`);
  try {
    new RegExp(pattern);
  } catch (error) {
    throw invalid(`The pattern is not a regular expression: ${(error as Error).message}`);
  }
  let fits: unknown;
  try {
    fits = runInNewContext('new RegExp(pattern).test(value)', { pattern, value }, { timeout: TIME_LIMIT_MS });
  } catch {
    throw invalid(`The pattern takes too long: ${pattern}`);
  }
  if (fits !== true) {
    throw new ServiceError(
      'ParameterPatternMismatchException',
      `Parameter value, cannot be validated against allowedPattern: ${pattern}`,
    );
  }
}

function invalid(message: string): ServiceError {
  return new ServiceError('InvalidAllowedPatternException', message);
}

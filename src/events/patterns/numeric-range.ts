import { InvalidPatternError } from './invalid-pattern-error.ts';

/** Source: EventBridge User Guide, "Numeric matching": values between -5.0e9 and +5.0e9, six digits after the point. */
const LARGEST = 5_000_000_000;

const COMPARISONS: Readonly<Record<string, (value: number, bound: number) => boolean>> = {
  '=': (value, bound) => value === bound,
  '<': (value, bound) => value < bound,
  '<=': (value, bound) => value <= bound,
  '>': (value, bound) => value > bound,
  '>=': (value, bound) => value >= bound,
};

/**
 * A test for `["=", 5]`, `["<", 10]` or a range, `[">", 0, "<=", 5]`. Throws InvalidPatternError.
 */
export function compileNumeric(expression: unknown): (value: number) => boolean {
  if (!Array.isArray(expression) || expression.length === 0) {
    throw new InvalidPatternError('Invalid member in numeric match: must be a non-empty array');
  }
  if (expression.length !== 2 && expression.length !== 4) {
    throw new InvalidPatternError('Bad numeric range: must be one or two comparisons, each with a number');
  }
  const tests: ((value: number) => boolean)[] = [];
  for (let index = 0; index < expression.length; index += 2) {
    const [operator, bound] = expression.slice(index, index + 2) as [unknown, unknown];
    const compare = typeof operator === 'string' ? COMPARISONS[operator] : undefined;
    if (!compare) throw new InvalidPatternError(`Unrecognized numeric range operator: ${String(operator)}`);
    if (typeof bound !== 'number') {
      throw new InvalidPatternError(`Value of ${String(operator)} must be numeric`);
    }
    if (Math.abs(bound) > LARGEST) {
      throw new InvalidPatternError(`Value of ${String(operator)} must be between -5.0E9 and 5.0E9, inclusive`);
    }
    tests.push((value: number) => compare(value, bound));
  }
  checkRange(expression);
  return (value) => Math.abs(value) <= LARGEST && tests.every((test) => test(value));
}

/** Two comparisons are a lower bound, then an upper one that is greater. */
function checkRange(expression: readonly unknown[]): void {
  if (expression.length === 2) return;
  const [lower, low, upper, high] = expression as [string, number, string, number];
  if (!lower.startsWith('>') || !upper.startsWith('<')) {
    throw new InvalidPatternError('Bad numeric range operators: a range is a lower bound, then an upper one');
  }
  if (low >= high) throw new InvalidPatternError('Bottom must be less than top');
}

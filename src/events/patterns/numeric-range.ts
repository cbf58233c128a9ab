import { InvalidPatternError } from './invalid-pattern-error.ts';

/** Numbers that a language compares. */
export interface NumberLimits {
  /** The largest, and its negative the smallest. */
  readonly largest: number;
  /** Digits after the point that count. */
  readonly digits: number;
}

/** Source: EventBridge User Guide, "Numeric matching". */
export const EVENTBRIDGE_NUMBERS: NumberLimits = { largest: 5e9, digits: 6 };

type Comparison = (value: number, bound: number) => boolean;

const LOWER: Readonly<Record<string, Comparison>> = {
  '>': (value, bound) => value > bound,
  '>=': (value, bound) => value >= bound,
};
const UPPER: Readonly<Record<string, Comparison>> = {
  '<': (value, bound) => value < bound,
  '<=': (value, bound) => value <= bound,
};
const COMPARISONS: Readonly<Record<string, Comparison>> = {
  '=': (value, bound) => value === bound,
  ...LOWER,
  ...UPPER,
};

/** A number without the digits that do not count; `undefined` when it is out of range. */
export function comparable(value: number, { digits, largest }: NumberLimits): number | undefined {
  return Math.abs(value) <= largest ? Math.round(value * 10 ** digits) : undefined;
}

/** A test for `["=", 5]`, `["<", 10]` or a range, `[">", 0, "<=", 5]`. Throws InvalidPatternError. */
export function compileNumeric(expression: unknown, limits: NumberLimits): (value: number) => boolean {
  if (!Array.isArray(expression)) throw new InvalidPatternError('Value of numeric must be an array.');
  const [operator, operand, ...range] = expression as readonly unknown[];
  if (typeof operator !== 'string') {
    throw new InvalidPatternError(
      `Invalid member in numeric match: ${operator === undefined ? ']' : String(operator)}`,
    );
  }
  const compare = comparisonOf(COMPARISONS, operator);
  if (!compare) throw new InvalidPatternError(`Unrecognized numeric range operator: ${operator}`);
  const bound = boundOf(operator === '=' ? 'equals' : operator, operand, limits);
  const test = (value: number): boolean => {
    const given = comparable(value, limits);
    return given !== undefined && compare(given, bound);
  };
  if (range.length === 0) return test;
  if (!comparisonOf(LOWER, operator)) throw new InvalidPatternError('Too many elements in numeric expression');
  const below = compileTop(range, bound, limits);
  return (value) => test(value) && below(value);
}

function compileTop(
  [operator, operand, ...others]: readonly unknown[],
  bottom: number,
  limits: NumberLimits,
): (value: number) => boolean {
  if (typeof operator !== 'string') throw new InvalidPatternError(`Bad value in numeric range: ${String(operator)}`);
  const compare = comparisonOf(UPPER, operator);
  if (!compare) throw new InvalidPatternError(`Bad numeric range operator: ${operator}`);
  const top = boundOf(operator, operand, limits);
  if (others.length > 0) throw new InvalidPatternError('Too many terms in numeric range expression');
  if (bottom >= top) throw new InvalidPatternError('Bottom must be less than top');
  return (value) => compare(comparable(value, limits)!, top);
}

const comparisonOf = (comparisons: Readonly<Record<string, Comparison>>, operator: string): Comparison | undefined =>
  Object.hasOwn(comparisons, operator) ? comparisons[operator] : undefined;

function boundOf(operator: string, operand: unknown, limits: NumberLimits): number {
  if (typeof operand !== 'number') throw new InvalidPatternError(`Value of ${operator} must be numeric`);
  const bound = comparable(operand, limits);
  if (bound === undefined) throw outOfRange(limits);
  return bound;
}

export function outOfRange({ largest }: NumberLimits): InvalidPatternError {
  const text = largest.toExponential(1).replace('e+', 'E');
  return new InvalidPatternError(`Value must be between -${text} and ${text}, inclusive`);
}

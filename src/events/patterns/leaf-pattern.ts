import { BlockList, isIP, isIPv4 } from 'node:net';
import { InvalidPatternError } from './invalid-pattern-error.ts';
import { comparable, compileNumeric, EVENTBRIDGE_NUMBERS, type NumberLimits, outOfRange } from './numeric-range.ts';
import { compileWildcard } from './wildcard.ts';
import { wildcardComplexity } from './wildcard-complexity.ts';

/** A value that JSON has and that is neither object nor array. */
export type Scalar = string | number | boolean | null;

/** Says whether one value of a field is wanted. */
export type ScalarTest = (value: Scalar) => boolean;

/** What a field of an event must be. */
export interface LeafPattern {
  /** The only values that match (as `identity` gives them), when there is nothing but such. */
  readonly exact: readonly Scalar[] | undefined;
  /** Any of them is enough. */
  readonly tests: readonly ScalarTest[];
  /** Any value, or none at all, is enough. */
  readonly present: boolean;
  readonly absent: boolean;
}

/** What a language of patterns has. */
export interface PatternLanguage {
  readonly operators: ReadonlySet<string>;
  readonly numbers: NumberLimits;
  /** Refuses a wildcard that is too much. */
  checkWildcard(wildcard: string): void;
}

export const OPERATORS: ReadonlySet<string> = new Set([
  'anything-but',
  'cidr',
  'equals-ignore-case',
  'exactly',
  'exists',
  'numeric',
  'prefix',
  'suffix',
  'wildcard',
]);

/** AWS does not tell the number; this is the largest with which its examples are taken and refused as the guide says. */
const MAX_WILDCARD_COMPLEXITY = 10;

export const EVENTBRIDGE_LANGUAGE: PatternLanguage = {
  operators: OPERATORS,
  numbers: EVENTBRIDGE_NUMBERS,
  checkWildcard: (wildcard) => {
    if (wildcardComplexity(wildcard, MAX_WILDCARD_COMPLEXITY + 1) <= MAX_WILDCARD_COMPLEXITY) return;
    throw new InvalidPatternError(
      'Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard character',
    );
  },
};

export const isScalar = (value: unknown): value is Scalar =>
  value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';

/**
 * Values that are the same to a pattern have the same identity: numbers by the digits that count, so that 300, 300.0 and
 * 3.0e2 are one (as AWS was seen to match, though its guide says otherwise).
 */
export function identity(value: Scalar): Scalar {
  if (typeof value !== 'number') return value;
  const counted = comparable(value, EVENTBRIDGE_NUMBERS);
  return counted === undefined ? value : counted / 1e6;
}

/** Reads the array of alternatives that a field has in a pattern. Throws InvalidPatternError. */
export function compileLeaf(alternatives: readonly unknown[], language: PatternLanguage): LeafPattern {
  if (alternatives.length === 0) throw new InvalidPatternError('Empty arrays are not allowed');
  const exact: Scalar[] = [];
  const tests: ScalarTest[] = [];
  let [present, absent] = [false, false];
  for (const alternative of alternatives) {
    if (isScalar(alternative)) {
      exact.push(identity(alternative));
      continue;
    }
    const [operator, operand] = soleEntry(alternative, 'Match expression name not found');
    if (!language.operators.has(operator)) throw new InvalidPatternError(`Unrecognized match type ${operator}`);
    if (operator === 'exactly') exact.push(requireText('exact', operand));
    else if (operator !== 'exists') tests.push(compileTest(operator, operand, language));
    else if (typeof operand !== 'boolean') {
      throw new InvalidPatternError('exists match pattern must be either true or false.');
    } else if (operand) present = true;
    else absent = true;
  }
  const onlyExact = tests.length === 0 && !present && !absent;
  if (exact.length > 0) tests.push(oneOf(exact));
  return { exact: onlyExact ? exact : undefined, tests, present, absent };
}

function oneOf(values: readonly Scalar[]): ScalarTest {
  if (values.length === 1) {
    const [only] = values;
    return (value) => identity(value) === only;
  }
  const set = new Set(values);
  return (value) => set.has(identity(value));
}

function soleEntry(expression: unknown, whenNone: string): readonly [string, unknown] {
  if (typeof expression !== 'object' || expression === null || Array.isArray(expression)) {
    throw new InvalidPatternError('Match value must be String, number, true, false, or null');
  }
  const [entry, ...others] = Object.entries(expression);
  if (!entry) throw new InvalidPatternError(whenNone);
  if (others.length > 0) throw new InvalidPatternError('Only one key allowed in match expression');
  return entry;
}

function compileTest(operator: string, operand: unknown, language: PatternLanguage): ScalarTest {
  switch (operator) {
    case 'prefix':
    case 'suffix':
      return affix(operator, operand);
    case 'equals-ignore-case':
      return equalsIgnoreCase(requireText(operator, operand));
    case 'wildcard':
      return wildcard(requireText(operator, operand), language);
    case 'numeric': {
      const matches = compileNumeric(operand, language.numbers);
      return (value) => typeof value === 'number' && matches(value);
    }
    case 'cidr':
      // AWS says so.
      return compileCidr(requireText('prefix', operand));
    default:
      return compileAnythingBut(operand, language);
  }
}

function requireText(operator: string, operand: unknown): string {
  if (typeof operand === 'string') return operand;
  throw new InvalidPatternError(`${operator} match pattern must be a string`);
}

const fold = (text: string): string => text.toLowerCase();

function equalsIgnoreCase(text: string): ScalarTest {
  const wanted = fold(text);
  return (value) => typeof value === 'string' && fold(value) === wanted;
}

function wildcard(text: string, language: PatternLanguage): ScalarTest {
  const matches = compileWildcard(text);
  language.checkWildcard(text);
  return (value) => typeof value === 'string' && matches(value);
}

/** `"x"`, or `{"equals-ignore-case": "x"}`. */
function affix(operator: 'prefix' | 'suffix', operand: unknown): ScalarTest {
  const fits = (text: string, part: string): boolean =>
    operator === 'prefix' ? text.startsWith(part) : text.endsWith(part);
  if (typeof operand !== 'object' || operand === null || Array.isArray(operand)) {
    const part = requireText(operator, operand);
    return (value) => typeof value === 'string' && fits(value, part);
  }
  const name = operator === 'prefix' ? 'Prefix' : 'Suffix';
  const [inner, text] = soleEntry(operand, `${name} expression name not found`);
  if (inner !== 'equals-ignore-case') throw new InvalidPatternError(`Unsupported ${operator} pattern: ${inner}`);
  const part = fold(requireText(inner, text));
  return (value) => typeof value === 'string' && fits(fold(value), part);
}

/** Source: EventBridge User Guide, "IP address matching": IPv4 and IPv6. */
function compileCidr(cidr: string): ScalarTest {
  const [address = '', length = '', ...others] = cidr.split('/');
  if (!cidr.includes('/') || others.length > 0) throw new InvalidPatternError("Malformed CIDR, one '/' required");
  if (/^-\d+$/.test(length)) throw new InvalidPatternError('Malformed CIDR, mask bits must not be negative');
  if (!/^\d{1,9}$/.test(length)) throw new InvalidPatternError('Malformed CIDR, mask bits must be an integer');
  // A zone is of one machine.
  const version = address.includes('%') ? 0 : isIP(address);
  if (version === 0) throw new InvalidPatternError(`Nonstandard IP address: ${address}`);
  const [family, most] = version === 6 ? (['ipv6', 128] as const) : (['ipv4', 32] as const);
  if (Number(length) > most) throw new InvalidPatternError(`IPv${version} mask bits must be <= ${most}`);
  const range = new BlockList();
  range.addSubnet(address, Number(length), family);
  return (value) =>
    typeof value === 'string' &&
    isIP(value) !== 0 &&
    !value.includes('%') &&
    isIPv4(value) === (family === 'ipv4') &&
    range.check(value, family);
}

/** Source: EventBridge User Guide, "anything-but matching". A field that is not there does not match. */
function compileAnythingBut(operand: unknown, language: PatternLanguage): ScalarTest {
  if (Array.isArray(operand)) return noneOf(operand, language);
  if (typeof operand === 'string' || typeof operand === 'number') return noneOf([operand], language);
  if (typeof operand !== 'object' || operand === null) throw notAnythingBut();
  const [operator, inner] = soleEntry(operand, 'Anything-But expression name not found');
  if (!['prefix', 'suffix', 'equals-ignore-case', 'wildcard'].includes(operator)) {
    throw new InvalidPatternError(`Unsupported anything-but pattern: ${operator}`);
  }
  const texts: readonly unknown[] = Array.isArray(inner) ? inner : [inner];
  if (!(Array.isArray(inner) || typeof inner === 'string' || typeof inner === 'number')) throw notAnythingBut();
  if (texts.length === 0) throw new InvalidPatternError('Empty arrays are not allowed');
  const tests = texts.map((text) => exclusion(operator, text, language));
  return (value) => !tests.some((test) => test(value));
}

const notAnythingBut = (): InvalidPatternError =>
  new InvalidPatternError('Value of anything-but must be an array or single string/number value.');

function exclusion(operator: string, text: unknown, language: PatternLanguage): ScalarTest {
  if (operator === 'wildcard') return wildcard(requireText(operator, text), language);
  if (operator === 'equals-ignore-case') {
    if (typeof text === 'string') return equalsIgnoreCase(text);
    throw new InvalidPatternError(
      'Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.',
    );
  }
  const part = requireText('prefix/suffix', text);
  if (part === '') throw new InvalidPatternError('Null prefix/suffix not allowed');
  return affix(operator as 'prefix' | 'suffix', part);
}

function noneOf(values: readonly unknown[], { numbers }: PatternLanguage): ScalarTest {
  if (!values.every((value) => typeof value === 'string' || typeof value === 'number')) {
    throw new InvalidPatternError('Inside anything but list, start|null|boolean is not supported.');
  }
  if (new Set(values.map((value) => typeof value)).size !== 1) {
    throw new InvalidPatternError(
      'Inside anything but list, either all values are number or string, mixed type is not supported',
    );
  }
  if (values.some((value) => typeof value === 'number' && comparable(value, numbers) === undefined)) {
    throw outOfRange(numbers);
  }
  const excluded = new Set(values.map(identity));
  return (value) => !excluded.has(identity(value));
}

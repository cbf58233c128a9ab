import { BlockList, isIP, isIPv4 } from 'node:net';
import { InvalidPatternError } from './invalid-pattern-error.ts';
import { compileNumeric } from './numeric-range.ts';
import { compileWildcard } from './wildcard.ts';

/** A value that JSON has and that is neither object nor array. */
export type Scalar = string | number | boolean | null;

/** Says whether one value of a field is wanted. */
export type ScalarTest = (value: Scalar) => boolean;

/** What a field of an event must be. */
export interface LeafPattern {
  /** The only values that match, when there is nothing but such. */
  readonly exact: readonly Scalar[] | undefined;
  /** Any of them is enough. */
  readonly tests: readonly ScalarTest[];
  /** Any value, or none at all, is enough. */
  readonly present: boolean;
  readonly absent: boolean;
}

/** The operators that a dialect has. */
export type Operators = ReadonlySet<string>;

export const EVENTBRIDGE_OPERATORS: Operators = new Set([
  'anything-but',
  'cidr',
  'equals-ignore-case',
  'exists',
  'numeric',
  'prefix',
  'suffix',
  'wildcard',
]);

/** Reads the array of alternatives that a field has in a pattern. Throws InvalidPatternError. */
export function compileLeaf(alternatives: readonly unknown[], operators: Operators): LeafPattern {
  if (alternatives.length === 0) throw new InvalidPatternError('Empty arrays are not allowed');
  const exact: Scalar[] = [];
  const tests: ScalarTest[] = [];
  let [present, absent] = [false, false];
  for (const alternative of alternatives) {
    if (isScalar(alternative)) {
      exact.push(alternative);
      continue;
    }
    const [operator, operand] = soleEntry(alternative);
    if (!operators.has(operator)) throw new InvalidPatternError(`Unrecognized match type ${operator}`);
    if (operator !== 'exists') {
      tests.push(compileTest(operator, operand));
      continue;
    }
    if (typeof operand !== 'boolean') throw new InvalidPatternError('exists match must be either true or false.');
    if (operand) present = true;
    else absent = true;
  }
  const onlyExact = tests.length === 0 && !present && !absent;
  if (exact.length > 0) tests.push(oneOf(exact));
  return { exact: onlyExact ? exact : undefined, tests, present, absent };
}

export const isScalar = (value: unknown): value is Scalar =>
  value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';

function oneOf(values: readonly Scalar[]): ScalarTest {
  if (values.length === 1) {
    const [only] = values;
    return (value) => value === only;
  }
  const set = new Set(values);
  return (value) => set.has(value);
}

function soleEntry(expression: unknown): readonly [string, unknown] {
  if (typeof expression !== 'object' || expression === null || Array.isArray(expression)) {
    throw new InvalidPatternError('Match value must be String, number, true, false, or null');
  }
  const [entry, ...others] = Object.entries(expression);
  if (!entry) throw new InvalidPatternError('Empty objects are not allowed');
  if (others.length > 0) throw new InvalidPatternError('Only one key allowed in match expression');
  return entry;
}

function compileTest(operator: string, operand: unknown): ScalarTest {
  switch (operator) {
    case 'prefix':
      return affix(operator, operand, (text, part) => text.startsWith(part));
    case 'suffix':
      return affix(operator, operand, (text, part) => text.endsWith(part));
    case 'equals-ignore-case': {
      const wanted = fold(requireText(operator, operand));
      return (value) => typeof value === 'string' && fold(value) === wanted;
    }
    case 'wildcard': {
      const matches = compileWildcard(requireText(operator, operand));
      return (value) => typeof value === 'string' && matches(value);
    }
    case 'numeric': {
      const matches = compileNumeric(operand);
      return (value) => typeof value === 'number' && matches(value);
    }
    case 'cidr':
      return compileCidr(requireText(operator, operand));
    default:
      return compileAnythingBut(operand);
  }
}

function requireText(operator: string, operand: unknown): string {
  if (typeof operand === 'string') return operand;
  throw new InvalidPatternError(`${operator} match pattern must be a string`);
}

const fold = (text: string): string => text.toLowerCase();

/** `"x"`, or `{"equals-ignore-case": "x"}`. */
function affix(operator: string, operand: unknown, fits: (text: string, part: string) => boolean): ScalarTest {
  if (typeof operand === 'string') return (value) => typeof value === 'string' && fits(value, operand);
  const [inner, text] = soleEntry(operand);
  if (inner !== 'equals-ignore-case') throw new InvalidPatternError(`Unsupported ${operator} pattern: ${inner}`);
  const part = fold(requireText(operator, text));
  return (value) => typeof value === 'string' && fits(fold(value), part);
}

/** Source: EventBridge User Guide, "IP address matching": IPv4 and IPv6. */
function compileCidr(cidr: string): ScalarTest {
  const [address = '', length = '', ...others] = cidr.split('/');
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  const most = family === 'ipv6' ? 128 : 32;
  if (isIP(address) === 0 || !/^\d{1,3}$/.test(length) || Number(length) > most || others.length > 0) {
    throw new InvalidPatternError(`Malformed CIDR, one '/' required: ${cidr}`);
  }
  const range = new BlockList();
  range.addSubnet(address, Number(length), family);
  return (value) =>
    typeof value === 'string' &&
    isIP(value) !== 0 &&
    isIPv4(value) === (family === 'ipv4') &&
    range.check(value, family);
}

/** Source: EventBridge User Guide, "anything-but matching". A field that is not there does not match. */
function compileAnythingBut(operand: unknown): ScalarTest {
  if (isScalar(operand) || Array.isArray(operand)) {
    const values: readonly unknown[] = Array.isArray(operand) ? operand : [operand];
    if (values.length === 0) throw new InvalidPatternError('Empty arrays are not allowed');
    const types = new Set(values.map((value) => typeof value));
    if (types.size > 1 || !(types.has('string') || types.has('number'))) {
      throw new InvalidPatternError(
        'Inside anything but list, either all values are number or string, mixed type is not supported',
      );
    }
    const excluded = new Set(values);
    return (value) => !excluded.has(value);
  }
  const [operator, inner] = soleEntry(operand);
  if (!['prefix', 'suffix', 'equals-ignore-case', 'wildcard'].includes(operator)) {
    throw new InvalidPatternError(`Unsupported anything-but pattern: ${operator}`);
  }
  const texts: readonly unknown[] = Array.isArray(inner) ? inner : [inner];
  if (texts.length === 0) throw new InvalidPatternError('Empty arrays are not allowed');
  const tests = texts.map((text) => {
    if (requireText(`anything-but ${operator}`, text) === '' && operator !== 'equals-ignore-case') {
      throw new InvalidPatternError('Null or empty string not allowed in anything-but');
    }
    return compileTest(operator, text);
  });
  return (value) => !tests.some((test) => test(value));
}

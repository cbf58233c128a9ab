import { BlockList, isIP } from 'node:net';
import { type ConditionContext, compileTemplate, type Template } from './context.ts';
import type { Condition } from './document.ts';
import { compileArnPattern, compileWildcard, unescapeWildcards } from './wildcard.ts';

export type ConditionTest = (context: ConditionContext) => boolean;
/** Tests one value of the request against one value of the policy. */
type Comparison = (expected: string) => (actual: string) => boolean;

const numeric =
  (compare: (actual: number, expected: number) => boolean): Comparison =>
  (expected) => {
    const right = toNumber(expected);
    return (actual) => {
      const left = toNumber(actual);
      return left !== undefined && right !== undefined && compare(left, right);
    };
  };
const date =
  (compare: (actual: number, expected: number) => boolean): Comparison =>
  (expected) => {
    const right = toTime(expected);
    return (actual) => {
      const left = toTime(actual);
      return left !== undefined && right !== undefined && compare(left, right);
    };
  };
const exactly: Comparison = (expected) => {
  const literal = unescapeWildcards(expected);
  return (actual) => actual === literal;
};
const ignoringCase: Comparison = (expected) => {
  const literal = unescapeWildcards(expected).toLowerCase();
  return (actual) => actual.toLowerCase() === literal;
};

/** Operators by lower-case name. A negated one is true for what its opposite is false for. */
const OPERATORS: Readonly<Record<string, { readonly compare: Comparison; readonly negated?: true }>> = {
  stringequals: { compare: exactly },
  stringnotequals: { compare: exactly, negated: true },
  stringequalsignorecase: { compare: ignoringCase },
  stringnotequalsignorecase: { compare: ignoringCase, negated: true },
  stringlike: { compare: compileWildcard },
  stringnotlike: { compare: compileWildcard, negated: true },
  numericequals: { compare: numeric((a, b) => a === b) },
  numericnotequals: { compare: numeric((a, b) => a === b), negated: true },
  numericlessthan: { compare: numeric((a, b) => a < b) },
  numericlessthanequals: { compare: numeric((a, b) => a <= b) },
  numericgreaterthan: { compare: numeric((a, b) => a > b) },
  numericgreaterthanequals: { compare: numeric((a, b) => a >= b) },
  dateequals: { compare: date((a, b) => a === b) },
  datenotequals: { compare: date((a, b) => a === b), negated: true },
  datelessthan: { compare: date((a, b) => a < b) },
  datelessthanequals: { compare: date((a, b) => a <= b) },
  dategreaterthan: { compare: date((a, b) => a > b) },
  dategreaterthanequals: { compare: date((a, b) => a >= b) },
  bool: { compare: ignoringCase },
  binaryequals: {
    compare: (expected) => (actual) => Buffer.from(actual, 'base64').equals(Buffer.from(expected, 'base64')),
  },
  ipaddress: { compare: addressRange },
  notipaddress: { compare: addressRange, negated: true },
  arnequals: { compare: compileArnPattern },
  arnlike: { compare: compileArnPattern },
  arnnotequals: { compare: compileArnPattern, negated: true },
  arnnotlike: { compare: compileArnPattern, negated: true },
};

/**
 * Compiles one line of a `Condition` element. Source: IAM User Guide, "IAM JSON policy elements: Condition operators"
 * and "Set operators for multi-valued context keys".
 */
export function compileCondition({ operator, key, values }: Condition, version: string): ConditionTest {
  const match = /^(?:(ForAllValues|ForAnyValue):)?(.+?)(IfExists)?$/i.exec(operator)!;
  const set = match[1]?.toLowerCase();
  const name = match[2]!.toLowerCase();
  const ifExists = match[3] !== undefined;
  const lowerKey = key.toLowerCase();
  if (name === 'null') return compileNull(lowerKey, values);
  const { compare, negated = false } = OPERATORS[name]!;
  const anyOf = compileValues(values, compare, version);
  const holds = (actual: string, context: ConditionContext): boolean => anyOf(actual, context) !== negated;
  return (context) => {
    const actual = context.values(lowerKey);
    const missing = actual === undefined || actual.length === 0;
    if (set === 'forallvalues') return missing || actual.every((value) => holds(value, context));
    if (missing) return set === 'foranyvalue' ? ifExists : ifExists || negated;
    if (set === 'foranyvalue') return actual.some((value) => holds(value, context));
    // Without a set operator a negated comparison must hold for each value, another for at least one.
    return negated ? actual.every((value) => holds(value, context)) : actual.some((value) => holds(value, context));
  };
}

/** True when the actual value matches one of the policy's: they are combined with OR. */
function compileValues(
  values: readonly string[],
  compare: Comparison,
  version: string,
): (actual: string, context: ConditionContext) => boolean {
  const templates: Template[] = values.map((value) => compileTemplate(value, version));
  const tests = templates.map((template): ((actual: string, context: ConditionContext) => boolean) => {
    if (typeof template === 'string') return compare(template);
    return (actual, context) => {
      const expected = template(context);
      return expected !== undefined && compare(expected)(actual);
    };
  });
  if (tests.length === 1) return tests[0]!;
  return (actual, context) => tests.some((test) => test(actual, context));
}

/** `"Null": {"key": "true"}` asks that the key is not there. */
function compileNull(key: string, values: readonly string[]): ConditionTest {
  const wanted = values.map((value) => value.toLowerCase() === 'true');
  return (context) => {
    const actual = context.values(key);
    return wanted.includes(actual === undefined || actual.length === 0);
  };
}

function toNumber(text: string): number | undefined {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** ISO 8601, or seconds since the epoch. */
function toTime(text: string): number | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}

/** An address, or a range in CIDR notation. */
function addressRange(expected: string): (actual: string) => boolean {
  const [address = '', length] = expected.split('/');
  const family = isIP(address);
  if (family === 0) return () => false;
  const bits = length === undefined ? (family === 4 ? 32 : 128) : Number(length);
  if (!Number.isInteger(bits) || bits < 0 || bits > (family === 4 ? 32 : 128)) return () => false;
  const list = new BlockList();
  list.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6');
  return (actual) => {
    const actualFamily = isIP(actual);
    return actualFamily !== 0 && list.check(actual, actualFamily === 4 ? 'ipv4' : 'ipv6');
  };
}

import type { MessageAttribute } from '../target-parameters.ts';
import { compileBranches } from './branches.ts';
import { InvalidPatternError } from './invalid-pattern-error.ts';
import { isScalar, OPERATORS, type PatternLanguage, type Scalar } from './leaf-pattern.ts';
import { literalParts } from './wildcard.ts';

/** What a policy looks at. */
export type FilterPolicyScope = 'MessageAttributes' | 'MessageBody';

/** Which messages a subscription of a topic wants. */
export interface FilterPolicy {
  matchesAttributes(attributes: Readonly<Record<string, MessageAttribute>>): boolean;
  /** `body`: parsed JSON. */
  matchesBody(body: unknown): boolean;
}

/** Source of the limits: SNS Developer Guide, "Filter policy constraints". */
const MAX_KEYS = 5;
const MAX_COMBINATIONS = 150;
const MAX_BYTES = 256 * 1024;
/** Of one pattern. */
const MAX_WILDCARDS = 3;

const LANGUAGE: PatternLanguage = {
  operators: new Set([...OPERATORS].filter((operator) => operator !== 'exactly')),
  numbers: { largest: 1e9, digits: 5 },
  checkWildcard: (wildcard) => {
    if (literalParts(wildcard).length - 1 > MAX_WILDCARDS) {
      throw new InvalidPatternError(`A pattern can have up to ${MAX_WILDCARDS} wildcards`);
    }
  },
};

/**
 * Reads a filter policy. Throws InvalidPatternError with the reason as SNS gives it, without the words before it, which
 * differ by operation ("Invalid parameter: FilterPolicy: ").
 */
export function compileFilterPolicy(policyJson: string, scope: FilterPolicyScope): FilterPolicy {
  const policy = parse(policyJson);
  checkShape(policy, scope);
  const branches = compileBranches(policy, LANGUAGE);
  const matches = (event: unknown): boolean => branches.some((branch) => branch.matches(event));
  return {
    // A message without attributes matches none, not even a policy that asks for nothing but absence.
    matchesAttributes: (attributes) => Object.keys(attributes).length > 0 && matches(valuesOf(attributes)),
    matchesBody: (body) => typeof body === 'object' && body !== null && !Array.isArray(body) && matches(body),
  };
}

function parse(text: string): object {
  if (Buffer.byteLength(text) > MAX_BYTES) throw new InvalidPatternError('Filter policy is too long');
  let policy: unknown;
  try {
    policy = JSON.parse(text);
  } catch {
    throw new InvalidPatternError('failed to parse JSON.');
  }
  if (typeof policy !== 'object' || policy === null || Array.isArray(policy)) {
    throw new InvalidPatternError('Filter is not an object');
  }
  return policy;
}

interface Shape {
  readonly paths: ReadonlySet<string>;
  readonly combinations: number;
}

/**
 * At most five keys, of nested ones the innermost; and at most 150 combinations: the product of each key's values, times
 * its depth. Of an `$or` the combinations are added up.
 */
function checkShape(policy: object, scope: FilterPolicyScope): void {
  const { combinations, paths } = shapeOf(policy, scope, []);
  if (paths.size > MAX_KEYS) throw new InvalidPatternError(`Filter policy can not have more than ${MAX_KEYS} keys`);
  if (combinations > MAX_COMBINATIONS) throw new InvalidPatternError('Filter policy is too complex');
}

function shapeOf(object: object, scope: FilterPolicyScope, path: readonly string[]): Shape {
  const paths = new Set<string>();
  let combinations = 1;
  for (const [name, value] of Object.entries(object) as [string, unknown][]) {
    if (path.length > MAX_COMBINATIONS) throw new InvalidPatternError('Filter policy is too complex');
    const { combinations: more, paths: found } = shapeOfField(name, value, scope, path);
    for (const each of found) paths.add(each);
    combinations *= more;
  }
  return { paths, combinations };
}

function shapeOfField(name: string, value: unknown, scope: FilterPolicyScope, path: readonly string[]): Shape {
  const here = [...path, name];
  if (name === '$or' && Array.isArray(value) && value.every((member) => typeof member === 'object' && member)) {
    const shapes = (value as readonly object[]).map((member) => shapeOf(member, scope, path));
    return {
      paths: new Set(shapes.flatMap(({ paths }) => [...paths])),
      combinations: shapes.reduce((sum, { combinations }) => sum + combinations, 0),
    };
  }
  if (Array.isArray(value)) return { paths: new Set([JSON.stringify(here)]), combinations: value.length * here.length };
  if (typeof value !== 'object' || value === null) return { paths: new Set([JSON.stringify(here)]), combinations: 1 };
  if (scope === 'MessageAttributes') {
    throw new InvalidPatternError('Filter policy scope MessageAttributes does not support nested filter policy');
  }
  return shapeOf(value, scope, here);
}

/** What attributes are as JSON. A binary one cannot be filtered by. */
function valuesOf(attributes: Readonly<Record<string, MessageAttribute>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(attributes).flatMap(([name, { dataType, stringValue }]) => {
      if (stringValue === undefined || dataType.startsWith('Binary')) return [];
      return [[name, valueOfType(dataType, stringValue)]];
    }),
  );
}

/** Source: SNS Developer Guide, "Message attribute data types": `String.Array` holds strings, numbers, `true`, `false`, `null`. */
function valueOfType(dataType: string, text: string): Scalar | readonly Scalar[] {
  if (/^Number(\.|$)/.test(dataType)) return Number(text);
  if (dataType !== 'String.Array') return text;
  try {
    const members: unknown = JSON.parse(text);
    if (isScalar(members)) return members;
    return Array.isArray(members) ? members.filter(isScalar) : [];
  } catch {
    return [];
  }
}

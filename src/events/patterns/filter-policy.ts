import type { MessageAttribute } from '../target-parameters.ts';
import { compileObject, matchesObject, type ObjectPattern } from './event-pattern.ts';
import { InvalidPatternError } from './invalid-pattern-error.ts';
import { isScalar, type Operators, type Scalar } from './leaf-pattern.ts';

/** What a policy looks at. */
export type FilterPolicyScope = 'MessageAttributes' | 'MessageBody';

/** Which messages a subscription of a topic wants. */
export interface FilterPolicy {
  matchesAttributes(attributes: Readonly<Record<string, MessageAttribute>>): boolean;
  /** `body`: parsed JSON. */
  matchesBody(body: unknown): boolean;
}

const OPERATORS: Operators = new Set([
  'anything-but',
  'cidr',
  'equals-ignore-case',
  'exists',
  'numeric',
  'prefix',
  'suffix',
  'wildcard',
]);

/** Source of the limits: SNS Developer Guide, "Filter policy constraints". */
const MAX_KEYS = 5;
const MAX_COMBINATIONS = 150;
const MAX_BYTES = 256 * 1024;

/** Reads a filter policy. Throws InvalidPatternError with a message as SNS gives it ("Invalid parameter: FilterPolicy: …"). */
export function compileFilterPolicy(policyJson: string, scope: FilterPolicyScope): FilterPolicy {
  try {
    const policy = parse(policyJson);
    const compiled = compileObject(policy, OPERATORS, 0);
    if (scope === 'MessageAttributes') checkFlat(compiled);
    checkSize(policy);
    return {
      matchesAttributes: (attributes) => matchesObject(compiled, valuesOf(attributes)),
      matchesBody: (body) => matchesObject(compiled, body),
    };
  } catch (error) {
    if (!(error instanceof InvalidPatternError)) throw error;
    throw new InvalidPatternError(`Invalid parameter: FilterPolicy: ${error.message}`);
  }
}

function parse(text: string): object {
  if (Buffer.byteLength(text) > MAX_BYTES) throw new InvalidPatternError('The policy is larger than 256 KB');
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

/** Attributes have no fields of their own. */
function checkFlat({ alternatives, fields }: ObjectPattern): void {
  for (const [name, { object }] of fields) {
    if (object)
      throw new InvalidPatternError(
        `"${name}" must be an array: filter policy scope MessageAttributes does not support nested filter policy`,
      );
  }
  for (const member of alternatives.flat()) checkFlat(member);
}

/** At most five keys, and 150 combinations of the values asked for; a key's depth multiplies its values. */
function checkSize(policy: object): void {
  const leaves = leavesOf(policy, 1);
  const keys = new Set(leaves.map(({ path }) => path)).size;
  if (keys > MAX_KEYS) throw new InvalidPatternError(`Filter policy can not have more than ${MAX_KEYS} keys`);
  const combinations = leaves.reduce((product, { depth, values }) => product * values * depth, 1);
  if (combinations > MAX_COMBINATIONS) throw new InvalidPatternError('Filter policy is too complex');
}

interface Leaf {
  readonly path: string;
  readonly depth: number;
  readonly values: number;
}

function leavesOf(value: object, depth: number, path = ''): Leaf[] {
  return Object.entries(value).flatMap(([name, inner]): Leaf[] => {
    if (name === '$or' && Array.isArray(inner)) return inner.flatMap((member) => leavesOf(Object(member), depth, path));
    const here = `${path}/${name}`;
    if (Array.isArray(inner)) return [{ path: here, depth, values: inner.length }];
    return leavesOf(Object(inner), depth + 1, here);
  });
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
  if (dataType.startsWith('Number')) return Number(text);
  if (dataType !== 'String.Array') return text;
  try {
    const members: unknown = JSON.parse(text);
    return Array.isArray(members) ? members.filter(isScalar) : [];
  } catch {
    return [];
  }
}

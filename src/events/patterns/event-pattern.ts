import { InvalidPatternError } from './invalid-pattern-error.ts';
import {
  compileLeaf,
  EVENTBRIDGE_OPERATORS,
  isScalar,
  type LeafPattern,
  type Operators,
  type Scalar,
} from './leaf-pattern.ts';

/** A field that must have one of some values, wherever the pattern is: by it, many patterns are looked up at once. */
export interface ExactField {
  /** Names from the event's root down. */
  readonly path: readonly string[];
  readonly values: readonly Scalar[];
}

/** Says which events are wanted. */
export interface EventPattern {
  /** `event`: parsed JSON. */
  matches(event: unknown): boolean;
  /** Fields without one of these values the pattern does not match. */
  readonly exactFields: readonly ExactField[];
}

/**
 * `eventbridge`: rules of buses. `lambda`: filters of event source mappings, which have neither `cidr` nor `wildcard`.
 * Sources: EventBridge User Guide, "Comparison operators for use in event patterns"; Lambda Developer Guide, "Control which
 * events Lambda sends to your function".
 */
export type PatternDialect = 'eventbridge' | 'lambda';

const OPERATORS: Readonly<Record<PatternDialect, Operators>> = {
  eventbridge: EVENTBRIDGE_OPERATORS,
  lambda: new Set([...EVENTBRIDGE_OPERATORS].filter((operator) => operator !== 'cidr' && operator !== 'wildcard')),
};

/** As deep as an event may reasonably be; deeper patterns are refused rather than followed. */
const MAX_DEPTH = 100;
/** Combinations that `$or` may stand for. Source: the first page, "Complex example with multiple matching". */
const MAX_COMBINATIONS = 1000;

/** An object of a pattern: every field must match, and of every `$or` one member. */
export interface ObjectPattern {
  readonly fields: readonly (readonly [string, FieldPattern])[];
  readonly alternatives: readonly (readonly ObjectPattern[])[];
}

type FieldPattern =
  | { readonly leaf: LeafPattern; readonly object?: undefined }
  | { readonly object: ObjectPattern; readonly leaf?: undefined };

/** Reads a pattern, as JSON or parsed. Throws InvalidPatternError with a message as EventBridge gives it. */
export function compileEventPattern(pattern: string | object, dialect: PatternDialect): EventPattern {
  try {
    const compiled = compileObject(parse(pattern), OPERATORS[dialect], 0);
    if (combinations(compiled) > MAX_COMBINATIONS) {
      throw new InvalidPatternError('Rule is too complex: too many combinations of $or');
    }
    return {
      matches: (event) => matchesObject(compiled, event),
      exactFields: exactFields(compiled, []),
    };
  } catch (error) {
    if (!(error instanceof InvalidPatternError)) throw error;
    throw new InvalidPatternError(`Event pattern is not valid. Reason: ${error.message}`);
  }
}

function parse(pattern: string | object): unknown {
  if (typeof pattern !== 'string') return pattern;
  try {
    return JSON.parse(pattern) as unknown;
  } catch (error) {
    throw new InvalidPatternError(`Filter is not valid JSON: ${(error as Error).message}`);
  }
}

export function compileObject(pattern: unknown, operators: Operators, depth: number): ObjectPattern {
  if (typeof pattern !== 'object' || pattern === null || Array.isArray(pattern)) {
    throw new InvalidPatternError('Filter is not an object');
  }
  if (depth > MAX_DEPTH) throw new InvalidPatternError('Filter is nested too deeply');
  const fields: [string, FieldPattern][] = [];
  const alternatives: ObjectPattern[][] = [];
  const entries = Object.entries(pattern);
  if (entries.length === 0) throw new InvalidPatternError('Empty objects are not allowed');
  for (const [name, value] of entries) {
    if (name === '$or' && isAlternatives(value)) {
      alternatives.push(value.map((member) => compileObject(member, operators, depth + 1)));
    } else fields.push([name, compileField(name, value, operators, depth)]);
  }
  return { fields, alternatives };
}

/** `$or` with two or more objects that are no match expressions; anything else is a field of that name. */
function isAlternatives(value: unknown): value is readonly object[] {
  return (
    Array.isArray(value) &&
    value.length >= 2 &&
    value.every((member) => typeof member === 'object' && member !== null && !Array.isArray(member)) &&
    !value.some((member) => Object.keys(member as object).some((key) => EVENTBRIDGE_OPERATORS.has(key)))
  );
}

function compileField(name: string, value: unknown, operators: Operators, depth: number): FieldPattern {
  if (Array.isArray(value)) {
    try {
      return { leaf: compileLeaf(value, operators) };
    } catch (error) {
      if (!(error instanceof InvalidPatternError)) throw error;
      throw new InvalidPatternError(`${error.message} (in "${name}")`);
    }
  }
  if (typeof value === 'object' && value !== null) return { object: compileObject(value, operators, depth + 1) };
  throw new InvalidPatternError(`"${name}" must be an object or an array`);
}

/** Cases that the pattern stands for. */
function combinations({ alternatives, fields }: ObjectPattern): number {
  let count = 1;
  for (const members of alternatives) count *= members.reduce((sum, member) => sum + combinations(member), 0);
  for (const [, { object }] of fields) if (object) count *= combinations(object);
  return count;
}

/** An array of objects matches when one of them does, whole: what is asked of it is not pieced together from several. */
export function matchesObject(pattern: ObjectPattern, value: unknown): boolean {
  if (Array.isArray(value)) {
    return (
      value.some((element) => matchesObject(pattern, element)) &&
      pattern.fields.every(
        ([name, { leaf }]) => !leaf || !isAbsence(leaf) || value.every((element) => !has(element, name)),
      )
    );
  }
  const object = isObject(value) ? value : undefined;
  if (!object && !couldBeAbsent(pattern)) return false;
  for (const [name, field] of pattern.fields) {
    const inner = object && Object.hasOwn(object, name) ? object[name] : undefined;
    if (field.leaf ? !matchesLeaf(field.leaf, inner) : !matchesObject(field.object, inner)) return false;
  }
  return pattern.alternatives.every((members) => members.some((member) => matchesObject(member, value)));
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const has = (value: unknown, name: string): boolean => isObject(value) && Object.hasOwn(value, name);

/** Asks only that a field is not there. */
const isAbsence = (leaf: LeafPattern): boolean => leaf.absent && !leaf.present && leaf.tests.length === 0;

/** An object that is not there matches when nothing in it has to be. */
function couldBeAbsent({ alternatives, fields }: ObjectPattern): boolean {
  return (
    fields.every(([, { leaf, object }]) => (leaf ? leaf.absent : couldBeAbsent(object))) &&
    alternatives.every((members) => members.some(couldBeAbsent))
  );
}

/** A field with an array matches when one of its members does. What is an object is no leaf, as if it were not there. */
function matchesLeaf(leaf: LeafPattern, value: unknown): boolean {
  if (isScalar(value)) return leaf.present || leaf.tests.some((test) => test(value));
  const members = Array.isArray(value) ? scalarsIn(value) : [];
  if (members.length === 0) return leaf.absent;
  return leaf.present || members.some((member) => leaf.tests.some((test) => test(member)));
}

function scalarsIn(values: readonly unknown[]): Scalar[] {
  return values.flatMap((value) => (isScalar(value) ? [value] : Array.isArray(value) ? scalarsIn(value) : []));
}

function exactFields(pattern: ObjectPattern, path: readonly string[]): ExactField[] {
  return pattern.fields.flatMap(([name, { leaf, object }]) => {
    if (object) return exactFields(object, [...path, name]);
    return leaf.exact === undefined ? [] : [{ path: [...path, name], values: leaf.exact }];
  });
}

/** The values that an event has at a path, those within arrays included. */
export function valuesAt(event: unknown, path: readonly string[], depth = 0): readonly Scalar[] {
  if (Array.isArray(event)) return event.flatMap((element) => valuesAt(element, path, depth));
  if (depth === path.length) return isScalar(event) ? [event] : [];
  const name = path[depth]!;
  return has(event, name) ? valuesAt((event as Record<string, unknown>)[name], path, depth + 1) : [];
}

import { Branch } from './branch.ts';
import { InvalidPatternError } from './invalid-pattern-error.ts';
import { compileLeaf, type LeafPattern, OPERATORS, type PatternLanguage } from './leaf-pattern.ts';

/** Deeper patterns are refused rather than followed. */
const MAX_PARTS = 100;
/** Source: EventBridge User Guide, "Complex example with multiple matching": combinations that `$or` may stand for. */
const MAX_BRANCHES = 1000;

/** Names that are no fields in an `$or`: with one of them it is a field itself. Source: Event Ruler's README, on `$or`. */
const RESERVED: ReadonlySet<string> = new Set([...OPERATORS, '=', '<', '<=', '>', '>=', 'regex']);

/** A branch while it is read: its fields by their paths. */
type Fields = ReadonlyMap<string, LeafPattern>;

/** Where in the pattern something is wrong. */
type Location = readonly string[];

/**
 * Reads a pattern into the branches that it stands for; it matches what one of them matches. Each `$or` makes one of each of
 * its members. Throws InvalidPatternError; its message ends with a line that says where.
 */
export function compileBranches(pattern: unknown, language: PatternLanguage): Branch[] {
  return readObject(pattern, [new Map()], { language, path: [] }).map((fields) => new Branch(fields));
}

interface Reading {
  readonly language: PatternLanguage;
  readonly path: Location;
}

function readObject(pattern: unknown, before: readonly Fields[], reading: Reading): readonly Fields[] {
  const { path } = reading;
  if (!isObject(pattern)) throw wrong('Filter is not an object', path);
  if (path.length > MAX_PARTS) throw wrong('Filter is nested too deeply', path.slice(0, 3));
  const entries = Object.entries(pattern);
  if (entries.length === 0) throw wrong('Empty objects are not allowed', path);
  let branches = before;
  for (const [name, value] of entries) {
    branches =
      name === '$or' && isAlternatives(value)
        ? readAlternatives(value, branches, reading)
        : readField(value, branches, { ...reading, path: [...path, name] });
  }
  return branches;
}

/** `$or` with two or more objects of fields; anything else is a field of that name. */
function isAlternatives(value: unknown): value is readonly object[] {
  return (
    Array.isArray(value) &&
    value.length >= 2 &&
    value.every((member) => isObject(member) && !Object.keys(member).some((name) => RESERVED.has(name)))
  );
}

function readAlternatives(members: readonly object[], before: readonly Fields[], reading: Reading): Fields[] {
  const branches: Fields[] = [];
  for (const [index, member] of members.entries()) {
    branches.push(...readObject(member, before, reading));
    if (branches.length > MAX_BRANCHES) {
      throw wrong(`Rule is too complex - $or has more than ${MAX_BRANCHES} combinations`, [
        ...reading.path,
        `$or[${index}]`,
      ]);
    }
  }
  return branches;
}

function readField(value: unknown, before: readonly Fields[], reading: Reading): readonly Fields[] {
  const { language, path } = reading;
  if (isObject(value)) return readObject(value, before, reading);
  if (!Array.isArray(value)) throw wrong(`"${path.at(-1)}" must be an object or an array`, path);
  const name = path.join('.');
  if (name.split('.').length > MAX_PARTS) throw wrong('Filter is nested too deeply', path.slice(0, 3));
  let leaf: LeafPattern;
  try {
    leaf = compileLeaf(value, language);
  } catch (error) {
    if (!(error instanceof InvalidPatternError)) throw error;
    throw wrong(error.message, path);
  }
  // A path that was there before, by an `$or` or with dots, is replaced, as by Event Ruler.
  return before.map((fields) => new Map(fields).set(name, leaf));
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const wrong = (reason: string, path: Location): InvalidPatternError =>
  new InvalidPatternError(path.length === 0 ? reason : `${reason}\n at ${path.join('.')}`);

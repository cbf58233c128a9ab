import { ServiceError } from '../../base/errors.ts';

/**
 * Reads a JSON value as what it should be, or throws (400), saying where it is not. As in dockerd, which is written in Go: members are
 * found whatever the case of their letters, and `null` and what is not there are the type's zero value. Unlike there, a
 * member that is not known is refused unless it says nothing.
 */
export type Shape<T> = (value: unknown, at: string) => T;

export type Shaped<S> = S extends Shape<infer T> ? T : never;

export const invalid = (message: string): ServiceError => new ServiceError('InvalidParameter', message);

const mismatch = (at: string, what: string): ServiceError =>
  invalid(`invalid JSON: ${at || 'the body'} must be ${what}`);

export const text: Shape<string> = (value, at) => {
  if (isAbsent(value)) return '';
  if (typeof value !== 'string') throw mismatch(at, 'a string');
  return value;
};

export const flag: Shape<boolean> = (value, at) => {
  if (isAbsent(value)) return false;
  if (typeof value !== 'boolean') throw mismatch(at, 'true or false');
  return value;
};

/** A whole number that JavaScript holds exactly. */
export const whole: Shape<number> = (value, at) => {
  if (isAbsent(value)) return 0;
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw mismatch(at, 'a whole number');
  return value;
};

/** The type's values, or `null` where nothing was said and that means something else than the zero value. */
export const nullable =
  <T>(shape: Shape<T>): Shape<T | null> =>
  (value, at) =>
    isAbsent(value) ? null : shape(value, at);

/** As `nullable`, but not a member at all when it was not sent. */
export const optional =
  <T>(shape: Shape<T>): Shape<T | undefined> =>
  (value, at) =>
    isAbsent(value) ? undefined : shape(value, at);

export const otherwise =
  <T>(shape: Shape<T>, value: T): Shape<T> =>
  (given, at) =>
    isAbsent(given) ? value : shape(given, at);

export const list =
  <T>(item: Shape<T>): Shape<T[]> =>
  (value, at) => {
    if (isAbsent(value)) return [];
    if (!Array.isArray(value)) throw mismatch(at, 'a list');
    return value.map((entry, index) => item(entry, `${at}[${index}]`));
  };

export const map =
  <T>(item: Shape<T>): Shape<Record<string, T>> =>
  (value, at) => {
    if (isAbsent(value)) return {};
    if (!isObject(value)) throw mismatch(at, 'an object');
    return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, item(entry, `${at}.${name}`)]));
  };

/** Text, or a list of them: commands may be either. */
export const words: Shape<string[] | null> = (value, at) => {
  if (isAbsent(value)) return null;
  return typeof value === 'string' ? [value] : list(text)(value, at);
};

export interface ObjectRules {
  /** Members that are known and not supported, with what to say of them. */
  readonly refused?: Readonly<Record<string, string>>;
  /** Members that are known and say nothing, such as those that only answers have. */
  readonly passed?: readonly string[];
}

/** An object with these members. */
export function object<S extends Readonly<Record<string, Shape<unknown>>>>(
  members: S,
  rules: ObjectRules = {},
): Shape<{ [K in keyof S]: Shaped<S[K]> }> {
  const names = new Map(Object.keys(members).map((name) => [name.toLowerCase(), name]));
  const refused = new Map(Object.entries(rules.refused ?? {}).map(([name, why]) => [name.toLowerCase(), why]));
  const passed = new Set(rules.passed?.map((name) => name.toLowerCase()));
  return (value, at) => {
    if (!isAbsent(value) && !isObject(value)) throw mismatch(at, 'an object');
    const given = new Map<string, unknown>();
    for (const [name, entry] of Object.entries(value ?? {})) {
      const lower = name.toLowerCase();
      const known = names.get(lower);
      if (known !== undefined) given.set(known, entry);
      else if (!passed.has(lower) && !saysNothing(entry)) throw unsupported(join(at, name), refused.get(lower));
    }
    const read = Object.entries(members).map(([name, shape]) => [name, shape(given.get(name), join(at, name))]);
    return Object.fromEntries(read.filter(([, entry]) => entry !== undefined));
  };
}

/** A whole number written out, as in a query. */
export function readWhole(value: string, at: string): number {
  const number = Number(value);
  if (!/^[+-]?[0-9]+$/.test(value) || !Number.isSafeInteger(number)) {
    throw invalid(`invalid value for ${at}: ${JSON.stringify(value.slice(0, 100))} is not a whole number`);
  }
  return number;
}

function unsupported(at: string, why: string | undefined): ServiceError {
  return invalid(why === undefined ? `${at} is not known` : `${at} is not supported: ${why}`);
}

/** The zero values of Go, in which a client writes what it does not mean to say. */
export function saysNothing(value: unknown, depth = 0): boolean {
  if (value === undefined || value === null || value === '' || value === 0 || value === false) return true;
  if (typeof value !== 'object' || depth > DEEPEST) return false;
  return Object.values(value).every((part) => saysNothing(part, depth + 1));
}

/** Deeper than anything that the API has: a body of brackets alone does not exhaust the stack. */
const DEEPEST = 8;

function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function join(at: string, name: string): string {
  return at === '' ? name : `${at}.${name}`;
}

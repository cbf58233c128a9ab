import { ComposeFileError, type Place, showPath } from '../file/place.ts';
import type { MergeTag, Tree } from '../file/yaml-tree.ts';
import { nearest } from './nearest.ts';

export type Path = readonly (string | number)[];

/** What Kobune does with a member: nothing said means that it acts. */
export type Standing = { readonly warned: string } | { readonly refused: string };

/** What is heard while a file is read. */
export interface Notes {
  /** Relative paths in the file start here. Absolute. */
  readonly directory: string;
  /** What `~` means. */
  readonly home: string;
  /** Something that does not act, or will surprise. */
  warn(message: string, place: Place): void;
  /** `!reset` or `!override` was said of this. */
  tagged(tag: MergeTag, path: Path): void;
  /** Where a member stands. */
  found(path: Path, place: Place): void;
}

/** A member of the Compose file: how it is read, in every syntax, and how a later file's value joins an earlier one's. */
export interface Member<T> {
  read(cursor: Cursor): T;
  merge(base: T, over: T): T;
  readonly standing?: Standing;
  /** What is possible of a member that acts, where that is less than the specification says. */
  readonly note?: string;
  /** Without a value (`command:`) it clears what an earlier file said, instead of saying nothing. */
  readonly clearedByNull?: boolean;
  /** Members of its own, for the table of what is supported. */
  readonly members?: Readonly<Record<string, Member<never>>>;
}

export type Members<T> = { readonly [K in keyof T]-?: Member<NonNullable<T[K]>> };

/** A value of a file while it is read: the tree, and the way to it. */
export class Cursor {
  readonly tree: Tree;
  readonly path: Path;
  readonly notes: Notes;

  constructor(tree: Tree, path: Path, notes: Notes) {
    this.tree = tree;
    this.path = path;
    this.notes = notes;
  }

  get name(): string {
    return showPath(this.path);
  }

  /** `services.web.ports must be …`, with the line. */
  fail(message: string, hint?: string): never {
    throw new ComposeFileError(`${this.name} ${message}`, { place: this.tree.place, hint });
  }

  warn(message: string): void {
    this.notes.warn(`${this.name} ${message}`, this.tree.place);
  }

  at(tree: Tree, part: string | number): Cursor {
    return new Cursor(tree, [...this.path, part], this.notes);
  }

  /** The same place with another value. */
  as(tree: Tree): Cursor {
    return new Cursor(tree, this.path, this.notes);
  }

  /** The items of a list; their tags are refused, for nothing says which item of the earlier file is meant. */
  items(expected = 'a list'): Cursor[] {
    if (this.tree.kind !== 'list') this.fail(`must be ${expected}`);
    return this.tree.items.map((item, index) => {
      const cursor = this.at(item, index);
      if (item.tag !== undefined) cursor.fail(`cannot be tagged !${item.tag}: tag the whole list`);
      return cursor;
    });
  }

  /** The entries of a map that have a value, without those that are reset; tags are noted. */
  entries(expected = 'a map'): { readonly key: string; readonly place: Place; readonly value: Cursor }[] {
    if (this.tree.kind !== 'map') this.fail(`must be ${expected}`);
    return [...this.tree.entries].flatMap(([key, { place, value }]) => {
      const cursor = this.at(value, key);
      if (value.tag !== undefined) this.notes.tagged(value.tag, cursor.path);
      if (value.tag === 'reset') return [];
      this.notes.found(cursor.path, place);
      return [{ key, place, value: cursor }];
    });
  }
}

/** True for a member without a value: `ports:`. */
export function isNothing({ tree }: Cursor): boolean {
  return tree.kind === 'scalar' && tree.value === null;
}

/** A member that is refused, and why. */
export function refused(reason: string): Member<never> {
  return {
    read: (cursor) => cursor.fail(`is not supported: ${reason}`),
    merge: (_base, over) => over,
    standing: { refused: reason },
  };
}

/** The same member, which is read and shown but does nothing; why is said each time. */
export function warned<T>(member: Member<T>, reason: string): Member<T> {
  return {
    ...member,
    read: (cursor) => {
      cursor.warn(`has no effect: ${reason}`);
      return member.read(cursor);
    },
    standing: { warned: reason },
  };
}

/** The same member with a note on what of it is possible. */
export function noted<T>(member: Member<T>, note: string): Member<T> {
  return { ...member, note };
}

interface ObjectOptions<T> {
  /** Members of the specification that are never part of the result. */
  readonly others?: Readonly<Record<string, Member<never>>>;
  /** Reads another syntax than a map; `undefined` when it is a map after all. */
  readonly short?: (cursor: Cursor) => T | undefined;
  readonly required?: readonly (keyof T & string)[];
  /** Checks what was read. */
  readonly check?: (value: T, cursor: Cursor) => void;
}

/** An object with known members; unknown ones are refused by name. `x-…` may be anything. */
export function object<T extends object>(members: Members<T>, options: ObjectOptions<T> = {}): Member<T> {
  const known = { ...members, ...options.others } as unknown as Readonly<Record<string, Member<unknown>>>;
  const read = (cursor: Cursor): T => {
    const short = cursor.tree.kind === 'map' ? undefined : options.short?.(cursor);
    if (short !== undefined) return short;
    const result: Record<string, unknown> = {};
    for (const { key, place, value } of cursor.entries()) {
      if (key.startsWith('x-')) continue;
      const member = Object.hasOwn(known, key) ? known[key]! : refuseUnknown(value, place, Object.keys(known));
      if (!isNothing(value)) result[key] = member.read(value);
      else if (member.clearedByNull === true) value.notes.tagged('reset', value.path);
    }
    for (const key of options.required ?? []) {
      if (result[key] === undefined && !isReset(cursor, key)) cursor.fail(`needs "${key}"`);
    }
    const value = result as T;
    options.check?.(value, cursor);
    return value;
  };
  return {
    read,
    merge: (base, over) => mergeObjects(known, base, over),
    members: known as unknown as NonNullable<Member<never>['members']>,
  };
}

function isReset({ tree }: Cursor, key: string): boolean {
  return tree.kind === 'map' && tree.entries.get(key)?.value.tag === 'reset';
}

function refuseUnknown(cursor: Cursor, place: Place, known: readonly string[]): never {
  const parent = cursor.path.slice(0, -1);
  const key = String(cursor.path.at(-1));
  const guess = nearest(key, known);
  const hint = guess === undefined ? undefined : `Did you mean "${guess}"?`;
  const list = known.length <= 8 ? `Known here: ${known.join(', ')}.` : undefined;
  const where = parent.length === 0 ? key : showPath([...parent, key]);
  throw new ComposeFileError(`${where} is not a Compose member`, { place, hint: hint ?? list });
}

function mergeObjects<T extends object>(members: Readonly<Record<string, Member<unknown>>>, base: T, over: T): T {
  const result = { ...base } as Record<string, unknown>;
  for (const [key, value] of Object.entries(over)) {
    if (value === undefined) continue;
    const present = result[key];
    result[key] = present === undefined ? value : members[key]!.merge(present, value);
  }
  return result as T;
}

interface MapOptions {
  /** What a key must be. */
  readonly keys?: RegExp;
  /** What is read for an entry without a value; entries without one are refused otherwise. */
  readonly empty?: boolean;
}

/** A map with names that the user chooses. */
export function map<T>(value: Member<T>, options: MapOptions = {}): Member<ReadonlyMap<string, T>> {
  return {
    read: (cursor) => {
      const result = new Map<string, T>();
      for (const { key, place, value: entry } of cursor.entries()) {
        if (options.keys !== undefined && !options.keys.test(key))
          throw new ComposeFileError(
            `${showPath(cursor.path)}: "${key}" is no name (letters, digits, ".", "_" and "-")`,
            { place },
          );
        if (isNothing(entry)) {
          if (options.empty !== true) entry.fail('must not be empty');
          result.set(key, value.read(entry.as({ kind: 'map', place, entries: new Map() })));
        } else result.set(key, value.read(entry));
      }
      return result;
    },
    merge: (base, over) => mergeMaps(base, over, value.merge),
    members: value.members,
  };
}

/** Entries of both; where both have one, the two merged. */
export function mergeMaps<T>(
  base: ReadonlyMap<string, T>,
  over: ReadonlyMap<string, T>,
  merge: (base: T, over: T) => T = (_base, later) => later,
): ReadonlyMap<string, T> {
  const result = new Map(base);
  for (const [key, value] of over) {
    const present = result.get(key);
    result.set(key, present === undefined ? value : merge(present, value));
  }
  return result;
}

interface ListOptions<T> {
  /** What makes two items the same: the later replaces the earlier, in its place. */
  readonly key?: (item: T) => string;
  /** Joins two items of the same key, instead of replacing. */
  readonly merge?: (base: T, over: T) => T;
  /** A single value may stand for a list of one. */
  readonly orOne?: boolean;
}

/** A list: a later file's items are added to an earlier one's. */
export function list<T>(item: Member<T>, options: ListOptions<T> = {}): Member<readonly T[]> {
  const expected = options.orOne === true ? 'a list or a single value' : 'a list';
  const unify = (items: readonly T[]) => (options.key === undefined ? items : byKey(items, options.key, options.merge));
  return {
    read: (cursor) => {
      if (options.orOne === true && cursor.tree.kind === 'scalar') return [item.read(cursor)];
      return unify(cursor.items(expected).map((entry) => item.read(entry)));
    },
    merge: (base, over) => unify([...base, ...over]),
    members: item.members,
  };
}

/** A list of which each item may be written so that it means several. */
export function flatList<T>(item: Member<readonly T[]>, key: (item: T) => string): Member<readonly T[]> {
  return {
    read: (cursor) =>
      byKey(
        cursor.items().flatMap((entry) => item.read(entry)),
        key,
      ),
    merge: (base, over) => byKey([...base, ...over], key),
    members: item.members,
  };
}

function byKey<T>(
  items: readonly T[],
  key: (item: T) => string,
  merge: (base: T, over: T) => T = (_base, later) => later,
): readonly T[] {
  const result = new Map<string, T>();
  for (const item of items) {
    const name = key(item);
    const present = result.get(name);
    result.set(name, present === undefined ? item : merge(present, item));
  }
  return [...result.values()];
}

/** A member that a later file replaces as a whole. */
export function replaced<T>(read: (cursor: Cursor) => T): Member<T> {
  return { read, merge: (_base, over) => over };
}

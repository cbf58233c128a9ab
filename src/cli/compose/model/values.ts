import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Cursor, list, type Member, replaced } from './member.ts';

/** A scalar as text. Compose takes numbers and truth values where text is expected, if the specification says so. */
export function scalarText(cursor: Cursor): string {
  if (cursor.tree.kind !== 'scalar') cursor.fail('must be text');
  const { value } = cursor.tree;
  if (value === null) cursor.fail('must not be empty');
  return String(value);
}

export function text(options: { pattern?: RegExp; expected?: string } = {}): Member<string> {
  return replaced((cursor) => {
    const value = scalarText(cursor);
    if (options.pattern !== undefined && !options.pattern.test(value))
      cursor.fail(`must be ${options.expected}, not "${value}"`);
    return value;
  });
}

/** One of these words. */
export function choice<const T extends string>(...words: readonly T[]): Member<T> {
  return replaced((cursor) => {
    const value = scalarText(cursor);
    return words.find((word) => word === value) ?? cursor.fail(`must be one of ${words.join(', ')}, not "${value}"`);
  });
}

/** Truth as YAML writes it, or as text: a variable may have been put in (https://docs.docker.com/reference/compose-file/interpolation/). */
export function flag(): Member<boolean> {
  return replaced((cursor) => {
    const value = scalarText(cursor).toLowerCase();
    if (['true', '1', 'y', 'yes', 'on'].includes(value)) return true;
    if (['false', '0', 'n', 'no', 'off'].includes(value)) return false;
    return cursor.fail(`must be true or false, not "${value}"`);
  });
}

interface Range {
  readonly least?: number;
  readonly greatest?: number;
}

export function integer(range: Range = {}): Member<number> {
  return replaced((cursor) => {
    const value = scalarText(cursor);
    if (!/^[-+]?\d+$/.test(value)) cursor.fail(`must be a whole number, not "${value}"`);
    return inRange(Number(value), range, cursor);
  });
}

export function decimal(range: Range = {}): Member<number> {
  return replaced((cursor) => {
    const value = scalarText(cursor);
    if (!/^[-+]?(?:\d+\.?\d*|\.\d+)$/.test(value)) cursor.fail(`must be a number, not "${value}"`);
    return inRange(Number(value), range, cursor);
  });
}

function inRange(value: number, { least, greatest }: Range, cursor: Cursor): number {
  if (least !== undefined && value < least) cursor.fail(`must be at least ${least}, not ${value}`);
  if (greatest !== undefined && value > greatest) cursor.fail(`must be at most ${greatest}, not ${value}`);
  if (!Number.isSafeInteger(Math.trunc(value))) cursor.fail(`is too large: ${value}`);
  return value;
}

const BYTE_UNITS: Readonly<Record<string, number>> = { b: 0, k: 1, m: 2, g: 3, t: 4, p: 5 };

/** Bytes of `1024`, `50m`, `1.5gb`, `2GiB` (https://docs.docker.com/reference/compose-file/extension/#specifying-byte-values); `undefined` when it is none. */
export function parseBytes(value: string): number | undefined {
  const [, amount, unit = 'b'] = /^(\d+(?:\.\d+)?) ?(?:([bkmgtp])(?:i?b)?)?$/i.exec(value) ?? [];
  if (amount === undefined) return undefined;
  const bytes = Math.floor(Number(amount) * 1024 ** BYTE_UNITS[unit.toLowerCase()]!);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

export function bytes(options: { readonly unlimited?: boolean } = {}): Member<number> {
  return replaced((cursor) => {
    const value = scalarText(cursor);
    if (options.unlimited === true && value === '-1') return -1;
    return parseBytes(value) ?? cursor.fail(`must be a size such as 512k, 50m or 2g, not "${value}"`);
  });
}

const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
  d: 86_400e9,
  w: 604_800e9,
};

/** Nanoseconds of `1m30s` (https://docs.docker.com/reference/compose-file/extension/#specifying-durations); `undefined` when it is no duration. */
export function parseNanoseconds(value: string): number | undefined {
  if (value === '0') return 0;
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d|w))+$/.test(value)) return undefined;
  let total = 0;
  for (const [, amount, unit] of value.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d|w)/g))
    total += Number(amount) * NANOSECONDS[unit!]!;
  return Math.round(total);
}

/** A duration, kept as hours, minutes and seconds: `90s` is `1m30s`. */
export function duration(): Member<string> {
  return replaced((cursor: Cursor) => {
    const value = scalarText(cursor);
    const nanoseconds = parseNanoseconds(value);
    if (nanoseconds === undefined) cursor.fail(`must be a duration such as 10s or 1m30s, not "${value}"`);
    return showDuration(nanoseconds);
  });
}

/** `1h2m3.5s` of nanoseconds. */
export function showDuration(nanoseconds: number): string {
  if (nanoseconds === 0) return '0s';
  const hours = Math.floor(nanoseconds / 3600e9);
  const minutes = Math.floor((nanoseconds % 3600e9) / 60e9);
  const seconds = (nanoseconds % 60e9) / 1e9;
  const parts = [hours > 0 ? `${hours}h` : '', minutes > 0 || (hours > 0 && seconds > 0) ? `${minutes}m` : ''];
  if (seconds > 0 && hours === 0 && minutes === 0 && seconds < 1) return `${seconds * 1000}ms`;
  return `${parts.join('')}${seconds > 0 ? `${seconds}s` : ''}`;
}

/** A list of different texts; in a single value too with `orOne`. */
export function texts(options: { readonly orOne?: boolean } = {}): Member<readonly string[]> {
  return list(text(), { key: (item) => item, ...options });
}

/** The path of a file or directory, absolute: relative to the Compose file's directory, `~` is the user's own. */
export function path(): Member<string> {
  return replaced((cursor) => resolvePath(scalarText(cursor), cursor));
}

/** The path of a Compose file. Those at an address, which `docker compose` fetches, are refused. */
export function localFile(): Member<string> {
  return replaced((cursor) => {
    const value = scalarText(cursor);
    if (/^(?:https?:|oci:|git@|git:|ssh:|github\.com\/)/.test(value))
      cursor.fail(`must be a file of this machine; "${value}" is not supported`);
    return resolvePath(value, cursor);
  });
}

export function resolvePath(value: string, { notes }: Cursor): string {
  if (value === '~' || value.startsWith('~/')) return join(notes.home || homedir(), value.slice(1));
  return resolve(notes.directory, value);
}

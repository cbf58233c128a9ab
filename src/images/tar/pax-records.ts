import { decodeName } from './names.ts';
import { type FileTime, TarError } from './tar-entry.ts';

const XATTR = 'SCHILY.xattr.';
const MAX_KEY = 4096;

/** What extended headers say of the entry after them. Source: POSIX.1-2017, pax, "pax Extended Header". */
export interface PaxRecords {
  readonly texts: Map<string, string>;
  readonly xattrs: Map<string, Uint8Array>;
  /** GNU's sparse format 0.0 repeats these two, so they cannot be kept in a map. */
  readonly sparse: number[];
}

/** Reads `LENGTH KEY=VALUE\n` after each other; a later record of a key replaces an earlier one, an empty value takes it away. */
export function parsePaxRecords(bytes: Uint8Array, into: PaxRecords): void {
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = space === -1 || space - at > 10 ? Number.NaN : decimal(bytes, at, space);
    const end = at + length;
    if (!(end <= bytes.length) || end <= space + 1 || bytes[end - 1] !== 0x0a) throw malformed();
    const equals = bytes.indexOf(0x3d, space + 1);
    if (equals === -1 || equals >= end || equals === space + 1 || equals - space > MAX_KEY) throw malformed();
    const key = decodeName(bytes.subarray(space + 1, equals));
    addRecord(into, key, bytes.subarray(equals + 1, end - 1));
    at = end;
  }
}

function addRecord(into: PaxRecords, key: string, value: Uint8Array): void {
  if (key.startsWith(XATTR)) {
    const name = key.slice(XATTR.length);
    // Values are bytes: a capability is binary.
    into.xattrs.set(name, Uint8Array.from(value));
    return;
  }
  if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') {
    into.sparse.push(decimal(value, 0, value.length));
    return;
  }
  if (value.length === 0) into.texts.delete(key);
  else if (KEYS.has(key)) {
    const text = decodeName(value);
    if (text.includes('\0')) throw new TarError(`${key} of an extended header holds a NUL`);
    into.texts.set(key, text);
  }
}

/** The keys that matter here; times of access, names of users and comments do not. */
const KEYS = new Set([
  'path',
  'linkpath',
  'size',
  'uid',
  'gid',
  'mtime',
  'GNU.sparse.major',
  'GNU.sparse.minor',
  'GNU.sparse.name',
  'GNU.sparse.size',
  'GNU.sparse.realsize',
  'GNU.sparse.map',
]);

/** A decimal integer that a record holds; throws {@link TarError} when it is none. */
export function paxInteger(text: string, what: string): number {
  const value = /^-?[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new TarError(`${what} of an extended header is not a number`);
  return value;
}

/** `SECONDS` or `SECONDS.FRACTION`; what is finer than a nanosecond is cut off. */
export function paxTime(text: string): FileTime {
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(text);
  if (!match) throw new TarError('mtime of an extended header is not a time');
  const [, sign, whole, fraction = ''] = match;
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, '0'));
  const seconds = Number(whole);
  if (!sign) return { seconds, nanoseconds };
  return nanoseconds === 0
    ? { seconds: -seconds, nanoseconds }
    : { seconds: -seconds - 1, nanoseconds: 1e9 - nanoseconds };
}

function decimal(bytes: Uint8Array, start: number, end: number): number {
  let value = end > start && end - start <= 16 ? 0 : Number.NaN;
  for (let i = start; i < end; i++) {
    const digit = bytes[i]! - 0x30;
    if (digit < 0 || digit > 9) throw malformed();
    value = value * 10 + digit;
  }
  if (!Number.isSafeInteger(value)) throw malformed();
  return value;
}

function malformed(): TarError {
  return new TarError('an extended header is malformed');
}

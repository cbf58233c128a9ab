import { posix } from 'node:path';
import { SyntaxProblem, suggestion } from './dockerfile-error.ts';
import type { Expand, RunMount, UnexpandedMount } from './model.ts';

type MountType = RunMount['type'];
type Option = 'target' | 'source' | 'from' | 'id' | 'sharing' | 'mode' | 'uid' | 'gid' | 'size' | 'env';

const TYPES: readonly MountType[] = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'];
const SHARING = ['shared', 'private', 'locked'] as const;
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['src', 'source'],
  ['dst', 'target'],
  ['destination', 'target'],
  ['ro', 'readonly'],
  ['rw', 'readwrite'],
]);
/** What may be said of each type, besides its type. Source: "RUN --mount". */
const OPTIONS: Readonly<Record<MountType, readonly string[]>> = {
  bind: ['target', 'source', 'from', 'readonly', 'readwrite'],
  cache: ['id', 'target', 'readonly', 'readwrite', 'sharing', 'from', 'source', 'mode', 'uid', 'gid'],
  tmpfs: ['target', 'size', 'readwrite'],
  secret: ['id', 'source', 'target', 'env', 'required', 'readonly', 'mode', 'uid', 'gid'],
  ssh: ['id', 'target', 'required', 'readonly', 'mode', 'uid', 'gid'],
};
/** Those that need no value: alone they mean true. */
const SWITCHES = new Set(['readonly', 'readwrite', 'required']);
const KNOWN = new Set(['type', ...Object.values(OPTIONS).flat()]);

/** Reads the value of one `--mount`: comma-separated options, in quotes where a value holds a comma. */
export function readMount(text: string): UnexpandedMount {
  const options = splitCommas(text).map((field) => {
    const equals = field.indexOf('=');
    const written = equals < 0 ? field : field.slice(0, equals);
    const name = ALIASES.get(written.toLowerCase()) ?? written.toLowerCase();
    if (!KNOWN.has(name)) {
      throw new SyntaxProblem(
        `unknown option ${written} of --mount.${suggestion(name, [...KNOWN, ...ALIASES.keys()])}`,
      );
    }
    const value = equals < 0 ? undefined : field.slice(equals + 1);
    if (value === undefined && !SWITCHES.has(name)) {
      throw new SyntaxProblem(`the option ${written} of --mount needs a value: ${written}=…`);
    }
    if (name === 'from' && /\$./.test(value ?? '')) {
      throw new SyntaxProblem(
        'from= of --mount takes no variables. Name the image in a stage (FROM … AS name) and say from=name',
      );
    }
    return { name, value };
  });
  const mount = { text, options };
  // Without variables everything can be checked at once.
  if (!/[$\\`'"]/.test(text)) readMountOptions(mount, (word) => word);
  return mount;
}

/** A mount with its variables expanded and its defaults filled in. Throws `SyntaxProblem`. */
export function readMountOptions(mount: UnexpandedMount, expand: Expand): RunMount {
  const values = new Map<string, string>();
  for (const { name, value } of mount.options) values.set(name, value === undefined ? 'true' : expand(value));
  const type = choice('type', values.get('type') ?? 'bind', TYPES);
  for (const name of values.keys()) {
    if (name !== 'type' && !OPTIONS[type].includes(name)) {
      throw new SyntaxProblem(`--mount=type=${type} has no option ${name}. It has ${OPTIONS[type].join(', ')}`);
    }
  }
  const text = (name: Option) => {
    const value = values.get(name);
    return value === '' ? undefined : value;
  };
  const flag = (name: string) => {
    const value = values.get(name);
    return value === undefined ? undefined : readBoolean(name, value);
  };
  const owner = (mode: number) => ({
    mode: readNumber('mode', text('mode'), 8, 0o7777) ?? mode,
    uid: readNumber('uid', text('uid'), 10, 0xffffffff) ?? 0,
    gid: readNumber('gid', text('gid'), 10, 0xffffffff) ?? 0,
  });
  const readOnly = flag('readonly') ?? (flag('readwrite') === undefined ? undefined : flag('readwrite') === false);
  const target = text('target');
  const needed = () => {
    if (target === undefined) throw new SyntaxProblem(`--mount=type=${type} needs target=, the path to mount at`);
    return target;
  };
  switch (type) {
    case 'bind':
      return {
        type,
        target: needed(),
        from: text('from'),
        source: text('source') ?? '/',
        writable: readOnly === false,
      };
    case 'cache':
      return {
        type,
        target: needed(),
        id: text('id') ?? posix.normalize(needed()),
        readOnly: readOnly ?? false,
        sharing: choice('sharing', values.get('sharing') ?? 'shared', SHARING),
        from: text('from'),
        source: text('source') ?? '/',
        ...owner(0o755),
      };
    case 'tmpfs':
      return { type, target: needed(), sizeBytes: readSize(text('size')) };
    case 'secret': {
      const id = text('id') ?? text('source') ?? (target === undefined ? undefined : posix.basename(target));
      if (id === undefined || id === '') throw new SyntaxProblem('--mount=type=secret needs id= or target=');
      if (text('id') !== undefined && text('source') !== undefined) {
        throw new SyntaxProblem('--mount=type=secret takes id= or source=, not both');
      }
      const environment = text('env');
      const path = target ?? (environment === undefined ? `/run/secrets/${posix.basename(id)}` : undefined);
      return { type, id, target: path, environment, required: flag('required') ?? false, ...owner(0o400) };
    }
    case 'ssh':
      return { type, id: text('id') ?? 'default', target, required: flag('required') ?? false, ...owner(0o600) };
  }
}

function choice<Word extends string>(name: string, value: string, words: readonly Word[]): Word {
  const word = words.find((candidate) => candidate === value.toLowerCase());
  if (word === undefined) {
    throw new SyntaxProblem(`${name} of --mount must be ${words.join(', ')}, not ${value}.${suggestion(value, words)}`);
  }
  return word;
}

/** Source: Go's `strconv.ParseBool`. */
function readBoolean(name: string, value: string): boolean {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(value)) return false;
  throw new SyntaxProblem(`${name} of --mount must be true or false, not ${value}`);
}

function readNumber(name: string, value: string | undefined, base: 8 | 10, maximum: number): number | undefined {
  if (value === undefined) return undefined;
  const number = (base === 8 ? /^[0-7]{1,11}$/ : /^\d{1,10}$/).test(value) ? Number.parseInt(value, base) : Number.NaN;
  if (number <= maximum) return number;
  throw new SyntaxProblem(`${name} of --mount must be ${base === 8 ? 'an octal' : 'a'} number, not ${value}`);
}

const UNITS = 'kmgtp';

/** Bytes of `64m`, `1.5GiB`, `1000`; units are powers of 1024. */
function readSize(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const match = /^(\d{1,15}(?:\.\d{1,9})?) ?([kmgtp]?)(?:i?b)?$/i.exec(value);
  if (match === null) throw new SyntaxProblem(`size of --mount must be a size such as 64m or 1g, not ${value}`);
  const power = match[2] === '' ? 0 : UNITS.indexOf(match[2]!.toLowerCase()) + 1;
  const size = Math.floor(Number(match[1]) * 1024 ** power);
  if (!Number.isSafeInteger(size)) throw new SyntaxProblem(`size of --mount is too large: ${value}`);
  return size;
}

/** Fields between commas; a field in double quotes may hold commas, and `""` for a quote. Source: RFC 4180. */
function splitCommas(text: string): string[] {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] === '"') {
      let field = '';
      for (at++; ; at++) {
        const character = text[at];
        if (character === undefined) throw new SyntaxProblem('a quote in --mount is not closed');
        if (character === '"') {
          if (text[at + 1] !== '"') break;
          at++;
        }
        field += character;
      }
      at++;
      if (at < text.length && text[at] !== ',')
        throw new SyntaxProblem('a quoted option of --mount must end at a comma');
      fields.push(field);
    } else {
      const comma = text.indexOf(',', at);
      const field = text.slice(at, comma < 0 ? undefined : comma);
      if (field.includes('"')) throw new SyntaxProblem('an option of --mount that holds a quote must begin with one');
      fields.push(field);
      at = comma < 0 ? text.length : comma;
    }
    if (at >= text.length) return fields;
    at++;
  }
}

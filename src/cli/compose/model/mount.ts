import { posix } from 'node:path';
import { labels } from './key-values.ts';
import { type Cursor, type Member, noted, object, refused, replaced, warned } from './member.ts';
import { bytes, choice, flag, resolvePath, scalarText, text } from './values.ts';

/** A mount of a service (https://docs.docker.com/reference/compose-file/services/#volumes). */
export interface Mount {
  readonly type: 'bind' | 'volume' | 'tmpfs';
  /** Absolute path of a bind; key of a top-level volume; neither for an anonymous volume. */
  readonly source?: string;
  readonly target: string;
  readonly read_only?: boolean;
  readonly consistency?: string;
  readonly bind?: BindOptions;
  readonly volume?: VolumeOptions;
  readonly tmpfs?: { readonly size?: number; readonly mode?: string };
}

interface BindOptions {
  readonly propagation?: (typeof PROPAGATIONS)[number];
  readonly create_host_path?: boolean;
  readonly selinux?: 'z' | 'Z';
}

interface VolumeOptions {
  readonly labels?: ReadonlyMap<string, string>;
  readonly nocopy?: boolean;
  readonly subpath?: string;
}

const PROPAGATIONS = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'] as const;
const CONSISTENCIES = ['consistent', 'cached', 'delegated'] as const;
const CONSISTENCY_REASON = 'bind mounts are the files themselves, so they are always consistent';
const SELINUX_REASON = 'Kobune sets no SELinux labels';

const long: Member<Mount> = object<Mount>(
  {
    type: noted(
      replaced((cursor) => {
        const value = scalarText(cursor);
        if (value === 'bind' || value === 'volume' || value === 'tmpfs') return value;
        if (value === 'image' || value === 'npipe' || value === 'cluster')
          return cursor.fail(`"${value}" is not supported: mounts are of type bind, volume or tmpfs`);
        return cursor.fail(`must be one of bind, volume, tmpfs, not "${value}"`);
      }),
      '`bind`, `volume` or `tmpfs`',
    ),
    source: text(),
    target: replaced(readTarget),
    read_only: flag(),
    consistency: warned(choice(...CONSISTENCIES), CONSISTENCY_REASON),
    bind: object<BindOptions>(
      {
        propagation: choice(...PROPAGATIONS),
        create_host_path: flag(),
        selinux: warned(choice('z', 'Z'), SELINUX_REASON),
      },
      { others: { recursive: refused('mounts below the source are always bound too') } },
    ),
    volume: object<VolumeOptions>({ labels: labels(), nocopy: flag(), subpath: text() }),
    tmpfs: object<{ size?: number; mode?: string }>({ size: bytes(), mode: fileMode() }),
  },
  {
    required: ['type', 'target'],
    others: { image: refused('mounts are of type bind, volume or tmpfs') },
    check: ({ type, source }, cursor) => {
      if (type === 'bind' && source === undefined) cursor.fail('needs "source": the path on this machine');
      if (type === 'tmpfs' && source !== undefined) cursor.fail('must have no "source": it is of type tmpfs');
    },
  },
);

/** A mount in the short syntax, `[SOURCE:]TARGET[:MODE]`, or in the long one. */
export const mount: Member<Mount> = {
  read: (cursor) => {
    if (cursor.tree.kind === 'scalar') return readShort(scalarText(cursor), cursor);
    const value = long.read(cursor);
    if (value.type !== 'bind' || value.source === undefined) return value;
    return { ...value, source: resolvePath(value.source, cursor) };
  },
  merge: (_base, over) => over,
  members: long.members,
};

function readShort(value: string, cursor: Cursor): Mount {
  const parts = value.split(':');
  if (parts.length > 3 || parts.some((part) => part === ''))
    cursor.fail(`must be [SOURCE:]TARGET[:MODE], such as ./data:/data:ro, not "${value}"`);
  if (parts.length === 1) return { type: 'volume', target: absolute(value, cursor) };
  const [source = '', target = '', mode = ''] = parts;
  const isPath = /^[./~]/.test(source);
  if (!isPath && !/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(source))
    cursor.fail(`has a source that is neither a path nor the name of a volume: "${source}"`);
  const base: Mount = isPath
    ? { type: 'bind', source: resolvePath(source, cursor), target: absolute(target, cursor) }
    : { type: 'volume', source, target: absolute(target, cursor) };
  const bind: { -readonly [K in keyof BindOptions]: BindOptions[K] } = isPath ? { create_host_path: true } : {};
  const options = { readOnly: false, nocopy: false };
  for (const word of mode === '' ? [] : mode.split(',')) readMode(word, bind, options, cursor);
  return {
    ...base,
    ...(options.readOnly ? { read_only: true } : {}),
    ...(Object.keys(bind).length > 0 ? { bind } : {}),
    ...(options.nocopy ? { volume: { nocopy: true } } : {}),
  };
}

function readMode(
  word: string,
  bind: { -readonly [K in keyof BindOptions]: BindOptions[K] },
  options: { readOnly: boolean; nocopy: boolean },
  cursor: Cursor,
): void {
  const propagation = PROPAGATIONS.find((candidate) => candidate === word);
  if (word === 'ro') options.readOnly = true;
  else if (word === 'nocopy') options.nocopy = true;
  else if (propagation !== undefined) bind.propagation = propagation;
  else if (word === 'z' || word === 'Z') cursor.warn(`has no effect in its mode ${word}: ${SELINUX_REASON}`);
  else if ((CONSISTENCIES as readonly string[]).includes(word))
    cursor.warn(`has no effect in its mode ${word}: ${CONSISTENCY_REASON}`);
  else if (word !== 'rw')
    cursor.fail(`has an unknown mode "${word}": known are ro, rw, nocopy, z, Z and ${PROPAGATIONS.join(', ')}`);
}

function readTarget(cursor: Cursor): string {
  return absolute(scalarText(cursor), cursor);
}

function absolute(value: string, cursor: Cursor): string {
  if (!value.startsWith('/')) cursor.fail(`must be mounted at an absolute path, not at "${value}"`);
  const path = posix.normalize(value).replace(/(?<=.)\/$/, '');
  if (path === '/') cursor.fail('must not be mounted over the root');
  return path;
}

/** Rights of a file. A number is taken as YAML reads it (`0440` is octal), text as octal digits. Kept as octal digits. */
export function fileMode(): Member<string> {
  return replaced((cursor) => {
    if (cursor.tree.kind === 'scalar' && typeof cursor.tree.value === 'number') {
      const { value } = cursor.tree;
      if (Number.isInteger(value) && value >= 0 && value <= 0o7777) return `0${value.toString(8)}`;
    }
    const value = scalarText(cursor);
    if (!/^0?o?[0-7]{1,4}$/.test(value)) cursor.fail(`must be the rights of a file, such as 0440, not "${value}"`);
    return `0${Number.parseInt(value.replace('o', ''), 8).toString(8)}`;
  });
}

import { posix } from 'node:path';
import { options } from './key-values.ts';
import { type Cursor, list, type Member, map, noted, object, refused, replaced, warned } from './member.ts';
import { fileMode } from './mount.ts';
import { choice, decimal, duration, flag, integer, localFile, path, scalarText, text, texts } from './values.ts';

/** When a service that another needs counts as ready (https://docs.docker.com/reference/compose-file/services/#depends_on). */
export interface Dependency {
  readonly condition: 'service_started' | 'service_healthy' | 'service_completed_successfully';
  /** Restarted too when the other is recreated or restarted by Compose. */
  readonly restart?: boolean;
  /** Absent: true. */
  readonly required?: boolean;
}

const dependency: Member<Dependency> = object<Dependency>(
  {
    condition: choice('service_started', 'service_healthy', 'service_completed_successfully'),
    restart: flag(),
    required: flag(),
  },
  { required: ['condition'] },
);

export const dependsOn: Member<ReadonlyMap<string, Dependency>> = namesOr(map(dependency), {
  condition: 'service_started',
});

/** A service's place on a network (https://docs.docker.com/reference/compose-file/services/#networks). */
export interface ServiceNetwork {
  readonly aliases?: readonly string[];
  readonly ipv4_address?: string;
  readonly ipv6_address?: string;
  readonly mac_address?: string;
  /** The order in which the networks are connected; the highest is the default route unless `gw_priority` says otherwise. */
  readonly priority?: number;
  readonly gw_priority?: number;
}

export const serviceNetworks: Member<ReadonlyMap<string, ServiceNetwork>> = namesOr(
  map(
    object<ServiceNetwork>(
      {
        aliases: texts(),
        ipv4_address: text({ pattern: /^\d{1,3}(?:\.\d{1,3}){3}$/, expected: 'an IPv4 address' }),
        ipv6_address: text({ pattern: /^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/, expected: 'an IPv6 address' }),
        mac_address: macAddress(),
        priority: decimal(),
        gw_priority: decimal(),
      },
      {
        others: {
          link_local_ips: refused('containers have one address of each family on a network'),
          interface_name: refused('interfaces are called eth0, eth1, …'),
          driver_opts: refused('there is one driver, bridge, and it has no options for a single container'),
        },
      },
    ),
    { empty: true },
  ),
  {},
);

/** A list of names means each with its defaults. */
function namesOr<T>(named: Member<ReadonlyMap<string, T>>, standard: T): Member<ReadonlyMap<string, T>> {
  return {
    ...named,
    read: (cursor) => {
      if (cursor.tree.kind !== 'list') return named.read(cursor);
      return new Map(cursor.items().map((item) => [scalarText(item), standard]));
    },
  };
}

export function macAddress(): Member<string> {
  return text({ pattern: /^(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/, expected: 'a MAC address' });
}

/** How the health of a container is found out (https://docs.docker.com/reference/compose-file/services/#healthcheck). */
export interface Healthcheck {
  readonly disable?: boolean;
  /** `NONE`, or `CMD` or `CMD-SHELL` with what follows. */
  readonly test?: readonly string[];
  readonly interval?: string;
  readonly timeout?: string;
  readonly start_period?: string;
  readonly start_interval?: string;
  readonly retries?: number;
}

export const healthcheck: Member<Healthcheck> = object<Healthcheck>({
  disable: flag(),
  test: replaced((cursor) => {
    if (cursor.tree.kind === 'scalar') return ['CMD-SHELL', scalarText(cursor)];
    const words = cursor.items('a line or a list').map(scalarText);
    const [kind = ''] = words;
    if (!['NONE', 'CMD', 'CMD-SHELL'].includes(kind))
      cursor.fail(`must begin with NONE, CMD or CMD-SHELL, not "${kind}"`);
    if (kind !== 'NONE' && words.length < 2) cursor.fail(`needs a command after ${kind}`);
    return words;
  }),
  interval: duration(),
  timeout: duration(),
  start_period: duration(),
  start_interval: duration(),
  retries: integer({ least: 0 }),
});

/** Where output goes (https://docs.docker.com/reference/compose-file/services/#logging). */
export interface Logging {
  readonly driver?: 'json-file' | 'none';
  readonly options?: ReadonlyMap<string, string>;
}

const loggingObject: Member<Logging> = object<Logging>({
  driver: noted(
    replaced((cursor) => {
      const value = scalarText(cursor);
      if (value === 'json-file' || value === 'none') return value;
      return cursor.fail(`"${value}" is not supported: logs are written by json-file, or by none`);
    }),
    '`json-file` or `none`',
  ),
  options: {
    note: '`max-size` and `max-file`',
    read: (cursor) => {
      const known = options().read(cursor);
      for (const name of known.keys())
        if (name !== 'max-size' && name !== 'max-file')
          cursor.fail(`has an unsupported option "${name}": json-file knows max-size and max-file`);
      return known;
    },
    merge: options().merge,
  },
});

export const logging: Member<Logging> = {
  ...loggingObject,
  // Options belong to a driver: those of another are no use.
  merge: (base, over) =>
    base.driver !== undefined && over.driver !== undefined && base.driver !== over.driver
      ? over
      : loggingObject.merge(base, over),
};

export interface Ulimit {
  readonly soft: number;
  readonly hard: number;
}

const ulimitObject: Member<Ulimit> = object<Ulimit>(
  { soft: integer({ least: -1 }), hard: integer({ least: -1 }) },
  {
    required: ['soft', 'hard'],
    short: (cursor) => {
      const both = integer({ least: -1 }).read(cursor);
      return { soft: both, hard: both };
    },
  },
);

export const ulimits: Member<ReadonlyMap<string, Ulimit>> = map(ulimitObject);

/** A secret or a configuration that a service gets (https://docs.docker.com/reference/compose-file/services/#secrets). */
export interface FileGrant {
  readonly source: string;
  /** Absolute path inside. */
  readonly target: string;
  readonly uid?: string;
  readonly gid?: string;
  /** Octal digits. */
  readonly mode?: string;
}

/** Grants whose files are in `directory` unless told. `ownerless`: why owner and rights have no effect, where they have none. */
export function fileGrants(
  directory: string,
  options: { readonly ownerless?: string } = {},
): Member<readonly FileGrant[]> {
  const { ownerless } = options;
  const standing = <T>(member: Member<T>) => (ownerless === undefined ? member : warned(member, ownerless));
  const id = () => standing(text({ pattern: /^\d+$/, expected: 'a number' }));
  const long: Member<FileGrant> = object<FileGrant>(
    { source: text(), target: text(), uid: id(), gid: id(), mode: standing(fileMode()) },
    { required: ['source'], short: (cursor) => ({ source: scalarText(cursor), target: '' }) },
  );
  return list<FileGrant>(
    {
      read: (cursor) => {
        const grant = long.read(cursor);
        const target = posix.resolve(directory, grant.target || grant.source);
        if (target === '/') cursor.fail('must not be put over the root');
        return { ...grant, target };
      },
      merge: (_base, over) => over,
      members: long.members,
    },
    { key: ({ target }) => target },
  );
}

export interface EnvFile {
  readonly path: string;
  /** Absent: true. */
  readonly required?: boolean;
  readonly format?: 'raw';
}

/** Files with variables for the container (https://docs.docker.com/reference/compose-file/services/#env_file). */
export const envFiles: Member<readonly EnvFile[]> = list(
  object<EnvFile>(
    { path: path(), required: flag(), format: choice('raw') },
    { required: ['path'], short: (cursor) => ({ path: path().read(cursor) }) },
  ),
  { orOne: true, key: (file) => file.path },
);

export interface Device {
  readonly source: string;
  readonly target: string;
  readonly permissions: string;
}

interface WrittenDevice {
  readonly source: string;
  readonly target?: string;
  readonly permissions?: string;
}

const longDevice: Member<WrittenDevice> = object<WrittenDevice>(
  { source: text(), target: text(), permissions: text() },
  { required: ['source'] },
);

/** Devices of this machine: `SOURCE[:TARGET[:PERMISSIONS]]`, or the long syntax. */
export const devices: Member<readonly Device[]> = list<Device>(
  {
    read: (cursor) => {
      const device = cursor.tree.kind === 'scalar' ? shortDevice(scalarText(cursor), cursor) : longDevice.read(cursor);
      const { source, target = source, permissions = 'rwm' } = device;
      if (!source.startsWith('/')) cursor.fail(`must be the path of a device, not "${source}"`);
      if (!/^[rwm]{1,3}$/.test(permissions)) cursor.fail(`has permissions other than r, w and m: "${permissions}"`);
      return { source, target, permissions };
    },
    merge: (_base, over) => over,
    members: longDevice.members,
  },
  { key: ({ target }) => target },
);

function shortDevice(value: string, cursor: Cursor): WrittenDevice {
  const [source = '', target, permissions, ...rest] = value.split(':');
  if (rest.length > 0) cursor.fail(`must be SOURCE[:TARGET[:PERMISSIONS]], not "${value}"`);
  if (target !== undefined && /^[rwm]+$/.test(target)) return { source, permissions: target };
  return { source, ...(target === undefined ? {} : { target }), ...(permissions === undefined ? {} : { permissions }) };
}

/** Share of disk time. */
export interface BlockIo {
  readonly weight?: number;
}

const DEVICE_RATES = refused('limits of single block devices cannot be set; "weight" can');

export const blockIo: Member<BlockIo> = object<BlockIo>(
  { weight: integer({ least: 10, greatest: 1000 }) },
  {
    others: {
      weight_device: DEVICE_RATES,
      device_read_bps: DEVICE_RATES,
      device_read_iops: DEVICE_RATES,
      device_write_bps: DEVICE_RATES,
      device_write_iops: DEVICE_RATES,
    },
  },
);

/** Another service that this one begins with (https://docs.docker.com/reference/compose-file/services/#extends). */
export interface Extends {
  readonly service: string;
  /** Absolute. */
  readonly file?: string;
}

export const extending: Member<Extends> = {
  ...object<Extends>(
    { service: text(), file: localFile() },
    { required: ['service'], short: (cursor) => ({ service: scalarText(cursor) }) },
  ),
  merge: (_base, over) => over,
};

import { labels, options } from './key-values.ts';
import { list, type Member, noted, object, refused, replaced, warned } from './member.ts';
import { flag, path, scalarText, text } from './values.ts';

/** A network (https://docs.docker.com/reference/compose-file/networks/). */
export interface Network {
  /** As the engine knows it; made of the project's and its own unless told. */
  readonly name?: string;
  readonly driver?: string;
  readonly driver_opts?: ReadonlyMap<string, string>;
  readonly ipam?: { readonly driver?: string; readonly config?: readonly AddressPool[] };
  readonly external?: boolean;
  readonly internal?: boolean;
  readonly enable_ipv4?: boolean;
  readonly enable_ipv6?: boolean;
  readonly attachable?: boolean;
  readonly labels?: ReadonlyMap<string, string>;
}

export interface AddressPool {
  readonly subnet?: string;
  readonly ip_range?: string;
  readonly gateway?: string;
  readonly aux_addresses?: ReadonlyMap<string, string>;
}

const RESERVED = 'com.docker.compose.';

interface External {
  readonly external?: boolean;
  readonly name?: string;
}

/** `external: true`, or the older `external: {name: …}`, which gives the name too. */
const external: Member<boolean> = {
  read: (cursor) => (cursor.tree.kind === 'map' ? true : flag().read(cursor)),
  merge: (_base, over) => over,
};

/** Takes the name out of the older form of `external`, and refuses other members beside it. */
function withExternal<T extends External>(member: Member<T>, allowed: readonly string[]): Member<T> {
  return {
    ...member,
    read: (cursor) => {
      const value = member.read(cursor);
      const written = cursor.tree.kind === 'map' ? cursor.tree.entries.get('external')?.value : undefined;
      if (value.external !== true) return value;
      for (const [key, entry] of Object.entries(value)) {
        if (key === 'external' || key === 'name' || allowed.includes(key) || entry === undefined) continue;
        cursor.fail(`is external, so "${key}" cannot be said of it here`);
      }
      if (written?.kind !== 'map') return value;
      const { name } = object<{ name?: string }>({ name: text() }).read(cursor.at(written, 'external'));
      return name === undefined ? value : { ...value, name };
    },
  };
}

const addressPool: Member<AddressPool> = object<AddressPool>({
  subnet: text(),
  ip_range: text(),
  gateway: text(),
  aux_addresses: options(),
});

export const network: Member<Network> = withExternal(
  object<Network>({
    name: text(),
    driver: noted(
      replaced((cursor) => {
        const value = scalarText(cursor);
        if (value === 'bridge' || value === 'default') return 'bridge';
        return cursor.fail(`"${value}" is not supported: networks are made by the driver bridge`);
      }),
      '`bridge`',
    ),
    driver_opts: options(),
    ipam: object<NonNullable<Network['ipam']>>(
      {
        driver: noted(text({ pattern: /^default$/, expected: 'default, the only driver of addresses' }), '`default`'),
        config: list(addressPool, { key: ({ subnet = '' }) => subnet, merge: addressPool.merge }),
      },
      { others: { options: refused('the driver of addresses has no options') } },
    ),
    external,
    internal: flag(),
    enable_ipv4: noted(
      replaced((cursor) => (flag().read(cursor) ? true : cursor.fail('must be true: each network has IPv4 addresses'))),
      '`true`',
    ),
    enable_ipv6: flag(),
    attachable: flag(),
    labels: labels({ reserved: RESERVED }),
  }),
  [],
);

/** A volume (https://docs.docker.com/reference/compose-file/volumes/). */
export interface Volume {
  readonly name?: string;
  readonly driver?: string;
  readonly driver_opts?: ReadonlyMap<string, string>;
  readonly external?: boolean;
  readonly labels?: ReadonlyMap<string, string>;
}

export const volume: Member<Volume> = withExternal(
  object<Volume>({
    name: text(),
    driver: noted(
      replaced((cursor) => {
        const value = scalarText(cursor);
        if (value === 'local' || value === 'default') return 'local';
        return cursor.fail(`"${value}" is not supported: volumes are made by the driver local`);
      }),
      '`local`',
    ),
    driver_opts: options(),
    external,
    labels: labels({ reserved: RESERVED }),
  }),
  [],
);

/** A secret or a configuration: where its content comes from (https://docs.docker.com/reference/compose-file/secrets/). */
export interface FileSource {
  readonly name?: string;
  /** Absolute path. */
  readonly file?: string;
  /** Name of a variable of the environment. */
  readonly environment?: string;
  readonly content?: string;
  readonly labels?: ReadonlyMap<string, string>;
}

const ONLY_SWARM = 'only a Swarm keeps them; use "file" or "environment"';
const NO_LABELS = 'it becomes a file in the containers, which has no labels';

const swarmMembers: Readonly<Record<string, Member<never>>> = {
  external: refused(ONLY_SWARM),
  template_driver: refused(ONLY_SWARM),
};

type Secret = Omit<FileSource, 'content'>;

function oneSource(allowed: readonly (keyof FileSource)[]) {
  return (value: FileSource, cursor: { fail(message: string): never }) => {
    const given = allowed.filter((key) => value[key] !== undefined);
    if (given.length > 1) cursor.fail(`has both "${given[0]}" and "${given[1]}"`);
  };
}

export const secret: Member<Secret> = object<Secret>(
  { name: text(), file: path(), environment: text(), labels: warned(labels(), NO_LABELS) },
  {
    others: { ...swarmMembers, driver: refused(ONLY_SWARM), driver_opts: refused(ONLY_SWARM) },
    check: oneSource(['file', 'environment']),
  },
);

export const config: Member<FileSource> = object<FileSource>(
  { name: text(), file: path(), environment: text(), content: text(), labels: warned(labels(), NO_LABELS) },
  { others: swarmMembers, check: oneSource(['file', 'environment', 'content']) },
);

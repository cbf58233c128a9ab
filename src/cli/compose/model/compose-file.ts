import { list, type Member, map, noted, object, refused } from './member.ts';
import { config, type FileSource, type Network, network, secret, type Volume, volume } from './resources.ts';
import { type Service, service } from './service.ts';
import { localFile, path, scalarText, text } from './values.ts';

/** Another Compose application whose services belong to this one (https://docs.docker.com/reference/compose-file/include/). */
export interface Include {
  /** Absolute; several are merged. */
  readonly path: readonly string[];
  readonly env_file?: readonly string[];
  readonly project_directory?: string;
}

/** What a Compose file says, or several merged. */
export interface ComposeFile {
  readonly version?: string;
  readonly name?: string;
  readonly include?: readonly Include[];
  readonly services?: ReadonlyMap<string, Service>;
  readonly networks?: ReadonlyMap<string, Network>;
  readonly volumes?: ReadonlyMap<string, Volume>;
  readonly secrets?: ReadonlyMap<string, FileSource>;
  readonly configs?: ReadonlyMap<string, FileSource>;
}

const KEYS = /^[a-zA-Z0-9._-]+$/;

const paths = list(path(), { orOne: true });

const include: Member<Include> = object<Include>(
  {
    path: noted(list(localFile(), { orOne: true }), 'files of this machine'),
    env_file: paths,
    project_directory: path(),
  },
  { required: ['path'], short: (cursor) => ({ path: [localFile().read(cursor)] }) },
);

export const composeFile: Member<ComposeFile> = object<ComposeFile>(
  {
    version: {
      read: (cursor) => {
        cursor.warn('is obsolete and ignored: it can go');
        return scalarText(cursor);
      },
      merge: (_base, over) => over,
      standing: { warned: 'the specification has no versions any more' },
    },
    name: text(),
    include: list(include),
    services: map(service, { keys: KEYS }),
    networks: map(network, { keys: KEYS, empty: true }),
    volumes: map(volume, { keys: KEYS, empty: true }),
    secrets: map(secret, { keys: KEYS }),
    configs: map(config, { keys: KEYS }),
  },
  { others: { models: refused('models are not served here') } },
);

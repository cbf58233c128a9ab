import { extraHosts, keyValues, labels } from './key-values.ts';
import { type Cursor, list, type Member, mergeMaps, object, refused, warned } from './member.ts';
import { type FileGrant, fileGrants, type Ulimit, ulimits } from './service-parts.ts';
import { bytes, flag, resolvePath, scalarText, text, texts } from './values.ts';

/** How a service's image is made (https://docs.docker.com/reference/compose-file/build/). */
export interface Build {
  /** Absolute path. */
  readonly context?: string;
  /** Relative to the context. */
  readonly dockerfile?: string;
  readonly dockerfile_inline?: string;
  /** `null`: taken from the environment. */
  readonly args?: ReadonlyMap<string, string | null>;
  readonly labels?: ReadonlyMap<string, string>;
  readonly cache_from?: readonly string[];
  readonly cache_to?: readonly string[];
  readonly no_cache?: boolean;
  readonly pull?: boolean;
  readonly network?: string;
  readonly target?: string;
  readonly shm_size?: number;
  readonly extra_hosts?: ReadonlyMap<string, readonly string[]>;
  readonly secrets?: readonly FileGrant[];
  readonly ssh?: ReadonlyMap<string, string | null>;
  readonly tags?: readonly string[];
  readonly ulimits?: ReadonlyMap<string, Ulimit>;
  readonly platforms?: readonly string[];
  readonly provenance?: string;
  readonly sbom?: string;
}

const REMOTE = /^(?:https?:\/\/|git:\/\/|ssh:\/\/|git@|github\.com\/)/;

export const build: Member<Build> = object<Build>(
  {
    context: { read: readContext, merge: (_base, over) => over, note: 'a directory of this machine' },
    dockerfile: text(),
    dockerfile_inline: text(),
    args: keyValues(),
    labels: labels(),
    cache_from: texts(),
    cache_to: texts(),
    no_cache: flag(),
    pull: flag(),
    network: text(),
    target: text(),
    shm_size: bytes(),
    extra_hosts: extraHosts(),
    secrets: fileGrants('/run/secrets', { ownerless: 'the Dockerfile says it: RUN --mount=type=secret,id=…,mode=…' }),
    ssh: sshAgents(),
    tags: texts(),
    ulimits,
    platforms: texts(),
    provenance: warned(text(), 'builds attest nothing of where they come from'),
    sbom: warned(text(), 'builds attach no list of what is inside'),
  },
  {
    short: (cursor) => ({ context: readContext(cursor) }),
    others: {
      additional_contexts: refused('name an image or another stage in the Dockerfile'),
      entitlements: refused('build steps have no more rights than others'),
      isolation: refused('it is for Windows'),
      no_cache_filter: refused('no_cache is for the whole build'),
      privileged: refused('build steps run without privileges'),
    },
    check: ({ dockerfile, dockerfile_inline }, cursor) => {
      if (dockerfile !== undefined && dockerfile_inline !== undefined)
        cursor.fail('has both "dockerfile" and "dockerfile_inline"');
    },
  },
);

function readContext(cursor: Cursor): string {
  const value = scalarText(cursor);
  if (REMOTE.test(value)) cursor.fail(`must be a directory of this machine; "${value}" is not supported`);
  return resolvePath(value, cursor);
}

/** Agents by ID: `default`, or ID=SOCKET; as a list or a map. */
function sshAgents(): Member<ReadonlyMap<string, string | null>> {
  const agents = keyValues();
  const ids = list({ read: scalarText, merge: (_base: string, over: string) => over });
  return {
    read: (cursor) => {
      if (cursor.tree.kind === 'list') {
        const pairs = ids.read(cursor).map((line) => {
          const at = line.indexOf('=');
          return at < 0 ? ([line, null] as const) : ([line.slice(0, at), line.slice(at + 1)] as const);
        });
        return new Map(pairs);
      }
      return agents.read(cursor);
    },
    merge: (base, over) => mergeMaps(base, over),
  };
}

import { mkdir, stat } from 'node:fs/promises';
import { posix } from 'node:path';
import type { ContainerSpec, MountPoint, MountSpec } from '../container.ts';
import { invalid } from '../errors.ts';
import type { VolumeStore } from '../volumes/volume-store.ts';

/** A mount as it is kept with the container: where it comes from, and what only its making needs. */
export interface PlannedMount {
  readonly point: MountPoint;
  /** Options for `mount`, besides what the point tells. */
  readonly options: readonly string[];
  /** The image's files at the target are copied into the volume when it is empty. */
  readonly copyUp: boolean;
  readonly subpath: string | undefined;
}

/** Told of each volume that is used; `made`: for this container, to be removed when that cannot be made. */
export type VolumeUse = (name: string, made: boolean) => void;

const PROPAGATIONS = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'];
/** Where the kernel's own file systems are; nothing else may be put there. */
const RESERVED = ['/', '/proc', '/sys', '/dev'];

/**
 * The mounts that a container will have: its own, those of `volumesFrom`, and a volume for each path that the image declares and nothing
 * else is at. Volumes that are not there are made. Throws `InvalidContainer`.
 */
export async function resolveMounts(
  spec: Pick<ContainerSpec, 'mounts' | 'imageVolumes' | 'volumesFrom'>,
  volumes: VolumeStore,
  mountsOf: (container: string) => readonly PlannedMount[],
  uses: VolumeUse,
): Promise<readonly PlannedMount[]> {
  const planned = new Map<string, PlannedMount>();
  const add = (mount: PlannedMount) => planned.set(mount.point.destination, mount);
  for (const mount of spec.volumesFrom.flatMap((from) => inherited(from, mountsOf))) {
    if (mount.point.name !== undefined) uses(mount.point.name, false);
    add(mount);
  }
  const own = new Set<string>();
  for (const mount of spec.mounts) {
    const target = checkTarget(mount.target);
    if (own.has(target)) throw invalid(`Duplicate mount point: ${target}`);
    own.add(target);
    if (mount.type === 'bind') add(await bind(mount, target));
    else if (mount.type === 'tmpfs') add(tmpfs(mount, target));
    else add(await volume(mount, target, volumes, uses));
  }
  for (const path of spec.imageVolumes) {
    const target = checkTarget(path);
    if (planned.has(target)) continue;
    const anonymous = { type: 'volume', volume: '', target, readOnly: false, noCopy: false } as const;
    add(await volume(anonymous, target, volumes, uses));
  }
  return [...planned.values()];
}

function checkTarget(target: string): string {
  if (!target.startsWith('/')) throw invalid(`invalid mount path: '${target}' mount path must be absolute`);
  if (target.includes('\0')) throw invalid('invalid mount path');
  const clean = posix.normalize(target).replace(/(.)\/$/, '$1');
  if (RESERVED.includes(clean)) throw invalid(`invalid mount: destination can't be '${clean}'`);
  return clean;
}

async function bind(mount: MountSpec & { type: 'bind' }, destination: string): Promise<PlannedMount> {
  const { source, readOnly, propagation = 'rprivate' } = mount;
  if (!source.startsWith('/')) throw invalid(`invalid mount path: '${source}' mount path must be absolute`);
  if (!PROPAGATIONS.includes(propagation)) throw invalid(`invalid propagation: ${propagation}`);
  // A file, a socket or a device may be mounted, too.
  if (!(await stat(source).catch(() => undefined))) {
    if (!mount.createSource) {
      throw invalid(`invalid mount config for type "bind": bind source path does not exist: ${source}`);
    }
    await mkdir(source, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
      throw invalid(`error while creating mount source path '${source}': mkdir ${source}: ${error.code}`);
    });
  }
  const point: MountPoint = { type: 'bind', source: posix.normalize(source), destination, readOnly, propagation };
  return { point, options: [], copyUp: false, subpath: undefined };
}

/** Source: `docker run --tmpfs`: writable for all, and the options that `mount(8)` knows of tmpfs. */
function tmpfs(mount: MountSpec & { type: 'tmpfs' }, destination: string): PlannedMount {
  const given = mount.options ?? [];
  const bad = given.find((option) => !TMPFS_OPTION.test(option));
  if (bad !== undefined) throw invalid(`invalid tmpfs option ["${bad}"]`);
  const size = mount.sizeBytes ? [`size=${mount.sizeBytes}`] : [];
  const mode = mount.mode === undefined ? [] : [`mode=${mount.mode.toString(8)}`];
  const options = ['noexec', 'nosuid', 'nodev', ...given, ...size, ...mode];
  const readOnly = options.lastIndexOf('ro') > options.lastIndexOf('rw');
  return {
    point: { type: 'tmpfs', source: '', destination, readOnly, propagation: '' },
    options,
    copyUp: false,
    subpath: undefined,
  };
}

const TMPFS_OPTION =
  /^(size=\d+[kmg%]?|mode=0?[0-7]{1,4}|uid=\d+|gid=\d+|nr_inodes=\d+[kmg]?|nr_blocks=\d+[kmg]?|mpol=[a-z:0-9,=-]+|r[ow]|(no)?(exec|suid|dev|atime|diratime)|(no)?relatime|strictatime|a?sync|r?private|r?shared|r?slave|r?unbindable)$/i;

async function volume(
  mount: MountSpec & { type: 'volume' },
  destination: string,
  volumes: VolumeStore,
  uses: VolumeUse,
): Promise<PlannedMount> {
  const known = mount.volume === '' ? undefined : volumes.find(mount.volume);
  const { name, mountpoint } =
    known ??
    (await volumes.create({
      ...(mount.volume === '' ? {} : { name: mount.volume }),
      ...(mount.labels ? { labels: mount.labels } : {}),
      ...(mount.driverOptions ? { driverOptions: mount.driverOptions } : {}),
    }));
  uses(name, !known);
  return {
    point: {
      type: 'volume',
      name,
      source: mountpoint,
      destination,
      driver: 'local',
      readOnly: mount.readOnly,
      propagation: '',
    },
    options: [],
    // What is in a part of it is its own.
    copyUp: !mount.noCopy && !mount.subpath,
    subpath: mount.subpath,
  };
}

/** `NAME`, `NAME:ro`, `NAME:rw`. Source: `docker run --volumes-from`. */
function inherited(from: string, mountsOf: (container: string) => readonly PlannedMount[]): PlannedMount[] {
  const [, name = '', mode = 'rw'] = /^([^:]+)(?::(.+))?$/.exec(from) ?? [];
  if (name === '' || !['ro', 'rw', 'z', 'Z'].includes(mode)) throw invalid(`invalid volumes-from: ${from}`);
  return mountsOf(name)
    .filter(({ point }) => point.type !== 'tmpfs')
    .map(({ point, subpath }) => ({
      point: { ...point, readOnly: point.readOnly || mode === 'ro' },
      options: [],
      copyUp: false,
      subpath,
    }));
}

import { posix } from 'node:path';
import type { MountSpec } from '../../containers/index.ts';
import { splitOnce } from '../shapes/filters.ts';
import { invalid } from '../shapes/shape.ts';
import type { HostConfig, Mount } from './config-shape.ts';

const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
const PROPAGATIONS = new Set(['shared', 'rshared', 'slave', 'rslave', 'private', 'rprivate']);
/** Modes that change nothing on Linux without SELinux. */
const WITHOUT_EFFECT = new Set(['', 'rw', 'z', 'Z', 'consistent', 'cached', 'delegated', 'default']);

/** Everything that is mounted into a container: `Binds`, `Mounts` and `Tmpfs`. Throws what dockerd says of what it cannot read. */
export function readMounts(config: HostConfig): MountSpec[] {
  const mounts = [
    ...(config.Binds ?? []).map(readBind),
    ...(config.Mounts ?? []).map(readMount),
    ...Object.entries(config.Tmpfs ?? {}).map(([target, options]) => readTmpfs(target, options)),
  ];
  const seen = new Set<string>();
  for (const { target } of mounts) {
    const path = posix.resolve('/', target);
    if (seen.has(path)) throw invalid(`Duplicate mount point: ${target}`);
    seen.add(path);
  }
  return mounts;
}

/** `source:target[:modes]` or a path alone, as `-v` takes them. Source: docker run reference, "Mount volume". */
function readBind(spec: string): MountSpec {
  const parts = spec.split(':');
  const [first, second, third] = parts;
  if (parts.length > 3 || first === undefined || parts.some((part) => part === '')) {
    throw invalid(`invalid volume specification: '${spec}'`);
  }
  const alone = parts.length === 1;
  const target = alone ? first : second!;
  if (!posix.isAbsolute(target))
    throw invalid(
      `invalid volume specification: '${spec}': invalid mount config for type "${!alone && first.startsWith('/') ? 'bind' : 'volume'}": invalid mount path: '${target}' mount path must be absolute`,
    );
  if (posix.resolve(target) === '/') {
    throw invalid(
      `invalid volume specification: '${spec}': invalid mount config for type "bind": invalid specification: destination can't be '/'`,
    );
  }
  const { readOnly, noCopy, propagation } = readModes(third ?? '', spec);
  if (!alone && posix.isAbsolute(first)) {
    if (noCopy) throw invalid(`invalid volume specification: '${spec}': nocopy is for volumes`);
    return { type: 'bind', source: posix.resolve(first), target, readOnly, createSource: true, ...propagation };
  }
  if (propagation !== undefined)
    throw invalid(`invalid volume specification: '${spec}': propagation is for bind mounts`);
  const volume = alone ? '' : first;
  checkVolumeName(volume);
  return { type: 'volume', volume, target, readOnly, noCopy };
}

function readModes(modes: string, spec: string) {
  let [readOnly, noCopy] = [false, false];
  let propagation: { readonly propagation: string } | undefined;
  for (const mode of modes.split(',')) {
    if (mode === 'ro') readOnly = true;
    else if (mode === 'nocopy') noCopy = true;
    else if (PROPAGATIONS.has(mode)) propagation = { propagation: mode };
    else if (!WITHOUT_EFFECT.has(mode)) throw invalid(`invalid mode: ${modes}: in '${spec}'`);
  }
  return { readOnly, noCopy, propagation };
}

function readMount(mount: Mount): MountSpec {
  const refuse = (why: string) => invalid(`invalid mount config for type "${mount.Type}": ${why}`);
  if (mount.Target === '') throw refuse('field Target must not be empty');
  if (!posix.isAbsolute(mount.Target))
    throw refuse(`invalid mount path: '${mount.Target}' mount path must be absolute`);
  if (posix.resolve(mount.Target) === '/') throw refuse("invalid specification: destination can't be '/'");
  for (const [type, member] of OPTIONS) {
    if (mount.Type !== type && mount[member] !== null) throw refuse(`field ${member} must not be specified`);
  }
  const { Target: target, ReadOnly: readOnly } = mount;
  switch (mount.Type) {
    case 'bind':
      return readBindMount(mount, refuse);
    case 'volume': {
      const options = mount.VolumeOptions;
      checkVolumeName(mount.Source);
      if (!['', 'local'].includes(options?.DriverConfig?.Name ?? ''))
        throw refuse(noDriver(options!.DriverConfig!.Name));
      return {
        type: 'volume',
        volume: mount.Source,
        target,
        readOnly,
        noCopy: options?.NoCopy ?? false,
        ...(options?.Labels ? { labels: options.Labels } : {}),
        ...(options?.DriverConfig?.Options ? { driverOptions: options.DriverConfig.Options } : {}),
        ...(options?.Subpath ? { subpath: options.Subpath } : {}),
      };
    }
    case 'tmpfs': {
      if (mount.Source !== '') throw refuse('field Source must not be specified');
      const { SizeBytes: size = 0, Mode: mode = 0, Options: options } = mount.TmpfsOptions ?? {};
      if (size < 0) throw refuse('SizeBytes must not be negative');
      return {
        type: 'tmpfs',
        target,
        ...(size > 0 ? { sizeBytes: size } : {}),
        ...(mode > 0 ? { mode } : {}),
        options: [...(readOnly ? ['ro'] : []), ...(options ?? []).map((words) => words.join('='))],
      };
    }
    case '':
      throw invalid('mount type unknown: ""');
    default:
      throw invalid(`mounts of type "${mount.Type}" are not supported: bind, volume and tmpfs are`);
  }
}

const OPTIONS = [
  ['bind', 'BindOptions'],
  ['volume', 'VolumeOptions'],
  ['tmpfs', 'TmpfsOptions'],
  ['image', 'ImageOptions'],
  ['cluster', 'ClusterOptions'],
] as const;

function readBindMount(mount: Mount, refuse: (why: string) => Error): MountSpec {
  if (mount.Source === '') throw refuse('field Source must not be empty');
  if (!posix.isAbsolute(mount.Source)) {
    throw refuse(`invalid mount path: '${mount.Source}' mount path must be absolute`);
  }
  const { Propagation: propagation = '', CreateMountpoint: createSource = false } = mount.BindOptions ?? {};
  if (mount.BindOptions?.NonRecursive)
    throw refuse('BindOptions.NonRecursive is not supported: mounts below the source come along');
  if (propagation !== '' && !PROPAGATIONS.has(propagation)) throw refuse(`invalid propagation mode: ${propagation}`);
  return {
    type: 'bind',
    source: posix.resolve(mount.Source),
    target: mount.Target,
    readOnly: mount.ReadOnly,
    createSource,
    ...(propagation === '' ? {} : { propagation }),
  };
}

/** `size=64m,mode=1777,noexec`. Sizes may end in k, m, g or %. */
function readTmpfs(target: string, options: string): MountSpec {
  if (!posix.isAbsolute(target)) throw invalid(`invalid tmpfs mount: '${target}' mount path must be absolute`);
  if (posix.resolve(target) === '/') throw invalid("invalid tmpfs mount: destination can't be '/'");
  const mount: { sizeBytes?: number; mode?: number; options: string[] } = { options: [] };
  for (const option of options.split(',').filter((part) => part !== '')) {
    const [name, value] = splitOnce(option, '=');
    const [, number, unit] = /^(\d{1,15})([kmg]?)$/i.exec(value ?? '') ?? [];
    if (name === 'size' && number !== undefined) {
      mount.sizeBytes = Number(number) * 1024 ** ['', 'k', 'm', 'g'].indexOf(unit!.toLowerCase());
    } else if (name === 'mode' && /^[0-7]{1,5}$/.test(value ?? '')) {
      mount.mode = Number.parseInt(value!, 8);
    } else if (/^[a-z_]+$/.test(name) && (value === undefined || /^[\w.%:-]+$/.test(value))) {
      mount.options.push(option);
    } else {
      throw invalid(`invalid tmpfs option ${JSON.stringify(option.slice(0, 80))}`);
    }
  }
  return { type: 'tmpfs', target, ...mount };
}

function checkVolumeName(name: string): void {
  if (name === '' || VOLUME_NAME.test(name)) return;
  throw invalid(
    `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
  );
}

export function noDriver(name: string): string {
  return `error looking up volume plugin ${name}: plugin "${name}" not found: volumes are of driver local`;
}

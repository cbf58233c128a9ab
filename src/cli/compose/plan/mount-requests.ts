import { readFileSync, statSync } from 'node:fs';
import { ComposeFileError } from '../file/place.ts';
import type { Mount } from '../model/mount.ts';
import type { FileSource } from '../model/resources.ts';
import type { FileGrant } from '../model/service-parts.ts';
import { copyingObstacle } from '../project/copied-files.ts';
import type { Project, ProjectService } from '../project/project.ts';

/** What of a request for a container is about mounts. */
export interface MountRequests {
  readonly Binds?: readonly string[];
  readonly Mounts?: readonly Readonly<Record<string, unknown>>[];
  readonly Tmpfs?: Readonly<Record<string, string>>;
}

/** A file that is put into a new container before it starts. */
export interface CopiedFile {
  readonly target: string;
  readonly content: Buffer;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

const READABLE = 0o444;

/** A service's mounts as the engine is asked for them. `inherited` are anonymous volumes of the container that goes. */
export function mountRequests(
  project: Project,
  service: ProjectService,
  inherited: ReadonlyMap<string, string>,
): MountRequests {
  const own = service.volumes ?? [];
  const tmpfs = (service.tmpfs ?? []).map((entry) => {
    const at = entry.indexOf(':');
    return at < 0 ? ([entry, ''] as const) : ([entry.slice(0, at), entry.slice(at + 1)] as const);
  });
  const taken = new Set([...own.map(({ target }) => target), ...tmpfs.map(([target]) => target)]);
  const files = grantsOf(project, service).filter((one) => !isCopied(service, one));
  const binds = own.filter(isShortBind).map(bindLine);
  const mounts = [
    ...own
      .filter((mount) => !isShortBind(mount))
      .map((mount) => mountRequest(project, mount, inherited.get(mount.target))),
    ...[...inherited]
      .filter(([target]) => !taken.has(target))
      .map(([target, name]) => ({ Type: 'volume', Source: name, Target: target })),
    ...files.map(({ source, grant, kind }) => ({
      Type: 'bind',
      Source: existing(source.file!, kind, grant.source),
      Target: grant.target,
      ReadOnly: true,
    })),
  ];
  return {
    ...(binds.length > 0 ? { Binds: binds } : {}),
    ...(mounts.length > 0 ? { Mounts: mounts } : {}),
    ...(tmpfs.length > 0 ? { Tmpfs: Object.fromEntries(tmpfs) } : {}),
  };
}

/** Refuses, before anything is made, secrets and configurations that are not there. */
export function checkFiles(project: Project, service: ProjectService): void {
  for (const { source, grant, kind } of grantsOf(project, service)) {
    if (source.file !== undefined) existing(source.file, kind, grant.source);
    else contentOf(project, source, kind, grant.source);
  }
}

/** The files that are copied into a container: those without a file here, and those with an owner or rights of their own. */
export function copiedFiles(project: Project, service: ProjectService): CopiedFile[] {
  return grantsOf(project, service)
    .filter((one) => isCopied(service, one))
    .map(({ source, grant, kind }) => ({
      target: grant.target,
      content: contentOf(project, source, kind, grant.source),
      uid: Number(grant.uid ?? 0),
      gid: Number(grant.gid ?? 0),
      mode: grant.mode === undefined ? READABLE : Number.parseInt(grant.mode, 8),
    }));
}

type Kind = 'secret' | 'config';

function grantsOf(
  project: Project,
  { secrets = [], configs = [] }: ProjectService,
): { readonly source: FileSource; readonly grant: FileGrant; readonly kind: Kind }[] {
  return [
    ...secrets.map((grant) => ({ source: project.secrets.get(grant.source)!, grant, kind: 'secret' as const })),
    ...configs.map((grant) => ({ source: project.configs.get(grant.source)!, grant, kind: 'config' as const })),
  ];
}

/** `checkProject` warns of what a file that cannot be copied loses, and refuses what has no file. */
function isCopied(
  service: ProjectService,
  { source, grant }: { readonly source: FileSource; readonly grant: FileGrant },
): boolean {
  if (source.file === undefined) return true;
  const { uid, gid, mode } = grant;
  return (uid ?? gid ?? mode) !== undefined && copyingObstacle(service, grant) === undefined;
}

/** What a secret or a configuration holds. */
export function contentOf(project: Project, source: FileSource, kind: Kind, key: string): Buffer {
  if (source.content !== undefined) return Buffer.from(source.content);
  if (source.file !== undefined) return readFileSync(existing(source.file, kind, key));
  const value = project.variables(source.environment!);
  if (value !== undefined) return Buffer.from(value);
  throw new ComposeFileError(`the ${kind} "${key}" is taken from the variable ${source.environment}, which is not set`);
}

function existing(file: string, kind: Kind, key: string): string {
  if (statSync(file, { throwIfNoEntry: false })?.isFile()) return file;
  throw new ComposeFileError(`the ${kind} "${key}" is taken from ${file}, but there is no such file`);
}

/** Whether `SOURCE:TARGET` says it all; the engine then makes a source that is missing. */
function isShortBind({ type, source, target, bind }: Mount): boolean {
  return type === 'bind' && bind?.create_host_path !== false && !source!.includes(':') && !target.includes(':');
}

function bindLine({ source, target, read_only: readOnly, bind }: Mount): string {
  const modes = [readOnly === true ? 'ro' : 'rw', ...(bind?.propagation === undefined ? [] : [bind.propagation])];
  return `${source}:${target}:${modes.join(',')}`;
}

/** `inherited` is the volume that a mount without a source had before. */
function mountRequest(project: Project, mount: Mount, inherited: string | undefined): Record<string, unknown> {
  const { type, source, target, read_only: readOnly = false, bind, volume, tmpfs } = mount;
  const common = { Type: type, Target: target, ReadOnly: readOnly };
  if (type === 'bind') {
    return {
      ...common,
      Source: source,
      BindOptions: {
        ...(bind?.propagation === undefined ? {} : { Propagation: bind.propagation }),
        ...(bind?.create_host_path === false ? {} : { CreateMountpoint: true }),
      },
    };
  }
  if (type === 'tmpfs') {
    return {
      ...common,
      TmpfsOptions: {
        ...(tmpfs?.size === undefined ? {} : { SizeBytes: tmpfs.size }),
        ...(tmpfs?.mode === undefined ? {} : { Mode: Number.parseInt(tmpfs.mode, 8) }),
      },
    };
  }
  const name = source === undefined ? inherited : project.volumes.get(source)!.name;
  return {
    ...common,
    ...(name === undefined ? {} : { Source: name }),
    VolumeOptions: {
      NoCopy: volume?.nocopy ?? false,
      ...(volume?.labels === undefined ? {} : { Labels: Object.fromEntries(volume.labels) }),
      ...(volume?.subpath === undefined ? {} : { Subpath: volume.subpath }),
    },
  };
}

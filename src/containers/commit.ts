import type { Change, Image, ImageConfig, RunConfig } from '../images/index.ts';
import { changeConfig } from '../images/index.ts';
import { freeze, thaw } from './cgroups/freezer.ts';
import type { ContainerSpec } from './container.ts';
import type { ContainerEngine } from './engine.ts';
import type { LiveContainer } from './live-container.ts';
import type { EngineParts } from './parts.ts';

/** What the runtime puts into a root for its own mounts. */
const OWN_PATHS = [
  '/dev',
  '/proc',
  '/sys',
  '/etc/hosts',
  '/etc/hostname',
  '/etc/resolv.conf',
  '/etc/kobune',
  '/sbin/docker-init',
];

/** Paths that differ from the image, without those that are every container's. */
export async function changesOf(container: LiveContainer): Promise<readonly Change[]> {
  const changes = await (await container.root()).changes();
  const isOwn = (path: string) => OWN_PATHS.some((own) => path === own || path.startsWith(`${own}/`));
  const kept = changes.filter(({ path }) => !isOwn(path));
  // `/etc` counts as changed only for something in it.
  return kept.filter(
    ({ path, kind }) =>
      kind !== 'modified' ||
      !['/etc', '/sbin'].includes(path) ||
      kept.some((other) => other.path.startsWith(`${path}/`)),
  );
}

/** Makes an image of what was changed. Source: `docker commit`. */
export async function commit(
  { images, hierarchies, clock }: EngineParts,
  container: LiveContainer,
  options: Parameters<ContainerEngine['commit']>[1],
): Promise<Image> {
  const { record } = container;
  const base = await images.get(record.spec.image.id);
  const created = new Date(clock.now()).toISOString();
  const { comment = '', author } = options;
  const plain: ImageConfig = { ...base.config, config: runConfigOf(record.spec, base.config.config) };
  // Looked at first: a bad change costs nothing.
  const changed = changeConfig(plain, options.changes ?? []);
  const pausing = options.pause && record.status === 'running';
  const paused = async (): Promise<AsyncDisposable> => {
    await freeze(hierarchies, container.groupPath);
    return {
      [Symbol.asyncDispose]: async () => {
        // It may have ended, or been paused by somebody else, meanwhile.
        if (container.record.status === 'running') thaw(hierarchies, container.groupPath);
      },
    };
  };
  const root = await container.root();
  const made = await images.roots.commit(root, { exclude: OWN_PATHS, ...(pausing ? { paused } : {}) });
  try {
    const config: ImageConfig = {
      ...changed,
      created,
      ...(author ? { author } : {}),
      ...(comment ? { comment } : {}),
      rootfs: { type: 'layers', diff_ids: [...base.config.rootfs.diff_ids, made.layer.diffId] },
      history: [
        ...(base.config.history ?? []),
        {
          created,
          created_by: [...record.spec.entrypoint, ...record.spec.command].join(' '),
          ...(author ? { author } : {}),
          ...(comment ? { comment } : {}),
        },
      ],
    };
    return await images.add({ config, layers: [...base.layers, made.layer], parent: base.id }, options.reference);
  } finally {
    made.release();
  }
}

/** What a container of the new image is started with: what this one was. */
function runConfigOf(spec: ContainerSpec, base: RunConfig = {}): RunConfig {
  // What a build upon the image does is not the container's.
  const { OnBuild: _, ...own } = base;
  return {
    ...own,
    User: spec.user,
    Env: spec.environment,
    Entrypoint: spec.entrypoint.length > 0 ? spec.entrypoint : null,
    Cmd: spec.command.length > 0 ? spec.command : null,
    WorkingDir: spec.workingDirectory,
    Labels: spec.labels,
    ExposedPorts: Object.fromEntries(spec.exposedPorts.map((port) => [port, {}])),
    Volumes: Object.fromEntries(spec.imageVolumes.map((path) => [path, {}])),
    // The usual one need not be told.
    ...(spec.stopSignal === 'SIGTERM' && base.StopSignal === undefined ? {} : { StopSignal: spec.stopSignal }),
    ...(spec.healthcheck ? { Healthcheck: spec.healthcheck } : {}),
  };
}

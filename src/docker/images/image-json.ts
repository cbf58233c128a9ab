import type { HealthcheckConfig, Image, RunConfig } from '../../images/index.ts';
import { seconds, timeText } from '../system/machine-time.ts';

/** An entry of "List Images". */
export function imageSummary(
  image: Image,
  told: { readonly api: number; readonly shared: number; readonly containers: number },
): object {
  const { tags, digests } = image;
  // Until 1.43 an image without a name had one that says so.
  const placeholder = told.api < 43 && tags.length === 0;
  return {
    Id: image.id,
    ParentId: image.parent ?? '',
    RepoTags: placeholder ? ['<none>:<none>'] : tags,
    RepoDigests: placeholder && digests.length === 0 ? ['<none>@<none>'] : digests,
    Created: seconds(createdAt(image)),
    Size: image.size,
    SharedSize: told.shared,
    ...(told.api < 44 ? { VirtualSize: image.size } : {}),
    Labels: image.config.config?.Labels ?? null,
    Containers: told.containers,
  };
}

/** Epoch ms; what an image does not tell, or tells wrongly, was at the beginning. */
export function createdAt({ config }: Image): number {
  const time = Date.parse(config.created ?? '');
  return Number.isNaN(time) ? 0 : time;
}

/** The answer of "Inspect an image". */
export function imageJson(image: Image, api: number): object {
  const { config } = image;
  return {
    Id: image.id,
    RepoTags: image.tags,
    RepoDigests: image.digests,
    Parent: image.parent ?? '',
    Comment: config.comment ?? '',
    Created: config.created ?? '',
    ...(api < 45 ? { Container: '' } : {}),
    // Gone since 1.45; docker-compose 1.29 reads it in every version, and fails without.
    ContainerConfig: runConfigJson(config.config ?? {}),
    DockerVersion: '',
    Author: config.author ?? '',
    Config: runConfigJson(config.config ?? {}),
    Architecture: config.architecture,
    ...(config.variant === undefined ? {} : { Variant: config.variant }),
    Os: config.os,
    ...(config['os.version'] === undefined ? {} : { OsVersion: config['os.version'] }),
    Size: image.size,
    ...(api < 44 ? { VirtualSize: image.size } : {}),
    GraphDriver: { Name: 'overlay2', Data: null },
    RootFS: {
      Type: 'layers',
      ...(config.rootfs.diff_ids.length > 0 ? { Layers: config.rootfs.diff_ids } : {}),
    },
    Metadata: { LastTagTime: timeText(image.lastTaggedAt === 0 ? undefined : image.lastTaggedAt) },
  };
}

function runConfigJson(config: RunConfig): object {
  return {
    Hostname: '',
    Domainname: '',
    User: config.User ?? '',
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    ...(config.ExposedPorts === undefined ? {} : { ExposedPorts: config.ExposedPorts }),
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: config.Env ?? null,
    Cmd: config.Cmd ?? null,
    ...(config.Healthcheck === undefined ? {} : { Healthcheck: healthcheckJson(config.Healthcheck) }),
    ...(config.ArgsEscaped ? { ArgsEscaped: true } : {}),
    Image: '',
    Volumes: config.Volumes ?? null,
    WorkingDir: config.WorkingDir ?? '',
    Entrypoint: config.Entrypoint ?? null,
    OnBuild: config.OnBuild ?? null,
    Labels: config.Labels ?? null,
    ...(config.StopSignal ? { StopSignal: config.StopSignal } : {}),
    ...(config.StopTimeout === undefined ? {} : { StopTimeout: config.StopTimeout }),
    ...(config.Shell === undefined ? {} : { Shell: config.Shell }),
  };
}

function healthcheckJson(check: HealthcheckConfig): object {
  return Object.fromEntries(Object.entries(check).filter(([, value]) => value !== 0 && value !== undefined));
}

/** "Get the history of an image": newest first. */
export function historyJson(image: Image): object[] {
  const sizes = image.layers.map(({ size }) => size);
  let layer = 0;
  const entries = (image.config.history ?? []).map((entry) => {
    const size = entry.empty_layer ? 0 : (sizes[layer++] ?? 0);
    return {
      Id: '<missing>',
      Created: seconds(Date.parse(entry.created ?? '') || 0),
      CreatedBy: entry.created_by ?? '',
      Tags: null as readonly string[] | null,
      Size: size,
      Comment: entry.comment ?? '',
    };
  });
  const newest = entries.at(-1);
  if (newest !== undefined) Object.assign(newest, { Id: image.id, Tags: image.tags.length > 0 ? image.tags : null });
  return entries.toReversed();
}

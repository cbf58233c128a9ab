import { CommandError } from '../../command-error.ts';
import { BuildDisplay } from '../../docker-client/build-display.ts';
import {
  buildImage as build,
  type CachePlace,
  type ImageBuild,
  parseCachePlace,
} from '../../docker-client/image-build.ts';
import { contentOf } from '../plan/mount-requests.ts';
import type { Project, ProjectService } from '../project/project.ts';
import type { Session } from './session.ts';

export interface BuildOptions {
  /** Look for newer base images. */
  readonly pull: boolean;
  readonly noCache: boolean;
  readonly args?: ReadonlyMap<string, string>;
  readonly quiet?: boolean;
}

/** Builds a service's image and tags it. Throws with what the builder says when it fails. */
export async function buildImage(
  session: Session,
  project: Project,
  service: ProjectService,
  options: BuildOptions,
): Promise<void> {
  const { client, credentials, terminal, report } = session;
  report.note(` Image ${service.imageName}  Building`);
  const display = new BuildDisplay(terminal, { prefix: service.name, quiet: options.quiet });
  for await (const line of build(client, credentials, imageBuild(project, service, options))) {
    if (line.error !== undefined) throw new CommandError(`${service.name} could not be built: ${line.error}`);
    display.take(line);
  }
  report.done('Image', service.imageName, 'Built');
}

function imageBuild(project: Project, service: ProjectService, options: BuildOptions): ImageBuild {
  const members = service.build!;
  const caches = (entries: readonly string[] = []) => entries.map((entry) => cacheOf(entry, service, project));
  return {
    directory: members.context!,
    dockerfile:
      members.dockerfile_inline === undefined
        ? { path: members.dockerfile ?? 'Dockerfile' }
        : { text: members.dockerfile_inline },
    tags: [service.imageName, ...(members.tags ?? [])],
    args: new Map([...(members.args ?? []), ...(options.args ?? [])]),
    labels: members.labels ?? new Map(),
    target: members.target,
    platform: platformOf(service),
    noCache: options.noCache || members.no_cache === true,
    pull: options.pull || members.pull === true,
    network: members.network,
    shmSize: members.shm_size,
    extraHosts: [...(members.extra_hosts ?? [])].flatMap(([host, addresses]) =>
      addresses.map((address) => `${host}:${address}`),
    ),
    ulimits: [...(members.ulimits ?? [])].map(([Name, { soft, hard }]) => ({ Name, Soft: soft, Hard: hard })),
    cacheFrom: caches(members.cache_from),
    cacheTo: caches(members.cache_to),
    secrets: secretsOf(project, service),
    ssh: agentsOf(project, service),
  };
}

/** An image of a Compose file runs here, so it is built for one platform. */
function platformOf({ name, platform, build: members }: ProjectService): string | undefined {
  const { platforms = [] } = members!;
  if (platform !== undefined && platforms.length > 0 && !platforms.includes(platform))
    throw new CommandError(`${name}: its platform ${platform} is none of build.platforms`);
  if (platform !== undefined) return platform;
  if (platforms.length > 1)
    throw new CommandError(
      `${name}: build.platforms has ${platforms.length} platforms, but an image is built for one`,
      {
        hint: 'Say which one runs here with "platform".',
      },
    );
  return platforms[0];
}

function cacheOf(entry: string, { name }: ProjectService, { directory }: Project): CachePlace {
  const place = parseCachePlace(entry, directory);
  if (place !== undefined) return place;
  throw new CommandError(`${name}: the cache "${entry}" is not supported`, {
    hint: 'Caches are type=registry,ref=NAME or type=local,dest=DIRECTORY.',
  });
}

/** A secret's ID is the name of its file. */
function secretsOf(project: Project, { build: members }: ProjectService): ReadonlyMap<string, Buffer> {
  return new Map(
    (members!.secrets ?? []).map(({ source, target }) => [
      target.replace(/^\/run\/secrets\//, ''),
      contentOf(project, project.secrets.get(source)!, 'secret', source),
    ]),
  );
}

function agentsOf(project: Project, { name, build: members }: ProjectService): ReadonlyMap<string, string> {
  return new Map(
    [...(members!.ssh ?? [])].map(([id, given]) => {
      const socket = given ?? project.variables('SSH_AUTH_SOCK');
      if (socket === undefined) throw new CommandError(`${name}: build.ssh "${id}" needs SSH_AUTH_SOCK`);
      return [id, socket];
    }),
  );
}

import { CommandError } from '../../command-error.ts';
import type { EngineVersion, ProgressLine } from '../../docker-client/answers.ts';
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

/** What `/build` of Kobune takes besides Docker's parameters; another engine would not know of it. */
interface OwnBuildOptions {
  /** Contents in base64, by ID. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Sockets of agents, by ID. */
  readonly ssh?: Readonly<Record<string, string>>;
  readonly cacheTo?: readonly string[];
}

const OWN_HEADER = 'x-kobune-build';

/** Builds a service's image and tags it. Throws with the end of the output when a step fails. */
export async function buildImage(
  session: Session,
  project: Project,
  service: ProjectService,
  options: BuildOptions,
): Promise<void> {
  const { packContext } = await import('../../docker-client/build-context.ts');
  const build = service.build!;
  const source =
    build.dockerfile_inline === undefined
      ? { path: build.dockerfile ?? 'Dockerfile' }
      : { text: build.dockerfile_inline };
  session.report.note(` Image ${service.imageName}  Building`);
  const { archive, dockerfile } = await packContext({ directory: build.context!, dockerfile: source });
  const args = new Map<string, string | null>([...(build.args ?? []), ...(options.args ?? [])]);
  const query = {
    t: [service.imageName, ...(build.tags ?? [])],
    dockerfile,
    buildargs: JSON.stringify(Object.fromEntries(args)),
    labels: JSON.stringify(Object.fromEntries(build.labels ?? [])),
    target: build.target,
    nocache: options.noCache || build.no_cache === true,
    pull: options.pull || build.pull === true,
    networkmode: build.network,
    shmsize: build.shm_size,
    extrahosts: hostsOf(build.extra_hosts),
    ulimits:
      build.ulimits &&
      JSON.stringify([...build.ulimits].map(([Name, { soft, hard }]) => ({ Name, Soft: soft, Hard: hard }))),
    platform: platformOf(service),
    cachefrom: build.cache_from && JSON.stringify(build.cache_from.map((entry) => cacheReference(entry, service.name))),
    rm: true,
    forcerm: true,
    version: '1',
  };
  const headers = {
    ...(await session.credentials.headerForAll()),
    ...(await ownHeader(session, ownOptions(project, service))),
  };
  const request = { query, headers, stream: { source: archive, type: 'application/x-tar' } };
  for await (const line of session.client.lines<ProgressLine>('POST', '/build', request)) {
    if (line.error !== undefined) throw new CommandError(`${service.name} could not be built: ${line.error}`);
    if (options.quiet !== true) tell(session, line);
  }
  session.report.done('Image', service.imageName, 'Built');
}

function tell({ terminal, report }: Session, { stream, status, id, progress }: ProgressLine): void {
  if (stream !== undefined) terminal.stderr.write(stream);
  else if (status !== undefined && !progress) report.note(id === undefined ? status : `${id}: ${status}`);
}

function hostsOf(hosts: NonNullable<ProjectService['build']>['extra_hosts']): string[] | undefined {
  if (hosts === undefined) return undefined;
  return [...hosts].flatMap(([host, addresses]) => addresses.map((address) => `${host}:${address}`));
}

/** An image of a Compose file runs here, so it is built for one platform. */
function platformOf({ name, platform, build }: ProjectService): string | undefined {
  const { platforms = [] } = build!;
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

/** `type=registry,ref=NAME` or just the name (https://docs.docker.com/reference/compose-file/build/#cache_from). */
function cacheReference(entry: string, service: string): string {
  if (!entry.includes('=')) return entry;
  const fields = new Map(entry.split(',').map((field) => field.split('=') as [string, string]));
  const reference = fields.get('ref');
  if (fields.get('type') === 'registry' && reference) return reference;
  throw new CommandError(`${service}: the cache "${entry}" is not supported`, {
    hint: 'Caches are in a registry: type=registry,ref=NAME.',
  });
}

function ownOptions(project: Project, service: ProjectService): OwnBuildOptions {
  const { secrets = [], ssh = new Map(), cache_to: cacheTo = [] } = service.build!;
  const contents = secrets.map(({ source, target }) => {
    const id = target.replace(/^\/run\/secrets\//, '');
    return [id, contentOf(project, project.secrets.get(source)!, 'secret', source).toString('base64')] as const;
  });
  const agents = [...ssh].map(([id, socket]) => [id, socket ?? project.variables('SSH_AUTH_SOCK')] as const);
  for (const [id, socket] of agents)
    if (socket === undefined) throw new CommandError(`${service.name}: build.ssh "${id}" needs SSH_AUTH_SOCK`);
  return {
    ...(contents.length > 0 ? { secrets: Object.fromEntries(contents) } : {}),
    ...(agents.length > 0 ? { ssh: Object.fromEntries(agents) as Record<string, string> } : {}),
    ...(cacheTo.length > 0 ? { cacheTo: cacheTo.map((entry) => cacheReference(entry, service.name)) } : {}),
  };
}

async function ownHeader({ client }: Session, own: OwnBuildOptions): Promise<Record<string, string>> {
  const [first] = Object.keys(own);
  if (first === undefined) return {};
  const { Platform: platform } = await client.json<EngineVersion>('GET', '/version');
  if (platform?.Name !== 'Kobune') throw new CommandError(`build.${first} needs Kobune's engine, and this is another`);
  return { [OWN_HEADER]: Buffer.from(JSON.stringify(own)).toString('base64url') };
}

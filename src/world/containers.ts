import { createHash } from 'node:crypto';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { ServiceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { ContainerEngine } from '../containers/index.ts';
import type { OpenListener } from '../docker/index.ts';
import { type Gateway, LocalAuthority } from '../gateway/index.ts';
import type { Builder, ContentStore, Images, Repositories, RepositoryPolicy } from '../images/index.ts';
import { GATEWAY_ADDRESS } from '../network/addresses/index.ts';
import type { ContainerNetworks } from '../network/index.ts';
import { mountPointsBelow } from './mount-points.ts';
import { type Once, once } from './once.ts';
import type { State } from './state.ts';
import { stopEach } from './stop-each.ts';

export interface ContainersOptions {
  readonly state: State;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** For images, containers and builds. */
  readonly directory: string;
  /** Where clients find the Docker API's socket and certificates; another place than `directory` when ephemeral. */
  readonly dataDirectory: string;
  readonly ephemeral: boolean;
  readonly version: string;
  /** `HOST=URL`: asked before the registry HOST when images are pulled. */
  readonly registryMirrors: readonly string[];
  readonly gateway: () => Gateway;
  readonly authority: LocalAuthority;
  /** Where programs of this machine find the APIs. */
  readonly endpoint: () => string;
  /** Names, beyond AWS's, that are the gateway inside containers. */
  readonly names: readonly string[];
  /** The address for the Docker API by TLS, when it is wanted. */
  readonly dockerTls: { readonly host: string; readonly port: number } | undefined;
  /** What ECR says of a repository beyond the OCI specification. */
  readonly repositoryPolicy: (repository: string) => Promise<RepositoryPolicy | undefined>;
}

/** Containers and their images, each part made when it is first asked for, and the Docker API over them. */
export interface Containers {
  readonly images: Once<Images>;
  readonly repositories: Once<Repositories>;
  /** What the machine cannot do, as far as it has been found out. */
  missing(): Promise<readonly string[]>;
  /** How many containers run. */
  running(): Promise<number>;
  /** Opens the Docker API; goes on with containers that an earlier run left. */
  start(): Promise<void>;
  /**
   * Lets go of what runs; with `erase`, ends and removes it: the state is about to go. Throws only then, when something
   * is left that only the state knows of.
   */
  close(options: { readonly erase: boolean }): Promise<void>;
}

/** First key parts of what containers are made of: whoever has them goes on at the start. */
export const CONTAINER_KEYS = ['containers', 'networks'] as const;

/** The unix socket of the Docker API, below the data directory. */
const SOCKET = 'docker.sock';
/** Certificates for clients of the Docker API by TLS (`DOCKER_CERT_PATH`). */
const TLS_DIRECTORY = 'docker-tls';
const GRACE_MS = 2_000;

export function createContainers(options: ContainersOptions): Containers {
  const { clock, directory, logger, random, state } = options;
  const { store, blobs } = state;
  const base = { store, clock, random, logger };
  const instance = createHash('sha256').update(directory).digest('hex').slice(0, 8);
  const docker = join(directory, 'docker');
  const content: Once<ContentStore> = once(async () =>
    (await import('../images/index.ts')).createContentStore({ store, blobs }),
  );
  const images: Once<Images> = once(async () =>
    (await import('../images/index.ts')).createImages({
      ...base,
      content: await content(),
      directory: join(directory, 'images'),
      durable: !options.ephemeral,
      registries: {
        locate: (host) => ownRegistry(host, options.endpoint()),
        mirrors: (host) => mirrorsOf(host, options.registryMirrors),
      },
    }),
  );
  const repositories: Once<Repositories> = once(async () =>
    (await import('../images/index.ts')).createRepositories({
      ...base,
      content: await content(),
      directory: join(directory, 'registry'),
      policy: options.repositoryPolicy,
    }),
  );
  const networks: Once<ContainerNetworks> = once(async () => {
    const made = (await import('../network/index.ts')).createContainerNetworks({
      store,
      random,
      logger,
      instance,
      names: options.names,
      ephemeral: options.ephemeral,
      openGateway: async ({ host }) => {
        const open = await options.gateway().listen({ host, port: 0 }, 'sandbox');
        return { port: open.port, close: () => open.close(0) };
      },
    });
    await made.start();
    return made;
  });
  const cloud = once(async () => ({
    endpointUrl: `http://${GATEWAY_ADDRESS}:4566`,
    certificates: await copyCertificates(options.authority, join(directory, 'certificates')),
  }));
  const engine: Once<ContainerEngine> = once(async () => {
    const { createContainerEngine } = await import('../containers/index.ts');
    const made = createContainerEngine({
      ...base,
      images: await images(),
      networks: await networks(),
      directory: docker,
      instance,
      ephemeral: options.ephemeral,
      cloud: () => cloud(),
    });
    await made.start();
    return made;
  });
  const builder: Once<Builder> = once(async () => {
    const [{ createBuilder }, { createStepRunner }] = await Promise.all([
      import('../images/index.ts'),
      import('../containers/index.ts'),
    ]);
    const runner = createStepRunner({
      networks: await networks(),
      random,
      logger,
      directory: join(directory, 'steps'),
      instance,
    });
    return createBuilder({
      ...base,
      images: await images(),
      content: await content(),
      runner,
      directory: join(directory, 'images'),
    });
  });
  const listeners: OpenListener[] = [];
  const anyKept = async () => {
    const kept = await Promise.all(CONTAINER_KEYS.map((part) => store.range({ prefix: [part], limit: 1 })));
    return kept.some((found) => found.length > 0);
  };
  return {
    images,
    repositories,
    missing: async () => (await (await networks.made())?.missing()) ?? [],
    running: async () => (await (await engine.made())?.list())?.filter(({ state }) => state.pid !== 0).length ?? 0,
    start: async () => {
      if (await anyKept()) {
        await engine().catch((error: unknown) => {
          logger.error('containers of the last run cannot be looked after', { error: String(error) });
        });
      }
      const { createDockerApi } = await import('../docker/index.ts');
      const api = createDockerApi({
        engine,
        images,
        networks,
        builder,
        version: options.version,
        clock,
        random,
        logger,
        hostname: hostname(),
        instance,
        directory: docker,
      });
      listeners.push(await api.listen(join(options.dataDirectory, SOCKET)));
      if (options.dockerTls) {
        const { host } = options.dockerTls;
        const { directory: certificates, ...identity } = await tlsIdentity(options, host);
        const open = await api.listenTls({ ...options.dockerTls, ...identity });
        listeners.push(open);
        logger.info('the Docker API by TLS', { host, port: open.port, certificates });
      }
    },
    close: async ({ erase }) => {
      const failed = await stopEach(
        [
          { what: 'the Docker API', stop: () => Promise.all(listeners.splice(0).map((open) => open.close(GRACE_MS))) },
          { what: 'builds', stop: async () => (await builder.made())?.close() },
          {
            what: 'containers',
            stop: async () =>
              (await (erase && (await anyKept()) ? engine() : engine.made()))?.close({
                stopAll: erase || options.ephemeral,
              }),
          },
          { what: 'networks of containers', stop: async () => (await networks.made())?.close() },
          { what: 'the registry', stop: async () => (await repositories.made())?.close() },
          { what: 'images', stop: async () => (await images.made())?.close() },
        ],
        logger,
      );
      if (!erase) return;
      if (failed.length > 0) {
        const reason = `Containers could not be removed, so their state was not either: ${failed.join('; ')}`;
        throw new ServiceError('ContainersRemain', reason, { status: 500 });
      }
      const files = [docker, join(directory, 'images')];
      await stopEach([{ what: 'files of containers', stop: () => removeFiles(files) }], logger);
    },
  };
}

/** Removes directories in which nothing is mounted any more: what is mounted below them may be the user's own. */
async function removeFiles(directories: readonly string[]): Promise<void> {
  for (const directory of directories) {
    const [mounted] = await mountPointsBelow(directory);
    if (mounted !== undefined) throw new Error(`${mounted} is still mounted`);
    await rm(directory, { recursive: true, force: true });
  }
}

/** What containers may read of the authority's files: never its key. Returns the directory. */
async function copyCertificates(authority: LocalAuthority, directory: string): Promise<string> {
  const { bundle, certificate } = await authority.files();
  await mkdir(directory, { recursive: true, mode: 0o755 });
  await copyFile(certificate, join(directory, 'authority.pem'));
  await copyFile(bundle, join(directory, 'bundle.pem'));
  return directory;
}

/** Names of our own registry, for the programs of this machine: they lead to the port that it listens at. */
function ownRegistry(host: string, endpoint: string): { url: string; host: string } | undefined {
  const { port } = new URL(endpoint);
  const own =
    /^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?$/.test(host) ||
    ['localhost', '127.0.0.1', '[::1]'].some((name) => host === `${name}:${port}`);
  return own ? { url: endpoint, host } : undefined;
}

function mirrorsOf(host: string, pairs: readonly string[]): readonly string[] {
  return pairs.filter((pair) => pair.startsWith(`${host}=`)).map((pair) => pair.slice(host.length + 1));
}

/** What the Docker API shows by TLS and asks for, and the directory of what its clients show. */
async function tlsIdentity({ dataDirectory, names, random }: ContainersOptions, host: string) {
  const authority = new LocalAuthority({
    directory: join(dataDirectory, TLS_DIRECTORY),
    random,
    names: () => [host, ...names],
  });
  const { authority: ca, directory } = await authority.clientFiles();
  return { ...(await authority.identity()), ca, directory };
}

import { createCodeDownloadFrontEnd, createFunctionUrlFrontEnd } from '../aws/function-urls/index.ts';
import {
  createAwsFrontEnd,
  ecrModel,
  eventsModel,
  iamModel,
  kmsModel,
  lambdaModel,
  logsModel,
  type ServiceEntry,
  s3Model,
  schedulerModel,
  secretsManagerModel,
  snsModel,
  sqsModel,
  ssmModel,
  stsModel,
} from '../aws/index.ts';
import { createSigningCertificateFrontEnd } from '../aws/signing-certificates/index.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import { createDelivery } from '../events/index.ts';
import type { EngineStatus } from '../functions/index.ts';
import type {
  FrontEnd,
  Gateway,
  LocalAuthority,
  LogEntry,
  LogQuery,
  ObserveRequest,
  Outgoing,
} from '../gateway/index.ts';
import { createRegistryFrontEnd } from '../registry/index.ts';
import type { Authorizer, AwsService, CredentialLookup } from '../services/index.ts';
import type { Logs } from '../services/logs/index.ts';
import type { Sns } from '../services/sns/index.ts';
import { createCompute } from './compute.ts';
import { createContainers } from './containers.ts';
import { connectDelivery } from './delivery-routes.ts';
import { functionRoots, holdsImages } from './function-images.ts';
import type { Once } from './once.ts';
import { createServices, type Services, stopsOf } from './services.ts';
import type { State } from './state.ts';
import { stopEach } from './stop-each.ts';

export interface WorldOptions {
  readonly state: State;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** For files that can be made again. */
  readonly directory: string;
  readonly iam: 'off' | 'enforce';
  readonly unsandboxed: boolean;
  /** The Docker API by TLS, when it is wanted. */
  readonly dockerTls: { readonly host: string; readonly port: number } | undefined;
  /** `HOST=URL` */
  readonly registryMirrors: readonly string[];
  readonly version: string;
  readonly ephemeral: boolean;
  /** Where clients find what this Kobune offers them as files; `directory` unless ephemeral. */
  readonly dataDirectory: string;
  readonly hosts: readonly string[];
  readonly gateway: () => Gateway;
  readonly authority: LocalAuthority;
  readonly endpoint: () => string;
  readonly observe: ObserveRequest;
  readonly environment: NodeJS.ProcessEnv;
  /** Told the root user's access key at each start, when requests are verified. */
  readonly rootKey: (key: { readonly accessKeyId: string; readonly secretAccessKey: string }) => Promise<void>;
}

/** Everything behind the front door. `reset` ends one and makes another on the erased state. */
export interface World {
  readonly frontEnds: readonly FrontEnd[];
  /** The AWS services, each loaded when it is first asked for. */
  readonly services: readonly ServiceEntry[];
  /** Goes on with what an earlier run left: deliveries, functions that were being prepared. */
  start(): Promise<void>;
  compute(): EngineStatus;
  /** How many containers run. */
  containers(): Promise<number>;
  missing(): Promise<readonly string[]>;
  logs(query: LogQuery, signal: AbortSignal): AsyncIterable<LogEntry>;
  /** What would have left for mail servers, phones and mobile devices. */
  readonly outgoing: Outgoing;
  /**
   * With `erase`, what outlives this process (containers, networks) ends, too: the state is about to go. Throws when it
   * does not.
   */
  close(options?: { readonly erase?: boolean }): Promise<void>;
}

/** The first parts of the keys that a service keeps its state under. */
export const SERVICE_KEYS: Readonly<Record<string, readonly string[]>> = {
  // Second names of content (`image-content`) are the registry's, too.
  containers: ['containers', 'volumes', 'networks', 'images', 'build-cache'],
  ecr: ['ecr', 'registry'],
  events: ['events'],
  iam: ['iam', 'iam-key', 'iam-last-used', 'iam-root'],
  kms: ['kms'],
  lambda: ['lambda', 'lambda-url', 'lambda-code', 'lambda-download-secret'],
  logs: ['logs'],
  s3: ['s3'],
  scheduler: ['scheduler'],
  secretsmanager: ['secretsmanager'],
  sns: ['sns'],
  sqs: ['sqs'],
  ssm: ['ssm'],
  sts: ['sts'],
};

/** Services that do things by themselves: when they have state, they begin at the start, not with their first request. */
const SELF_STARTING = [
  'ecr',
  'events',
  'kms',
  'lambda',
  's3',
  'scheduler',
  'secretsmanager',
  'sns',
  'sqs',
  'ssm',
] as const;

/** Makes everything, connected. */
export function createWorld(options: WorldOptions): World {
  const { state, clock, random, logger } = options;
  const { store } = state;
  const enforce = options.iam === 'enforce';
  const delivery = createDelivery({ store, clock, random, logger });
  const containers = createContainers({
    ...options,
    names: options.hosts,
    repositoryPolicy: async (repository) => {
      const { parseEcrRepository } = await import('../images/index.ts');
      return parseEcrRepository(repository) ? (await services.ecr()).policy : undefined;
    },
  });
  const roots = functionRoots({ store, images: containers.images, logger });
  const services = createServices({
    ...options,
    delivery,
    containers,
    functionRoots: roots,
    compute: () => compute,
  });
  connectDelivery(delivery, services);
  const compute = createCompute({
    ...options,
    names: options.hosts,
    images: roots,
    logs: async () => (await services.logs()).functionLogs,
    credentials: async () => (await services.sts()).roleCredentials,
  });
  const credentials: CredentialLookup = {
    find: async (accessKeyId) => (await services.sts()).credentials.find(accessKeyId),
  };
  const authorizer: Authorizer = {
    authorize: async (principal, requests, context) =>
      (await services.iam()).authorizer.authorize(principal, requests, context),
  };
  const entries = serviceEntries(services);
  const door = {
    clock,
    machineTime: Date.now,
    random,
    logger,
    mode: enforce ? 'enforce' : 'open',
    credentials,
    authorizer,
  } as const;
  const functionUrls = createFunctionUrlFrontEnd({ ...door, urls: async () => (await services.lambda()).urls });
  const aws = createAwsFrontEnd({ ...door, services: Object.values(entries), onRequest: options.observe });
  const registry = createRegistryFrontEnd({
    ...door,
    store,
    repositories: () => containers.repositories(),
    ecr: async () => (await services.ecr()).registry,
    onRequest: options.observe,
  });
  const certificates = createSigningCertificateFrontEnd(async (path) => (await services.sns()).certificate(path));
  const downloads = createCodeDownloadFrontEnd(async () => (await services.lambda()).downloads);
  return {
    frontEnds: [downloads, certificates, functionUrls, registry, aws],
    services: Object.values(entries),
    start: async () => {
      if (enforce) {
        const { rootCredentials } = await import('../services/iam/index.ts');
        await options.rootKey(await rootCredentials(store, random));
      }
      await Promise.all(
        SELF_STARTING.map(async (name) => {
          const kept = await Promise.all(SERVICE_KEYS[name]!.map((part) => store.range({ prefix: [part], limit: 1 })));
          if (kept.some((found) => found.length > 0)) await entries[name].load();
        }),
      );
      if (await holdsImages(store)) await entries.lambda.load();
      await containers.start();
      await roots.start();
      await delivery.start();
    },
    compute: () => compute.engine.status(),
    containers: () => containers.running(),
    missing: async () => [...compute.missing(), ...(await containers.missing())],
    logs: (query, signal) => follow(services.logs, query, signal),
    outgoing: outgoingOf(services.sns),
    close: async ({ erase = false } = {}) => {
      await stopEach(
        [
          { what: 'the wire', stop: () => aws.close() },
          { what: 'deliveries', stop: () => delivery.close() },
          ...stopsOf(services, { what: 'functions', stop: () => compute.close() }),
          { what: 'file systems of functions', stop: () => roots.close() },
        ],
        logger,
      );
      await containers.close({ erase });
    },
  };
}

/** What the wire serves, by the name that requests are signed for. */
function serviceEntries(services: Services) {
  return {
    ecr: { model: ecrModel, load: async () => unclosed((await services.ecr()).service) },
    events: { model: eventsModel, load: async () => unclosed((await services.eventbridge()).service) },
    iam: { model: iamModel, load: async () => unclosed((await services.iam()).service) },
    kms: { model: kmsModel, load: async () => unclosed((await services.kms()).service) },
    lambda: { model: lambdaModel, load: async () => unclosed(await services.lambda()) },
    logs: { model: logsModel, load: async () => unclosed((await services.logs()).service) },
    s3: { model: s3Model, load: async () => unclosed(await services.s3()) },
    scheduler: { model: schedulerModel, load: async () => unclosed((await services.scheduler()).service) },
    secretsmanager: {
      model: secretsManagerModel,
      load: async () => unclosed((await services.secretsmanager()).service),
    },
    sns: { model: snsModel, load: async () => unclosed((await services.sns()).service) },
    sqs: { model: sqsModel, load: async () => unclosed((await services.sqs()).service) },
    ssm: { model: ssmModel, load: async () => unclosed((await services.ssm()).service) },
    sts: { model: stsModel, load: async () => unclosed((await services.sts()).service) },
  } satisfies Record<string, ServiceEntry>;
}

/** The wire closes the services that it has loaded; here they are closed in the order of their needs instead. */
function unclosed(service: AwsService): AwsService {
  return { ...service, close: async () => {} };
}

function outgoingOf(sns: Once<Sns>): Outgoing {
  return {
    list: async (query, limit) => (await sns()).outbox.list(query, limit),
    follow: async function* (query, limit, signal) {
      yield* (await sns()).outbox.follow(query, limit, signal);
    },
    clear: async (query) => (await sns()).outbox.clear(query),
  };
}

async function* follow(logs: Once<Logs>, query: LogQuery, signal: AbortSignal): AsyncIterable<LogEntry> {
  const { account, region, group, since, filter } = query;
  yield* (await logs()).tail(
    { account, region, group },
    {
      follow: query.follow,
      signal,
      ...(since === undefined ? {} : { since }),
      ...(filter ? { filterPattern: filter } : {}),
    },
  );
}

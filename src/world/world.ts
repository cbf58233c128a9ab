import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createCodeDownloadFrontEnd, createFunctionUrlFrontEnd } from '../aws/function-urls/index.ts';
import {
  type AwsFrontEnd,
  createAwsFrontEnd,
  iamModel,
  lambdaModel,
  logsModel,
  type ServiceEntry,
  s3Model,
  stsModel,
} from '../aws/index.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import { createDelivery, type Delivery } from '../events/index.ts';
import type { EngineStatus } from '../functions/index.ts';
import type { FrontEnd, Gateway, LocalAuthority, LogEntry, LogQuery, ObserveRequest } from '../gateway/index.ts';
import type { Iam } from '../services/iam/index.ts';
import type { Authorizer, AwsService, CredentialLookup } from '../services/index.ts';
import type { Lambda, ObjectAccess } from '../services/lambda/index.ts';
import type { Logs } from '../services/logs/index.ts';
import type { S3Service } from '../services/s3/index.ts';
import type { Sts } from '../services/sts/index.ts';
import { type Compute, createCompute } from './compute.ts';
import { functionRoles } from './function-roles.ts';
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
  missing(): readonly string[];
  logs(query: LogQuery, signal: AbortSignal): AsyncIterable<LogEntry>;
  close(): Promise<void>;
}

/** The first parts of the keys that a service keeps its state under. */
export const SERVICE_KEYS: Readonly<Record<string, readonly string[]>> = {
  iam: ['iam', 'iam-key', 'iam-last-used', 'iam-root'],
  lambda: ['lambda', 'lambda-url', 'lambda-code', 'lambda-download-secret'],
  logs: ['logs'],
  s3: ['s3'],
  sts: ['sts'],
};

/** Connects the services with each other and with what is below them. Each is made when it is first asked for. */
export function createWorld(options: WorldOptions): World {
  const { state, clock, random, logger } = options;
  const { store, blobs } = state;
  const enforce = options.iam === 'enforce';
  const base = { store, clock, random, logger };
  const delivery = createDelivery(base);

  const iam = once(async (): Promise<Iam> => {
    const { createIam } = await import('../services/iam/index.ts');
    return createIam(base);
  });
  const sts = once(async (): Promise<Sts> => {
    const [{ createSts }, { identities, accessKeys }] = await Promise.all([import('../services/sts/index.ts'), iam()]);
    return createSts({ ...base, identities, longTermKeys: accessKeys, enforce });
  });
  const credentials: CredentialLookup = { find: async (accessKeyId) => (await sts()).credentials.find(accessKeyId) };
  const authorizer: Authorizer = {
    authorize: async (principal, requests, context) => (await iam()).authorizer.authorize(principal, requests, context),
  };
  const logs = once(async (): Promise<Logs> => {
    const { createLogs } = await import('../services/logs/index.ts');
    return createLogs(base);
  });
  const s3 = once(async (): Promise<S3Service> => {
    const { createS3 } = await import('../services/s3/index.ts');
    const canInvoke = async (functionArn: string, sourceArn: string, sourceAccount: string) =>
      (await lambda()).permits(functionArn, { service: 's3.amazonaws.com', sourceArn, sourceAccount });
    const made = createS3({ ...base, blobs, delivery, canInvoke, enforcing: enforce });
    await made.start();
    return made;
  });
  const compute = createCompute({
    ...options,
    names: options.hosts,
    logs: async () => (await logs()).functionLogs,
    credentials: async () => (await sts()).roleCredentials,
  });
  const lambda = once(async (): Promise<Lambda> => {
    const { createLambda } = await import('../services/lambda/index.ts');
    const made = createLambda({
      ...base,
      blobs,
      delivery,
      engine: compute.engine,
      objects: objectAccess(s3),
      ...(enforce ? { roles: functionRoles(iam) } : {}),
      directory: join(options.directory, 'code'),
      urlDomain: `localhost:${new URL(options.endpoint()).port}`,
      enforce,
      allowHotReload: !enforce,
    });
    await made.start();
    return made;
  });

  const entries: Record<string, ServiceEntry> = {
    iam: { model: iamModel, load: async () => unclosed((await iam()).service) },
    lambda: { model: lambdaModel, load: async () => unclosed(await lambda()) },
    logs: { model: logsModel, load: async () => unclosed((await logs()).service) },
    s3: {
      model: s3Model,
      load: async () => {
        // Notifications name functions, so Lambda must be registered as a target.
        await lambda();
        return unclosed(await s3());
      },
    },
    sts: { model: stsModel, load: async () => unclosed((await sts()).service) },
  };
  const door = { clock, random, logger, mode: enforce ? 'enforce' : 'open', credentials, authorizer } as const;
  const functionUrls = createFunctionUrlFrontEnd({ ...door, urls: async () => (await lambda()).urls });
  const aws = createAwsFrontEnd({
    ...door,
    services: Object.values(entries),
    onRequest: options.observe,
  });
  const downloads = createCodeDownloadFrontEnd(async () => (await lambda()).downloads);
  return {
    frontEnds: [downloads, functionUrls, aws],
    services: Object.values(entries),
    start: async () => {
      if (enforce) {
        const { rootCredentials } = await import('../services/iam/index.ts');
        await options.rootKey(await rootCredentials(store, random));
      }
      const left = await Promise.all(
        ['lambda', 'delivery', 's3'].map((part) => store.range({ prefix: [part], limit: 1 })),
      );
      if (left.some((entries) => entries.length > 0)) await Promise.all([lambda(), s3()]);
      await delivery.start();
    },
    compute: () => compute.engine.status(),
    missing: () => compute.missing(),
    logs: (query, signal) => follow(logs, query, signal),
    close: () => closeInOrder({ aws, delivery, compute, lambda, s3, sts, iam, logs }, logger),
  };
}

/** Makes a thing when it is first asked for; `made` tells whether it has been. */
interface Once<T> {
  (): Promise<T>;
  made(): Promise<T> | undefined;
}

function once<T>(make: () => Promise<T>): Once<T> {
  let made: Promise<T> | undefined;
  const get = () => {
    made ??= make();
    return made;
  };
  return Object.assign(get, { made: () => made });
}

/** The wire closes the services that it has loaded; here they are closed in the order of their needs instead. */
function unclosed(service: AwsService): AwsService {
  return { ...service, close: async () => {} };
}

interface Parts {
  readonly aws: AwsFrontEnd;
  readonly delivery: Delivery;
  readonly compute: Compute;
  readonly lambda: Once<Lambda>;
  readonly s3: Once<S3Service>;
  readonly sts: Once<Sts>;
  readonly iam: Once<Iam>;
  readonly logs: Once<Logs>;
}

/** What uses others ends before them: deliveries and functions first, then the services, the logs last. */
function closeInOrder({ aws, delivery, compute, lambda, s3, sts, iam, logs }: Parts, logger: Logger): Promise<void> {
  return stopEach(
    [
      { what: 'the wire', stop: () => aws.close() },
      { what: 'deliveries', stop: () => delivery.close() },
      { what: 'Lambda', stop: async () => (await lambda.made())?.close() },
      { what: 'functions', stop: () => compute.close() },
      { what: 'S3', stop: async () => (await s3.made())?.close() },
      { what: 'STS', stop: async () => (await sts.made())?.service.close?.() },
      { what: 'IAM', stop: async () => (await iam.made())?.service.close?.() },
      { what: 'CloudWatch Logs', stop: async () => (await logs.made())?.service.close?.() },
    ],
    logger,
  );
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

/** Lambda's way to S3, with the rights of the account that asks. */
function objectAccess(s3: Once<S3Service>): ObjectAccess {
  return {
    read: async ({ account, bucket, key, versionId }) => {
      const { body, size } = await (await s3()).objects.read(account, bucket, key, versionId);
      return { body: body instanceof Readable ? body : Readable.from([body]), size };
    },
    write: async ({ account, bucket, key }, body, { contentType }) => {
      await (await s3()).objects.write(account, bucket, key, body, { contentType });
    },
  };
}

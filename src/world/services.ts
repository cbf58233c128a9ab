import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { Delivery } from '../events/index.ts';
import type { Ecr, SecretReader } from '../services/ecr/index.ts';
import type { EventBridge } from '../services/eventbridge/index.ts';
import type { Iam } from '../services/iam/index.ts';
import type { Authorizer, AwsService, Encryption, RequestContext, ServiceAccess } from '../services/index.ts';
import type { Kms } from '../services/kms/index.ts';
import type { Lambda, ObjectAccess } from '../services/lambda/index.ts';
import type { Logs } from '../services/logs/index.ts';
import type { S3Service } from '../services/s3/index.ts';
import type { Scheduler } from '../services/scheduler/index.ts';
import type { SecretsManager } from '../services/secretsmanager/index.ts';
import type { Sns } from '../services/sns/index.ts';
import type { Sqs } from '../services/sqs/index.ts';
import type { Ssm } from '../services/ssm/index.ts';
import type { Sts } from '../services/sts/index.ts';
import type { Compute } from './compute.ts';
import type { Containers } from './containers.ts';
import { type FunctionRoots, functionImages } from './function-images.ts';
import { functionRoles } from './function-roles.ts';
import { type Once, once, onceStarted } from './once.ts';
import type { State } from './state.ts';
import type { Stop } from './stop-each.ts';

export interface ServicesOptions {
  readonly state: State;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** For files that can be made again. */
  readonly directory: string;
  readonly iam: 'off' | 'enforce';
  readonly delivery: Delivery;
  readonly compute: () => Compute;
  readonly containers: Containers;
  readonly functionRoots: FunctionRoots;
  /** Where this Kobune is reached. */
  readonly endpoint: () => string;
}

/** The AWS services, each made when it is first asked for. */
export interface Services {
  readonly ecr: Once<Ecr>;
  readonly eventbridge: Once<EventBridge>;
  readonly iam: Once<Iam>;
  readonly kms: Once<Kms>;
  readonly lambda: Once<Lambda>;
  readonly logs: Once<Logs>;
  readonly s3: Once<S3Service>;
  readonly scheduler: Once<Scheduler>;
  readonly secretsmanager: Once<SecretsManager>;
  readonly sns: Once<Sns>;
  readonly sqs: Once<Sqs>;
  readonly ssm: Once<Ssm>;
  readonly sts: Once<Sts>;
}

/** Connects the services with each other and with what is below them. */
export function createServices(options: ServicesOptions): Services {
  const { clock, compute, containers, delivery, endpoint, logger, random, state } = options;
  const { store, blobs } = state;
  const enforce = options.iam === 'enforce';
  const access: ServiceAccess = {
    allows: async (question) => !enforce || (await (await iam()).serviceAccess.allows(question)),
  };
  const authorizer: Authorizer = {
    authorize: async (...args) => (await iam()).authorizer.authorize(...args),
  };
  const encryption: Encryption = {
    encrypt: async (...args) => (await kms()).encryption.encrypt(...args),
    decrypt: async (...args) => (await kms()).encryption.decrypt(...args),
    generateDataKey: async (...args) => (await kms()).encryption.generateDataKey(...args),
  };
  const base = { store, clock, random, logger };
  const common = { ...base, access, enforce };

  const iam = once(async () => (await import('../services/iam/index.ts')).createIam(base));
  const sts = once(async () => {
    const [{ createSts }, { identities, accessKeys }] = await Promise.all([import('../services/sts/index.ts'), iam()]);
    return createSts({ ...base, identities, longTermKeys: accessKeys, enforce });
  });
  const logs = once(async () => (await import('../services/logs/index.ts')).createLogs(base));
  const s3 = onceStarted(async () =>
    (await import('../services/s3/index.ts')).createS3({ ...base, blobs, delivery, enforcing: enforce }),
  );
  const lambda: Once<Lambda> = onceStarted(async () =>
    (await import('../services/lambda/index.ts')).createLambda({
      ...common,
      blobs,
      delivery,
      engine: compute().engine,
      objects: objectAccess(s3),
      images: functionImages({ store, images: containers.images, roots: options.functionRoots }, async (name, use) =>
        enforce && name.ecr
          ? { username: 'AWS', password: await (await ecr()).passwordForFunction(name.ecr, use) }
          : undefined,
      ),
      queues: {
        describe: async (...args) => (await sqs()).queues.describe(...args),
        receive: async (...args) => (await sqs()).queues.receive(...args),
        delete: async (...args) => (await sqs()).queues.delete(...args),
      },
      ...(enforce ? { roles: functionRoles(iam) } : {}),
      directory: join(options.directory, 'code'),
      urlDomain: `localhost:${new URL(endpoint()).port}`,
      allowHotReload: !enforce,
    }),
  );
  const kms = onceStarted(async () =>
    (await import('../services/kms/index.ts')).createKms({ ...common, authorizer, delivery }),
  );
  const sqs = onceStarted(async () => (await import('../services/sqs/index.ts')).createSqs({ ...common, encryption }));
  const sns = onceStarted(async () =>
    (await import('../services/sns/index.ts')).createSns({ ...common, delivery, encryption, endpoint }),
  );
  const eventbridge = onceStarted(async () =>
    (await import('../services/eventbridge/index.ts')).createEventBridge({ ...common, delivery, encryption }),
  );
  const scheduler = onceStarted(async () =>
    (await import('../services/scheduler/index.ts')).createScheduler({ ...common, delivery }),
  );
  const ssm = onceStarted(async () =>
    (await import('../services/ssm/index.ts')).createSsm({ ...common, delivery, encryption }),
  );
  const ecr: Once<Ecr> = onceStarted(async () =>
    (await import('../services/ecr/index.ts')).createEcr({
      ...base,
      delivery,
      authorizer,
      enforce,
      repositories: await containers.repositories(),
      secrets: secretReader(async () => (await secretsmanager()).service),
    }),
  );
  const secretsmanager: Once<SecretsManager> = onceStarted(async () =>
    (await import('../services/secretsmanager/index.ts')).createSecretsManager({
      ...common,
      authorizer,
      encryption,
      functions: {
        invoke: async (...args) => (await lambda()).functions.invoke(...args),
        permits: async (...args) => (await lambda()).functions.permits(...args),
      },
    }),
  );
  return { ecr, eventbridge, iam, kms, lambda, logs, s3, scheduler, secretsmanager, sns, sqs, ssm, sts };
}

/** How to stop the services, in order: what uses others ends before them. Functions end after Lambda, the logs last. */
export function stopsOf(services: Services, functions: Stop): readonly Stop[] {
  const { ecr, eventbridge, iam, kms, lambda, logs, s3, scheduler, secretsmanager, sns, sqs, ssm, sts } = services;
  return [
    { what: 'EventBridge Scheduler', stop: async () => (await scheduler.made())?.close() },
    { what: 'EventBridge', stop: async () => (await eventbridge.made())?.close() },
    { what: 'Secrets Manager', stop: async () => (await secretsmanager.made())?.close() },
    { what: 'Lambda', stop: async () => (await lambda.made())?.close() },
    functions,
    { what: 'ECR', stop: async () => (await ecr.made())?.close() },
    { what: 'SNS', stop: async () => (await sns.made())?.close() },
    { what: 'SQS', stop: async () => (await sqs.made())?.close() },
    { what: 'Systems Manager', stop: async () => (await ssm.made())?.close() },
    { what: 'S3', stop: async () => (await s3.made())?.close() },
    { what: 'KMS', stop: async () => (await kms.made())?.close() },
    { what: 'STS', stop: async () => (await sts.made())?.service.close?.() },
    { what: 'IAM', stop: async () => (await iam.made())?.service.close?.() },
    { what: 'CloudWatch Logs', stop: async () => (await logs.made())?.service.close?.() },
  ];
}

/** Reads secrets in the name of the account that they belong to. */
function secretReader(secretsmanager: () => Promise<AwsService>): SecretReader {
  return {
    read: async ({ arn, account, region }) => {
      const { operations } = await secretsmanager();
      const userId = account;
      const principal = { type: 'Root', account, arn: `arn:aws:iam::${account}:root`, userId, accessKeyId: undefined };
      const context = { service: 'secretsmanager', operation: 'GetSecretValue', account, region, principal };
      const answer = await operations.GetSecretValue!({ SecretId: arn } as never, context as RequestContext);
      return (answer as { readonly SecretString?: string }).SecretString ?? '';
    },
  };
}

/** Lambda's way to S3, with the rights of the account that asks. */
function objectAccess(s3: Once<S3Service>): ObjectAccess {
  return {
    read: async ({ account, bucket, key, versionId }) => {
      const { body, size } = await (await s3()).objects.read(account, bucket, key, versionId);
      return { body: body instanceof Readable ? body : Readable.from([body]), size };
    },
  };
}

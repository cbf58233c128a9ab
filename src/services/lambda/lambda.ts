import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Delivery, DeliverySource, DeliveryTarget } from '../../events/index.ts';
import type { FunctionEngine } from '../../functions/index.ts';
import type { BlobStore, Store } from '../../store/index.ts';
import type { ServiceAccess } from '../authorization.ts';
import type { FunctionInvoker } from '../function-invoker.ts';
import type { AwsService } from '../service.ts';
import { absentFeatureOperations } from './absent-features.ts';
import { aliasOperations } from './aliases.ts';
import { asyncSource } from './async-invocation.ts';
import { authorizationOf } from './authorization.ts';
import { Background } from './background.ts';
import { SignedDownloads } from './code-downloads.ts';
import { CodePackages } from './code-package.ts';
import { concurrencyOperations } from './concurrency.ts';
import { ConcurrencyTracker } from './concurrency-tracker.ts';
import { lambdaTarget } from './delivery-target.ts';
import { DESTINATION_SOURCE, destinationSource } from './destinations.ts';
import { eventInvokeOperations } from './event-invoke-config.ts';
import { ASYNC_SOURCE } from './event-queue.ts';
import { EventSources } from './event-sources/event-sources.ts';
import { eventSourceMappingOperations } from './event-sources/mapping-operations.ts';
import { functionInvoker } from './function-invoker.ts';
import { functionUrlOperations } from './function-urls.ts';
import { functionOperations } from './functions.ts';
import { ImageCodes } from './image-code.ts';
import { invokeOperations } from './invoke.ts';
import { layerPermissionOperations } from './layer-permissions.ts';
import { layerOperations } from './layers.ts';
import { resumePreparations } from './lifecycle.ts';
import { permissionOperations } from './permissions.ts';
import type { EventQueues, FunctionImages, ObjectAccess, RoleCheck } from './ports.ts';
import { provisionedOperations, resumeProvisioned } from './provisioned.ts';
import { recursionConfigOperations } from './recursion-config.ts';
import { REFUSED } from './refused.ts';
import type { LambdaLimits, Room } from './room.ts';
import { runtimeManagementOperations } from './runtime-management.ts';
import { tagOperations } from './tags.ts';
import { TargetCache } from './target-cache.ts';
import { FunctionUrls } from './url-invocation.ts';
import { versionOperations } from './versions.ts';

export interface LambdaOptions {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly engine: FunctionEngine;
  readonly delivery: Delivery;
  readonly objects: ObjectAccess;
  /** Functions from images are refused without it. */
  readonly images?: FunctionImages | undefined;
  /** Queues as event sources. */
  readonly queues: EventQueues;
  readonly roles?: RoleCheck;
  /** Whether another service may invoke a function. */
  readonly access: ServiceAccess;
  /** For unpacked packages; made when it is not there. */
  readonly directory: string;
  /** Host and port under which function URLs are shown: `<id>.lambda-url.<region>.<domain>`. */
  readonly urlDomain: string;
  /** Policies decide (`--iam enforce`). */
  readonly enforce?: boolean;
  /** Take local folders as code (`S3Bucket=hot-reload`); only where no stranger can reach the API. */
  readonly allowHotReload?: boolean;
  readonly limits?: Partial<LambdaLimits>;
  /** The machine's, unless told. */
  readonly architecture?: string;
}

/** The Lambda service, and what other front ends and services need of it. */
export interface Lambda extends AwsService {
  /** Goes on with what an earlier run left. Call before `delivery.start()`. */
  start(): Promise<void>;
  close(): Promise<void>;
  /** Signed downloads of deployment packages, served below `/_lambda/code/`. */
  readonly downloads: SignedDownloads;
  /** Requests to function URLs. */
  readonly urls: FunctionUrls;
  /** Functions for other services. */
  readonly functions: FunctionInvoker;
  /** Functions as targets of events. */
  readonly deliveryTarget: DeliveryTarget;
  /** Events that wait for functions, and the records of what came of them. */
  readonly deliverySources: Readonly<Record<LambdaSource, DeliverySource>>;
}

/** Source of the defaults: Lambda Developer Guide, "Lambda quotas". */
const DEFAULT_LIMITS: LambdaLimits = {
  concurrency: 1000,
  unreservedMinimum: 100,
  syncPayload: 6 * 1024 * 1024,
  asyncPayload: 1024 * 1024,
};

/** Names of the delivery sources that are Lambda's. */
export const LAMBDA_SOURCES = [ASYNC_SOURCE, DESTINATION_SOURCE] as const;
export type LambdaSource = (typeof LAMBDA_SOURCES)[number];

/** Makes the Lambda service. Its target and sources are registered with `delivery` by whoever makes it. */
export function createLambda(options: LambdaOptions): Lambda {
  const { store, blobs, clock, random, logger, engine, delivery, objects } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const images = new ImageCodes({ images: options.images, store, clock, logger });
  const code = new CodePackages({
    images,
    store,
    blobs,
    clock,
    random,
    logger,
    objects,
    directory: options.directory,
    allowHotReload: options.allowHotReload ?? false,
  });
  const targets = new TargetCache(store, code, logger, () => random.fraction());
  const concurrency = new ConcurrencyTracker(store, limits.concurrency);
  targets.onChange((scope) => concurrency.forget(scope));
  const downloads = new SignedDownloads({ store, blobs, clock, random });
  const eventSources = new EventSources(() => room);
  const room: Room = {
    store,
    clock,
    random,
    logger,
    engine,
    delivery,
    code,
    targets,
    concurrency,
    roles: options.roles,
    access: options.access,
    limits,
    architecture: options.architecture ?? (process.arch === 'arm64' ? 'arm64' : 'x86_64'),
    enforce: options.enforce ?? false,
    urlDomain: options.urlDomain,
    downloads,
    preparing: new Map(),
    background: new Background(logger),
    queues: options.queues,
    eventSources,
  };
  return {
    name: 'lambda',
    operations: {
      ...functionOperations(room),
      ...versionOperations(room),
      ...aliasOperations(room),
      ...layerOperations(room),
      ...layerPermissionOperations(room),
      ...permissionOperations(room),
      ...tagOperations(room),
      ...concurrencyOperations(room),
      ...provisionedOperations(room),
      ...eventInvokeOperations(room),
      ...functionUrlOperations(room),
      ...runtimeManagementOperations(room),
      ...recursionConfigOperations(room),
      ...absentFeatureOperations(room),
      ...eventSourceMappingOperations(room),
      ...invokeOperations(room),
    },
    refused: REFUSED,
    authorization: (operation, input, context) => authorizationOf(room, operation, input, context),
    urls: new FunctionUrls(room),
    downloads,
    functions: functionInvoker(room),
    deliveryTarget: lambdaTarget(room),
    deliverySources: {
      [ASYNC_SOURCE]: asyncSource(room),
      [DESTINATION_SOURCE]: destinationSource(room),
    },
    start: async () => {
      targets.start();
      await code.start();
      await images.start();
      await resumePreparations(room);
      await resumeProvisioned(room);
      await eventSources.start();
    },
    close: async () => {
      await eventSources.close();
      await Promise.all(room.preparing.values());
      await room.background.settled();
      code.close();
      images.close();
      await targets.close();
    },
  };
}

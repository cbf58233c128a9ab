import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Delivery } from '../../events/index.ts';
import { parseEcrRepository, type Repositories, type RepositoryPolicy } from '../../images/index.ts';
import type { Store } from '../../store/index.ts';
import { Agenda } from '../agenda.ts';
import type { Authorizer } from '../authorization.ts';
import type { AwsService, Operation, RequestContext } from '../service.ts';
import { SigningSecret } from '../signing-secret.ts';
import { ecrAuthorization } from './authorization.ts';
import { AuthorizationTokens } from './authorization-tokens.ts';
import { type FunctionImageUse, passwordForFunction } from './function-access.ts';
import { LayerDownloads } from './layer-downloads.ts';
import { carryOut, SETTLE_MS } from './lifecycle/run.ts';
import {
  batchDeleteImage,
  batchGetImage,
  describeImages,
  listImageReferrers,
  listImages,
  putImage,
} from './operations/images.ts';
import {
  batchCheckLayerAvailability,
  completeLayerUpload,
  getDownloadUrlForLayer,
  initiateLayerUpload,
  uploadLayerPart,
} from './operations/layers.ts';
import {
  deleteLifecyclePolicy,
  getLifecyclePolicy,
  getLifecyclePolicyPreview,
  putLifecyclePolicy,
  startLifecyclePolicyPreview,
} from './operations/lifecycle.ts';
import {
  deleteRegistryPolicy,
  deleteRepositoryPolicy,
  getRegistryPolicy,
  getRepositoryPolicy,
  putRegistryPolicy,
  setRepositoryPolicy,
} from './operations/policies.ts';
import {
  createPullThroughCacheRule,
  deletePullThroughCacheRule,
  describePullThroughCacheRules,
  updatePullThroughCacheRule,
  validatePullThroughCacheRule,
} from './operations/pull-through.ts';
import {
  batchGetRepositoryScanningConfiguration,
  describeImageReplicationStatus,
  describeRegistry,
  getAccountSetting,
  getAuthorizationToken,
  getRegistryScanningConfiguration,
  putAccountSetting,
  putRegistryScanningConfiguration,
  putReplicationConfiguration,
} from './operations/registry.ts';
import {
  createRepository,
  deleteRepository,
  describeRepositories,
  putImageScanningConfiguration,
  putImageTagMutability,
} from './operations/repositories.ts';
import { listTagsForResource, tagResource, untagResource } from './operations/tags.ts';
import {
  createRepositoryCreationTemplate,
  deleteRepositoryCreationTemplate,
  describeRepositoryCreationTemplates,
  updateRepositoryCreationTemplate,
} from './operations/templates.ts';
import { PullThrough } from './pull-through/pull.ts';
import { createUpstreams } from './pull-through/registry-upstreams.ts';
import type { SecretReader, Upstreams } from './pull-through/upstream.ts';
import { createPushPolicy } from './push-policy.ts';
import { LIFECYCLE_AGENDA, REPLICATION_AGENDA, type RepositoryId, SECRET_KEY } from './records.ts';
import { REFUSED } from './refused.ts';
import { createRegistryView, type RegistryView } from './registry-view.ts';
import { copyImage } from './replication/copy.ts';
import type { EcrState } from './state.ts';

export type { FunctionImageUse } from './function-access.ts';
export type { SecretReader } from './pull-through/upstream.ts';
export type { RegistryView } from './registry-view.ts';

export interface EcrOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly delivery: Delivery;
  /** Where the images are. Its policy for names of ECR is `policy` below. */
  readonly repositories: Repositories;
  /** Where credentials for upstream registries are. */
  readonly secrets: SecretReader;
  /** The other registries of pull-through cache rules; over the network unless told. */
  readonly upstreams?: Upstreams;
  readonly authorizer: Authorizer;
  /** Policies decide (`--iam enforce`). */
  readonly enforce: boolean;
}

export interface Ecr {
  readonly service: AwsService;
  /** What holds for repositories of ECR in the registry. */
  readonly policy: RepositoryPolicy;
  /** What the registry's front end asks. */
  readonly registry: RegistryView;
  /** A password (user `AWS`) by which an image is read for a function. Throws when it may not be: AccessDenied (403). */
  passwordForFunction(repository: RepositoryId, use: FunctionImageUse): Promise<string>;
  /** Goes on with what an earlier run left. */
  start(): Promise<void>;
  /** Resolves when no lifecycle policy is being carried out, and nothing copied. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

type Bound<Input, Output> = (state: EcrState, input: Input, context: RequestContext) => Promise<Output>;

interface Parts {
  readonly tokens: AuthorizationTokens;
  readonly downloads: LayerDownloads;
  readonly pullThrough: PullThrough;
  readonly secrets: SecretReader;
}

/** The Elastic Container Registry, over the registry's contents. */
export function createEcr(options: EcrOptions): Ecr {
  const { store, clock, logger, secrets } = options;
  const lifecycle = new Agenda({
    store,
    clock,
    logger,
    prefix: LIFECYCLE_AGENDA,
    run: (item, due) => carryOut(state, item, due),
  });
  const replication = new Agenda({
    store,
    clock,
    logger,
    prefix: REPLICATION_AGENDA,
    run: (item, due) => copyImage(state, item, due),
  });
  const network = createUpstreams(options);
  const state: EcrState = { ...options, upstreams: options.upstreams ?? network, lifecycle, replication };
  // What a push has planned in its transaction is there once that is committed.
  const stopListening = options.repositories.onEvent(({ action, repository }) => {
    if (action !== 'push' || !parseEcrRepository(repository)) return;
    lifecycle.changed(clock.now() + SETTLE_MS);
    replication.changed(clock.now());
  });
  const secret = new SigningSecret(options, SECRET_KEY);
  const parts: Parts = {
    tokens: new AuthorizationTokens(secret, clock, options.enforce),
    downloads: new LayerDownloads(secret, clock),
    pullThrough: new PullThrough(state, secrets),
    secrets,
  };
  return {
    service: {
      name: 'ecr',
      operations: operationsOf(state, parts),
      refused: REFUSED,
      authorization: (operation, input, context) => ecrAuthorization(state, operation, input, context),
    },
    policy: createPushPolicy(state),
    registry: createRegistryView(state, parts),
    passwordForFunction: (repository, use) => passwordForFunction(state, parts.tokens, repository, use),
    start: async () => {
      await lifecycle.start();
      await replication.start();
    },
    idle: async () => {
      await lifecycle.idle();
      await replication.idle();
    },
    close: async () => {
      stopListening();
      await lifecycle.close();
      await replication.close();
      await parts.pullThrough.close();
      network.close();
    },
  };
}

function operationsOf(state: EcrState, { tokens, downloads, pullThrough, secrets }: Parts): Record<string, Operation> {
  const bind =
    <Input, Output>(operation: Bound<Input, Output>) =>
    (input: Input, context: RequestContext) =>
      operation(state, input, context);
  return {
    BatchCheckLayerAvailability: bind(batchCheckLayerAvailability),
    BatchDeleteImage: bind(batchDeleteImage),
    BatchGetImage: (input, context) => batchGetImage(state, pullThrough, input, context),
    BatchGetRepositoryScanningConfiguration: bind(batchGetRepositoryScanningConfiguration),
    CompleteLayerUpload: bind(completeLayerUpload),
    CreatePullThroughCacheRule: (input, context) => createPullThroughCacheRule(state, secrets, input, context),
    CreateRepository: bind(createRepository),
    CreateRepositoryCreationTemplate: bind(createRepositoryCreationTemplate),
    DeleteLifecyclePolicy: bind(deleteLifecyclePolicy),
    DeletePullThroughCacheRule: bind(deletePullThroughCacheRule),
    DeleteRegistryPolicy: bind(deleteRegistryPolicy),
    DeleteRepository: bind(deleteRepository),
    DeleteRepositoryCreationTemplate: bind(deleteRepositoryCreationTemplate),
    DeleteRepositoryPolicy: bind(deleteRepositoryPolicy),
    DescribeImageReplicationStatus: bind(describeImageReplicationStatus),
    DescribeImages: bind(describeImages),
    DescribePullThroughCacheRules: bind(describePullThroughCacheRules),
    DescribeRegistry: bind(describeRegistry),
    DescribeRepositories: bind(describeRepositories),
    DescribeRepositoryCreationTemplates: bind(describeRepositoryCreationTemplates),
    GetAccountSetting: bind(getAccountSetting),
    GetAuthorizationToken: (input, context) => getAuthorizationToken(tokens, input, context),
    GetDownloadUrlForLayer: (input, context) => getDownloadUrlForLayer(state, downloads, input, context),
    GetLifecyclePolicy: bind(getLifecyclePolicy),
    GetLifecyclePolicyPreview: bind(getLifecyclePolicyPreview),
    GetRegistryPolicy: bind(getRegistryPolicy),
    GetRegistryScanningConfiguration: bind(getRegistryScanningConfiguration),
    GetRepositoryPolicy: bind(getRepositoryPolicy),
    InitiateLayerUpload: bind(initiateLayerUpload),
    ListImageReferrers: bind(listImageReferrers),
    ListImages: bind(listImages),
    ListTagsForResource: bind(listTagsForResource),
    PutAccountSetting: bind(putAccountSetting),
    PutImage: bind(putImage),
    PutImageScanningConfiguration: bind(putImageScanningConfiguration),
    PutImageTagMutability: bind(putImageTagMutability),
    PutLifecyclePolicy: bind(putLifecyclePolicy),
    PutRegistryPolicy: bind(putRegistryPolicy),
    PutRegistryScanningConfiguration: bind(putRegistryScanningConfiguration),
    PutReplicationConfiguration: bind(putReplicationConfiguration),
    SetRepositoryPolicy: bind(setRepositoryPolicy),
    StartLifecyclePolicyPreview: bind(startLifecyclePolicyPreview),
    TagResource: bind(tagResource),
    UntagResource: bind(untagResource),
    UpdatePullThroughCacheRule: (input, context) => updatePullThroughCacheRule(state, secrets, input, context),
    UpdateRepositoryCreationTemplate: bind(updateRepositoryCreationTemplate),
    UploadLayerPart: bind(uploadLayerPart),
    ValidatePullThroughCacheRule: (input, context) => validatePullThroughCacheRule(state, secrets, input, context),
  };
}

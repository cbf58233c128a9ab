import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Store } from '../../store/index.ts';
import { Agenda } from '../agenda.ts';
import type { Authorizer, ServiceAccess } from '../authorization.ts';
import type { Encryption } from '../encryption.ts';
import type { FunctionInvoker } from '../function-invoker.ts';
import type { AwsService, Operation, RequestContext } from '../service.ts';
import { secretsAuthorization } from './authorization.ts';
import { attendToSecret } from './due-secrets.ts';
import { createSecret } from './operations/create-secret.ts';
import { deleteSecret, restoreSecret } from './operations/deletion.ts';
import { describeSecret, updateSecret } from './operations/describe-secret.ts';
import { batchGetSecretValue, listSecrets } from './operations/list-secrets.ts';
import { getRandomPassword } from './operations/random-password.ts';
import {
  removeRegionsFromReplication,
  replicateSecretToRegions,
  stopReplicationToReplica,
} from './operations/replicas.ts';
import {
  deleteResourcePolicy,
  getResourcePolicy,
  putResourcePolicy,
  validateResourcePolicy,
} from './operations/resource-policies.ts';
import { cancelRotateSecret, rotateSecret } from './operations/rotation.ts';
import { getSecretValue, listSecretVersionIds, putSecretValue } from './operations/secret-values.ts';
import { tagResource, untagResource } from './operations/tags.ts';
import { updateSecretVersionStage } from './operations/version-stages.ts';
import { AGENDA_PREFIX } from './records.ts';
import { replicateAll } from './replication.ts';
import { RotationRunner } from './rotation/runner.ts';
import type { SecretsState } from './state.ts';

export interface SecretsManagerOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly encryption: Encryption;
  /** Runs rotation functions. */
  readonly functions: FunctionInvoker;
  /** What other services may do here, and this one elsewhere, in enforce mode. */
  readonly access: ServiceAccess;
  /** Decides what callers may do, where one request is about several secrets. */
  readonly authorizer: Authorizer;
  /** Policies decide (`--iam enforce`). */
  readonly enforce: boolean;
}

export interface SecretsManager {
  readonly service: AwsService;
  /** Goes on with what an earlier run left. */
  start(): Promise<void>;
  /** Resolves when no rotation or deletion is under way. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

type Bound<Input, Output> = (state: SecretsState, input: Input, context: RequestContext) => Promise<Output>;

/** Secrets Manager. */
export function createSecretsManager(options: SecretsManagerOptions): SecretsManager {
  const { store, clock, random, logger, encryption, functions } = options;
  const authorizer = options.enforce ? options.authorizer : undefined;
  const runner = new RotationRunner(() => state);
  const agenda = new Agenda({
    store,
    clock,
    logger,
    prefix: AGENDA_PREFIX,
    run: (item, due) => attendToSecret(state, runner, item, due),
  });
  const state: SecretsState = { store, clock, random, logger, encryption, functions, authorizer, agenda };
  return {
    service: {
      name: 'secretsmanager',
      operations: operationsOf(state),
      refused: {},
      authorization: (operation, input, context) => secretsAuthorization(state, operation, input, context),
    },
    start: async () => {
      await runner.resume();
      await replicateAll(state);
      await agenda.start();
    },
    idle: async () => {
      await agenda.idle();
      await runner.idle();
    },
    close: async () => {
      await agenda.close();
      await runner.close();
    },
  };
}

function operationsOf(state: SecretsState): Record<string, Operation> {
  const bind =
    <Input, Output>(operation: Bound<Input, Output>) =>
    (input: Input, context: RequestContext) =>
      operation(state, input, context);
  return {
    BatchGetSecretValue: bind(batchGetSecretValue),
    CancelRotateSecret: bind(cancelRotateSecret),
    CreateSecret: bind(createSecret),
    DeleteResourcePolicy: bind(deleteResourcePolicy),
    DeleteSecret: bind(deleteSecret),
    DescribeSecret: bind(describeSecret),
    GetRandomPassword: bind(getRandomPassword),
    GetResourcePolicy: bind(getResourcePolicy),
    GetSecretValue: bind(getSecretValue),
    ListSecretVersionIds: bind(listSecretVersionIds),
    ListSecrets: bind(listSecrets),
    PutResourcePolicy: bind(putResourcePolicy),
    PutSecretValue: bind(putSecretValue),
    RemoveRegionsFromReplication: bind(removeRegionsFromReplication),
    ReplicateSecretToRegions: bind(replicateSecretToRegions),
    RestoreSecret: bind(restoreSecret),
    RotateSecret: bind(rotateSecret),
    StopReplicationToReplica: bind(stopReplicationToReplica),
    TagResource: bind(tagResource),
    UntagResource: bind(untagResource),
    UpdateSecret: bind(updateSecret),
    UpdateSecretVersionStage: bind(updateSecretVersionStage),
    ValidateResourcePolicy: bind(validateResourcePolicy),
  };
}

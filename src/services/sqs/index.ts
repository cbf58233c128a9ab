import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { DeliveryTarget } from '../../events/index.ts';
import type { Store } from '../../store/index.ts';
import type { ServiceAccess } from '../authorization.ts';
import type { Encryption } from '../encryption.ts';
import type { AwsService, RequestContext } from '../service.ts';
import { authorization } from './authorization.ts';
import { BodyEncryption } from './body-encryption.ts';
import { sqsTarget } from './delivery-target.ts';
import { MoveTasks } from './move-tasks.ts';
import * as attributes from './operations/attributes.ts';
import * as moveTasks from './operations/move-tasks.ts';
import * as permissions from './operations/permissions.ts';
import * as queues from './operations/queues.ts';
import { receiveMessage } from './operations/receive.ts';
import * as received from './operations/received.ts';
import { sendMessage, sendMessageBatch } from './operations/send.ts';
import * as tags from './operations/tags.ts';
import type { QueueAccess } from './queue-access.ts';
import { queueAccess } from './queue-reader.ts';
import { Queues } from './queues.ts';
import { ReceiveAttempts } from './receive-attempts.ts';
import { RequestRate } from './request-rate.ts';
import type { SqsState } from './state.ts';

export type { QueueAccess, QueueDescription, QueueMessage } from './queue-access.ts';

export interface SqsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Keys for queues with server-side encryption by KMS. */
  readonly encryption: Encryption;
  /** What other services may do here, and this one elsewhere, in enforce mode. */
  readonly access: ServiceAccess;
  /** Policies decide (`--iam enforce`). */
  readonly enforce: boolean;
}

export interface Sqs {
  readonly service: AwsService;
  /** Queues as targets of events. */
  readonly deliveryTarget: DeliveryTarget;
  /** Queues for services that read them. */
  readonly queues: QueueAccess;
  /** Goes on with what an earlier run left. */
  start(): Promise<void>;
  close(): Promise<void>;
}

type Bound<Input, Output> = (state: SqsState, input: Input, context: RequestContext) => Promise<Output>;

/** Simple Queue Service. */
export function createSqs(options: SqsOptions): Sqs {
  const { clock } = options;
  const state: SqsState = {
    ...options,
    queues: new Queues(options),
    encryption: new BodyEncryption(options),
    rate: new RequestRate(clock),
    attempts: new ReceiveAttempts(clock),
  };
  const tasks = new MoveTasks(state);
  const bind =
    <Input, Output>(operation: Bound<Input, Output>) =>
    (input: Input, context: RequestContext) =>
      operation(state, input, context);
  const service: AwsService = {
    name: 'sqs',
    operations: {
      AddPermission: bind(permissions.addPermission),
      CancelMessageMoveTask: bind(moveTasks.cancelMessageMoveTask),
      ChangeMessageVisibility: bind(received.changeMessageVisibility),
      ChangeMessageVisibilityBatch: bind(received.changeMessageVisibilityBatch),
      CreateQueue: bind(queues.createQueue),
      DeleteMessage: bind(received.deleteMessage),
      DeleteMessageBatch: bind(received.deleteMessageBatch),
      DeleteQueue: bind(queues.deleteQueue),
      GetQueueAttributes: bind(attributes.getQueueAttributes),
      GetQueueUrl: bind(queues.getQueueUrl),
      ListDeadLetterSourceQueues: bind(queues.listDeadLetterSourceQueues),
      ListMessageMoveTasks: bind(moveTasks.listMessageMoveTasks),
      ListQueues: bind(queues.listQueues),
      ListQueueTags: bind(tags.listQueueTags),
      PurgeQueue: bind(queues.purgeQueue),
      ReceiveMessage: bind(receiveMessage),
      RemovePermission: bind(permissions.removePermission),
      SendMessage: bind(sendMessage),
      SendMessageBatch: bind(sendMessageBatch),
      SetQueueAttributes: bind(attributes.setQueueAttributes),
      StartMessageMoveTask: bind((_state, input: Parameters<typeof moveTasks.startMessageMoveTask>[2]) =>
        moveTasks.startMessageMoveTask(state, tasks, input),
      ),
      TagQueue: bind(tags.tagQueue),
      UntagQueue: bind(tags.untagQueue),
    },
    refused: {},
    authorization: (operation, input, context) => authorization(state, operation, input, context),
  };
  return {
    service,
    deliveryTarget: sqsTarget(state),
    queues: queueAccess(state),
    start: async () => {
      await state.queues.resume();
      await tasks.resume();
    },
    close: async () => {
      await tasks.close();
      await state.queues.close();
    },
  };
}

import { ServiceError } from '../../base/errors.ts';
import { deletable, deleteMessages } from './delete.ts';
import { queueDoesNotExist } from './errors.ts';
import type { IndexedMessage } from './indexed-message.ts';
import { md5OfAttributes } from './message-digest.ts';
import { parseQueueArn } from './names.ts';
import type { Queue } from './queue.ts';
import type { QueueAccess, QueueMessage } from './queue-access.ts';
import { type Received, receive } from './receive.ts';
import { systemAttributes } from './shown-message.ts';
import type { SqsState } from './state.ts';
import { changeVisibility, visibilityChange } from './visibility.ts';

/** Who reads queues this way. */
const READER = 'lambda.amazonaws.com';

/** Queues for the services of this Kobune that read them. */
export function queueAccess(state: SqsState): QueueAccess {
  const find = async (arn: string): Promise<Queue | undefined> => {
    const name = parseQueueArn(arn);
    return name && state.queues.find(name);
  };
  const require = async (arn: string): Promise<Queue> => {
    const queue = await find(arn);
    if (!queue) throw queueDoesNotExist();
    return queue;
  };
  return {
    describe: async (arn) => {
      const queue = await find(arn);
      if (!queue) return undefined;
      const { policy, visibilityTimeout } = queue.record.settings;
      return { fifo: queue.fifo, visibilityTimeoutSeconds: visibilityTimeout, policy };
    },
    receive: async (arn, { maximum, roleArn, signal, waitMs }) => {
      const queue = await require(arn);
      if (signal.aborted) return [];
      const received = await receive(state, queue, {
        maximum,
        visibilitySeconds: queue.record.settings.visibilityTimeout,
        until: waitMs === undefined ? undefined : state.clock.now() + waitMs,
        signal,
        keyUser: { caller: { service: READER, roleArn } },
      });
      return received.map((item) => queueMessage(queue, item));
    },
    delete: async (arn, handles) => {
      const queue = await require(arn);
      const messages = new Set<IndexedMessage>();
      for (const handle of handles) {
        const message = passedOver(() => deletable(queue, handle));
        if (message) messages.add(message);
      }
      await deleteMessages(state, queue, [...messages]);
    },
    changeVisibility: async (arn, handles, seconds) => {
      const queue = await require(arn);
      for (const handle of handles) {
        const change = passedOver(() => visibilityChange(queue, handle, seconds));
        if (change) await changeVisibility(state, queue, change);
      }
    },
    backlog: async (arn) => {
      const queue = await require(arn);
      queue.settle();
      return queue.index.visible;
    },
  };
}

/** A handle that no longer holds is nobody's fault here. */
function passedOver<T>(check: () => T): T | undefined {
  try {
    return check();
  } catch (error) {
    if (error instanceof ServiceError) return undefined;
    throw error;
  }
}

function queueMessage(queue: Queue, received: Received): QueueMessage {
  const { body, receiptHandle, record } = received;
  const md5 = md5OfAttributes(record.messageAttributes);
  return {
    messageId: record.messageId,
    receiptHandle,
    body,
    md5OfBody: record.md5OfBody,
    ...(md5 === undefined ? {} : { md5OfMessageAttributes: md5 }),
    attributes: systemAttributes(queue, received),
    messageAttributes: record.messageAttributes ?? {},
  };
}

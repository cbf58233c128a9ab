import { ServiceError } from '../../base/errors.ts';
import type { Acceptance, DeliveryCaller, DeliveryTarget, PendingDelivery } from '../../events/index.ts';
import type { Transaction } from '../../store/index.ts';
import { queueDoesNotExist } from './errors.ts';
import { parseQueueArn } from './names.ts';
import { checkOutgoing, type Outgoing } from './outgoing.ts';
import type { Queue } from './queue.ts';
import { acceptMessage } from './send.ts';
import type { SqsState } from './state.ts';

/** Queues as targets: an event is a message once the delivery's transaction is durable, and only then. */
export function sqsTarget(state: SqsState): DeliveryTarget {
  return {
    accept: (delivery, transaction) => accept(state, delivery, transaction),
    permits: async (targetArn, caller) => {
      const queue = await find(state, targetArn);
      return queue !== undefined && allows(state, queue, caller);
    },
  };
}

async function find(state: SqsState, arn: string): Promise<Queue | undefined> {
  const name = parseQueueArn(arn);
  return name && state.queues.find(name);
}

async function accept(state: SqsState, delivery: PendingDelivery, transaction: Transaction): Promise<Acceptance> {
  const queue = await find(state, delivery.targetArn);
  if (!queue) {
    const { message } = queueDoesNotExist();
    return { type: 'rejected', reason: message, code: 'AWS.SimpleQueueService.NonExistentQueue' };
  }
  const caller = delivery.caller ?? { service: `${delivery.source}.amazonaws.com` };
  if (!(await allows(state, queue, caller))) {
    return {
      type: 'rejected',
      reason: `Access to the resource ${delivery.targetArn} is denied.`,
      code: 'AccessDenied',
    };
  }
  const { messageAttributes, messageDeduplicationId, messageGroupId } = delivery.parameters ?? {};
  const outgoing: Outgoing = {
    body: Buffer.from(delivery.payload).toString(),
    attributes: messageAttributes && Object.keys(messageAttributes).length > 0 ? messageAttributes : undefined,
    groupId: messageGroupId,
    deduplicationId: messageDeduplicationId,
    traceHeader: delivery.traceHeader,
    senderId: caller.service,
    keyUser: { caller },
  };
  try {
    checkOutgoing(queue, outgoing);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return { type: 'rejected', reason: error.message, code: error.code };
  }
  const accepted = await acceptMessage(state, queue, outgoing, transaction);
  return { type: 'delivered', committed: (revision) => void accepted.committed(revision) };
}

/** True when, in enforce mode, the queue's policy (or the caller's role) lets the service send. */
async function allows(state: SqsState, queue: Queue, caller: DeliveryCaller): Promise<boolean> {
  if (!state.enforce) return true;
  return state.access.allows({
    action: 'sqs:SendMessage',
    resource: queue.arn,
    resourceAccount: queue.record.account,
    region: queue.record.region,
    resourcePolicy: queue.record.settings.policy,
    caller,
  });
}

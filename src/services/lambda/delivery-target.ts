import { ServiceError } from '../../base/errors.ts';
import type { DeliveryCaller, DeliveryOutcome, DeliveryTarget, PendingDelivery } from '../../events/index.ts';
import type { Transaction } from '../../store/index.ts';
import { runQueued } from './async-invocation.ts';
import { AsyncPace } from './async-pace.ts';
import { ASYNC_SOURCE, enqueueInvocation } from './event-queue.ts';
import { keys, type PolicyRecord } from './model.ts';
import { type FunctionName, functionArn, parseFunctionArn } from './names.ts';
import { policyDocument } from './permissions.ts';
import { type Room, requireVersion } from './room.ts';
import { newTraceId } from './run.ts';

/** Functions as targets: an event of another service is queued; a queued one is run. */
export function lambdaTarget(room: Room): DeliveryTarget {
  const pace = new AsyncPace();
  return {
    accept: async (delivery, transaction) =>
      delivery.source === ASYNC_SOURCE ? undefined : accept(room, delivery, transaction),
    deliver: (delivery, signal) => runQueued(room, pace, delivery, signal),
    permits: (targetArn, caller) => permits(room, targetArn, caller),
  };
}

/** An event from another service (S3 …): into the queue if the function is there and lets that service in. */
async function accept(room: Room, delivery: PendingDelivery, transaction: Transaction): Promise<DeliveryOutcome> {
  const name = parseFunctionArn(delivery.targetArn);
  if (!name) return { type: 'rejected', reason: `not a function: ${delivery.targetArn}` };
  try {
    await room.targets.resolve(name);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return { type: 'rejected', reason: error.message, code: error.code };
  }
  const { caller = { service: `${delivery.source}.amazonaws.com` } } = delivery;
  if (!(await allows(room, name, caller))) {
    return {
      type: 'rejected',
      reason: `the policy of ${delivery.targetArn} does not let it be invoked`,
      code: 'AccessDeniedException',
    };
  }
  if (delivery.payload.length > room.limits.asyncPayload) {
    return { type: 'rejected', reason: 'the event is too large for the function', code: 'RequestTooLargeException' };
  }
  // The service hands on the trace header of the request that caused the event: the chain goes on.
  enqueueInvocation(room, transaction, name, delivery.payload, {
    requestId: room.random.uuid(),
    traceId: delivery.traceHeader ?? newTraceId(room),
  });
  return { type: 'delivered' };
}

/** True when the function is there and, in enforce mode, its policy lets the service invoke it. */
export async function permits(room: Room, targetArn: string, caller: DeliveryCaller): Promise<boolean> {
  const name = parseFunctionArn(targetArn);
  if (!name) return false;
  try {
    await requireVersion(room.store, name);
  } catch (error) {
    if (error instanceof ServiceError) return false;
    throw error;
  }
  return allows(room, name, caller);
}

async function allows(room: Room, name: FunctionName, caller: DeliveryCaller): Promise<boolean> {
  if (!room.enforce) return true;
  const policy = await room.store.get<PolicyRecord>(keys.policy(name, name.name, name.qualifier ?? ''));
  return room.access.allows({
    action: 'lambda:InvokeFunction',
    resource: functionArn(name, name.name, name.qualifier),
    resourceAccount: name.account,
    region: name.region,
    resourcePolicy: policy === undefined ? undefined : policyDocument(policy.value),
    caller,
  });
}

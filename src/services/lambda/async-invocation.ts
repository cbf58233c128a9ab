import { ServiceError } from '../../base/errors.ts';
import type {
  DeliveryOutcome,
  DeliveryPolicy,
  DeliverySource,
  FinalOutcome,
  PendingDelivery,
} from '../../events/index.ts';
import type { Transaction } from '../../store/index.ts';
import type { AsyncPace } from './async-pace.ts';
import { RECURSION, sendRecords } from './destinations.ts';
import type { AsyncAttributes } from './event-queue.ts';
import { type EventInvokeRecord, keys, LATEST } from './model.ts';
import { type FunctionName, parseFunctionArn } from './names.ts';
import type { Room } from './room.ts';
import { refuseLoop, resolveActive, runOnce } from './run.ts';

/** Source: Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation". */
const DEFAULT_RETRIES = 2;
const DEFAULT_MAX_AGE_SECONDS = 6 * 3600;
const MAX_BACKOFF_MS = 300_000;
/** How long an event waits for a place before it goes back into the queue. */
const PATIENCE_MS = 30_000;

/** How long and how often an event is tried, and where its record goes in the end. */
export function asyncSource(room: Room): DeliverySource {
  return {
    policy: (delivery) => policyOf(room, delivery),
    finished: (delivery, outcome, transaction) => finished(room, delivery, outcome, transaction),
  };
}

async function policyOf(room: Room, delivery: PendingDelivery): Promise<DeliveryPolicy> {
  const config = await eventInvokeConfig(room, delivery.targetArn);
  return {
    maximumRetries: config?.maximumRetryAttempts ?? DEFAULT_RETRIES,
    maximumAgeSeconds: config?.maximumEventAgeSeconds ?? DEFAULT_MAX_AGE_SECONDS,
    // "one minute before the first retry, two minutes before the second"
    backoffMs: (retry) => retry * 60_000,
    throttleBackoffMs: (throttle) => Math.min(1000 * 2 ** (throttle - 1), MAX_BACKOFF_MS),
  };
}

async function eventInvokeConfig(room: Room, arn: string): Promise<EventInvokeRecord | undefined> {
  const name = parseFunctionArn(arn);
  if (!name) return undefined;
  return (await room.store.get<EventInvokeRecord>(keys.eventInvoke(name, name.name, name.qualifier ?? LATEST)))?.value;
}

/**
 * Runs a queued event. One that meets a limit while others run waits a while for the first of them to end: sent back to
 * the queue, a burst would take hours to drain through a function with little concurrency.
 */
export async function runQueued(
  room: Room,
  pace: AsyncPace,
  delivery: PendingDelivery,
  closing: AbortSignal,
): Promise<DeliveryOutcome> {
  const name = parseFunctionArn(delivery.targetArn);
  if (!name) return { type: 'rejected', reason: `not a function: ${delivery.targetArn}` };
  const first = await runPaced(room, pace, name, delivery);
  if (!isThrottled(first)) return first;
  const patience = new AbortController();
  const timer = room.clock.at(room.clock.now() + PATIENCE_MS, () => patience.abort());
  const signal = AbortSignal.any([patience.signal, closing]);
  try {
    let outcome = first;
    while (isThrottled(outcome) && (await room.concurrency.freed(name, name.name, signal))) {
      outcome = await runPaced(room, pace, name, delivery);
    }
    return outcome;
  } finally {
    timer.cancel();
  }
}

const isThrottled = (outcome: DeliveryOutcome): boolean => outcome.type === 'failed' && outcome.throttled === true;

async function runPaced(
  room: Room,
  pace: AsyncPace,
  name: FunctionName,
  delivery: PendingDelivery,
): Promise<DeliveryOutcome> {
  const leave = await pace.enter(delivery.targetArn);
  try {
    return await runNow(room, name, delivery);
  } finally {
    leave();
  }
}

async function runNow(room: Room, name: FunctionName, delivery: PendingDelivery): Promise<DeliveryOutcome> {
  const attributes = delivery.attributes as unknown as AsyncAttributes;
  try {
    const target = await resolveActive(room, name);
    if (target.reserved === 0) return { type: 'rejected', reason: 'ZeroReservedConcurrency' };
    refuseLoop(room, target, attributes.traceId);
    const result = await runOnce(room, target, {
      requestId: attributes.requestId,
      payload: delivery.payload,
      invokedArn: target.invokedArn,
      traceId: attributes.traceId,
      clientContext: attributes.clientContext,
    });
    const details = { executedVersion: target.version, functionError: result.functionError };
    if (result.functionError === undefined) return { type: 'delivered', response: result.payload, details };
    return { type: 'failed', reason: result.functionError, response: result.payload, details };
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    if (error.code === 'ResourceNotFoundException') return { type: 'rejected', reason: error.message };
    if (error.code === RECURSION) {
      return { type: 'rejected', reason: error.message, details: { refusal: RECURSION } };
    }
    // Throttles and system errors are tried again until the event is too old, and cost no retry.
    return { type: 'failed', reason: error.message, throttled: true };
  }
}

async function finished(
  room: Room,
  delivery: PendingDelivery,
  outcome: FinalOutcome,
  transaction: Transaction,
): Promise<void> {
  const config = await eventInvokeConfig(room, delivery.targetArn);
  await sendRecords(room, delivery, outcome, config, transaction);
}

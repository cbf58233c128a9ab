import type { DeliverySource, FinalOutcome, MessageAttribute, PendingDelivery } from '../../events/index.ts';
import type { Transaction } from '../../store/index.ts';
import { roleMaySend, senderOf } from './destination-permission.ts';
import { enqueueInvocation } from './event-queue.ts';
import {
  type InvocationRecord,
  invocationRecord,
  jsonOf,
  objectKey,
  recordEvent,
  refusalOf,
} from './invocation-record.ts';
import { exceedsLimit, lineageId, withInvocation } from './lineage.ts';
import { type EventInvokeRecord, type FunctionRecord, keys, LATEST, type VersionRecord } from './model.ts';
import { type FunctionName, parseFunctionArn } from './names.ts';
import type { Room } from './room.ts';

/** Name of the delivery source for invocation records and dead letters. */
export const DESTINATION_SOURCE = 'lambda-destination';

/** The error that ends a recursive loop. */
export const RECURSION = 'RecursiveInvocationException';

/** Bytes of an event. Source: EventBridge User Guide, "Calculating PutEvents event entry size". Queues and topics know theirs. */
const EVENT_LIMIT = 1024 * 1024;

/** Tries to put a record where it belongs: a minute apart, for an hour. */
const RETRIES = 30;

/**
 * Sends the invocation record to the destination that fits the outcome, and the event to the dead-letter queue when it
 * failed. Source: Lambda Developer Guide, "Capturing records of Lambda asynchronous invocations".
 */
export async function sendRecords(
  room: Room,
  delivery: PendingDelivery,
  outcome: FinalOutcome,
  config: EventInvokeRecord | undefined,
  transaction: Transaction,
): Promise<void> {
  const succeeded = outcome.type === 'delivered';
  const wanted = succeeded ? config?.onSuccess : config?.onFailure;
  const name = parseFunctionArn(delivery.targetArn);
  const allowed = wanted !== undefined && name !== undefined && (await roleMaySend(room, name, name.name, wanted));
  if (wanted !== undefined && !allowed) {
    room.logger.warn("a function's role may not send to its destination", { function: delivery.targetArn, wanted });
  }
  const traceId = String(delivery.attributes?.traceId ?? '');
  // Two functions that are each other's destination would send the record of a loop's end to and fro for ever.
  const endless =
    wanted !== undefined &&
    refusalOf(outcome) === RECURSION &&
    (await isStopped(room, parseFunctionArn(wanted), traceId));
  const destination = allowed && !endless ? wanted : undefined;
  const deadLetter = succeeded ? undefined : await deadLetterOf(room, delivery);
  if (destination === undefined && deadLetter === undefined) {
    if (!succeeded) {
      const { reason } = outcome;
      room.logger.info('an asynchronous event was dropped', { function: delivery.targetArn, reason });
    }
    return;
  }
  const now = room.clock.now();
  const whole = invocationRecord(delivery, outcome, now);
  const caller = name && (await senderOf(room, name, name.name));
  const common = {
    source: DESTINATION_SOURCE,
    account: delivery.account,
    region: delivery.region,
    ...(caller === undefined ? {} : { caller }),
    ...(traceId === '' ? {} : { traceHeader: traceId }),
  };
  const requestId = room.random.uuid();
  const lambda = destination === undefined ? undefined : parseFunctionArn(destination);
  if (lambda) {
    enqueueInvocation(room, transaction, lambda, bounded(whole, room.limits.asyncPayload), { requestId, traceId });
  } else if (destination !== undefined) {
    const id = room.random.uuid();
    const isBus = destination.split(':')[2] === 'events';
    const sent = isBus ? recordEvent(destination, delivery, whole, { id, now, succeeded }) : whole;
    const payload = Buffer.from(JSON.stringify(sent));
    if (isBus && payload.length > EVENT_LIMIT) {
      room.logger.warn('an invocation record is too large for its event bus', { destination, bytes: payload.length });
    } else {
      room.delivery.enqueue(transaction, {
        ...common,
        targetArn: destination,
        payload,
        ...(destination.startsWith('arn:aws:s3:')
          ? { parameters: { object: { key: objectKey(delivery, now, id), contentType: 'application/json' } } }
          : {}),
      });
    }
  }
  if (deadLetter !== undefined) {
    room.delivery.enqueue(transaction, {
      ...common,
      targetArn: deadLetter,
      payload: delivery.payload,
      parameters: { messageAttributes: deadLetterAttributes(delivery, outcome) },
    });
  }
}

/** "If the combined size … exceeds the limit, Lambda will drop the payload": of records for functions. */
function bounded(record: InvocationRecord, limit: number): Buffer {
  const whole = Buffer.from(JSON.stringify(record));
  if (whole.length <= limit) return whole;
  const { requestPayload: _request, responsePayload: _response, ...rest } = record;
  return Buffer.from(JSON.stringify(rest));
}

/** True when the chain has invoked a function so often that it would not run again. */
async function isStopped(room: Room, name: FunctionName | undefined, traceId: string): Promise<boolean> {
  if (name === undefined) return false;
  const owner = await room.store.get<FunctionRecord>(keys.function(name, name.name));
  const id = lineageId(name);
  return owner?.value.recursiveLoop !== 'Allow' && exceedsLimit(withInvocation(traceId, id), id);
}

async function deadLetterOf(room: Room, delivery: PendingDelivery): Promise<string | undefined> {
  const name = parseFunctionArn(delivery.targetArn);
  if (!name) return undefined;
  const version = await room.store.get<VersionRecord>(keys.version(name, name.name, LATEST));
  return version?.value.deadLetterArn;
}

/** Source: Lambda Developer Guide, "Adding a dead-letter queue": the attributes of the message. */
function deadLetterAttributes(delivery: PendingDelivery, outcome: FinalOutcome): Record<string, MessageAttribute> {
  return {
    RequestID: { dataType: 'String', stringValue: String(delivery.attributes?.requestId ?? delivery.id) },
    ErrorCode: { dataType: 'Number', stringValue: '200' },
    ErrorMessage: { dataType: 'String', stringValue: firstKilobyte(errorMessage(outcome)) },
  };
}

/** What the function says of its error, or why it did not run. */
function errorMessage(outcome: FinalOutcome): string {
  const answer = outcome.response === undefined ? undefined : jsonOf(outcome.response);
  const said = (answer as { errorMessage?: unknown } | null | undefined)?.errorMessage;
  if (typeof said === 'string' && said !== '') return said;
  return 'reason' in outcome && outcome.reason !== '' ? outcome.reason : 'Unhandled';
}

/** Without half a character at its end. */
const firstKilobyte = (text: string): string =>
  Buffer.from(text)
    .subarray(0, 1024)
    .toString()
    .replace(/\uFFFD+$/, '');

export function destinationSource(room: Pick<Room, 'logger'>): DeliverySource {
  return {
    policy: async () => ({ maximumRetries: RETRIES, maximumAgeSeconds: 3600, backoffMs: () => 60_000 }),
    finished: async (delivery, outcome) => {
      if (outcome.type === 'delivered') return;
      room.logger.warn('an invocation record could not be delivered', {
        destination: delivery.targetArn,
        reason: outcome.reason,
      });
    },
  };
}

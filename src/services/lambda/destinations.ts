import type { DeliverySource, FinalOutcome, MessageAttribute, PendingDelivery } from '../../events/index.ts';
import type { Transaction } from '../../store/index.ts';
import type { AuthorizationRequest } from '../service.ts';
import { enqueueInvocation } from './event-queue.ts';
import { exceedsLimit, lineageId, withInvocation } from './lineage.ts';
import {
  type EventInvokeRecord,
  type FunctionRecord,
  keys,
  LATEST,
  type PolicyRecord,
  type Scope,
  type VersionRecord,
} from './model.ts';
import { type FunctionName, functionArn, parseFunctionArn } from './names.ts';
import { policyDocument } from './permissions.ts';
import type { Room } from './room.ts';

/** Name of the delivery source for invocation records and dead letters. */
export const DESTINATION_SOURCE = 'lambda-destination';

/** The error that ends a recursive loop. */
export const RECURSION = 'RecursiveInvocationException';

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
  let record = Buffer.from(JSON.stringify(whole));
  const lambda = destination === undefined ? undefined : parseFunctionArn(destination);
  if (lambda && record.length > room.limits.asyncPayload) {
    // "If the combined size … exceeds the limit, Lambda will drop the payload."
    const { requestPayload: _request, responsePayload: _response, ...rest } = whole;
    record = Buffer.from(JSON.stringify(rest));
  }
  const uuid = room.random.uuid();
  const requestId = room.random.uuid();
  const common = { source: DESTINATION_SOURCE, account: delivery.account, region: delivery.region };
  if (lambda) enqueueInvocation(room, transaction, lambda, record, { requestId, traceId });
  else if (destination !== undefined) {
    room.delivery.enqueue(transaction, {
      ...common,
      targetArn: destination,
      payload: record,
      parameters: { object: { key: objectKey(delivery, now, uuid), contentType: 'application/json' } },
    });
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

/**
 * True when the function's role may send to the destination; always while policies do not decide. Source: the same page,
 * "Adding a destination": the execution role needs the permission.
 */
export async function roleMaySend(room: Room, scope: Scope, name: string, destination: string): Promise<boolean> {
  if (!room.enforce || room.roles === undefined) return true;
  const version = await room.store.get<VersionRecord>(keys.version(scope, name, LATEST));
  if (!version) return false;
  return room.roles.allows(version.value.role, name, await sending(room, name, destination), scope.region);
}

async function sending(room: Room, name: string, destination: string): Promise<AuthorizationRequest> {
  const lambda = parseFunctionArn(destination);
  if (!lambda) return { action: 's3:PutObject', resource: `${destination}/${keyPrefix(name)}record` };
  const policy = await room.store.get<PolicyRecord>(keys.policy(lambda, lambda.name, lambda.qualifier ?? ''));
  return {
    action: 'lambda:InvokeFunction',
    resource: destination,
    resourcePolicy: policy === undefined ? undefined : policyDocument(policy.value),
    resourceAccount: lambda.account,
  };
}

/** The error that kept the event from being run at all, when that has a name of its own. */
function refusalOf(outcome: FinalOutcome): string | undefined {
  const refusal = outcome.details?.refusal;
  return typeof refusal === 'string' ? refusal : undefined;
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
    ErrorMessage: { dataType: 'String', stringValue: 'reason' in outcome ? outcome.reason.slice(0, 1024) : '' },
  };
}

/** Source: the same page, "Invocation record". */
interface InvocationRecord {
  readonly version: '1.0';
  readonly timestamp: string;
  readonly requestContext: object;
  readonly requestPayload: unknown;
  readonly responseContext?: object;
  readonly responsePayload?: unknown;
}

function invocationRecord(delivery: PendingDelivery, outcome: FinalOutcome, now: number): InvocationRecord {
  const details = (outcome.details ?? {}) as { executedVersion?: string; functionError?: string };
  const name = parseFunctionArn(delivery.targetArn);
  const ran = details.executedVersion !== undefined;
  return {
    version: '1.0',
    timestamp: new Date(now).toISOString(),
    requestContext: {
      requestId: delivery.attributes?.requestId ?? delivery.id,
      functionArn: name ? functionArn(name, name.name, name.qualifier ?? LATEST) : delivery.targetArn,
      condition:
        refusalOf(outcome) ??
        (outcome.type === 'rejected' && outcome.reason === 'ZeroReservedConcurrency'
          ? outcome.reason
          : outcome.condition),
      approximateInvokeCount: delivery.attempts,
    },
    requestPayload: json(delivery.payload),
    ...(ran
      ? {
          responseContext: {
            statusCode: 200,
            executedVersion: details.executedVersion,
            ...(details.functionError === undefined ? {} : { functionError: details.functionError }),
          },
          responsePayload: outcome.response === undefined ? null : json(outcome.response),
        }
      : {}),
  };
}

/** The payload as a JSON value; text when it is none. */
function json(bytes: Uint8Array): unknown {
  const text = Buffer.from(bytes).toString();
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** `aws/lambda/async/<function>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<uuid>`. Source: the same page, "Example JSON (Amazon S3)". */
function objectKey(delivery: PendingDelivery, now: number, uuid: string): string {
  const time = new Date(now).toISOString().slice(0, 19);
  const name = parseFunctionArn(delivery.targetArn)?.name ?? 'unknown';
  return `${keyPrefix(name)}${time.slice(0, 10).replaceAll('-', '/')}/${time.replaceAll(':', '.')}-${uuid}`;
}

const keyPrefix = (name: string): string => `aws/lambda/async/${name}/`;

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

import { ServiceError } from '../../../base/errors.ts';
import type { DeliveryCaller, DeliveryOutcome, PendingDelivery } from '../../../events/index.ts';
import { type InvocationAttributes, SOURCE } from '../invocation.ts';
import { connectionKey, destinationKey, type Place, parseEventsArn } from '../records.ts';
import type { EventBridgeState } from '../state.ts';
import { AuthorizationError } from './authorizations.ts';
import { invocationRequest, send } from './http-request.ts';
import type { RateLimits } from './rate-limits.ts';
import {
  type ConnectionRecord,
  type Credentials,
  connectionArn,
  type DestinationRecord,
  destinationArn,
} from './records.ts';

/** Invokes an API destination. Source: EventBridge User Guide, "API destinations". */
export async function invokeDestination(
  state: EventBridgeState,
  limits: RateLimits,
  delivery: PendingDelivery,
  signal: AbortSignal,
): Promise<DeliveryOutcome> {
  const found = await findDestination(state, delivery.targetArn);
  if (!found) return reject('NO_RESOURCE', `API destination ${delivery.targetArn} does not exist.`);
  const { destination, place } = found;
  if (!(await allows(state, delivery.targetArn, place, delivery.caller))) {
    return reject('NO_PERMISSIONS', `The role may not invoke ${delivery.targetArn}.`);
  }
  const connection = await findConnection(state, destination.connectionArn);
  if (!connection) return reject('NO_RESOURCE', `Connection ${destination.connectionArn} does not exist.`);
  if (connection.state === 'AUTHORIZING') return fail('The connection is being authorized.');
  if (connection.state !== 'AUTHORIZED') return reject('NO_PERMISSIONS', 'The connection is not authorized.');
  await limits.turn(delivery.targetArn, destination.ratePerSecond, signal);
  let credentials: Credentials | undefined;
  let authorization: string | undefined;
  try {
    credentials = await state.authorizations.secrets.open(place, connection);
    if (!credentials) return reject('NO_PERMISSIONS', 'The connection has no credentials.');
    authorization = await state.authorizations.header(place, connection, credentials);
  } catch (error) {
    if (error instanceof AuthorizationError) return fail(error.message);
    if (error instanceof ServiceError) return reject('NO_PERMISSIONS', `The connection's secret: ${error.message}`);
    throw error;
  }
  const http = delivery.source === SOURCE ? ((delivery.attributes as InvocationAttributes).http ?? {}) : {};
  const request = invocationRequest(destination, http, credentials, authorization, delivery.payload);
  const outcome = await send(request, delivery, signal);
  const status = outcome.details?.statusCode;
  if (status === 401 || status === 407) state.authorizations.forget(place, connection);
  return outcome;
}

/** True when the API destination is there and the caller's role may invoke it. */
export async function permitsInvocation(
  state: EventBridgeState,
  targetArn: string,
  caller: DeliveryCaller,
): Promise<boolean> {
  const found = await findDestination(state, targetArn);
  return found !== undefined && allows(state, targetArn, found.place, caller);
}

async function allows(
  state: EventBridgeState,
  resource: string,
  { account, region }: Place,
  caller: DeliveryCaller | undefined,
): Promise<boolean> {
  if (!state.enforce) return true;
  if (!caller) return false;
  return state.access.allows({
    action: 'events:InvokeApiDestination',
    resource,
    resourceAccount: account,
    region,
    resourcePolicy: undefined,
    caller,
  });
}

async function findDestination(state: EventBridgeState, arn: string) {
  const parsed = parseEventsArn(arn);
  if (parsed?.type !== 'api-destination') return undefined;
  const place = { account: parsed.account, region: parsed.region };
  const record = await state.store.get<DestinationRecord>(destinationKey(place, parsed.name.split('/')[0]!));
  if (!record || destinationArn(place, record.value) !== arn) return undefined;
  return { destination: record.value, place };
}

/** The connection that an ARN names. */
export async function findConnection(
  state: Pick<EventBridgeState, 'store'>,
  arn: string,
): Promise<ConnectionRecord | undefined> {
  const parsed = parseEventsArn(arn);
  if (parsed?.type !== 'connection') return undefined;
  const place = { account: parsed.account, region: parsed.region };
  const record = await state.store.get<ConnectionRecord>(connectionKey(place, parsed.name.split('/')[0]!));
  return record && connectionArn(place, record.value) === arn ? record.value : undefined;
}

function reject(code: string, reason: string): DeliveryOutcome {
  return { type: 'rejected', code, reason };
}

function fail(reason: string): DeliveryOutcome {
  return { type: 'failed', code: 'CONNECTION_FAILURE', reason };
}

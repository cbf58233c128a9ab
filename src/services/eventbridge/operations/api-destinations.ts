import type {
  CreateApiDestinationCommandInput,
  CreateApiDestinationCommandOutput,
  DeleteApiDestinationCommandInput,
  DescribeApiDestinationCommandInput,
  DescribeApiDestinationCommandOutput,
  ListApiDestinationsCommandInput,
  ListApiDestinationsCommandOutput,
  UpdateApiDestinationCommandInput,
  UpdateApiDestinationCommandOutput,
} from '@aws-sdk/client-eventbridge';
import { isLoopback } from '../../../events/index.ts';
import type { RequestContext } from '../../service.ts';
import { findConnection } from '../connections/api-destination-target.ts';
import { checkEndpoint } from '../connections/credentials.ts';
import { type DestinationRecord, destinationArn } from '../connections/records.ts';
import { Constraints } from '../constraints.ts';
import { alreadyExists, limitExceeded, notFound } from '../errors.ts';
import { listPage } from '../paging.ts';
import { destinationKey, destinationPrefix, type Place, parseEventsArn } from '../records.ts';
import { type EventBridgeState, placeOf } from '../state.ts';

type Output<T> = Promise<Omit<T, '$metadata'>>;

/** Source: EventBridge User Guide, "Amazon EventBridge quotas". */
const MAXIMUM_DESTINATIONS = 3000;
const DEFAULT_RATE = 300;
const METHODS = ['HEAD', 'POST', 'PATCH', 'DELETE', 'PUT', 'GET', 'OPTIONS'];
const CONNECTION_ARN = /^arn:aws[a-z-]*:events:[a-z\d-]*:(\d{12})?:connection\/[.\-_A-Za-z0-9]+\/[-A-Za-z0-9]+$/;
const CONNECTION_ARN_SHOWN =
  '^arn:aws([a-z]|\\-)*:events:([a-z]|\\d|\\-)*:([0-9]{12})?:connection\\/[\\.\\-_A-Za-z0-9]+\\/[\\-A-Za-z0-9]+$';

export async function createApiDestination(
  state: EventBridgeState,
  input: CreateApiDestinationCommandInput,
  context: RequestContext,
): Output<CreateApiDestinationCommandOutput> {
  const name = input.Name!;
  const place = placeOf(context);
  const local = isLoopback(context.sourceIp);
  checkForm(input, local);
  await requireConnection(state, input.ConnectionArn!, place);
  const now = state.clock.now();
  const record: DestinationRecord = {
    name,
    id: state.random.uuid(),
    description: input.Description,
    connectionArn: input.ConnectionArn!,
    endpoint: input.InvocationEndpoint!,
    method: input.HttpMethod!,
    ratePerSecond: input.InvocationRateLimitPerSecond ?? DEFAULT_RATE,
    local,
    createdAt: now,
    modifiedAt: now,
  };
  await state.store.transact(async (transaction) => {
    if (await transaction.get(destinationKey(place, name))) throw alreadyExists('An api-destination', `'${name}'`);
    const found = await transaction.range({ prefix: destinationPrefix(place), limit: MAXIMUM_DESTINATIONS });
    if (found.length >= MAXIMUM_DESTINATIONS) throw limitExceeded();
    transaction.put(destinationKey(place, name), record);
  });
  return answer(state, place, record);
}

export async function updateApiDestination(
  state: EventBridgeState,
  input: UpdateApiDestinationCommandInput,
  context: RequestContext,
): Output<UpdateApiDestinationCommandOutput> {
  const place = placeOf(context);
  const name = input.Name!;
  checkForm(input, isLoopback(context.sourceIp));
  if (input.ConnectionArn !== undefined) await requireConnection(state, input.ConnectionArn, place);
  const record = await state.store.transact(async (transaction) => {
    const existing = (await transaction.get<DestinationRecord>(destinationKey(place, name)))?.value;
    if (!existing) throw missing(name, 'update');
    const changed: DestinationRecord = {
      ...existing,
      description: input.Description ?? existing.description,
      connectionArn: input.ConnectionArn ?? existing.connectionArn,
      endpoint: input.InvocationEndpoint ?? existing.endpoint,
      local: input.InvocationEndpoint === undefined ? existing.local : isLoopback(context.sourceIp),
      method: input.HttpMethod ?? existing.method,
      ratePerSecond: input.InvocationRateLimitPerSecond ?? existing.ratePerSecond,
      modifiedAt: state.clock.now(),
    };
    transaction.put(destinationKey(place, name), changed);
    return changed;
  });
  return answer(state, place, record);
}

export async function describeApiDestination(
  state: EventBridgeState,
  input: DescribeApiDestinationCommandInput,
  context: RequestContext,
): Output<DescribeApiDestinationCommandOutput> {
  const place = placeOf(context);
  const record = (await state.store.get<DestinationRecord>(destinationKey(place, input.Name!)))?.value;
  if (!record) throw missing(input.Name!, 'describe');
  return { ...(await summary(state, place, record)), Description: record.description };
}

export async function listApiDestinations(
  state: EventBridgeState,
  input: ListApiDestinationsCommandInput,
  context: RequestContext,
): Output<ListApiDestinationsCommandOutput> {
  new Constraints()
    .name('namePrefix', input.NamePrefix, 64)
    .pattern('connectionArn', input.ConnectionArn, CONNECTION_ARN, CONNECTION_ARN_SHOWN)
    .check();
  const place = placeOf(context);
  const { items, NextToken } = await listPage<DestinationRecord>(
    state.store,
    destinationPrefix(place),
    input,
    ({ connectionArn }) => input.ConnectionArn === undefined || connectionArn === input.ConnectionArn,
  );
  return { ApiDestinations: await Promise.all(items.map((record) => summary(state, place, record))), NextToken };
}

export async function deleteApiDestination(
  state: EventBridgeState,
  input: DeleteApiDestinationCommandInput,
  context: RequestContext,
): Promise<object> {
  const key = destinationKey(placeOf(context), input.Name!);
  await state.store.transact(async (transaction) => {
    if (!(await transaction.get(key))) throw missing(input.Name!, 'delete');
    transaction.delete(key);
  });
  return {};
}

function checkForm(input: CreateApiDestinationCommandInput | UpdateApiDestinationCommandInput, local: boolean): void {
  new Constraints()
    .name('name', input.Name, 64)
    .length('description', input.Description, 0, 512)
    .length('invocationEndpoint', input.InvocationEndpoint, 1, 2048)
    .pattern('connectionArn', input.ConnectionArn, CONNECTION_ARN, CONNECTION_ARN_SHOWN)
    .oneOf('httpMethod', input.HttpMethod, METHODS)
    .range('invocationRateLimitPerSecond', input.InvocationRateLimitPerSecond, 1, Number.MAX_SAFE_INTEGER)
    .check();
  if (input.InvocationEndpoint !== undefined) checkEndpoint('InvocationEndpoint', input.InvocationEndpoint, local);
}

/** The connection is one of the account and Region. */
async function requireConnection(state: EventBridgeState, arn: string, place: Place): Promise<void> {
  const parsed = parseEventsArn(arn)!;
  const isOwn = parsed.account === place.account && parsed.region === place.region;
  if (isOwn && (await findConnection(state, arn))) return;
  throw notFound(`Connection '${arn}' does not exist.`);
}

function missing(name: string, verb: string) {
  return notFound(`Failed to ${verb} the api-destination(s). An api-destination '${name}' does not exist.`);
}

/** It works when its connection does. */
async function answer(state: EventBridgeState, place: Place, record: DestinationRecord) {
  const connection = await findConnection(state, record.connectionArn);
  return {
    ApiDestinationArn: destinationArn(place, record),
    ApiDestinationState: connection?.state === 'AUTHORIZED' ? ('ACTIVE' as const) : ('INACTIVE' as const),
    CreationTime: new Date(record.createdAt),
    LastModifiedTime: new Date(record.modifiedAt),
  };
}

async function summary(state: EventBridgeState, place: Place, record: DestinationRecord) {
  return {
    ...(await answer(state, place, record)),
    Name: record.name,
    ConnectionArn: record.connectionArn,
    InvocationEndpoint: record.endpoint,
    HttpMethod: record.method,
    InvocationRateLimitPerSecond: record.ratePerSecond,
  };
}

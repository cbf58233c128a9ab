import type {
  DeleteFunctionEventInvokeConfigCommandInput,
  DestinationConfig,
  FunctionEventInvokeConfig,
  GetFunctionEventInvokeConfigCommandInput,
  ListFunctionEventInvokeConfigsCommandInput,
  PutFunctionEventInvokeConfigCommandInput,
  UpdateFunctionEventInvokeConfigCommandInput,
} from '@aws-sdk/client-lambda';
import { parseArn } from '../../base/arn.ts';
import type { Operation, RequestContext } from '../service.ts';
import { operationOn, roleMaySend } from './destination-permission.ts';
import { invalidParameter, notFound, unsupported } from './errors.ts';
import { type EventInvokeRecord, keys, LATEST } from './model.ts';
import { type FunctionName, functionArn, parseFunctionArn, parseFunctionName } from './names.ts';
import { type Room, readPage, requireFunction, requireQualifier } from './room.ts';
import { Constraints } from './validation.ts';

/** Source: Lambda Developer Guide, "Configuring error handling settings for asynchronous invocations". */
export function eventInvokeOperations(room: Room): Readonly<Record<string, Operation>> {
  return {
    PutFunctionEventInvokeConfig: (input: PutFunctionEventInvokeConfigCommandInput, context) =>
      write(room, input, context, false),
    UpdateFunctionEventInvokeConfig: (input: UpdateFunctionEventInvokeConfigCommandInput, context) =>
      write(room, input, context, true),
    GetFunctionEventInvokeConfig: async (input: GetFunctionEventInvokeConfigCommandInput, context) => {
      const target = parseFunctionName(input.FunctionName, input.Qualifier, context);
      await requireFunction(room.store, target);
      const record = await room.store.get<EventInvokeRecord>(keyOf(target));
      if (!record) throw missing(target);
      return toConfig(target, target.qualifier ?? LATEST, record.value);
    },
    DeleteFunctionEventInvokeConfig: async (input: DeleteFunctionEventInvokeConfigCommandInput, context) => {
      const target = parseFunctionName(input.FunctionName, input.Qualifier, context);
      await room.store.transact(async (transaction) => {
        await requireFunction(transaction, target);
        if (!(await transaction.get(keyOf(target)))) throw missing(target);
        transaction.delete(keyOf(target));
      });
      return {};
    },
    ListFunctionEventInvokeConfigs: (input: ListFunctionEventInvokeConfigsCommandInput, context) =>
      list(room, input, context),
  };
}

const keyOf = (target: FunctionName) => keys.eventInvoke(target, target.name, target.qualifier ?? LATEST);

const missing = (target: FunctionName) =>
  notFound(
    `The function ${functionArn(target, target.name, target.qualifier ?? LATEST)} doesn't have an EventInvokeConfig`,
  );

function toConfig(target: FunctionName, qualifier: string, record: EventInvokeRecord): FunctionEventInvokeConfig {
  return {
    LastModified: new Date(record.lastModified),
    FunctionArn: functionArn(target, target.name, qualifier),
    MaximumRetryAttempts: record.maximumRetryAttempts,
    MaximumEventAgeInSeconds: record.maximumEventAgeSeconds,
    DestinationConfig: {
      OnSuccess: record.onSuccess === undefined ? {} : { Destination: record.onSuccess },
      OnFailure: record.onFailure === undefined ? {} : { Destination: record.onFailure },
    },
  };
}

async function write(
  room: Room,
  input: PutFunctionEventInvokeConfigCommandInput,
  context: RequestContext,
  keep: boolean,
): Promise<FunctionEventInvokeConfig> {
  const target = parseFunctionName(input.FunctionName, input.Qualifier, context);
  const constraints = new Constraints();
  constraints.range('maximumRetryAttempts', input.MaximumRetryAttempts, 0, 2);
  constraints.range('maximumEventAgeInSeconds', input.MaximumEventAgeInSeconds, 60, 21_600);
  constraints.check();
  if (
    input.MaximumRetryAttempts === undefined &&
    input.MaximumEventAgeInSeconds === undefined &&
    input.DestinationConfig === undefined
  ) {
    throw invalidParameter('You must specify at least one of error handling or destination setting.');
  }
  const destinations = checkDestinations(room, target, input.DestinationConfig);
  await requireQualifier(room.store, target);
  for (const destination of Object.values(destinations)) {
    if (destination === undefined || (await roleMaySend(room, target, target.name, destination))) continue;
    throw invalidParameter(
      `The function's execution role does not have permissions to call ${operationOn(destination)} on ${destination}`,
    );
  }
  const record = await room.store.transact(async (transaction) => {
    await requireQualifier(transaction, target);
    const before = (await transaction.get<EventInvokeRecord>(keyOf(target)))?.value;
    if (keep && !before) throw missing(target);
    const next: EventInvokeRecord = {
      ...(keep ? before : {}),
      ...(input.MaximumRetryAttempts === undefined ? {} : { maximumRetryAttempts: input.MaximumRetryAttempts }),
      ...(input.MaximumEventAgeInSeconds === undefined
        ? {}
        : { maximumEventAgeSeconds: input.MaximumEventAgeInSeconds }),
      ...destinations,
      lastModified: room.clock.now(),
    };
    transaction.put(keyOf(target), next);
    return next;
  });
  return toConfig(target, target.qualifier ?? LATEST, record);
}

/** An empty destination takes one away; members that are not given stay as they are. */
function checkDestinations(
  room: Room,
  target: FunctionName,
  config: DestinationConfig | undefined,
): Pick<EventInvokeRecord, 'onSuccess' | 'onFailure'> {
  const result: { onSuccess?: string | undefined; onFailure?: string | undefined } = {};
  if (config?.OnSuccess !== undefined) {
    result.onSuccess = checkDestination(room, target, 'OnSuccess', config.OnSuccess.Destination);
  }
  if (config?.OnFailure !== undefined) {
    result.onFailure = checkDestination(room, target, 'OnFailure', config.OnFailure.Destination);
  }
  return result;
}

function checkDestination(
  room: Room,
  target: FunctionName,
  member: 'OnSuccess' | 'OnFailure',
  arn: string | undefined,
): string | undefined {
  if (arn === undefined || arn === '') return undefined;
  const service = parseArn(arn)?.service;
  if (service === undefined || !['sqs', 'sns', 'lambda', 'events', 's3'].includes(service)) {
    throw invalidParameter(`The provided destination config DestinationConfig(${member}=${arn}) is invalid.`);
  }
  if (arn.endsWith('.fifo') && (service === 'sqs' || service === 'sns')) {
    throw invalidParameter(
      `The provided destination config DestinationConfig(${member}=${arn}) is invalid: FIFO queues and topics take no records.`,
    );
  }
  if (service === 's3' && member === 'OnSuccess') {
    // "S3 bucket: on-failure only". Source: Developer Guide, "Capturing records of Lambda asynchronous invocations".
    throw invalidParameter(`An S3 bucket takes records of failed invocations only: ${arn}`);
  }
  if (service === 'lambda') {
    const other = parseFunctionArn(arn);
    if (!other) throw invalidParameter(`The destination ARN ${arn} is invalid.`);
    if (other.name === target.name && other.account === target.account && other.region === target.region) {
      throw invalidParameter("You can't specify the function as a destination for itself.");
    }
  }
  if (!room.delivery.supports(arn)) {
    throw unsupported(`${member} destination ${arn}`, 'use a queue, a topic, an event bus or a Lambda function');
  }
  return arn;
}

async function list(room: Room, input: ListFunctionEventInvokeConfigsCommandInput, context: RequestContext) {
  const target = parseFunctionName(input.FunctionName, undefined, context);
  const constraints = new Constraints();
  constraints.range('maxItems', input.MaxItems, 1, 50);
  constraints.check();
  await requireFunction(room.store, target);
  const page = await readPage<EventInvokeRecord>(room.store, keys.eventInvokes(target, target.name) as string[], {
    marker: input.Marker,
    limit: input.MaxItems ?? 50,
  });
  return {
    FunctionEventInvokeConfigs: page.items.map(({ key, value }) =>
      toConfig(target, String(key[key.length - 1]), value),
    ),
    NextMarker: page.next,
  };
}

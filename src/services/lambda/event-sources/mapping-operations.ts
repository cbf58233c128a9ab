import type {
  CreateEventSourceMappingCommandInput,
  DeleteEventSourceMappingCommandInput,
  EventSourceMappingConfiguration,
  GetEventSourceMappingCommandInput,
  ListEventSourceMappingsCommandInput,
  UpdateEventSourceMappingCommandInput,
} from '@aws-sdk/client-lambda';
import { ServiceError } from '../../../base/errors.ts';
import type { Transaction } from '../../../store/index.ts';
import type { Operation, RequestContext } from '../../service.ts';
import { conflict, invalidParameter, notFound } from '../errors.ts';
import { keys, type Scope, type VersionRecord } from '../model.ts';
import { type FunctionName, functionArn, parseFunctionName } from '../names.ts';
import type { EventQueue } from '../ports.ts';
import { type Room, readPage, requireVersion } from '../room.ts';
import { Constraints, checkTags } from '../validation.ts';
import { DEFAULT_SETTINGS, parseSource, refuseMembers, settingsOf } from './mapping-input.ts';
import { type MappingRecord, toMappingConfiguration } from './mapping-record.ts';
import { checkFilters } from './message-filter.ts';
import { roleProblem } from './source-permissions.ts';

/** The most that a page holds, whatever is asked for. Source: Lambda API Reference, "ListEventSourceMappings". */
const PAGE = 100;

/** Source: Lambda API Reference, "CreateEventSourceMapping" and the pages of the other operations. */
export function eventSourceMappingOperations(room: Room): Readonly<Record<string, Operation>> {
  return {
    CreateEventSourceMapping: (input: CreateEventSourceMappingCommandInput, context) => create(room, input, context),
    GetEventSourceMapping: async (input: GetEventSourceMappingCommandInput, context) =>
      shown(room, context, await requireMapping(room.store, context, input.UUID)),
    ListEventSourceMappings: (input: ListEventSourceMappingsCommandInput, context) => list(room, input, context),
    UpdateEventSourceMapping: (input: UpdateEventSourceMappingCommandInput, context) => update(room, input, context),
    DeleteEventSourceMapping: (input: DeleteEventSourceMappingCommandInput, context) => remove(room, input, context),
  };
}

const shown = (room: Room, scope: Scope, record: MappingRecord): EventSourceMappingConfiguration =>
  toMappingConfiguration(scope, record, room.eventSources.lastResult(record.uuid));

/** Throws ResourceNotFoundException. */
export async function requireMapping(
  reader: Pick<Transaction, 'get'>,
  scope: Scope,
  uuid: string | undefined,
): Promise<MappingRecord> {
  const entry = await reader.get<MappingRecord>(keys.eventSource(scope, uuid ?? ''));
  if (!entry) throw notFound('The resource you requested does not exist.');
  return entry.value;
}

async function create(
  room: Room,
  input: CreateEventSourceMappingCommandInput,
  context: RequestContext,
): Promise<EventSourceMappingConfiguration> {
  refuseMembers(input);
  const target = parseFunctionName(input.FunctionName, undefined, context);
  const sourceArn = input.EventSourceArn ?? '';
  const source = parseSource(input.EventSourceArn, context.region);
  const settings = settingsOf(DEFAULT_SETTINGS, input, source.resource.endsWith('.fifo'));
  await checkFilters(settings.filters);
  checkTags(input.Tags ?? {});
  const version = await requireTarget(room, target);
  const queue = await requireQueue(room, sourceArn);
  await checkTogether(room, context, version, sourceArn, queue);
  const record: MappingRecord = {
    uuid: room.random.uuid(),
    sourceArn,
    function: target,
    fifo: queue.fifo,
    state: 'Creating',
    ...settings,
    tags: input.Tags ?? {},
    lastModified: room.clock.now(),
  };
  await room.store.transact(async (transaction) => {
    await refuseTwin(transaction, context, record);
    transaction.put(keys.eventSource(context, record.uuid), record);
  });
  room.eventSources.transition(context, record);
  return toMappingConfiguration(context, record, undefined);
}

async function requireTarget(room: Room, target: FunctionName): Promise<VersionRecord> {
  try {
    return await requireVersion(room.store, target);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    throw invalidParameter('Function does not exist');
  }
}

async function requireQueue(room: Room, queueArn: string): Promise<EventQueue> {
  const queue = await room.queues.describe(queueArn);
  if (queue) return queue;
  throw invalidParameter(
    'Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.',
  );
}

/** The queue must hide messages for as long as the function may take, and let its role read them. */
async function checkTogether(
  room: Room,
  context: RequestContext,
  { role, timeout }: VersionRecord,
  queueArn: string,
  queue: EventQueue,
): Promise<void> {
  const problem = await roleProblem(room, role, context.region, queueArn, queue);
  if (problem !== undefined) throw invalidParameter(problem);
  if (queue.visibilityTimeoutSeconds < timeout) {
    throw invalidParameter(
      `Queue visibility timeout: ${queue.visibilityTimeoutSeconds} seconds is less than Function timeout: ${timeout} seconds`,
    );
  }
}

/** Throws ResourceConflictException when the queue is mapped to the function already. */
async function refuseTwin(transaction: Transaction, scope: Scope, record: MappingRecord): Promise<void> {
  const arn = arnOf(record);
  for (const { value } of await transaction.range<MappingRecord>({ prefix: keys.eventSources(scope) })) {
    if (value.uuid === record.uuid || value.sourceArn !== record.sourceArn || arnOf(value) !== arn) continue;
    throw conflict(
      `An event source mapping with SQS arn (" ${record.sourceArn} ") and function (" ${record.function.name} ") already exists. Please update or delete the existing mapping with UUID ${value.uuid}`,
    );
  }
}

const arnOf = ({ function: target }: MappingRecord): string => functionArn(target, target.name, target.qualifier);

async function update(
  room: Room,
  input: UpdateEventSourceMappingCommandInput,
  context: RequestContext,
): Promise<EventSourceMappingConfiguration> {
  refuseMembers(input);
  const uuid = input.UUID!;
  await room.eventSources.settled(uuid);
  const known = await requireMapping(room.store, context, uuid);
  const { sourceArn } = known;
  await checkFilters(settingsOf(known, input, known.fifo).filters);
  const given =
    input.FunctionName === undefined ? undefined : parseFunctionName(input.FunctionName, undefined, context);
  if (given)
    await checkTogether(
      room,
      context,
      await requireTarget(room, given),
      sourceArn,
      await requireQueue(room, sourceArn),
    );
  const record = await room.store.transact(async (transaction) => {
    const before = await requireMapping(transaction, context, uuid);
    if (before.state === 'Deleting') throw notFound('The resource you requested does not exist.');
    const { maximumConcurrency: _, ...rest } = before;
    const settings = settingsOf(before, input, before.fifo);
    const next: MappingRecord = {
      ...rest,
      ...settings,
      function: given ?? before.function,
      state: changing(before.enabled, settings.enabled),
      lastModified: room.clock.now(),
    };
    await refuseTwin(transaction, context, next);
    transaction.put(keys.eventSource(context, uuid), next);
    return next;
  });
  room.eventSources.transition(context, record);
  return shown(room, context, record);
}

function changing(before: boolean, after: boolean): MappingRecord['state'] {
  if (before === after) return 'Updating';
  return after ? 'Enabling' : 'Disabling';
}

async function remove(
  room: Room,
  input: DeleteEventSourceMappingCommandInput,
  context: RequestContext,
): Promise<EventSourceMappingConfiguration> {
  const uuid = input.UUID!;
  await room.eventSources.settled(uuid);
  const record = await room.store.transact(async (transaction) => {
    const before = await requireMapping(transaction, context, uuid);
    const next: MappingRecord = { ...before, state: 'Deleting' };
    transaction.put(keys.eventSource(context, uuid), next);
    return next;
  });
  room.eventSources.transition(context, record);
  return shown(room, context, record);
}

async function list(room: Room, input: ListEventSourceMappingsCommandInput, context: RequestContext) {
  const constraints = new Constraints();
  constraints.range('maxItems', input.MaxItems, 1, 10_000);
  constraints.check();
  const target =
    input.FunctionName === undefined ? undefined : parseFunctionName(input.FunctionName, undefined, context);
  const page = await readPage<MappingRecord>(room.store, keys.eventSources(context) as string[], {
    marker: input.Marker,
    limit: Math.min(input.MaxItems ?? PAGE, PAGE),
    keep: ({ value }) =>
      (input.EventSourceArn === undefined || value.sourceArn === input.EventSourceArn) &&
      (target === undefined || (value.function.name === target.name && value.function.qualifier === target.qualifier)),
  });
  return {
    EventSourceMappings: page.items.map(({ value }) => shown(room, context, value)),
    NextMarker: page.next,
  };
}

import type {
  CreateEventBusCommandInput,
  CreateEventBusCommandOutput,
  DeleteEventBusCommandInput,
  DescribeEventBusCommandInput,
  DescribeEventBusCommandOutput,
  ListEventBusesCommandInput,
  ListEventBusesCommandOutput,
  UpdateEventBusCommandInput,
  UpdateEventBusCommandOutput,
} from '@aws-sdk/client-eventbridge';
import type { RequestContext } from '../../service.ts';
import { Constraints } from '../constraints.ts';
import { alreadyExists, invalid, limitExceeded, refused } from '../errors.ts';
import { listPage } from '../paging.ts';
import {
  type BusId,
  type BusRecord,
  busArn,
  busKey,
  busPrefix,
  DEFAULT_BUS,
  type RuleRecord,
  rulePrefix,
} from '../records.ts';
import { busOf, type EventBridgeState, placeOf, readBus, requireBus } from '../state.ts';
import { tagsOf } from '../tags.ts';

type Output<T> = Promise<Omit<T, '$metadata'>>;

/** Source: EventBridge User Guide, "Amazon EventBridge quotas". */
const MAXIMUM_BUSES = 100;

export async function createEventBus(
  state: EventBridgeState,
  input: CreateEventBusCommandInput,
  context: RequestContext,
): Output<CreateEventBusCommandOutput> {
  const name = input.Name!;
  new Constraints()
    .length('name', name, 1, 256)
    .pattern('name', name, /^[/.\-_A-Za-z0-9]+$/, '[/\\.\\-_A-Za-z0-9]+')
    .length('description', input.Description, 0, 512)
    .check();
  if (input.EventSourceName !== undefined) {
    throw refused('EventSourceName', 'There are no partner event sources here: send their events with PutEvents.');
  }
  if (name.includes('/')) throw invalid("Event bus name must not contain '/'.");
  const tags = tagsOf(input.Tags);
  const settings = settingsOf(input);
  const id: BusId = { ...placeOf(context), bus: name };
  const now = state.clock.now();
  const bus: BusRecord = { name, tags, createdAt: now, modifiedAt: now, ...settings };
  await change(state, id, async (transaction) => {
    if (await readBus(transaction, id)) throw alreadyExists('Event bus', name);
    const buses = await transaction.range({ prefix: busPrefix(id), limit: MAXIMUM_BUSES });
    if (buses.length >= MAXIMUM_BUSES) throw limitExceeded();
    transaction.put(busKey(id), bus);
    return true;
  });
  return { EventBusArn: busArn(id), Description: bus.description };
}

export async function describeEventBus(
  state: EventBridgeState,
  input: DescribeEventBusCommandInput,
  context: RequestContext,
): Output<DescribeEventBusCommandOutput> {
  const id = busOf(input.Name, context);
  return summary(id, await requireBus(state.store, id));
}

export async function listEventBuses(
  state: EventBridgeState,
  input: ListEventBusesCommandInput,
  context: RequestContext,
): Output<ListEventBusesCommandOutput> {
  const place = placeOf(context);
  const id = { ...place, bus: DEFAULT_BUS };
  // The default bus takes its place among the others when it has a record.
  if (!(await state.store.get(busKey(id)))) {
    const now = state.clock.now();
    await state.store.transact(async (transaction) => {
      if (await transaction.get(busKey(id))) return;
      transaction.put(busKey(id), { name: DEFAULT_BUS, tags: {}, createdAt: now, modifiedAt: now } satisfies BusRecord);
    });
  }
  const { items, NextToken } = await listPage<BusRecord>(state.store, busPrefix(place), input);
  return { EventBuses: items.map((bus) => summary({ ...place, bus: bus.name }, bus)), NextToken };
}

export async function updateEventBus(
  state: EventBridgeState,
  input: UpdateEventBusCommandInput,
  context: RequestContext,
): Output<UpdateEventBusCommandOutput> {
  new Constraints().length('description', input.Description, 0, 512).check();
  const id = busOf(input.Name, context);
  const settings = settingsOf(input);
  let bus: BusRecord | undefined;
  await change(state, id, async (transaction) => {
    const existing = await requireBus(transaction, id);
    const description = settings.description ?? existing.description;
    bus = { ...existing, description, modifiedAt: state.clock.now() };
    transaction.put(busKey(id), bus);
    return true;
  });
  return { Arn: busArn(id), Name: id.bus, Description: bus!.description };
}

export async function deleteEventBus(
  state: EventBridgeState,
  input: DeleteEventBusCommandInput,
  context: RequestContext,
): Promise<object> {
  const id = busOf(input.Name, context);
  if (id.bus === DEFAULT_BUS) throw invalid('Cannot delete event bus default.');
  await change(state, id, async (transaction) => {
    const rules = await transaction.range<RuleRecord>({ prefix: rulePrefix(id), limit: 1 });
    if (rules.length > 0) throw invalid(`Cannot delete event bus ${id.bus} because it has rules.`);
    transaction.delete(busKey(id));
    return false;
  });
  return {};
}

/** Changes a bus and tells its table whether it exists. */
async function change(
  state: EventBridgeState,
  id: BusId,
  body: (transaction: Parameters<Parameters<EventBridgeState['store']['transact']>[0]>[0]) => Promise<boolean>,
): Promise<void> {
  let revision = 0;
  const exists = await state.store.transact(body, {
    onCommit: (committed) => {
      revision = committed;
    },
  });
  await state.publisher.tables.tell(id, (table) => table.setExists(exists, revision));
}

function settingsOf(
  input: Pick<CreateEventBusCommandInput, 'DeadLetterConfig' | 'Description' | 'KmsKeyIdentifier' | 'LogConfig'>,
): Pick<BusRecord, 'description'> {
  if (input.KmsKeyIdentifier !== undefined && input.KmsKeyIdentifier !== '') {
    throw refused(
      'KmsKeyIdentifier of an event bus',
      'Events are kept in the data directory only until they are delivered.',
    );
  }
  const { LogConfig: log } = input;
  if (log !== undefined && log.Level !== undefined && log.Level !== 'OFF') {
    throw refused('LogConfig of an event bus', 'Use a rule with a log group as its target to see the events.');
  }
  if (input.DeadLetterConfig?.Arn !== undefined) {
    throw refused(
      'DeadLetterConfig of an event bus',
      'It is for events that a KMS key cannot decrypt, which does not happen here. Give the targets one.',
    );
  }
  return { description: input.Description };
}

function summary(id: BusId, bus: BusRecord) {
  return {
    Arn: busArn(id),
    Name: bus.name,
    Description: bus.description,
    Policy: bus.policy,
    ...(bus.createdAt === 0
      ? {}
      : { CreationTime: new Date(bus.createdAt), LastModifiedTime: new Date(bus.modifiedAt) }),
  };
}

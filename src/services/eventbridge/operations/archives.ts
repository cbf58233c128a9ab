import type {
  CreateArchiveCommandInput,
  CreateArchiveCommandOutput,
  DeleteArchiveCommandInput,
  DescribeArchiveCommandInput,
  DescribeArchiveCommandOutput,
  ListArchivesCommandInput,
  ListArchivesCommandOutput,
  UpdateArchiveCommandInput,
  UpdateArchiveCommandOutput,
} from '@aws-sdk/client-eventbridge';
import type { Transaction } from '../../../store/index.ts';
import type { RequestContext } from '../../service.ts';
import { Constraints } from '../constraints.ts';
import { alreadyExists, invalidParameter, limitExceeded, notFound, refused } from '../errors.ts';
import { expiryLimit } from '../housekeeping.ts';
import { listPage } from '../paging.ts';
import { checkPattern } from '../patterns.ts';
import {
  type ArchivedEvent,
  type ArchiveRecord,
  archiveArn,
  archivedPrefix,
  archiveKey,
  archivePrefix,
  type BusId,
  busArn,
  type Place,
  parseBusArn,
} from '../records.ts';
import { type EventBridgeState, placeOf, requireBus } from '../state.ts';

type Output<T> = Promise<Omit<T, '$metadata'>>;

/** AWS begins with 100 and raises that on request. */
const MAXIMUM_ARCHIVES = 1000;
const PAGE = 1000;

export async function createArchive(
  state: EventBridgeState,
  input: CreateArchiveCommandInput,
  context: RequestContext,
): Output<CreateArchiveCommandOutput> {
  const name = input.ArchiveName!;
  checkForm(input);
  const bus = ownBus(input.EventSourceArn!, context);
  await requireBus(state.store, bus);
  if (input.EventPattern) checkPattern(input.EventPattern);
  const place = placeOf(context);
  const archive: ArchiveRecord = {
    name,
    id: state.random.uuid(),
    busArn: busArn(bus),
    description: input.Description,
    pattern: input.EventPattern || undefined,
    retentionDays: input.RetentionDays ?? 0,
    createdAt: state.clock.now(),
  };
  await change(state, place, name, bus, async (transaction, existing) => {
    if (existing) throw alreadyExists('Archive', name);
    await requireBus(transaction, bus);
    const archives = await transaction.range({ prefix: archivePrefix(place), limit: MAXIMUM_ARCHIVES });
    if (archives.length >= MAXIMUM_ARCHIVES) throw limitExceeded();
    return archive;
  });
  return answer(place, archive);
}

export async function updateArchive(
  state: EventBridgeState,
  input: UpdateArchiveCommandInput,
  context: RequestContext,
): Output<UpdateArchiveCommandOutput> {
  checkForm(input);
  if (input.EventPattern) checkPattern(input.EventPattern);
  const place = placeOf(context);
  const before = await requireArchive(state.store, place, input.ArchiveName!);
  const bus = parseBusArn(before.busArn)!;
  const archive = await change(state, place, before.name, bus, async (_transaction, existing) => {
    if (!existing) throw missing(before.name);
    return {
      ...existing,
      description: input.Description ?? existing.description,
      pattern: input.EventPattern ?? existing.pattern,
      retentionDays: input.RetentionDays ?? existing.retentionDays,
    };
  });
  return answer(place, archive!);
}

export async function describeArchive(
  state: EventBridgeState,
  input: DescribeArchiveCommandInput,
  context: RequestContext,
): Output<DescribeArchiveCommandOutput> {
  const place = placeOf(context);
  const archive = await requireArchive(state.store, place, input.ArchiveName!);
  return {
    ArchiveArn: archiveArn(place, archive.name),
    Description: archive.description,
    EventPattern: archive.pattern,
    ...(await summary(state, place, archive)),
  };
}

export async function listArchives(
  state: EventBridgeState,
  input: ListArchivesCommandInput,
  context: RequestContext,
): Output<ListArchivesCommandOutput> {
  const { EventSourceArn: source, NamePrefix: prefix, State: wanted } = input;
  if ([source, prefix, wanted].filter((filter) => filter !== undefined).length > 1) {
    throw invalidParameter('EventSourceArn', 'Only one of EventSourceArn, NamePrefix or State can be given.');
  }
  new Constraints()
    .name('namePrefix', prefix, 48)
    .oneOf('state', wanted, ['ENABLED', 'DISABLED', 'CREATING', 'UPDATING', 'CREATE_FAILED', 'UPDATE_FAILED'])
    .check();
  if (source !== undefined) await requireBus(state.store, ownBus(source, context));
  const place = placeOf(context);
  const { items, NextToken } = await listPage<ArchiveRecord>(
    state.store,
    archivePrefix(place),
    input,
    (archive) => (source === undefined || archive.busArn === source) && (wanted ?? 'ENABLED') === 'ENABLED',
  );
  return { Archives: await Promise.all(items.map((archive) => summary(state, place, archive))), NextToken };
}

export async function deleteArchive(
  state: EventBridgeState,
  input: DeleteArchiveCommandInput,
  context: RequestContext,
): Promise<object> {
  const place = placeOf(context);
  const { busArn: arn, name } = await requireArchive(state.store, place, input.ArchiveName!);
  await change(state, place, name, parseBusArn(arn)!, async (_transaction, existing) => {
    if (!existing) throw missing(name);
    return undefined;
  });
  return {};
}

/** Throws ResourceNotFoundException. */
export async function requireArchive(
  reader: Pick<Transaction, 'get'>,
  place: Place,
  name: string,
): Promise<ArchiveRecord> {
  const entry = await reader.get<ArchiveRecord>(archiveKey(place, name));
  if (!entry) throw missing(name);
  return entry.value;
}

function missing(name: string) {
  return notFound(`Archive ${name} does not exist.`);
}

/** Writes what becomes of an archive, with when it is cleaned; `undefined` removes it with its events. */
async function change(
  state: EventBridgeState,
  place: Place,
  name: string,
  bus: BusId,
  body: (transaction: Transaction, existing: ArchiveRecord | undefined) => Promise<ArchiveRecord | undefined>,
): Promise<ArchiveRecord | undefined> {
  let revision = 0;
  let due: number | undefined;
  const archive = await state.store.transact(
    async (transaction) => {
      const existing = (await transaction.get<ArchiveRecord>(archiveKey(place, name)))?.value;
      const changed = await body(transaction, existing);
      if (!changed) {
        if (existing) due = state.housekeeping.schedulePurge(transaction, place, existing);
        transaction.delete(archiveKey(place, name));
        return undefined;
      }
      const scheduled = state.housekeeping.scheduleCleaning(transaction, place, changed);
      due = scheduled.cleanAt;
      transaction.put(archiveKey(place, name), scheduled);
      return scheduled;
    },
    {
      onCommit: (committed) => {
        revision = committed;
      },
    },
  );
  await state.publisher.tables.tell(bus, (table) => table.setArchive(name, archive, revision));
  state.housekeeping.expect(due);
  return archive;
}

function checkForm(input: CreateArchiveCommandInput | UpdateArchiveCommandInput): void {
  new Constraints()
    .name('archiveName', input.ArchiveName, 48)
    .length('description', input.Description, 0, 512)
    .range('retentionDays', input.RetentionDays, 0, Number.MAX_SAFE_INTEGER)
    .check();
  if (input.KmsKeyIdentifier) {
    throw refused('KmsKeyIdentifier of an archive', 'Archived events are kept in the data directory as they are.');
  }
}

/** The caller's bus that an archive is of. */
function ownBus(arn: string, context: RequestContext): BusId {
  const bus = parseBusArn(arn);
  if (!bus) throw invalidParameter('EventSourceArn', 'Provided Arn is not in correct format.');
  if (bus.account !== context.account || bus.region !== context.region) {
    throw invalidParameter('EventSourceArn', 'Cross account or cross Region archives are not permitted.');
  }
  return bus;
}

function answer(place: Place, archive: ArchiveRecord) {
  return {
    ArchiveArn: archiveArn(place, archive.name),
    CreationTime: new Date(archive.createdAt),
    State: 'ENABLED' as const,
  };
}

async function summary(state: EventBridgeState, place: Place, archive: ArchiveRecord) {
  const { count, size } = await measure(state, place, archive);
  return {
    ArchiveName: archive.name,
    EventSourceArn: archive.busArn,
    State: 'ENABLED' as const,
    RetentionDays: archive.retentionDays,
    SizeBytes: size,
    EventCount: count,
    CreationTime: new Date(archive.createdAt),
  };
}

/** Counts the events. A number kept beside them would make all that write to the archive wait for each other. */
async function measure(state: EventBridgeState, place: Place, archive: ArchiveRecord) {
  const prefix = archivedPrefix(place, archive.id);
  const limit = expiryLimit(archive, state.clock.now());
  let [count, size] = [0, 0];
  for (let after: Parameters<typeof state.store.range>[0]['after']; ; ) {
    const page = await state.store.range<ArchivedEvent>({ prefix, limit: PAGE, ...(after ? { after } : {}) });
    for (const { value } of page) {
      if (value.archivedAt <= limit) continue;
      count += 1;
      size += Buffer.byteLength(value.event);
    }
    if (page.length < PAGE) return { count, size };
    after = page.at(-1)!.key;
  }
}

import type {
  CancelReplayCommandInput,
  CancelReplayCommandOutput,
  DescribeReplayCommandInput,
  DescribeReplayCommandOutput,
  ListReplaysCommandInput,
  ListReplaysCommandOutput,
  StartReplayCommandInput,
  StartReplayCommandOutput,
} from '@aws-sdk/client-eventbridge';
import type { RequestContext } from '../../service.ts';
import { Constraints } from '../constraints.ts';
import { alreadyExists, illegalStatus, invalidParameter, limitExceeded, notFound } from '../errors.ts';
import { listPage } from '../paging.ts';
import {
  ACTIVE_REPLAYS,
  type ArchiveRecord,
  activeReplayKey,
  archiveKey,
  type Place,
  parseBusArn,
  parseEventsArn,
  parseRuleArn,
  type ReplayRecord,
  type ReplayState,
  replayArn,
  replayKey,
  replayPrefix,
  ruleKey,
} from '../records.ts';
import { type EventBridgeState, placeOf, requireBus } from '../state.ts';

type Output<T> = Promise<Omit<T, '$metadata'>>;

/** Source: EventBridge User Guide, "Amazon EventBridge quotas": active concurrent replays. */
const MAXIMUM_ACTIVE = 10;
const STATES: readonly ReplayState[] = ['STARTING', 'RUNNING', 'CANCELLING', 'COMPLETED', 'CANCELLED', 'FAILED'];

export async function startReplay(
  state: EventBridgeState,
  input: StartReplayCommandInput,
  context: RequestContext,
): Output<StartReplayCommandOutput> {
  const name = input.ReplayName!;
  new Constraints().name('replayName', name, 64).length('description', input.Description, 0, 512).check();
  const place = placeOf(context);
  const bus = parseBusArn(input.Destination!.Arn!);
  if (!bus) throw invalidParameter('Destination.Arn', 'Must contain an event bus ARN.');
  const from = input.EventStartTime!.getTime();
  const to = input.EventEndTime!.getTime();
  if (!(from < to)) throw invalidParameter('EventEndTime', 'EventStartTime must be before EventEndTime.');
  const replay = await state.store.transact(async (transaction) => {
    await requireBus(transaction, bus);
    const archiveName = archiveIn(input.EventSourceArn!, place);
    const archive = (await transaction.get<ArchiveRecord>(archiveKey(place, archiveName)))?.value;
    if (!archive) throw invalidParameter('EventSourceArn', `Archive ${archiveName} does not exist.`);
    if (archive.busArn !== input.Destination!.Arn) {
      throw invalidParameter('Destination.Arn', 'Cross event bus replay is not permitted.');
    }
    const rules = input.Destination!.FilterArns ?? [];
    for (const arn of rules) {
      const rule = parseRuleArn(arn);
      if (!rule || rule.bus !== bus.bus || !(await transaction.get(ruleKey({ ...bus, rule: rule.rule })))) {
        throw invalidParameter('Destination.FilterArns', `${arn} is not the ARN of a rule of the event bus.`);
      }
    }
    if (await transaction.get(replayKey(place, name))) throw alreadyExists('Replay', name);
    const active = await transaction.range({ prefix: [...ACTIVE_REPLAYS, place.account, place.region] });
    if (active.length >= MAXIMUM_ACTIVE) throw limitExceeded();
    const record: ReplayRecord = {
      name,
      description: input.Description,
      archiveArn: input.EventSourceArn!,
      busArn: archive.busArn,
      rules,
      from,
      to,
      state: 'STARTING',
      startedAt: state.clock.now(),
    };
    transaction.put(replayKey(place, name), record);
    transaction.put(activeReplayKey(place, name), true);
    return record;
  });
  // The answer tells the state before the first event is replayed.
  setImmediate(() => state.replayer.begin(place, name));
  return {
    ReplayArn: replayArn(place, name),
    ReplayStartTime: new Date(replay.startedAt),
    State: replay.state,
  };
}

export async function cancelReplay(
  state: EventBridgeState,
  input: CancelReplayCommandInput,
  context: RequestContext,
): Output<CancelReplayCommandOutput> {
  const place = placeOf(context);
  const name = input.ReplayName!;
  await state.store.transact(async (transaction) => {
    const replay = (await transaction.get<ReplayRecord>(replayKey(place, name)))?.value;
    if (!replay) throw missing(name);
    if (replay.state !== 'STARTING' && replay.state !== 'RUNNING') {
      throw illegalStatus(`Replay ${name} is not in a valid state for this operation.`);
    }
    transaction.put(replayKey(place, name), { ...replay, state: 'CANCELLING' } satisfies ReplayRecord);
  });
  return { ReplayArn: replayArn(place, name), State: 'CANCELLING' };
}

export async function describeReplay(
  state: EventBridgeState,
  input: DescribeReplayCommandInput,
  context: RequestContext,
): Output<DescribeReplayCommandOutput> {
  const place = placeOf(context);
  const replay = (await state.store.get<ReplayRecord>(replayKey(place, input.ReplayName!)))?.value;
  if (!replay) throw missing(input.ReplayName!);
  return {
    ...summary(replay),
    ReplayArn: replayArn(place, replay.name),
    Description: replay.description,
    Destination: { Arn: replay.busArn, ...(replay.rules.length === 0 ? {} : { FilterArns: [...replay.rules] }) },
  };
}

export async function listReplays(
  state: EventBridgeState,
  input: ListReplaysCommandInput,
  context: RequestContext,
): Output<ListReplaysCommandOutput> {
  const { EventSourceArn: source, NamePrefix: prefix, State: wanted } = input;
  if ([source, prefix, wanted].filter((filter) => filter !== undefined).length > 1) {
    throw invalidParameter('EventSourceArn', 'Only one of EventSourceArn, NamePrefix or State can be given.');
  }
  new Constraints().name('namePrefix', prefix, 64).oneOf('state', wanted, STATES).check();
  const { items, NextToken } = await listPage<ReplayRecord>(
    state.store,
    replayPrefix(context),
    input,
    (replay) =>
      (source === undefined || replay.archiveArn === source) && (wanted === undefined || replay.state === wanted),
  );
  return { Replays: items.map(summary), NextToken };
}

function missing(name: string) {
  return notFound(`Replay ${name} does not exist.`);
}

/** The name of the caller's archive. */
function archiveIn(arn: string, place: Place): string {
  const parsed = parseEventsArn(arn);
  if (parsed?.type !== 'archive' || parsed.account !== place.account || parsed.region !== place.region) {
    throw invalidParameter('EventSourceArn', 'Must contain an archive ARN.');
  }
  return parsed.name;
}

const date = (time: number | undefined) => (time === undefined ? undefined : new Date(time));

function summary(replay: ReplayRecord) {
  return {
    ReplayName: replay.name,
    EventSourceArn: replay.archiveArn,
    State: replay.state,
    StateReason: replay.reason,
    EventStartTime: new Date(replay.from),
    EventEndTime: new Date(replay.to),
    EventLastReplayedTime: date(replay.lastReplayed),
    ReplayStartTime: new Date(replay.startedAt),
    ReplayEndTime: date(replay.endedAt),
  };
}

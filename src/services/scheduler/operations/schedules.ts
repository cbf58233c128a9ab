import type {
  CreateScheduleCommandInput,
  CreateScheduleCommandOutput,
  DeleteScheduleCommandInput,
  GetScheduleCommandInput,
  GetScheduleCommandOutput,
  ListSchedulesCommandInput,
  ListSchedulesCommandOutput,
  UpdateScheduleCommandInput,
  UpdateScheduleCommandOutput,
} from '@aws-sdk/client-scheduler';
import type { Key, Transaction } from '../../../store/index.ts';
import type { RequestContext } from '../../service.ts';
import { conflict, groupNotFound, invalid, scheduleNotFound } from '../errors.ts';
import { callerOf } from '../invocation.ts';
import {
  type ClientToken,
  type Due,
  deletionKey,
  EXPIRY_PREFIX,
  expiryKey,
  groupKey,
  nextKey,
  type ScheduleId,
  type ScheduleRecord,
  type ScheduleSettings,
  scheduleArn,
  scheduleKey,
  schedulePrefix,
} from '../records.ts';
import { requestDigest, settingsOf } from '../settings.ts';
import { findGroup, type SchedulerState } from '../state.ts';
import {
  checkClientToken,
  checkInteger,
  checkName,
  checkOneOf,
  DEFAULT_GROUP,
  readToken,
  writeToken,
} from '../validation.ts';

type Output<T> = Promise<Omit<T, '$metadata'>>;

/** How long a deletion's token is remembered. */
const DELETION_MS = 3_600_000;

export async function createSchedule(
  state: SchedulerState,
  input: CreateScheduleCommandInput,
  context: RequestContext,
): Output<CreateScheduleCommandOutput> {
  const id = idOf(input, context);
  const createToken = tokenOf(input);
  const settings = settingsOf(state, input);
  await checkRole(state, id, settings);
  const due = await state.store.transact(async (transaction) => {
    const group = await findGroup(state, transaction, id, id.group);
    if (group.state === 'DELETING') throw conflict(`Schedule group ${id.group} is being deleted.`);
    const existing = (await transaction.get<ScheduleRecord>(scheduleKey(id)))?.value;
    if (existing) {
      if (isRepeated(createToken, existing.createToken)) return undefined;
      throw conflict(`Schedule ${id.name} already exists.`);
    }
    const now = state.clock.now();
    return write(state, transaction, id, {
      ...settings,
      createdAt: now,
      modifiedAt: now,
      anchor: settings.startDate ?? now,
      createToken,
    });
  });
  if (due) state.timetable.expect(due.time);
  return { ScheduleArn: scheduleArn(id) };
}

export async function updateSchedule(
  state: SchedulerState,
  input: UpdateScheduleCommandInput,
  context: RequestContext,
): Output<UpdateScheduleCommandOutput> {
  const id = idOf(input, context);
  const updateToken = tokenOf(input);
  const before = await state.store.get<ScheduleRecord>(scheduleKey(id));
  if (!before) throw await missing(state, id);
  const settings = settingsOf(state, input, before.value);
  await checkRole(state, id, settings);
  const due = await state.store.transact(async (transaction) => {
    const existing = (await transaction.get<ScheduleRecord>(scheduleKey(id)))?.value;
    if (!existing) throw scheduleNotFound(id.name);
    if (isRepeated(updateToken, existing.updateToken)) return undefined;
    const now = state.clock.now();
    // A rate goes on as it was counted, unless it is another one now.
    const same = existing.expression === settings.expression && existing.startDate === settings.startDate;
    return write(
      state,
      transaction,
      id,
      {
        ...settings,
        createdAt: existing.createdAt,
        modifiedAt: now,
        anchor: same ? existing.anchor : (settings.startDate ?? now),
        createToken: existing.createToken,
        updateToken,
      },
      same,
    );
  });
  if (due) state.timetable.expect(due.time);
  return { ScheduleArn: scheduleArn(id) };
}

export async function getSchedule(
  state: SchedulerState,
  input: GetScheduleCommandInput,
  context: RequestContext,
): Output<GetScheduleCommandOutput> {
  const id = idOf(input, context);
  const entry = await state.store.get<ScheduleRecord>(scheduleKey(id));
  if (!entry) throw await missing(state, id);
  const schedule = entry.value;
  const date = (time: number | undefined) => (time === undefined ? undefined : new Date(time));
  return {
    ActionAfterCompletion: schedule.actionAfterCompletion,
    Arn: scheduleArn(id),
    CreationDate: date(schedule.createdAt),
    Description: schedule.description,
    EndDate: date(schedule.endDate),
    FlexibleTimeWindow:
      schedule.windowMinutes === 0
        ? { Mode: 'OFF' }
        : { Mode: 'FLEXIBLE', MaximumWindowInMinutes: schedule.windowMinutes },
    GroupName: id.group,
    LastModificationDate: date(schedule.modifiedAt),
    Name: id.name,
    ScheduleExpression: schedule.expression,
    ScheduleExpressionTimezone: schedule.timezone,
    StartDate: date(schedule.startDate),
    State: schedule.state,
    Target: schedule.target,
  };
}

export async function deleteSchedule(
  state: SchedulerState,
  input: DeleteScheduleCommandInput,
  context: RequestContext,
): Promise<object> {
  const id = idOf(input, context);
  const token = checkClientToken(input.ClientToken);
  await state.store.transact(async (transaction) => {
    const now = state.clock.now();
    const remembered = token === undefined ? undefined : await transaction.get<string>(deletionKey(id, token));
    if (remembered?.value === scheduleArn(id)) return;
    if (!(await transaction.get(scheduleKey(id)))) throw await missing(state, id, transaction);
    await removeSchedule(state, transaction, id);
    await forgetDeletions(transaction, now);
    if (token === undefined) return;
    transaction.put(deletionKey(id, token), scheduleArn(id));
    transaction.put(expiryKey(id, token, now + DELETION_MS), null);
  });
  return {};
}

export async function listSchedules(
  state: SchedulerState,
  input: ListSchedulesCommandInput,
  context: RequestContext,
): Output<ListSchedulesCommandOutput> {
  const { GroupName: group, NamePrefix: prefix = '', State: wanted } = input;
  checkInteger(input.MaxResults, 'maxResults', 1, 100);
  if (wanted !== undefined) checkOneOf(wanted, 'state', ['ENABLED', 'DISABLED']);
  if (prefix !== '') checkName(prefix, 'namePrefix');
  const limit = input.MaxResults ?? 100;
  if (group !== undefined && checkName(group, 'scheduleGroup') !== DEFAULT_GROUP) {
    if (!(await state.store.get(groupKey(context, group)))) throw groupNotFound(group);
  }
  const Schedules: NonNullable<ListSchedulesCommandOutput['Schedules']> = [];
  const place = schedulePrefix(context);
  let after: Key | undefined = input.NextToken === undefined ? undefined : [...place, ...readToken(input.NextToken, 2)];
  for (;;) {
    const page = await state.store.range<ScheduleRecord>({
      prefix: group === undefined ? place : [...place, group],
      limit: 200,
      ...(after ? { after } : {}),
    });
    for (const { key, value } of page) {
      const [groupName, name] = key.slice(place.length) as [string, string];
      if (!name.startsWith(prefix) || (wanted !== undefined && value.state !== wanted)) continue;
      if (Schedules.length === limit) {
        const last = Schedules[limit - 1]!;
        return { Schedules, NextToken: writeToken([last.GroupName!, last.Name!]) };
      }
      Schedules.push({
        Arn: scheduleArn({ ...context, group: groupName, name }),
        CreationDate: new Date(value.createdAt),
        GroupName: groupName,
        LastModificationDate: new Date(value.modifiedAt),
        Name: name,
        State: value.state,
        Target: { Arn: value.target.Arn },
      });
    }
    if (page.length < 200) return { Schedules };
    after = page[page.length - 1]!.key;
  }
}

/** Takes a schedule away, with its next time. */
export async function removeSchedule(state: SchedulerState, transaction: Transaction, id: ScheduleId): Promise<void> {
  transaction.delete(scheduleKey(id));
  await state.timetable.put(transaction, id, undefined);
}

function idOf(
  input: { readonly Name?: string | undefined; readonly GroupName?: string | undefined },
  { account, region }: RequestContext,
): ScheduleId {
  const name = checkName(input.Name!, 'name');
  return { account, region, group: checkName(input.GroupName ?? DEFAULT_GROUP, 'groupName'), name };
}

function tokenOf(input: CreateScheduleCommandInput | UpdateScheduleCommandInput): ClientToken | undefined {
  const token = checkClientToken(input.ClientToken);
  return token === undefined ? undefined : { token, request: requestDigest(input) };
}

/** The same request with the same token was answered before. */
function isRepeated(given: ClientToken | undefined, before: ClientToken | undefined): boolean {
  return given !== undefined && given.token === before?.token && given.request === before.request;
}

/** Writes a schedule and when it comes next. `continued`: it goes on from one with the same times. */
async function write(
  state: SchedulerState,
  transaction: Transaction,
  id: ScheduleId,
  schedule: ScheduleRecord,
  continued = false,
): Promise<Due | undefined> {
  transaction.put(scheduleKey(id), schedule);
  const { timing } = state.timetable;
  // The moment of the change, as it is in the record: a rate that begins now must not be a millisecond late for it.
  const now = schedule.modifiedAt;
  const next = async (): Promise<Due | undefined> => {
    if (!continued) return timing.first(schedule, now);
    // What is due at this very moment is not lost by the change.
    const pending = (await transaction.get<Due>(nextKey(id)))?.value;
    return pending && pending.time <= now ? pending : timing.after(schedule, now);
  };
  const due = schedule.state === 'ENABLED' ? await next() : undefined;
  await state.timetable.put(transaction, id, due);
  return due;
}

/** The group is what is missing, if it is. */
async function missing(
  state: SchedulerState,
  id: ScheduleId,
  transaction: Pick<Transaction, 'get'> = state.store,
): Promise<Error> {
  const exists = id.group === DEFAULT_GROUP || (await transaction.get(groupKey(id, id.group))) !== undefined;
  return exists ? scheduleNotFound(id.name) : groupNotFound(id.group);
}

/** Forgets a few of the deletions that are old enough. */
async function forgetDeletions(transaction: Transaction, now: number): Promise<void> {
  const expired = await transaction.range({ prefix: EXPIRY_PREFIX, before: [...EXPIRY_PREFIX, now], limit: 4 });
  for (const { key } of expired) {
    const [, , , account, region, token] = key as [string, string, number, string, string, string];
    transaction.delete(key);
    transaction.delete(deletionKey({ account, region }, token));
  }
}

/** Everyone may use this resource, so that only whether the role can be assumed decides. */
const OPEN_TO_ALL = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: '*', Action: '*', Resource: '*' }],
});

/** With policies enforced: the role has to trust EventBridge Scheduler. */
async function checkRole(state: SchedulerState, id: ScheduleId, { target }: ScheduleSettings): Promise<void> {
  const roleArn = target.RoleArn!;
  const assumable = await state.access.allows({
    action: 'sts:GetCallerIdentity',
    resource: '*',
    resourceAccount: id.account,
    region: id.region,
    resourcePolicy: OPEN_TO_ALL,
    caller: callerOf(id, roleArn),
  });
  if (!assumable) {
    throw invalid('The execution role you provide must allow AWS EventBridge Scheduler to assume the role.');
  }
}

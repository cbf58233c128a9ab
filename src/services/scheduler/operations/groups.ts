import type {
  CreateScheduleGroupCommandInput,
  CreateScheduleGroupCommandOutput,
  DeleteScheduleGroupCommandInput,
  GetScheduleGroupCommandInput,
  GetScheduleGroupCommandOutput,
  ListScheduleGroupsCommandInput,
  ListScheduleGroupsCommandOutput,
  ListTagsForResourceCommandInput,
  ListTagsForResourceCommandOutput,
  TagResourceCommandInput,
  UntagResourceCommandInput,
} from '@aws-sdk/client-scheduler';
import type { RequestContext } from '../../service.ts';
import { conflict, groupNotFound, invalid, quotaExceeded } from '../errors.ts';
import {
  type GroupRecord,
  groupArn,
  groupKey,
  groupPrefix,
  type Place,
  type ScheduleId,
  schedulePrefix,
} from '../records.ts';
import { findGroup, type SchedulerState } from '../state.ts';
import {
  checkClientToken,
  checkInteger,
  checkName,
  checkTags,
  DEFAULT_GROUP,
  groupOfArn,
  readToken,
  writeToken,
} from '../validation.ts';
import { removeSchedule } from './schedules.ts';

type Output<T> = Promise<Omit<T, '$metadata'>>;

/** Source: EventBridge Scheduler User Guide, "Quotas". */
const MAXIMUM_GROUPS = 500;
/** Schedules that are deleted in one transaction. */
const PAGE = 500;

export async function createScheduleGroup(
  state: SchedulerState,
  input: CreateScheduleGroupCommandInput,
  context: RequestContext,
): Output<CreateScheduleGroupCommandOutput> {
  const name = checkName(input.Name!, 'name');
  const createToken = checkClientToken(input.ClientToken);
  const tags = checkTags(Object.fromEntries((input.Tags ?? []).map(({ Key, Value }) => [Key!, Value!])));
  await state.store.transact(async (transaction) => {
    await findGroup(state, transaction, context, DEFAULT_GROUP);
    const existing = (await transaction.get<GroupRecord>(groupKey(context, name)))?.value;
    if (existing) {
      if (createToken !== undefined && existing.createToken === createToken) return;
      throw conflict(`Schedule group ${name} already exists.`);
    }
    const groups = await transaction.range({ prefix: groupPrefix(context), limit: MAXIMUM_GROUPS });
    if (groups.length === MAXIMUM_GROUPS) {
      throw quotaExceeded(`The maximum number of schedule groups (${MAXIMUM_GROUPS}) has been reached.`);
    }
    const now = state.clock.now();
    const group: GroupRecord = { name, state: 'ACTIVE', createdAt: now, modifiedAt: now, tags, createToken };
    transaction.put(groupKey(context, name), group);
  });
  return { ScheduleGroupArn: groupArn(context, name) };
}

export async function getScheduleGroup(
  state: SchedulerState,
  input: GetScheduleGroupCommandInput,
  context: RequestContext,
): Output<GetScheduleGroupCommandOutput> {
  return summary(context, await readGroup(state, context, checkName(input.Name!, 'name')));
}

/** Deletes the group with all of its schedules. The default group stays. */
export async function deleteScheduleGroup(
  state: SchedulerState,
  input: DeleteScheduleGroupCommandInput,
  context: RequestContext,
): Promise<object> {
  const name = checkName(input.Name!, 'name');
  checkClientToken(input.ClientToken);
  if (name === DEFAULT_GROUP) throw invalid('The default schedule group cannot be deleted.');
  await changeGroup(state, context, name, (group) => ({
    ...group,
    state: 'DELETING',
    modifiedAt: state.clock.now(),
  }));
  await emptyGroup(state, context, name);
  return {};
}

export async function listScheduleGroups(
  state: SchedulerState,
  input: ListScheduleGroupsCommandInput,
  context: RequestContext,
): Output<ListScheduleGroupsCommandOutput> {
  checkInteger(input.MaxResults, 'maxResults', 1, 100);
  const prefix = input.NamePrefix === undefined ? '' : checkName(input.NamePrefix, 'namePrefix');
  await readGroup(state, context, DEFAULT_GROUP);
  const limit = input.MaxResults ?? 100;
  const after = input.NextToken === undefined ? undefined : readToken(input.NextToken, 1)[0]!;
  const all = await state.store.range<GroupRecord>({
    prefix: groupPrefix(context),
    ...(after === undefined ? {} : { after: groupKey(context, after) }),
  });
  const found = all.map(({ value }) => value).filter(({ name }) => name.startsWith(prefix));
  const page = found.slice(0, limit);
  return {
    ScheduleGroups: page.map((group) => summary(context, group)),
    ...(found.length > limit ? { NextToken: writeToken([page[limit - 1]!.name]) } : {}),
  };
}

export async function tagResource(
  state: SchedulerState,
  input: TagResourceCommandInput,
  context: RequestContext,
): Promise<object> {
  const added = Object.fromEntries((input.Tags ?? []).map(({ Key, Value }) => [Key!, Value!]));
  await changeGroup(state, context, groupOfArn(input.ResourceArn!, context), (group) => ({
    ...group,
    tags: checkTags({ ...group.tags, ...added }),
  }));
  return {};
}

export async function untagResource(
  state: SchedulerState,
  input: UntagResourceCommandInput,
  context: RequestContext,
): Promise<object> {
  const removed = input.TagKeys ?? [];
  await changeGroup(state, context, groupOfArn(input.ResourceArn!, context), (group) => ({
    ...group,
    tags: Object.fromEntries(Object.entries(group.tags).filter(([key]) => !removed.includes(key))),
  }));
  return {};
}

export async function listTagsForResource(
  state: SchedulerState,
  input: ListTagsForResourceCommandInput,
  context: RequestContext,
): Output<ListTagsForResourceCommandOutput> {
  const { tags } = await readGroup(state, context, groupOfArn(input.ResourceArn!, context));
  return { Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) };
}

/** Ends the deletions of groups that an earlier run began. */
export async function resumeDeletions(state: SchedulerState): Promise<void> {
  const groups = await state.store.range<GroupRecord>({ prefix: ['scheduler', 'group'] });
  for (const { key, value } of groups) {
    const [, , account, region] = key as [string, string, string, string];
    if (value.state === 'DELETING') await emptyGroup(state, { account, region }, value.name);
  }
}

/** The group's tags, for policies; none when it is not there. */
export async function tagsOfGroup(
  state: SchedulerState,
  place: Place,
  name: string,
): Promise<Readonly<Record<string, string>>> {
  return (await state.store.get<GroupRecord>(groupKey(place, name)))?.value.tags ?? {};
}

/** Page by page, so that a large group does not make one huge transaction; the group itself goes with the last of them. */
async function emptyGroup(state: SchedulerState, place: Place, group: string): Promise<void> {
  const prefix = [...schedulePrefix(place), group];
  for (let more = true; more; ) {
    more = await state.store.transact(async (transaction) => {
      const page = await transaction.range({ prefix, limit: PAGE });
      for (const { key } of page) {
        const name = key[key.length - 1] as string;
        await removeSchedule(state, transaction, { ...place, group, name } satisfies ScheduleId);
      }
      if (page.length === PAGE) return true;
      transaction.delete(groupKey(place, group));
      return false;
    });
  }
}

async function readGroup(state: SchedulerState, place: Place, name: string): Promise<GroupRecord> {
  const entry = await state.store.get<GroupRecord>(groupKey(place, name));
  if (entry) return entry.value;
  if (name !== DEFAULT_GROUP) throw groupNotFound(name);
  return state.store.transact((transaction) => findGroup(state, transaction, place, name));
}

async function changeGroup(
  state: SchedulerState,
  place: Place,
  name: string,
  change: (group: GroupRecord) => GroupRecord,
): Promise<void> {
  await state.store.transact(async (transaction) => {
    const group = await findGroup(state, transaction, place, name);
    if (group.state === 'DELETING') throw conflict(`Schedule group ${name} is being deleted.`);
    transaction.put(groupKey(place, name), change(group));
  });
}

function summary(place: Place, group: GroupRecord) {
  return {
    Arn: groupArn(place, group.name),
    CreationDate: new Date(group.createdAt),
    LastModificationDate: new Date(group.modifiedAt),
    Name: group.name,
    State: group.state,
  };
}

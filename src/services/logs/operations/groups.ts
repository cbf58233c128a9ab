import type {
  CreateLogGroupCommandInput,
  DeleteLogGroupCommandInput,
  DeleteRetentionPolicyCommandInput,
  DescribeLogGroupsCommandInput,
  DescribeLogGroupsCommandOutput,
  ListLogGroupsCommandInput,
  ListLogGroupsCommandOutput,
  PutLogGroupDeletionProtectionCommandInput,
  PutRetentionPolicyCommandInput,
} from '@aws-sdk/client-cloudwatch-logs';
import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { alreadyExists, groupNotFound, invalidParameter, refused } from '../errors.ts';
import { checkGroupName, checkLimit, checkTags, groupArn, groupOf, readToken, writeToken } from '../input.ts';
import { newGroup } from '../log-writer.ts';
import {
  chunkPrefix,
  type GroupId,
  type GroupRecord,
  groupKey,
  groupPrefix,
  type StreamRecord,
  sizeKey,
  streamPrefix,
} from '../records.ts';
import type { LogsState } from '../state.ts';

/** API Reference, "PutRetentionPolicy". */
const RETENTION_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

const isName = (content: unknown): content is string => typeof content === 'string';

export async function createLogGroup(
  state: LogsState,
  input: CreateLogGroupCommandInput,
  { account, region }: RequestContext,
): Promise<object> {
  const group = checkGroupName(input.logGroupName!);
  if (input.kmsKeyId !== undefined) throw refused('kmsKeyId', 'Log groups are not encrypted with keys of KMS.');
  const logGroupClass = input.logGroupClass ?? 'STANDARD';
  if (logGroupClass !== 'STANDARD' && logGroupClass !== 'INFREQUENT_ACCESS') {
    throw refused(`logGroupClass ${logGroupClass}`, 'Use STANDARD or INFREQUENT_ACCESS.');
  }
  const tags = checkTags(input.tags ?? {});
  const key = groupKey({ account, region, group });
  await state.store.transact(async (transaction) => {
    if (await transaction.get(key)) throw alreadyExists('log group');
    transaction.put(key, {
      ...newGroup(group, state.random, state.clock.now()),
      logGroupClass,
      tags,
      deletionProtection: input.deletionProtectionEnabled,
    } satisfies GroupRecord);
  });
  return {};
}

export async function deleteLogGroup(
  state: LogsState,
  input: DeleteLogGroupCommandInput,
  context: RequestContext,
): Promise<object> {
  const id = groupOf(input, context);
  await state.writer.settle();
  const streams = await state.store.transact(async (transaction) => {
    const group = (await transaction.get<GroupRecord>(groupKey(id)))?.value;
    if (!group) throw groupNotFound();
    if (group.deletionProtection) {
      throw new ServiceError(
        'ValidationException',
        `The log group ${id.group} has deletion protection enabled. Disable it with PutLogGroupDeletionProtection first.`,
      );
    }
    const entries = await transaction.range<StreamRecord>({ prefix: streamPrefix(group.id) });
    for (const { key } of entries) transaction.delete(key);
    transaction.delete(groupKey(id));
    transaction.delete(sizeKey(group.id));
    return entries;
  });
  // The events are out of reach once the group is gone; their space is given back after.
  for (const { value } of streams) await deleteChunks(state, value.id);
  return {};
}

/** Deletes a stream's events in pieces, so that a long stream does not make one huge transaction. */
export async function deleteChunks(state: LogsState, streamId: string): Promise<number> {
  let bytes = 0;
  for (;;) {
    const chunks = await state.store.range<{ b: number }>({ prefix: chunkPrefix(streamId), limit: 500 });
    if (chunks.length === 0) return bytes;
    await state.store.transact(async (transaction) => {
      for (const { key } of chunks) transaction.delete(key);
    });
    bytes += chunks.reduce((sum, { value }) => sum + value.b, 0);
  }
}

export async function describeLogGroups(
  state: LogsState,
  input: DescribeLogGroupsCommandInput,
  context: RequestContext,
): Promise<Omit<DescribeLogGroupsCommandOutput, '$metadata'>> {
  if (input.logGroupNamePrefix !== undefined && input.logGroupNamePattern !== undefined) {
    throw invalidParameter('LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.');
  }
  if (input.includeLinkedAccounts) throw refused('includeLinkedAccounts', 'Accounts cannot be linked here.');
  const limit = checkLimit(input.limit, 50, 50);
  await state.writer.settle();
  const { groups, nextToken } = await pageGroups(state, context, input.nextToken, limit, (group) => {
    if (input.logGroupClass && group.logGroupClass !== input.logGroupClass) return false;
    if (input.logGroupIdentifiers) {
      const arn = groupArn({ ...context, group: group.name });
      return input.logGroupIdentifiers.some((identifier) => identifier === group.name || identifier === arn);
    }
    if (input.logGroupNamePattern !== undefined) return group.name.includes(input.logGroupNamePattern);
    return group.name.startsWith(input.logGroupNamePrefix ?? '');
  });
  const logGroups = [];
  for (const group of groups) {
    const arn = groupArn({ ...context, group: group.name });
    logGroups.push({
      logGroupName: group.name,
      creationTime: group.creationTime,
      ...(group.retentionInDays === undefined ? {} : { retentionInDays: group.retentionInDays }),
      metricFilterCount: 0,
      arn: `${arn}:*`,
      storedBytes: (await state.store.get<number>(sizeKey(group.id)))?.value ?? 0,
      logGroupClass: group.logGroupClass,
      logGroupArn: arn,
      deletionProtectionEnabled: group.deletionProtection ?? false,
    });
  }
  return { logGroups, ...(nextToken ? { nextToken } : {}) };
}

export async function listLogGroups(
  state: LogsState,
  input: ListLogGroupsCommandInput,
  context: RequestContext,
): Promise<Omit<ListLogGroupsCommandOutput, '$metadata'>> {
  for (const name of ['dataSources', 'fieldIndexNames'] as const) {
    if (input[name]?.length) throw refused(name, 'Log groups have neither data sources nor field indexes here.');
  }
  if (input.logGroupTags?.length) throw refused('logGroupTags', 'Use ListTagsForResource.');
  if (input.includeLinkedAccounts) throw refused('includeLinkedAccounts', 'Accounts cannot be linked here.');
  const limit = checkLimit(input.limit, 50, 1000);
  const patterns = (input.logGroupNamePattern ?? '').split('|');
  if (input.logGroupNamePattern !== undefined) {
    const valid = patterns.length <= 5 && patterns.every((pattern) => /^\^?[\w./#-]{3,24}$/.test(pattern));
    if (!valid) throw invalidParameter('Invalid logGroupNamePattern: up to 5 patterns of 3 to 24 characters.');
  }
  await state.writer.settle();
  const { groups, nextToken } = await pageGroups(
    state,
    context,
    input.nextToken,
    limit,
    (group) =>
      (!input.logGroupClass || group.logGroupClass === input.logGroupClass) &&
      patterns.some((pattern) =>
        pattern.startsWith('^') ? group.name.startsWith(pattern.slice(1)) : group.name.includes(pattern),
      ),
  );
  return {
    logGroups: groups.map((group) => ({
      logGroupName: group.name,
      logGroupArn: groupArn({ ...context, group: group.name }),
      logGroupClass: group.logGroupClass,
    })),
    ...(nextToken ? { nextToken } : {}),
  };
}

/** One page of the groups that `matches`, in order of name. */
async function pageGroups(
  state: LogsState,
  { account, region }: Pick<RequestContext, 'account' | 'region'>,
  token: string | undefined,
  limit: number,
  matches: (group: GroupRecord) => boolean,
): Promise<{ groups: GroupRecord[]; nextToken: string | undefined }> {
  const now = state.clock.now();
  let after = token === undefined ? undefined : readToken(token, now, isName);
  const groups: GroupRecord[] = [];
  for (;;) {
    const page = await state.store.range<GroupRecord>({
      prefix: groupPrefix(account, region),
      limit: 200,
      ...(after === undefined ? {} : { after: groupKey({ account, region, group: after }) }),
    });
    for (const { value } of page) {
      if (!matches(value)) continue;
      if (groups.length === limit) return { groups, nextToken: writeToken(groups.at(-1)!.name, now) };
      groups.push(value);
    }
    if (page.length < 200) return { groups, nextToken: undefined };
    after = page.at(-1)!.value.name;
  }
}

export async function putRetentionPolicy(
  state: LogsState,
  input: PutRetentionPolicyCommandInput,
  context: RequestContext,
): Promise<object> {
  const days = input.retentionInDays!;
  if (!RETENTION_DAYS.includes(days)) {
    throw invalidParameter(
      `1 validation error detected: Value '${days}' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [${RETENTION_DAYS.join(', ')}]`,
    );
  }
  await changeGroup(state, groupOf(input, context), (group) => ({ ...group, retentionInDays: days }));
  await state.retention.schedule();
  return {};
}

export async function deleteRetentionPolicy(
  state: LogsState,
  input: DeleteRetentionPolicyCommandInput,
  context: RequestContext,
): Promise<object> {
  await changeGroup(state, groupOf(input, context), ({ retentionInDays: _, ...group }) => group);
  return {};
}

export async function putLogGroupDeletionProtection(
  state: LogsState,
  input: PutLogGroupDeletionProtectionCommandInput,
  context: RequestContext,
): Promise<object> {
  const deletionProtection = input.deletionProtectionEnabled!;
  await changeGroup(state, groupOf(input, context), (group) => ({ ...group, deletionProtection }));
  return {};
}

/** Rewrites a group's record. Throws ResourceNotFoundException. */
export async function changeGroup(
  state: LogsState,
  id: GroupId,
  change: (group: GroupRecord) => GroupRecord,
): Promise<void> {
  await state.writer.settle();
  await state.store.transact(async (transaction) => {
    const entry = await transaction.get<GroupRecord>(groupKey(id));
    if (!entry) throw groupNotFound();
    transaction.put(groupKey(id), change(entry.value));
  });
}

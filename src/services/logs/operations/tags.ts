import type {
  ListTagsForResourceCommandInput,
  ListTagsForResourceCommandOutput,
  ListTagsLogGroupCommandInput,
  ListTagsLogGroupCommandOutput,
  TagLogGroupCommandInput,
  TagResourceCommandInput,
  UntagLogGroupCommandInput,
  UntagResourceCommandInput,
} from '@aws-sdk/client-cloudwatch-logs';
import type { RequestContext } from '../../service.ts';
import { checkTags, groupOf, groupOfArn } from '../input.ts';
import type { GroupId } from '../records.ts';
import { findGroup, type LogsState } from '../state.ts';
import { changeGroup } from './groups.ts';

/** Adds and replaces tags; the limits count what results. */
const addTags = (state: LogsState, id: GroupId, tags: Readonly<Record<string, string>>) =>
  changeGroup(state, id, (group) => ({ ...group, tags: checkTags({ ...group.tags, ...tags }) }));

const removeTags = (state: LogsState, id: GroupId, keys: readonly string[]) =>
  changeGroup(state, id, (group) => ({
    ...group,
    tags: Object.fromEntries(Object.entries(group.tags).filter(([key]) => !keys.includes(key))),
  }));

export async function tagResource(state: LogsState, input: TagResourceCommandInput, context: RequestContext) {
  await addTags(state, groupOfArn(input.resourceArn!, context), input.tags ?? {});
  return {};
}

export async function untagResource(state: LogsState, input: UntagResourceCommandInput, context: RequestContext) {
  await removeTags(state, groupOfArn(input.resourceArn!, context), input.tagKeys ?? []);
  return {};
}

export async function listTagsForResource(
  state: LogsState,
  input: ListTagsForResourceCommandInput,
  context: RequestContext,
): Promise<Omit<ListTagsForResourceCommandOutput, '$metadata'>> {
  const { tags } = await findGroup(state, groupOfArn(input.resourceArn!, context));
  return { tags };
}

export async function tagLogGroup(state: LogsState, input: TagLogGroupCommandInput, context: RequestContext) {
  await addTags(state, groupOf(input, context), input.tags ?? {});
  return {};
}

export async function untagLogGroup(state: LogsState, input: UntagLogGroupCommandInput, context: RequestContext) {
  await removeTags(state, groupOf(input, context), input.tags ?? []);
  return {};
}

export async function listTagsLogGroup(
  state: LogsState,
  input: ListTagsLogGroupCommandInput,
  context: RequestContext,
): Promise<Omit<ListTagsLogGroupCommandOutput, '$metadata'>> {
  const { tags } = await findGroup(state, groupOf(input, context));
  return { tags };
}

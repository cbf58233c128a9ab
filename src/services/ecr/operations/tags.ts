import type * as ecr from '@aws-sdk/client-ecr';
import { parseRepositoryArn } from '../names.ts';
import { changeRepository, type EcrState, getRepository } from '../state.ts';
import { limitTags, readTags, tagList } from '../tags.ts';

type Output<T> = Omit<T, '$metadata'>;

export async function tagResource(state: EcrState, input: ecr.TagResourceCommandInput): Promise<object> {
  const added = readTags(input.tags);
  await changeRepository(state, parseRepositoryArn(input.resourceArn!), (record) => ({
    ...record,
    tags: limitTags({ ...record.tags, ...added }),
  }));
  return {};
}

export async function untagResource(state: EcrState, input: ecr.UntagResourceCommandInput): Promise<object> {
  const removed = input.tagKeys!;
  await changeRepository(state, parseRepositoryArn(input.resourceArn!), (record) => ({
    ...record,
    tags: Object.fromEntries(Object.entries(record.tags).filter(([key]) => !removed.includes(key))),
  }));
  return {};
}

export async function listTagsForResource(
  { store }: EcrState,
  input: ecr.ListTagsForResourceCommandInput,
): Promise<Output<ecr.ListTagsForResourceCommandOutput>> {
  const { tags } = await getRepository(store, parseRepositoryArn(input.resourceArn!));
  return { tags: tagList(tags) };
}

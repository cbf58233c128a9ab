import type { ListTagsCommandInput, TagResourceCommandInput, UntagResourceCommandInput } from '@aws-sdk/client-lambda';
import type { Operation, RequestContext } from '../service.ts';
import { invalidParameter } from './errors.ts';
import { type FunctionRecord, keys } from './model.ts';
import { type FunctionName, parseFunctionArn, parseFunctionName } from './names.ts';
import { type Room, requireFunction } from './room.ts';
import { checkTags } from './validation.ts';

/** Source: Lambda API Reference, "TagResource", "UntagResource", "ListTags". */
export function tagOperations(room: Room): Readonly<Record<string, Operation>> {
  return {
    ListTags: async (input: ListTagsCommandInput, context) => {
      const owner = await requireFunction(room.store, taggable(input.Resource, context));
      return { Tags: { ...owner.tags } };
    },
    TagResource: (input: TagResourceCommandInput, context) =>
      changeTags(room, taggable(input.Resource, context), (tags) => ({ ...tags, ...input.Tags })),
    UntagResource: (input: UntagResourceCommandInput, context) => {
      const gone = new Set(input.TagKeys);
      return changeTags(room, taggable(input.Resource, context), (tags) =>
        Object.fromEntries(Object.entries(tags).filter(([name]) => !gone.has(name))),
      );
    },
  };
}

/** Only whole functions carry tags. */
function taggable(arn: string | undefined, context: RequestContext): FunctionName {
  const parsed = parseFunctionArn(arn ?? '');
  if (!parsed) throw invalidParameter(`The resource is not the ARN of a function: ${arn}`);
  if (parsed.qualifier !== undefined) {
    throw invalidParameter('Tags on function aliases and versions are not supported. Please specify a function ARN.');
  }
  return parseFunctionName(arn, undefined, context);
}

async function changeTags(
  room: Room,
  target: FunctionName,
  change: (tags: FunctionRecord['tags']) => Record<string, string>,
): Promise<object> {
  await room.store.transact(async (transaction) => {
    const owner = await requireFunction(transaction, target);
    const tags = change(owner.tags);
    checkTags(tags);
    transaction.put(keys.function(target, target.name), { ...owner, tags } satisfies FunctionRecord);
  });
  return {};
}

import type { ListTagsCommandInput, TagResourceCommandInput, UntagResourceCommandInput } from '@aws-sdk/client-lambda';
import type { Key, Transaction } from '../../store/index.ts';
import type { Operation, RequestContext } from '../service.ts';
import { invalidParameter } from './errors.ts';
import { requireMapping } from './event-sources/mapping-operations.ts';
import { parseMappingArn } from './event-sources/mapping-record.ts';
import { keys } from './model.ts';
import { parseFunctionArn, parseFunctionName } from './names.ts';
import { type Room, requireFunction } from './room.ts';
import { checkTags } from './validation.ts';

/** Source: Lambda API Reference, "TagResource", "UntagResource", "ListTags". */
export function tagOperations(room: Room): Readonly<Record<string, Operation>> {
  return {
    ListTags: async (input: ListTagsCommandInput, context) => {
      const owner = await taggable(input.Resource, context).read(room.store);
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

type Tags = Readonly<Record<string, string>>;

/** Something that carries tags. `read` throws ResourceNotFoundException. */
interface Taggable {
  readonly key: Key;
  read(reader: Pick<Transaction, 'get'>): Promise<{ readonly tags: Tags }>;
}

/** Whole functions and event source mappings carry tags. */
function taggable(arn: string | undefined, context: RequestContext): Taggable {
  const mapping = parseMappingArn(arn ?? '');
  if (mapping) {
    const isOurs = mapping.account === context.account && mapping.region === context.region;
    return {
      key: keys.eventSource(context, mapping.uuid),
      read: (reader) => requireMapping(reader, context, isOurs ? mapping.uuid : undefined),
    };
  }
  const parsed = parseFunctionArn(arn ?? '');
  if (!parsed) throw invalidParameter(`The resource is not the ARN of a function: ${arn}`);
  if (parsed.qualifier !== undefined) {
    throw invalidParameter('Tags on function aliases and versions are not supported. Please specify a function ARN.');
  }
  const target = parseFunctionName(arn, undefined, context);
  return { key: keys.function(target, target.name), read: (reader) => requireFunction(reader, target) };
}

async function changeTags(
  room: Room,
  target: Taggable,
  change: (tags: Tags) => Record<string, string>,
): Promise<object> {
  await room.store.transact(async (transaction) => {
    const owner = await target.read(transaction);
    const tags = change(owner.tags);
    checkTags(tags);
    transaction.put(target.key, { ...owner, tags });
  });
  return {};
}

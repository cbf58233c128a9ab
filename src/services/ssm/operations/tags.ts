import type {
  AddTagsToResourceCommandInput,
  ListTagsForResourceCommandInput,
  ListTagsForResourceCommandOutput,
  RemoveTagsFromResourceCommandInput,
} from '@aws-sdk/client-ssm';
import { ServiceError } from '../../../base/errors.ts';
import type { Transaction } from '../../../store/index.ts';
import type { RequestContext } from '../../service.ts';
import { parameterKey } from '../records.ts';
import { type FoundParameter, findFirst, type SsmState } from '../state.ts';
import { limitTags, readTags, tagList } from '../tags.ts';

export async function addTagsToResource(
  state: SsmState,
  input: AddTagsToResourceCommandInput,
  context: RequestContext,
): Promise<object> {
  const added = readTags(input.Tags!);
  await changeTags(state, input, context, (tags) => limitTags({ ...tags, ...added }));
  return {};
}

export async function removeTagsFromResource(
  state: SsmState,
  input: RemoveTagsFromResourceCommandInput,
  context: RequestContext,
): Promise<object> {
  const removed = input.TagKeys!;
  await changeTags(state, input, context, (tags) =>
    Object.fromEntries(Object.entries(tags).filter(([key]) => !removed.includes(key))),
  );
  return {};
}

export async function listTagsForResource(
  state: SsmState,
  input: ListTagsForResourceCommandInput,
  context: RequestContext,
): Promise<Omit<ListTagsForResourceCommandOutput, '$metadata'>> {
  const { parameter } = await findTagged(state.store, input, context);
  return { TagList: tagList(parameter.tags) };
}

type Tagged = Pick<ListTagsForResourceCommandInput, 'ResourceType' | 'ResourceId'>;

async function changeTags(
  state: SsmState,
  input: Tagged,
  context: RequestContext,
  change: (tags: Readonly<Record<string, string>>) => Record<string, string>,
): Promise<void> {
  await state.store.transact(async (transaction) => {
    const { id, parameter } = await findTagged(transaction, input, context);
    transaction.put(parameterKey(id), { ...parameter, tags: change(parameter.tags) });
  });
}

/** Throws InvalidResourceType for anything but parameters, InvalidResourceId for one that is not there. */
async function findTagged(
  reader: Pick<Transaction, 'get'>,
  { ResourceType: type, ResourceId: name }: Tagged,
  context: RequestContext,
): Promise<FoundParameter> {
  if (type !== 'Parameter') {
    throw new ServiceError('InvalidResourceType', `The resource type is not valid: ${type}. Only Parameter is.`);
  }
  const found = await findFirst(reader, [name!], context);
  if (!found)
    throw new ServiceError(
      'InvalidResourceId',
      'The resource ID is not valid. Verify that you entered the correct ID and try again.',
    );
  return found;
}

import type {
  ListQueueTagsCommandInput,
  ListQueueTagsCommandOutput,
  TagQueueCommandInput,
  UntagQueueCommandInput,
} from '@aws-sdk/client-sqs';
import type { RequestContext } from '../../service.ts';
import { invalidParameterValue } from '../errors.ts';
import type { SqsState } from '../state.ts';
import { changeQueue, queueOf } from './queues.ts';

const MAX_TAGS = 50;

/** Throws InvalidParameterValue. Source: SQS Developer Guide, "Amazon SQS cost allocation tags". */
export function checkTags(tags: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const entries = Object.entries(tags).map(([key, value]) => [key, value ?? ''] as const);
  if (entries.length > MAX_TAGS)
    throw invalidParameterValue(`Too many tags added for queue. The limit is ${MAX_TAGS}.`);
  for (const [key, value] of entries) {
    if (key.length < 1 || key.length > 128 || value.length > 256 || /^aws:/i.test(key)) {
      throw invalidParameterValue(
        `The tag '${key}' is invalid: keys have 1 to 128 characters and do not begin with aws:, values up to 256.`,
      );
    }
  }
  return Object.fromEntries(entries);
}

export async function tagQueue(state: SqsState, input: TagQueueCommandInput, context: RequestContext): Promise<object> {
  const queue = await queueOf(state, input, context);
  await changeQueue(state, queue, (record) => ({ ...record, tags: checkTags({ ...record.tags, ...input.Tags }) }));
  return {};
}

export async function untagQueue(
  state: SqsState,
  input: UntagQueueCommandInput,
  context: RequestContext,
): Promise<object> {
  const queue = await queueOf(state, input, context);
  const gone = new Set(input.TagKeys);
  await changeQueue(state, queue, (record) => ({
    ...record,
    tags: Object.fromEntries(Object.entries(record.tags).filter(([key]) => !gone.has(key))),
  }));
  return {};
}

export async function listQueueTags(
  state: SqsState,
  input: ListQueueTagsCommandInput,
  context: RequestContext,
): Promise<Omit<ListQueueTagsCommandOutput, '$metadata'>> {
  const { tags } = (await queueOf(state, input, context)).record;
  return Object.keys(tags).length === 0 ? {} : { Tags: { ...tags } };
}

import type {
  ListResourceTagsCommandInput,
  TagResourceCommandInput,
  UntagResourceCommandInput,
} from '@aws-sdk/client-kms';
import type { RequestContext } from '../../service.ts';
import { findCustomerKey, findOwnKey } from '../key-access.ts';
import { checkState } from '../key-use.ts';
import { listPage } from '../paging.ts';
import { changeKey, type KmsState } from '../state.ts';
import { tagList, withTags } from '../tags.ts';

export async function listResourceTags(state: KmsState, input: ListResourceTagsCommandInput, context: RequestContext) {
  const { record } = await findOwnKey(state, input.KeyId, context);
  const { items, more } = listPage(tagList(record.tags), input, { byDefault: 50, most: 50 });
  return { Tags: [...items], ...more };
}

export async function tagResource(state: KmsState, input: TagResourceCommandInput, context: RequestContext) {
  const key = await findCustomerKey(state, input.KeyId, context);
  checkState(key, ['Enabled', 'Disabled', 'PendingImport']);
  await changeKey(state, key.record, (record) => ({ ...record, tags: withTags(record.tags, input.Tags) }));
  return {};
}

export async function untagResource(state: KmsState, input: UntagResourceCommandInput, context: RequestContext) {
  const key = await findCustomerKey(state, input.KeyId, context);
  checkState(key, ['Enabled', 'Disabled', 'PendingImport']);
  const removed = new Set(input.TagKeys);
  await changeKey(state, key.record, (record) => ({
    ...record,
    tags: Object.fromEntries(Object.entries(record.tags).filter(([tag]) => !removed.has(tag))),
  }));
  return {};
}

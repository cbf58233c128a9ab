import type { TagResourceCommandInput, UntagResourceCommandInput } from '@aws-sdk/client-secrets-manager';
import type { RequestContext } from '../../service.ts';
import { replicate } from '../replication.ts';
import { changeSecret, findWritable, type SecretsState } from '../state.ts';
import { limitTags, readTags } from '../tags.ts';
import { userOf } from '../values.ts';

/** API Reference, "TagResource". */
export async function tagResource(
  state: SecretsState,
  input: TagResourceCommandInput,
  context: RequestContext,
): Promise<object> {
  const added = readTags(input.Tags!);
  return changeTags(state, input.SecretId!, context, (tags) => limitTags({ ...tags, ...added }));
}

/** API Reference, "UntagResource". */
export async function untagResource(
  state: SecretsState,
  input: UntagResourceCommandInput,
  context: RequestContext,
): Promise<object> {
  const removed = input.TagKeys!;
  return changeTags(state, input.SecretId!, context, (tags) =>
    Object.fromEntries(Object.entries(tags).filter(([key]) => !removed.includes(key))),
  );
}

async function changeTags(
  state: SecretsState,
  secretId: string,
  context: RequestContext,
  change: (tags: Readonly<Record<string, string>>) => Record<string, string>,
): Promise<object> {
  const found = await findWritable(state.store, secretId, context);
  await changeSecret(state, found, (secret) => ({
    ...secret,
    tags: change(secret.tags),
    changed: state.clock.now(),
  }));
  await replicate(state, found.place, userOf(context));
  return {};
}

import type { Key } from '../../../store/index.ts';
import type { RequestContext } from '../../service.ts';
import { noSuchEntity, validationError } from '../errors.ts';
import { addTags, type PageInput, pageOf, removeTags, type SdkTag, sdkTags } from '../input.ts';
import { entityKey, oidcKey, policyKey, profileKey } from '../records.ts';
import { change, findEntity, findPolicy, type IamState, type Reader } from '../state.ts';
import { findProfile } from './instance-profiles.ts';
import { findOidcProvider, issuerName } from './oidc-providers.ts';

interface TagInput extends PageInput {
  readonly UserName?: string | undefined;
  readonly RoleName?: string | undefined;
  readonly PolicyArn?: string | undefined;
  readonly InstanceProfileName?: string | undefined;
  readonly OpenIDConnectProviderArn?: string | undefined;
  readonly Tags?: readonly SdkTag[] | undefined;
  readonly TagKeys?: readonly string[] | undefined;
}

type Handler = (state: IamState, input: TagInput, context: RequestContext) => Promise<object>;
interface Tagged {
  readonly key: Key;
  readonly record: { readonly tags: Readonly<Record<string, string>> };
}
type Find = (reader: Reader, account: string, input: TagInput) => Promise<Tagged>;

/** What can be tagged, and how each is found. */
const FINDERS: Readonly<Record<string, Find>> = {
  User: async (reader, account, { UserName: name = '' }) => ({
    key: entityKey(account, 'user', name),
    record: await findEntity(reader, account, 'user', name),
  }),
  Role: async (reader, account, { RoleName: name = '' }) => ({
    key: entityKey(account, 'role', name),
    record: await findEntity(reader, account, 'role', name),
  }),
  Policy: async (reader, account, { PolicyArn: arn = '' }) => {
    const record = await findPolicy(reader, account, arn);
    if (!record) throw noSuchEntity(`Policy ${arn} was not found.`);
    if (arn.startsWith('arn:aws:iam::aws:'))
      throw validationError(`Policy ${arn} is managed by AWS and cannot be tagged.`);
    return { key: policyKey(account, record.name), record };
  },
  InstanceProfile: async (reader, account, { InstanceProfileName: name = '' }) => ({
    key: profileKey(account, name),
    record: await findProfile(reader, account, name),
  }),
  OpenIDConnectProvider: async (reader, account, { OpenIDConnectProviderArn: arn = '' }) => {
    const record = await findOidcProvider(reader, account, arn);
    return { key: oidcKey(account, issuerName(record.url)), record };
  },
};

/** `TagUser`, `UntagUser`, `ListUserTags`, and the same for the others. */
export function tagOperations(): Readonly<Record<string, Handler>> {
  return Object.assign({}, ...Object.entries(FINDERS).map(([title, find]) => operationsFor(title, find)));
}

function operationsFor(title: string, find: Find): Record<string, Handler> {
  const rewrite = async (
    state: IamState,
    input: TagInput,
    context: RequestContext,
    apply: (tags: Tagged['record']['tags']) => Tagged['record']['tags'],
  ): Promise<object> => {
    await change(state, context, async (transaction) => {
      const { key, record } = await find(transaction, context.account, input);
      transaction.put(key, { ...record, tags: apply(record.tags) });
    });
    return {};
  };
  return {
    [`Tag${title}`]: (state, input, context) => rewrite(state, input, context, (tags) => addTags(tags, input.Tags)),
    [`Untag${title}`]: (state, input, context) =>
      rewrite(state, input, context, (tags) => removeTags(tags, input.TagKeys)),
    [`List${title}Tags`]: async (state, input, { account }) => {
      const { record } = await find(state.store, account, input);
      const { items, paging } = pageOf(sdkTags(record.tags), input, ({ Key }) => Key);
      return { Tags: items, ...paging };
    },
  };
}

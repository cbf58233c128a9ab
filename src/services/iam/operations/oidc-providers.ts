import type * as Sdk from '@aws-sdk/client-iam';
import type { RequestContext } from '../../service.ts';
import { alreadyExists, invalidInput, limitExceeded, noSuchEntity, validationError } from '../errors.ts';
import { addTags, sdkTags } from '../input.ts';
import { type OidcProviderRecord, oidcKey, oidcPrefix } from '../records.ts';
import { change, type IamState, type Reader } from '../state.ts';

const MAX_CLIENT_IDS = 100;
const MAX_THUMBPRINTS = 5;

/** The issuer as ARNs and condition keys name it: host and path, no scheme. */
export function issuerName(url: string): string {
  return url.replace(/^https?:\/\//, '').replace(/\/$/, '');
}

function checkUrl(url: string): string {
  const parsed = URL.parse(url);
  const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(parsed?.hostname ?? '');
  // AWS takes HTTPS only; an issuer on this machine may do without, for tests.
  if (
    parsed &&
    !parsed.search &&
    !parsed.hash &&
    (parsed.protocol === 'https:' || (parsed.protocol === 'http:' && loopback))
  )
    return url;
  throw validationError('Invalid Open ID Connect Provider URL');
}

function checkThumbprints(thumbprints: readonly string[]): readonly string[] {
  if (thumbprints.length > MAX_THUMBPRINTS) throw invalidInput('Thumbprint list must contain fewer than 5 entries.');
  for (const thumbprint of thumbprints) {
    if (!/^[0-9a-fA-F]{40}$/.test(thumbprint)) throw validationError(`Invalid thumbprint: ${thumbprint}`);
  }
  return thumbprints;
}

export async function findOidcProvider(reader: Reader, account: string, arn: string): Promise<OidcProviderRecord> {
  const issuer = /^arn:aws:iam::\d{12}:oidc-provider\/(.+)$/.exec(arn)?.[1];
  if (issuer === undefined) throw invalidInput(`Invalid OpenIDConnectProvider ARN: ${arn}`);
  const provider = (await reader.get<OidcProviderRecord>(oidcKey(account, issuer)))?.value;
  if (provider?.arn !== arn) throw noSuchEntity(`OpenIDConnect Provider not found for arn ${arn}`);
  return provider;
}

export async function createOpenIDConnectProvider(
  state: IamState,
  input: Sdk.CreateOpenIDConnectProviderCommandInput,
  context: RequestContext,
) {
  const url = checkUrl(input.Url!);
  const issuer = issuerName(url);
  const clientIds = [...new Set(input.ClientIDList ?? [])];
  if (clientIds.length > MAX_CLIENT_IDS)
    throw limitExceeded(`Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: ${MAX_CLIENT_IDS}`);
  const provider: OidcProviderRecord = {
    arn: `arn:aws:iam::${context.account}:oidc-provider/${issuer}`,
    url,
    clientIds,
    thumbprints: checkThumbprints(input.ThumbprintList ?? []),
    created: state.clock.now(),
    tags: addTags({}, input.Tags),
  };
  await change(state, context, async (transaction) => {
    const key = oidcKey(context.account, issuer);
    if (await transaction.get(key)) throw alreadyExists(`Provider with url ${url} already exists.`);
    transaction.put(key, provider);
  });
  return {
    OpenIDConnectProviderArn: provider.arn,
    ...(input.Tags?.length ? { Tags: sdkTags(provider.tags) } : {}),
  };
}

export async function getOpenIDConnectProvider(
  state: IamState,
  input: Sdk.GetOpenIDConnectProviderCommandInput,
  { account }: RequestContext,
) {
  const provider = await findOidcProvider(state.store, account, input.OpenIDConnectProviderArn!);
  return {
    Url: issuerName(provider.url),
    ClientIDList: [...provider.clientIds],
    ThumbprintList: [...provider.thumbprints],
    CreateDate: new Date(provider.created),
    Tags: sdkTags(provider.tags),
  };
}

export async function listOpenIDConnectProviders(
  state: IamState,
  _input: Sdk.ListOpenIDConnectProvidersCommandInput,
  { account }: RequestContext,
) {
  const entries = await state.store.range<OidcProviderRecord>({ prefix: oidcPrefix(account) });
  return { OpenIDConnectProviderList: entries.map(({ value }) => ({ Arn: value.arn })) };
}

export async function deleteOpenIDConnectProvider(
  state: IamState,
  input: Sdk.DeleteOpenIDConnectProviderCommandInput,
  context: RequestContext,
) {
  await changeProvider(state, context, input.OpenIDConnectProviderArn!, () => undefined);
  return {};
}

export async function addClientIDToOpenIDConnectProvider(
  state: IamState,
  input: Sdk.AddClientIDToOpenIDConnectProviderCommandInput,
  context: RequestContext,
) {
  await changeProvider(state, context, input.OpenIDConnectProviderArn!, (provider) => {
    const clientIds = [...new Set([...provider.clientIds, input.ClientID!])];
    if (clientIds.length > MAX_CLIENT_IDS)
      throw limitExceeded(`Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: ${MAX_CLIENT_IDS}`);
    return { ...provider, clientIds };
  });
  return {};
}

export async function removeClientIDFromOpenIDConnectProvider(
  state: IamState,
  input: Sdk.RemoveClientIDFromOpenIDConnectProviderCommandInput,
  context: RequestContext,
) {
  await changeProvider(state, context, input.OpenIDConnectProviderArn!, (provider) => ({
    ...provider,
    clientIds: provider.clientIds.filter((id) => id !== input.ClientID),
  }));
  return {};
}

export async function updateOpenIDConnectProviderThumbprint(
  state: IamState,
  input: Sdk.UpdateOpenIDConnectProviderThumbprintCommandInput,
  context: RequestContext,
) {
  const thumbprints = checkThumbprints(input.ThumbprintList ?? []);
  await changeProvider(state, context, input.OpenIDConnectProviderArn!, (provider) => ({ ...provider, thumbprints }));
  return {};
}

async function changeProvider(
  state: IamState,
  context: RequestContext,
  arn: string,
  apply: (provider: OidcProviderRecord) => OidcProviderRecord | undefined,
): Promise<void> {
  await change(state, context, async (transaction) => {
    const provider = await findOidcProvider(transaction, context.account, arn);
    const changed = apply(provider);
    const key = oidcKey(context.account, issuerName(provider.url));
    if (changed) transaction.put(key, changed);
    else transaction.delete(key);
  });
}

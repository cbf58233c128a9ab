import type { AuthorizationRequest, RequestContext } from '../service.ts';
import { readHeader } from './ciphertext.ts';
import type { EncryptionContext } from './encryption-context.ts';
import { readGrantToken } from './grant-tokens.ts';
import { isGrantee } from './grants.ts';
import { locateKey, parseKeyId } from './key-identifier.ts';
import { type Conditions, type KeyUse, keyQuestion } from './key-question.ts';
import { type AliasRecord, aliasArn, aliasKey, aliasPrefix, type GrantRecord, grantKey, keyArn } from './records.ts';
import { inputConditions, type QuestionedInput } from './request-conditions.ts';
import type { KmsState } from './state.ts';

/** Operations that concern no key, or one that is not there yet. */
const WITHOUT_KEY = new Set([
  'ConnectCustomKeyStore',
  'CreateCustomKeyStore',
  'DeleteCustomKeyStore',
  'DescribeCustomKeyStores',
  'DisconnectCustomKeyStore',
  'GenerateRandom',
  'ListAliases',
  'ListKeys',
  'ListRetirableGrants',
  'UpdateCustomKeyStore',
]);

/** What must be allowed before an operation runs. Source: Service Authorization Reference, "AWS Key Management Service". */
export async function kmsAuthorization(
  state: KmsState,
  operation: string,
  input: QuestionedInput,
  context: RequestContext,
): Promise<readonly AuthorizationRequest[]> {
  const conditions = inputConditions(operation, input);
  const use = { action: operation, user: context.principal, conditions };
  if (WITHOUT_KEY.has(operation)) return [{ action: `kms:${operation}`, resource: '*', conditions }];
  switch (operation) {
    case 'CreateKey':
      return [
        { action: 'kms:CreateKey', resource: '*', conditions },
        ...(input.Tags === undefined ? [] : [{ action: 'kms:TagResource', resource: '*', conditions }]),
      ];
    case 'CreateAlias':
    case 'DeleteAlias':
    case 'UpdateAlias':
      return aliasQuestions(state, input, context, use);
    case 'Decrypt': {
      const key = input.KeyId ?? keyOfCiphertext(input.CiphertextBlob, context);
      return ask(state, key, context, { ...use, encryptionContext: input.EncryptionContext });
    }
    case 'ReEncrypt': {
      const source = input.SourceKeyId ?? keyOfCiphertext(input.CiphertextBlob, context);
      const from = { ...use, action: 'ReEncryptFrom', encryptionContext: input.SourceEncryptionContext };
      const to = { ...use, action: 'ReEncryptTo', encryptionContext: input.DestinationEncryptionContext };
      return [...(await ask(state, source, context, from)), ...(await ask(state, input.DestinationKeyId, context, to))];
    }
    case 'RetireGrant':
      return retireQuestions(state, input, context, use);
    case 'ReplicateKey':
      return [
        ...(await ask(state, input.KeyId, context, use)),
        {
          action: 'kms:CreateKey',
          resource: '*',
          conditions: { ...conditions, 'aws:RequestedRegion': [input.ReplicaRegion ?? context.region] },
        },
      ];
    default:
      return ask(state, input.KeyId, context, { ...use, encryptionContext: input.EncryptionContext });
  }
}

/** The question about a key that the input names; the operation itself tells when there is none. */
async function ask(
  state: KmsState,
  keyId: string | undefined,
  context: RequestContext,
  use: KeyUse & { readonly encryptionContext?: EncryptionContext | undefined },
): Promise<readonly AuthorizationRequest[]> {
  if (keyId === undefined) return [];
  if (state.dueDates.isDue) await state.dueDates.settle();
  const place = await locateKey(state, keyId, context);
  const key = place && (await state.ring.find(place));
  if (!place || !key) {
    // Who may use none of the account's keys is not told which exist.
    return [{ action: `kms:${use.action}`, resource: place ? keyArn(place) : '*' }];
  }
  const reference = parseKeyId(keyId, context);
  const alias: Conditions = 'alias' in reference ? { 'kms:RequestAlias': [reference.alias] } : {};
  const aliases = await state.store.range<AliasRecord>({ prefix: aliasPrefix(place.account, place.region) });
  const own = aliases.filter(({ value }) => value.keyId === place.id).map(({ value }) => value.name);
  const conditions: Conditions = {
    ...use.conditions,
    ...alias,
    ...(own.length === 0 ? {} : { 'kms:ResourceAliases': own }),
  };
  return [await keyQuestion(state, key, { ...use, conditions })];
}

function keyOfCiphertext(blob: Uint8Array | undefined, { region }: RequestContext): string | undefined {
  if (blob === undefined) return undefined;
  const { account, keyId } = readHeader(blob);
  return keyArn({ account, region, id: keyId });
}

/** The alias by IAM policies, and the keys it stands for before and after by their own. */
async function aliasQuestions(
  state: KmsState,
  { AliasName = '', TargetKeyId }: QuestionedInput,
  context: RequestContext,
  use: KeyUse,
): Promise<readonly AuthorizationRequest[]> {
  const { account, region } = context;
  const known = await state.store.get<AliasRecord>(aliasKey(account, region, AliasName));
  const keys = [use.action === 'CreateAlias' ? undefined : known?.value.keyId, TargetKeyId];
  const questions = await Promise.all(keys.map((keyId) => ask(state, keyId, context, use)));
  return [{ action: `kms:${use.action}`, resource: aliasArn(account, region, AliasName) }, ...questions.flat()];
}

/** The grant says who may retire it: nobody has to ask the policies then. */
async function retireQuestions(
  state: KmsState,
  { GrantId, GrantToken, KeyId }: QuestionedInput,
  context: RequestContext,
  use: KeyUse,
): Promise<readonly AuthorizationRequest[]> {
  const token = GrantToken === undefined ? undefined : readGrantToken(state, GrantToken);
  const place = token?.key ?? (KeyId === undefined ? undefined : await locateKey(state, KeyId, context));
  const grantId = token?.grantId ?? GrantId;
  if (!place || grantId === undefined) return [];
  const grant = (await state.store.get<GrantRecord>(grantKey(place, grantId)))?.value;
  const { principal } = context;
  const mayRetire =
    grant !== undefined &&
    (isGrantee(grant.retiring, principal) ||
      (isGrantee(grant.grantee, principal) && grant.operations.includes('RetireGrant')) ||
      (principal.type === 'Root' && principal.arn === grant.issuingAccount));
  return mayRetire ? [] : ask(state, keyArn(place), context, use);
}

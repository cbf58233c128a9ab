import { parseArn } from '../../base/arn.ts';
import { checkLength, invalidArn, keyNotFound, notFound } from './errors.ts';
import type { LoadedKey } from './key-ring.ts';
import { managedKeyService, useManagedKey } from './managed-keys.ts';
import { type AliasRecord, aliasArn, aliasKey, type KeyPlace, keyArn } from './records.ts';
import type { KmsState, Where } from './state.ts';

const KEY_ID = /^(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$/;

/** What a `KeyId` names: a key, or an alias that stands for one. */
export type KeyReference = KeyPlace | { readonly account: string; readonly region: string; readonly alias: string };

/**
 * Reads a key id, key ARN, alias name or alias ARN. Throws NotFoundException for what cannot be one, or names another
 * region. Source: KMS Developer Guide, "Key identifiers".
 */
export function parseKeyId(keyId: string, { account, region }: Where, member = 'keyId'): KeyReference {
  checkLength(member, keyId.length, 1, 2048);
  if (!keyId.startsWith('arn:')) {
    if (keyId.startsWith('alias/')) return { account, region, alias: keyId };
    if (KEY_ID.test(keyId)) return { account, region, id: keyId };
    throw notFound(`Invalid keyId '${keyId}'`);
  }
  const arn = parseArn(keyId);
  if (arn?.service !== 'kms' || !/^\d{12}$/.test(arn.account)) throw invalidArn(`Invalid arn ${keyId}`);
  if (arn.region !== region) throw notFound(`Invalid arn ${arn.region}`);
  if (arn.resource.startsWith('alias/')) return { account: arn.account, region, alias: arn.resource };
  if (!arn.resource.startsWith('key/')) throw invalidArn(`Invalid arn ${keyId}`);
  return { account: arn.account, region, id: arn.resource.slice('key/'.length) };
}

/** Where the key is; `undefined` when there is no such alias. Managed keys are made when their alias is first used. */
export async function locateKey(state: KmsState, keyId: string, where: Where): Promise<KeyPlace | undefined> {
  const reference = parseKeyId(keyId, where);
  if ('id' in reference) return reference;
  const { account, region, alias } = reference;
  const entry = await state.store.get<AliasRecord>(aliasKey(account, region, alias));
  if (entry) return { account, region, id: entry.value.keyId };
  const service = managedKeyService(alias);
  return service === undefined ? undefined : useManagedKey(state, reference, service);
}

/** The key that an identifier names. Throws NotFoundException. What is due happens before. */
export async function findKey(state: KmsState, keyId: string, where: Where): Promise<LoadedKey> {
  if (state.dueDates.isDue) await state.dueDates.settle();
  const place = await locateKey(state, keyId, where);
  if (!place) {
    const reference = parseKeyId(keyId, where);
    const name = 'alias' in reference ? reference.alias : keyId;
    throw notFound(`Alias ${aliasArn(reference.account, reference.region, name)} is not found.`);
  }
  const key = await state.ring.find(place);
  if (!key) throw keyNotFound(keyArn(place));
  return key;
}

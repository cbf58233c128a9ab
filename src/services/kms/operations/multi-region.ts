import type { ReplicateKeyCommandInput, UpdatePrimaryRegionCommandInput } from '@aws-sdk/client-kms';
import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { checkLength, notFound, unsupported, validation } from '../errors.ts';
import { findCustomerKey } from '../key-access.ts';
import { changeFamily, isReplica } from '../key-families.ts';
import { keyMetadata } from '../key-metadata.ts';
import { checkKeyPolicy, defaultKeyPolicy } from '../key-policy.ts';
import type { LoadedKey } from '../key-ring.ts';
import { checkState } from '../key-use.ts';
import { type KeyRecord, keyArn, keyKey } from '../records.ts';
import type { KmsState } from '../state.ts';
import { tagList, withTags } from '../tags.ts';
import { MAXIMUM_DESCRIPTION } from './keys.ts';

/** A replica has the primary's id and material; imported material has to be imported there, too. */
export async function replicateKey(state: KmsState, input: ReplicateKeyCommandInput, context: RequestContext) {
  const region = checkedRegion('replicaRegion', input.ReplicaRegion);
  checkLength('description', (input.Description ?? '').length, 0, MAXIMUM_DESCRIPTION);
  if (input.Policy !== undefined) {
    checkKeyPolicy(input.Policy, context.principal, input.BypassPolicyLockoutSafetyCheck === true);
  }
  const tags = withTags({}, input.Tags);
  const key = await primaryKey(state, input.KeyId, context);
  checkState(key, ['Enabled', 'PendingImport']);
  const { account, id } = key.record;
  const now = state.clock.now();
  let replica: KeyRecord | undefined;
  await changeFamily(state, key.record, (record, all, transaction) => {
    const primary = all.find((relative) => relative.region === key.record.region)!;
    if (all.some((relative) => relative.region === region)) {
      throw new ServiceError('AlreadyExistsException', `${keyArn({ account, region, id })} already exists.`);
    }
    const multiRegion = { primary: primary.region, replicas: [...primary.multiRegion!.replicas, region] };
    if (record === primary) {
      replica = {
        ...primary,
        region,
        creationDate: now,
        description: input.Description ?? '',
        enabled: true,
        policy: input.Policy ?? defaultKeyPolicy(account),
        tags,
        materials: primary.materials.map((material) =>
          primary.origin === 'EXTERNAL' ? { ...material, wrapped: undefined, validTo: undefined } : material,
        ),
        multiRegion,
      };
      transaction.put(keyKey(replica), replica);
    }
    return { ...record, multiRegion };
  });
  state.ring.changed(replica!);
  return {
    ReplicaKeyMetadata: keyMetadata(replica!),
    ReplicaPolicy: replica!.policy,
    ReplicaTags: tagList(tags),
  };
}

export async function updatePrimaryRegion(
  state: KmsState,
  input: UpdatePrimaryRegionCommandInput,
  context: RequestContext,
) {
  const region = checkedRegion('primaryRegion', input.PrimaryRegion);
  const key = await primaryKey(state, input.KeyId, context);
  await changeFamily(state, key.record, (record, all) => {
    const next = all.find((relative) => relative.region === region);
    if (!next || region === key.record.region) {
      throw notFound(`${keyArn({ ...key.record, region })} is not a replica of ${key.arn}.`);
    }
    for (const one of [all.find((relative) => relative.region === key.record.region)!, next]) {
      checkState({ record: one, arn: keyArn(one) }, ['Enabled', 'Disabled', 'PendingImport']);
    }
    const { primary, replicas } = record.multiRegion!;
    const others = replicas.map((replica) => (replica === region ? primary : replica));
    return { ...record, multiRegion: { primary: region, replicas: others } };
  });
  return {};
}

function checkedRegion(member: string, region = ''): string {
  checkLength(member, region.length, 1, 32);
  if (!/^[a-z]{2}(?:-[a-z]+)+-\d$/.test(region)) throw validation(`${member} '${region}' is not a Region.`);
  return region;
}

/** Throws UnsupportedOperationException for what is no multi-Region primary key. */
async function primaryKey(state: KmsState, keyId: string | undefined, context: RequestContext): Promise<LoadedKey> {
  const key = await findCustomerKey(state, keyId, context);
  if (key.record.multiRegion === undefined) throw unsupported(`${key.arn} is not a multi-region key.`);
  if (isReplica(key.record)) {
    throw unsupported(`${key.arn} is a replica key: its primary key is in ${key.record.multiRegion.primary}.`);
  }
  return key;
}

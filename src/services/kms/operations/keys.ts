import type {
  CreateKeyCommandInput,
  DescribeKeyCommandInput,
  ListKeysCommandInput,
  UpdateKeyDescriptionCommandInput,
} from '@aws-sdk/client-kms';
import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { checkOptions } from '../dry-run.ts';
import { checkEnum, checkLength, unsupported, validation } from '../errors.ts';
import { findCustomerKey } from '../key-access.ts';
import { findKey } from '../key-identifier.ts';
import { generateMaterial, wrapMaterial } from '../key-material.ts';
import { keyMetadata } from '../key-metadata.ts';
import { checkKeyPolicy, defaultKeyPolicy } from '../key-policy.ts';
import { algorithmsOf, KEY_SPECS, type KeySpecName, type KeyUsageName, specInfo } from '../key-specs.ts';
import { checkState } from '../key-use.ts';
import { storedPage } from '../paging.ts';
import { type KeyRecord, keyArn, keyKey, keyPrefix } from '../records.ts';
import { changeKey, type KmsState } from '../state.ts';
import { withTags } from '../tags.ts';

export const MAXIMUM_DESCRIPTION = 8192;

export async function createKey(state: KmsState, input: CreateKeyCommandInput, context: RequestContext) {
  const spec = checkedSpec(input);
  const usage = checkedUsage(spec, input.KeyUsage);
  const origin = checkedOrigin(input);
  const description = input.Description ?? '';
  checkLength('description', description.length, 0, MAXIMUM_DESCRIPTION);
  if (input.Policy !== undefined) {
    checkLength('policy', input.Policy.length, 1, 131_072);
    checkKeyPolicy(input.Policy, context.principal, input.BypassPolicyLockoutSafetyCheck === true);
  }
  const { account, region } = context;
  const id = input.MultiRegion === true ? `mrk-${state.random.hex(32)}` : state.random.uuid();
  const tags = withTags({}, input.Tags);
  const materials =
    origin === 'EXTERNAL'
      ? []
      : [wrapMaterial(state.root, { account, id }, await generateMaterial(specInfo(spec).material, state.random))];
  const record: KeyRecord = {
    account,
    region,
    id,
    creationDate: state.clock.now(),
    description,
    spec,
    usage,
    origin,
    manager: 'CUSTOMER',
    enabled: true,
    policy: input.Policy ?? defaultKeyPolicy(account),
    tags,
    materials: materials.map((material) => ({ ...material, state: 'CURRENT' })),
    ...(input.MultiRegion === true ? { multiRegion: { primary: region, replicas: [] } } : {}),
  };
  await state.store.put(keyKey(record), record);
  return { KeyMetadata: keyMetadata(record) };
}

export async function describeKey(state: KmsState, input: DescribeKeyCommandInput, context: RequestContext) {
  checkOptions(state, input);
  const { record } = await findKey(state, input.KeyId ?? '', context);
  return { KeyMetadata: keyMetadata(record) };
}

export async function listKeys(state: KmsState, input: ListKeysCommandInput, context: RequestContext) {
  if (state.dueDates.isDue) await state.dueDates.settle();
  const prefix = keyPrefix(context.account, context.region);
  const { items, more } = await storedPage<KeyRecord>(state.store, prefix, input, { byDefault: 100, most: 1000 });
  return { Keys: items.map((record) => ({ KeyId: record.id, KeyArn: keyArn(record) })), ...more };
}

export async function updateKeyDescription(
  state: KmsState,
  input: UpdateKeyDescriptionCommandInput,
  context: RequestContext,
) {
  const description = input.Description ?? '';
  checkLength('description', description.length, 0, MAXIMUM_DESCRIPTION);
  const key = await findCustomerKey(state, input.KeyId, context);
  checkState(key, ['Enabled', 'Disabled', 'PendingImport']);
  await changeKey(state, key.record, (record) => ({ ...record, description }));
  return {};
}

function checkedSpec({ KeySpec, CustomerMasterKeySpec }: CreateKeyCommandInput): KeySpecName {
  if (KeySpec !== undefined && CustomerMasterKeySpec !== undefined) {
    throw validation(
      'You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.',
    );
  }
  const spec = KeySpec ?? CustomerMasterKeySpec ?? 'SYMMETRIC_DEFAULT';
  if (spec === 'SM2')
    throw unsupported('KeySpec SM2 is not supported in this region: AWS has it in China Regions only.');
  checkEnum('keySpec', spec, Object.keys(KEY_SPECS));
  return spec as KeySpecName;
}

function checkedUsage(spec: KeySpecName, usage: string | undefined): KeyUsageName {
  if (usage === undefined) {
    if (spec === 'SYMMETRIC_DEFAULT') return 'ENCRYPT_DECRYPT';
    throw validation('You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.');
  }
  const usages: readonly KeyUsageName[] = [
    'SIGN_VERIFY',
    'ENCRYPT_DECRYPT',
    'GENERATE_VERIFY_MAC',
    'KEY_AGREEMENT',
    'ENCAPSULATE_DECAPSULATE',
  ];
  checkEnum('keyUsage', usage, usages);
  if (algorithmsOf(spec, usage as KeyUsageName).length === 0) {
    throw validation(`KeyUsage ${usage} is not compatible with KeySpec ${spec}`);
  }
  return usage as KeyUsageName;
}

function checkedOrigin(input: CreateKeyCommandInput): 'AWS_KMS' | 'EXTERNAL' {
  const origin = input.Origin ?? 'AWS_KMS';
  checkEnum('origin', origin, ['AWS_KMS', 'AWS_CLOUDHSM', 'EXTERNAL', 'EXTERNAL_KEY_STORE']);
  if (input.CustomKeyStoreId !== undefined) {
    throw new ServiceError(
      'CustomKeyStoreNotFoundException',
      `Custom key store ${input.CustomKeyStoreId} does not exist.`,
    );
  }
  if (origin === 'AWS_CLOUDHSM' || origin === 'EXTERNAL_KEY_STORE' || input.XksKeyId !== undefined) {
    throw unsupported('Custom key stores are not supported: use Origin AWS_KMS, or EXTERNAL to import key material.');
  }
  return origin as 'AWS_KMS' | 'EXTERNAL';
}

import type { KeyMetadata } from '@aws-sdk/client-kms';
import { algorithmsOf } from './key-specs.ts';
import { currentMaterial, type KeyRecord, keyArn, keyState } from './records.ts';

/** The algorithms that a key can be used with, under the name of the member that tells them. */
export function algorithmMembers({ spec, usage }: Pick<KeyRecord, 'spec' | 'usage'>): object {
  const member = {
    ENCRYPT_DECRYPT: 'EncryptionAlgorithms',
    SIGN_VERIFY: 'SigningAlgorithms',
    GENERATE_VERIFY_MAC: 'MacAlgorithms',
    KEY_AGREEMENT: 'KeyAgreementAlgorithms',
    ENCAPSULATE_DECAPSULATE: 'EncapsulationAlgorithms',
  }[usage];
  return { [member]: [...algorithmsOf(spec, usage)] };
}

/** `CustomerMasterKeySpec` is the older name, which newer key specs do not have. */
export function specMembers({ spec }: Pick<KeyRecord, 'spec'>): Pick<KeyMetadata, 'KeySpec' | 'CustomerMasterKeySpec'> {
  const isNewer = spec.startsWith('ML_') || spec === 'ECC_NIST_EDWARDS25519';
  return { KeySpec: spec, ...(isNewer ? {} : { CustomerMasterKeySpec: spec as never }) };
}

/** What DescribeKey tells. Source: API reference, KeyMetadata. */
export function keyMetadata(record: KeyRecord): KeyMetadata {
  const state = keyState(record);
  const { deletionDate, multiRegion, pendingWindowInDays } = record;
  return {
    AWSAccountId: record.account,
    KeyId: record.id,
    Arn: keyArn(record),
    CreationDate: new Date(record.creationDate),
    Enabled: state === 'Enabled',
    Description: record.description,
    KeyUsage: record.usage,
    KeyState: state,
    Origin: record.origin,
    KeyManager: record.manager,
    ...specMembers(record),
    ...algorithmMembers(record),
    ...(record.origin === 'EXTERNAL' ? expiration(record) : {}),
    ...(deletionDate === undefined ? {} : { DeletionDate: new Date(deletionDate) }),
    ...(state === 'PendingReplicaDeletion' ? { PendingDeletionWindowInDays: pendingWindowInDays } : {}),
    MultiRegion: multiRegion !== undefined,
    ...(multiRegion === undefined ? {} : { MultiRegionConfiguration: multiRegionConfiguration(record) }),
    ...(record.spec === 'SYMMETRIC_DEFAULT' ? materialMember(record) : {}),
  };
}

function materialMember(record: KeyRecord): Pick<KeyMetadata, 'CurrentKeyMaterialId'> {
  const material = currentMaterial(record);
  return material === undefined ? {} : { CurrentKeyMaterialId: material.id };
}

/** The earliest expiry of what is imported. */
function expiration({ materials }: KeyRecord): Pick<KeyMetadata, 'ExpirationModel' | 'ValidTo'> {
  const imported = materials.filter(({ wrapped }) => wrapped !== undefined);
  if (imported.length === 0) return {};
  const dates = imported.flatMap(({ validTo }) => (validTo === undefined ? [] : [validTo]));
  if (dates.length === 0) return { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' };
  return { ExpirationModel: 'KEY_MATERIAL_EXPIRES', ValidTo: new Date(Math.min(...dates)) };
}

function multiRegionConfiguration(record: KeyRecord): KeyMetadata['MultiRegionConfiguration'] {
  const { primary, replicas } = record.multiRegion!;
  const inRegion = (region: string) => ({ Arn: keyArn({ ...record, region }), Region: region });
  return {
    MultiRegionKeyType: record.region === primary ? 'PRIMARY' : 'REPLICA',
    PrimaryKey: inRegion(primary),
    ReplicaKeys: replicas.map(inRegion),
  };
}

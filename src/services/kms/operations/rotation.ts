import type {
  DisableKeyRotationCommandInput,
  EnableKeyRotationCommandInput,
  GetKeyRotationStatusCommandInput,
  ListKeyRotationsCommandInput,
  RotateKeyOnDemandCommandInput,
  RotationsListEntry,
} from '@aws-sdk/client-kms';
import type { RequestContext } from '../../service.ts';
import { checkEnum, checkRange, invalidState, limitExceeded, unsupported } from '../errors.ts';
import { findCustomerKey, findOwnKey } from '../key-access.ts';
import { changeFamily, isReplica } from '../key-families.ts';
import type { LoadedKey } from '../key-ring.ts';
import { checkState } from '../key-use.ts';
import { emit, freshMaterial, withNewMaterial } from '../lifecycle.ts';
import { listPage } from '../paging.ts';
import type { KeyRecord, MaterialRecord } from '../records.ts';
import type { KmsState } from '../state.ts';

const DAY_MS = 86_400_000;
const DEFAULT_PERIOD = 365;
/** Source: API reference, RotateKeyOnDemand. */
const ON_DEMAND_ROTATIONS = 25;

export async function enableKeyRotation(
  state: KmsState,
  input: EnableKeyRotationCommandInput,
  context: RequestContext,
) {
  const days = input.RotationPeriodInDays;
  if (days !== undefined) checkRange('rotationPeriodInDays', days, 90, 2560);
  const key = await rotatedKey(state, input.KeyId, context);
  checkState(key, ['Enabled']);
  const now = state.clock.now();
  await changeFamily(state, key.record, (record, all) => {
    const { rotation } = own(all, key.record);
    const periodInDays = days ?? DEFAULT_PERIOD;
    if (rotation?.periodInDays === periodInDays) return record;
    // A new period counts from the last rotation, or from when rotation was turned on.
    const since = rotation === undefined ? now : rotation.next - rotation.periodInDays * DAY_MS;
    return { ...record, rotation: { periodInDays, next: Math.max(since + periodInDays * DAY_MS, now) } };
  });
  return {};
}

export async function disableKeyRotation(
  state: KmsState,
  input: DisableKeyRotationCommandInput,
  context: RequestContext,
) {
  const key = await rotatedKey(state, input.KeyId, context);
  checkState(key, ['Enabled']);
  await changeFamily(state, key.record, (record) => ({ ...record, rotation: undefined }));
  return {};
}

export async function getKeyRotationStatus(
  state: KmsState,
  input: GetKeyRotationStatusCommandInput,
  context: RequestContext,
) {
  const { record, arn } = await findOwnKey(state, input.KeyId, context);
  checkSymmetric(record, arn);
  checkState({ record, arn }, ['Enabled', 'Disabled', 'PendingDeletion', 'PendingReplicaDeletion', 'PendingImport']);
  const { rotation } = record;
  return {
    KeyId: record.id,
    KeyRotationEnabled: rotation !== undefined,
    ...(rotation === undefined
      ? {}
      : { RotationPeriodInDays: rotation.periodInDays, NextRotationDate: new Date(rotation.next) }),
  };
}

export async function listKeyRotations(state: KmsState, input: ListKeyRotationsCommandInput, context: RequestContext) {
  const which = input.IncludeKeyMaterial ?? 'ROTATIONS_ONLY';
  checkEnum('includeKeyMaterial', which, ['ALL_KEY_MATERIAL', 'ROTATIONS_ONLY']);
  const { record, arn } = await findOwnKey(state, input.KeyId, context);
  checkSymmetric(record, arn);
  const wanted = record.materials.filter(
    ({ rotationDate }) => which === 'ALL_KEY_MATERIAL' || rotationDate !== undefined,
  );
  const { items, more } = listPage(wanted, input, { byDefault: 100, most: 1000 });
  return { Rotations: items.map((material) => rotationEntry(record, material)), ...more };
}

export async function rotateKeyOnDemand(
  state: KmsState,
  input: RotateKeyOnDemandCommandInput,
  context: RequestContext,
) {
  const key = await findCustomerKey(state, input.KeyId, context);
  checkSymmetric(key.record, key.arn);
  checkPrimary(key);
  checkState(key, ['Enabled']);
  const fresh = key.record.origin === 'AWS_KMS' ? await freshMaterial(state, key.record) : undefined;
  const now = state.clock.now();
  await changeFamily(state, key.record, (record, all, transaction) => {
    const primary = own(all, key.record);
    const rotations = (primary.onDemandRotations ?? 0) + 1;
    if (rotations > ON_DEMAND_ROTATIONS) {
      throw limitExceeded(`${key.arn} has been rotated on demand ${ON_DEMAND_ROTATIONS} times.`);
    }
    const next = fresh ?? record.materials.find((material) => material.state === 'PENDING_ROTATION');
    if (next === undefined) {
      throw invalidState(`${key.arn} has no imported key material that waits for rotation.`);
    }
    const others = { ...record, materials: record.materials.filter(({ id }) => id !== next.id) };
    emit(state, transaction, record, 'KMS CMK Rotation', now);
    return {
      ...withNewMaterial(others, { ...next, rotationDate: now, rotationType: 'ON_DEMAND' }),
      onDemandRotations: rotations,
    };
  });
  return { KeyId: key.record.id };
}

/** A key whose automatic rotation can be turned on and off. Throws UnsupportedOperationException for others. */
async function rotatedKey(state: KmsState, keyId: string | undefined, context: RequestContext): Promise<LoadedKey> {
  const key = await findCustomerKey(state, keyId, context);
  checkSymmetric(key.record, key.arn);
  if (key.record.origin !== 'AWS_KMS') {
    throw unsupported(`${key.arn} origin is EXTERNAL which is not valid for this operation.`);
  }
  checkPrimary(key);
  return key;
}

function checkSymmetric({ spec }: KeyRecord, arn: string): void {
  if (spec !== 'SYMMETRIC_DEFAULT') {
    throw unsupported(`${arn} key spec is ${spec} which is not valid for this operation.`);
  }
}

function checkPrimary({ record, arn }: LoadedKey): void {
  if (isReplica(record)) {
    throw unsupported(`${arn} is a replica key: rotate its primary key in ${record.multiRegion!.primary}.`);
  }
}

function own(all: readonly KeyRecord[], { region }: KeyRecord): KeyRecord {
  return all.find((record) => record.region === region)!;
}

function rotationEntry(record: KeyRecord, material: MaterialRecord): RotationsListEntry {
  const { description, rotationDate, rotationType, validTo, wrapped } = material;
  return {
    KeyId: record.id,
    KeyMaterialId: material.id,
    KeyMaterialState: material.state,
    ...(description === undefined ? {} : { KeyMaterialDescription: description }),
    ...(record.origin === 'AWS_KMS'
      ? {}
      : {
          ImportState: wrapped === undefined ? 'PENDING_IMPORT' : 'IMPORTED',
          ExpirationModel: validTo === undefined ? 'KEY_MATERIAL_DOES_NOT_EXPIRE' : 'KEY_MATERIAL_EXPIRES',
          ...(validTo === undefined ? {} : { ValidTo: new Date(validTo) }),
        }),
    ...(rotationDate === undefined ? {} : { RotationDate: new Date(rotationDate), RotationType: rotationType }),
  };
}

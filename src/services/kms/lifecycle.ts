import { emitServiceEvent } from '../../events/index.ts';
import type { Transaction } from '../../store/index.ts';
import { changeFamily } from './key-families.ts';
import { generateMaterial, wrapMaterial } from './key-material.ts';
import { specInfo } from './key-specs.ts';
import {
  type AliasRecord,
  aliasKey,
  aliasPrefix,
  grantPrefix,
  type KeyRecord,
  keyArn,
  type MaterialRecord,
  usageKey,
} from './records.ts';
import { changeKey, type KmsState } from './state.ts';

const DAY_MS = 86_400_000;

/** Does the first thing that is due for a key: its deletion, a rotation, the expiry of imported material. */
export async function performDue(state: KmsState, record: KeyRecord): Promise<KeyRecord | undefined> {
  const now = state.clock.now();
  if (record.deletionDate !== undefined && record.deletionDate <= now) return deleteKey(state, record);
  if (record.materials.some((material) => hasExpired(material, now))) return expireMaterial(state, record);
  return rotateAutomatically(state, record);
}

/** Removes the key with its aliases and grants; a primary that waited for its last replica begins its own wait. */
async function deleteKey(state: KmsState, due: KeyRecord): Promise<KeyRecord | undefined> {
  const now = state.clock.now();
  const { account, region, id } = due;
  const [aliases, grants] = await Promise.all([
    state.store.range<AliasRecord>({ prefix: aliasPrefix(account, region) }),
    state.store.range({ prefix: grantPrefix(due) }),
  ]);
  return changeFamily(state, due, (record, all, transaction) => {
    const own = all.find((relative) => relative.region === region)!;
    // It may have been saved since.
    if (own.deletionDate === undefined || own.deletionDate > now) return record;
    if (record.region !== region) return withoutReplica(record, region, now);
    for (const { value } of aliases) {
      if (value.keyId === id) transaction.delete(aliasKey(account, region, value.name));
    }
    for (const { key } of grants) transaction.delete(key);
    transaction.delete(usageKey(record));
    emit(state, transaction, record, 'KMS CMK Deletion', own.deletionDate);
    return undefined;
  });
}

function withoutReplica(record: KeyRecord, region: string, now: number): KeyRecord {
  const multiRegion = {
    primary: record.multiRegion!.primary,
    replicas: record.multiRegion!.replicas.filter((replica) => replica !== region),
  };
  const waited = record.region === multiRegion.primary && record.deletionDate === undefined;
  const begins = waited && record.pendingWindowInDays !== undefined && multiRegion.replicas.length === 0;
  return {
    ...record,
    multiRegion,
    ...(begins ? { deletionDate: now + record.pendingWindowInDays! * DAY_MS } : {}),
  };
}

function hasExpired({ wrapped, validTo }: MaterialRecord, now: number): boolean {
  return wrapped !== undefined && validTo !== undefined && validTo <= now;
}

/** Source: KMS Developer Guide, "Importing key material": expired material is deleted, the key waits for it again. */
function expireMaterial(state: KmsState, due: KeyRecord): Promise<KeyRecord> {
  const now = state.clock.now();
  return changeKey(state, due, (record, transaction) => {
    const expired = record.materials.filter((material) => hasExpired(material, now));
    if (expired.length === 0) return record;
    for (const { validTo } of expired) {
      emit(state, transaction, record, 'KMS Imported Key Material Expiration', validTo!);
    }
    return {
      ...record,
      materials: record.materials.map((material) =>
        expired.includes(material) ? { ...material, wrapped: undefined } : material,
      ),
    };
  });
}

/** A key that was off for long is rotated for each period that has passed. */
async function rotateAutomatically(state: KmsState, due: KeyRecord): Promise<KeyRecord | undefined> {
  const fresh = await freshMaterial(state, due);
  const now = state.clock.now();
  return changeFamily(state, due, (record, all, transaction) => {
    const rotation = all.find(({ region }) => region === due.region)!.rotation;
    if (rotation === undefined || rotation.next > now) return record;
    emit(state, transaction, record, 'KMS CMK Rotation', rotation.next);
    return {
      ...withNewMaterial(record, { ...fresh, rotationDate: rotation.next, rotationType: 'AUTOMATIC' }),
      rotation: { ...rotation, next: rotation.next + rotation.periodInDays * DAY_MS },
    };
  });
}

/** New material for a key, wrapped. */
export async function freshMaterial(
  state: KmsState,
  record: KeyRecord,
): Promise<Pick<MaterialRecord, 'id' | 'wrapped'>> {
  return wrapMaterial(state.root, record, await generateMaterial(specInfo(record.spec).material, state.random));
}

/** Puts material in the place of the current one, which stays for decryption. */
export function withNewMaterial(record: KeyRecord, material: Omit<MaterialRecord, 'state'>): KeyRecord {
  const older = record.materials.map((known): MaterialRecord => ({ ...known, state: 'NON_CURRENT' }));
  return { ...record, materials: [...older, { ...material, state: 'CURRENT' }] };
}

/** Source: KMS Developer Guide, "Monitor KMS keys with Amazon EventBridge". */
export function emit(
  state: KmsState,
  transaction: Transaction,
  record: KeyRecord,
  detailType: string,
  time: number,
): void {
  emitServiceEvent(state, transaction, {
    source: 'aws.kms',
    detailType,
    resources: [keyArn(record)],
    detail: { 'key-id': record.id },
    account: record.account,
    region: record.region,
    time,
  });
}

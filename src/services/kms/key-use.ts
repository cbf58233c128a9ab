import { ServiceError } from '../../base/errors.ts';
import { checkEnum, invalidKeyUsage, invalidState } from './errors.ts';
import type { LoadedKey } from './key-ring.ts';
import { algorithmsOf, KEY_SPECS, type KeyUsageName, specInfo } from './key-specs.ts';
import { type KeyStateName, keyState } from './records.ts';

/** What the states are called in messages. */
const STATES: Readonly<Record<Exclude<KeyStateName, 'Enabled' | 'Disabled'>, string>> = {
  PendingDeletion: 'pending deletion',
  PendingReplicaDeletion: 'pending replica deletion',
  PendingImport: 'pending import',
};

/**
 * Throws unless the key can be used so now: DisabledException, KMSInvalidStateException, InvalidKeyUsageException.
 * Source: KMS Developer Guide, "Key states of AWS KMS keys".
 */
export function checkUsable(key: LoadedKey, operation: string, usage: KeyUsageName, algorithm?: string): void {
  checkState(key, ['Enabled']);
  const { record, arn } = key;
  if (record.usage !== usage) {
    throw invalidKeyUsage(`${arn} key usage is ${record.usage} which is not valid for ${operation}.`);
  }
  if (algorithm !== undefined && !algorithmsOf(record.spec, usage).includes(algorithm)) {
    throw invalidKeyUsage(`Algorithm ${algorithm} is incompatible with key spec ${record.spec}.`);
  }
}

/** Throws KMSInvalidStateException, or DisabledException, unless the key is in one of the states. */
export function checkState(key: Pick<LoadedKey, 'record' | 'arn'>, allowed: readonly KeyStateName[]): void {
  const current = keyState(key.record);
  if (allowed.includes(current)) return;
  if (current === 'Disabled') throw new ServiceError('DisabledException', `${key.arn} is disabled.`);
  if (current === 'Enabled') throw invalidState(`${key.arn} is enabled.`);
  throw invalidState(`${key.arn} is ${STATES[current]}.`);
}

/** Throws ValidationException when no key spec has an algorithm of this name for the usage. */
export function checkAlgorithm(member: string, algorithm: string, usage: KeyUsageName): void {
  const all = (Object.keys(KEY_SPECS) as (keyof typeof KEY_SPECS)[]).flatMap(
    (spec) => specInfo(spec).algorithms[usage] ?? [],
  );
  checkEnum(member, algorithm, [...new Set(all)]);
}

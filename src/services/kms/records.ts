import type { Key } from '../../store/index.ts';
import type { KeySpecName, KeyUsageName } from './key-specs.ts';

/** Which key: ids are unique, but a multi-Region key has the same id in each of its regions. */
export interface KeyPlace {
  readonly account: string;
  readonly region: string;
  readonly id: string;
}

/** One generation of a key's material. */
export interface MaterialRecord {
  /** 64 hexadecimal digits, the same for the same material of the same key. */
  readonly id: string;
  /** The material, encrypted; `undefined` while imported material is deleted or expired. */
  readonly wrapped?: Uint8Array | undefined;
  /** `PENDING_ROTATION`: imported, not yet in use. */
  readonly state: 'CURRENT' | 'NON_CURRENT' | 'PENDING_ROTATION';
  /** Epoch ms when imported material expires. */
  readonly validTo?: number | undefined;
  readonly description?: string | undefined;
  /** When and why it became the current one; `undefined` for a key's first. */
  readonly rotationDate?: number | undefined;
  readonly rotationType?: 'AUTOMATIC' | 'ON_DEMAND' | undefined;
}

export interface KeyRecord extends KeyPlace {
  /** Epoch ms. */
  readonly creationDate: number;
  readonly description: string;
  readonly spec: KeySpecName;
  readonly usage: KeyUsageName;
  readonly origin: 'AWS_KMS' | 'EXTERNAL';
  /** `AWS`: a managed key, made for `alias/aws/…`. */
  readonly manager: 'CUSTOMER' | 'AWS';
  readonly enabled: boolean;
  readonly policy: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Oldest first. */
  readonly materials: readonly MaterialRecord[];
  /** Automatic rotation, when it is on. `next` in epoch ms. */
  readonly rotation?: { readonly periodInDays: number; readonly next: number } | undefined;
  /** Rotations on demand so far. */
  readonly onDemandRotations?: number | undefined;
  /** Epoch ms at which the key is deleted. */
  readonly deletionDate?: number | undefined;
  /** The waiting period that was asked for, while the deletion is planned or waits for replicas. */
  readonly pendingWindowInDays?: number | undefined;
  readonly multiRegion?: MultiRegionRecord | undefined;
}

/** The regions of a multi-Region key: the same in each of its records. */
export interface MultiRegionRecord {
  readonly primary: string;
  readonly replicas: readonly string[];
}

export interface AliasRecord {
  /** `alias/…` */
  readonly name: string;
  readonly keyId: string;
  readonly creationDate: number;
  readonly lastUpdatedDate: number;
}

export interface GrantRecord {
  readonly id: string;
  readonly keyId: string;
  readonly name?: string | undefined;
  readonly creationDate: number;
  readonly issuingAccount: string;
  readonly grantee: Grantee;
  readonly retiring?: Grantee | undefined;
  readonly operations: readonly string[];
  readonly contextSubset?: Readonly<Record<string, string>> | undefined;
  readonly contextEquals?: Readonly<Record<string, string>> | undefined;
  readonly sourceArn?: string | undefined;
}

/** An ARN, or a service (`logs.amazonaws.com`). */
export type Grantee = { readonly arn: string } | { readonly service: string };

export const keyPrefix = (account: string, region: string): Key => ['kms', 'key', account, region];
export const keyKey = ({ account, region, id }: KeyPlace): Key => ['kms', 'key', account, region, id];
export const ALL_KEYS: Key = ['kms', 'key'];
export const aliasPrefix = (account: string, region: string): Key => ['kms', 'alias', account, region];
export const aliasKey = (account: string, region: string, name: string): Key => ['kms', 'alias', account, region, name];
export const accountGrants = (account: string, region: string): Key => ['kms', 'grant', account, region];
export const grantPrefix = ({ account, region, id }: KeyPlace): Key => ['kms', 'grant', account, region, id];
export const grantKey = (place: KeyPlace, grantId: string): Key => [...grantPrefix(place), grantId];
export const usageKey = ({ account, region, id }: KeyPlace): Key => ['kms', 'usage', account, region, id];
export const ROOT_KEY: Key = ['kms', 'root'];

export const keyArn = ({ account, region, id }: KeyPlace): string => `arn:aws:kms:${region}:${account}:key/${id}`;
export const aliasArn = (account: string, region: string, name: string): string =>
  `arn:aws:kms:${region}:${account}:${name}`;

export type KeyStateName = 'Enabled' | 'Disabled' | 'PendingDeletion' | 'PendingReplicaDeletion' | 'PendingImport';

/** Source: KMS Developer Guide, "Key states of AWS KMS keys". */
export function keyState(record: KeyRecord): KeyStateName {
  if (record.deletionDate !== undefined) return 'PendingDeletion';
  if (record.pendingWindowInDays !== undefined) return 'PendingReplicaDeletion';
  if (record.origin === 'EXTERNAL' && !hasAllMaterial(record)) return 'PendingImport';
  return record.enabled ? 'Enabled' : 'Disabled';
}

/** Imported material must be there in all its generations, or nothing can be done with the key. */
function hasAllMaterial({ materials }: KeyRecord): boolean {
  const inUse = materials.filter(({ state }) => state !== 'PENDING_ROTATION');
  return inUse.length > 0 && inUse.every(({ wrapped }) => wrapped !== undefined);
}

/** What new ciphertexts are made with. */
export function currentMaterial(record: KeyRecord): MaterialRecord | undefined {
  return record.materials.find(({ state }) => state === 'CURRENT');
}

import type { Key } from '../../store/index.ts';

/** Where a secret is: names are unique within an account and region. */
export interface SecretPlace {
  readonly account: string;
  readonly region: string;
  readonly name: string;
}

export interface VersionRecord {
  /** Epoch ms. */
  readonly created: number;
  readonly stages: readonly string[];
  /** The day on which it was last read, epoch ms. */
  readonly accessed?: number | undefined;
  /** ARN of the key that its value is encrypted with; a version that a rotation is to fill has no value yet. */
  readonly keyArn?: string | undefined;
}

export interface RotationRules {
  readonly automaticallyAfterDays?: number | undefined;
  readonly scheduleExpression?: string | undefined;
  /** Hours. */
  readonly duration?: number | undefined;
}

/** Times between which a rotation is due, epoch ms. */
export interface RotationWindow {
  readonly start: number;
  readonly end: number;
}

export interface RotationRecord {
  readonly enabled: boolean;
  readonly functionArn: string;
  readonly rules?: RotationRules | undefined;
  readonly window?: RotationWindow | undefined;
  readonly last?: number | undefined;
}

/** A rotation that is not complete. */
export interface RotationJob {
  /** `test`: only the configuration is tried. */
  readonly kind: 'rotate' | 'test';
  /** Id of the version that it makes. */
  readonly token: string;
  /** Lets a rotation function of another role prove whom it works for. */
  readonly rotationToken: string;
  /** Tries that failed. */
  readonly failures: number;
  /** Epoch ms of the next try; `undefined`: it is under way, or given up until the next window. */
  readonly next?: number | undefined;
  readonly running: boolean;
}

export interface ReplicaRecord {
  readonly region: string;
  readonly kmsKeyId?: string | undefined;
  readonly status: 'InSync' | 'InProgress' | 'Failed';
  readonly message?: string | undefined;
}

export interface SecretRecord {
  readonly arn: string;
  readonly description?: string | undefined;
  /** As the caller named it; the account's own key for secrets when not told. */
  readonly kmsKeyId?: string | undefined;
  readonly created: number;
  readonly changed: number;
  /** The day on which it was last read, epoch ms. */
  readonly accessed?: number | undefined;
  /** When it was marked for deletion, and when it goes. */
  readonly deletion?: { readonly at: number } | undefined;
  readonly tags: Readonly<Record<string, string>>;
  readonly policy?: string | undefined;
  readonly versions: Readonly<Record<string, VersionRecord>>;
  readonly rotation?: RotationRecord | undefined;
  readonly job?: RotationJob | undefined;
  readonly replicas: readonly ReplicaRecord[];
  /** For a replica: the region of its primary. */
  readonly replicaOf?: string | undefined;
  /** Epoch ms at which something is to be done for it. */
  readonly due?: number | undefined;
}

/** A value, encrypted with a data key that is itself encrypted with the secret's key. */
export interface ValueRecord {
  readonly kind: 'string' | 'binary';
  readonly dataKey: Uint8Array;
  readonly iv: Uint8Array;
  readonly tag: Uint8Array;
  readonly data: Uint8Array;
}

export const AGENDA_PREFIX: Key = ['secretsmanager', 'due'];
export const ALL_SECRETS: Key = ['secretsmanager', 'secret'];

export const secretPrefix = ({ account, region }: Omit<SecretPlace, 'name'>): Key => [...ALL_SECRETS, account, region];
export const secretKey = (place: SecretPlace): Key => [...secretPrefix(place), place.name];
/** Values belong to the ARN: a secret of the same name that is made later has another. */
export const valuePrefix = (arn: string): Key => ['secretsmanager', 'value', arn];
export const valueKey = (arn: string, version: string): Key => [...valuePrefix(arn), version];

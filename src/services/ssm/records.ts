import type { Key } from '../../store/index.ts';

/** Where a parameter is: names are unique within an account and region. */
export interface ParameterId {
  readonly account: string;
  readonly region: string;
  readonly name: string;
}

export type ParameterType = 'String' | 'StringList' | 'SecureString';
/** The tier of a stored parameter; `Intelligent-Tiering` chooses one of them. */
export type Tier = 'Standard' | 'Advanced';

/** A policy of an advanced parameter, and whether it was carried out. */
export interface PolicyRecord {
  readonly type: 'Expiration' | 'ExpirationNotification' | 'NoChangeNotification';
  /** Its JSON text. */
  readonly text: string;
  /** Expiration: epoch ms. */
  readonly at?: number | undefined;
  /** ExpirationNotification: before the expiration; NoChangeNotification: after the last change. Milliseconds. */
  readonly span?: number | undefined;
  readonly finished: boolean;
}

export interface VersionRecord {
  readonly version: number;
  readonly type: ParameterType;
  /** As it is given out; for a SecureString its ciphertext, Base64. */
  readonly value: string;
  /** For a SecureString: the key as the caller named it. */
  readonly keyId?: string | undefined;
  /** Epoch ms. */
  readonly modified: number;
  /** ARN of who made it. */
  readonly user: string;
  readonly description?: string | undefined;
  readonly allowedPattern?: string | undefined;
  readonly dataType: string;
  readonly tier: Tier;
}

export interface ParameterRecord {
  readonly latest: VersionRecord;
  /** The oldest version that is kept. */
  readonly oldest: number;
  /** Version by label. */
  readonly labels: Readonly<Record<string, number>>;
  readonly tags: Readonly<Record<string, string>>;
  readonly policies: readonly PolicyRecord[];
  /** Epoch ms at which the next policy is carried out. */
  readonly due?: number | undefined;
}

/** How many parameters an account has in a region. */
export interface CountRecord {
  readonly Standard: number;
  readonly Advanced: number;
}

export const AGENDA_PREFIX: Key = ['ssm', 'due'];

export const parameterPrefix = ({ account, region }: Omit<ParameterId, 'name'>): Key => [
  'ssm',
  'parameter',
  account,
  region,
];
export const parameterKey = (id: ParameterId): Key => [...parameterPrefix(id), id.name];
export const versionPrefix = ({ account, region, name }: ParameterId): Key => ['ssm', 'version', account, region, name];
export const versionKey = (id: ParameterId, version: number): Key => [...versionPrefix(id), version];
export const countKey = ({ account, region }: Omit<ParameterId, 'name'>): Key => ['ssm', 'count', account, region];
export const settingKey = ({ account, region }: Omit<ParameterId, 'name'>, setting: string): Key => [
  'ssm',
  'setting',
  account,
  region,
  setting,
];

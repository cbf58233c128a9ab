import type { Random } from '../../base/random.ts';
import type { Key } from '../../store/index.ts';

export type EntityKind = 'user' | 'group' | 'role';

/** What users, groups and roles have in common. */
export interface EntityRecord {
  readonly name: string;
  readonly path: string;
  readonly id: string;
  readonly arn: string;
  /** Epoch ms. */
  readonly created: number;
  readonly tags: Readonly<Record<string, string>>;
  /** Inline policies: JSON by name. */
  readonly inline: Readonly<Record<string, string>>;
  /** ARNs of attached managed policies. */
  readonly attached: readonly string[];
  /** ARN of the permissions boundary. */
  readonly boundary?: string | undefined;
}

export interface UserRecord extends EntityRecord {
  /** Names. */
  readonly groups: readonly string[];
}

export type GroupRecord = EntityRecord;

export interface RoleRecord extends EntityRecord {
  readonly trustPolicy: string;
  readonly description: string;
  /** Seconds. */
  readonly maxSessionDuration: number;
}

export interface EntityOf {
  readonly user: UserRecord;
  readonly group: GroupRecord;
  readonly role: RoleRecord;
}

export interface AccessKeyRecord {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly account: string;
  /** `undefined`: the account's root. */
  readonly user: string | undefined;
  readonly status: 'Active' | 'Inactive';
  readonly created: number;
}

export interface LastUsed {
  readonly time: number;
  readonly region: string;
  readonly service: string;
}

export interface PolicyVersionRecord {
  /** `v1` … */
  readonly id: string;
  readonly document: string;
  readonly created: number;
}

export interface PolicyRecord {
  readonly name: string;
  readonly path: string;
  readonly id: string;
  readonly arn: string;
  readonly description: string | undefined;
  readonly created: number;
  readonly updated: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly versions: readonly PolicyVersionRecord[];
  readonly defaultVersion: string;
  /** Number of the version to come: numbers are not used twice. */
  readonly nextVersion: number;
}

export interface InstanceProfileRecord {
  readonly name: string;
  readonly path: string;
  readonly id: string;
  readonly arn: string;
  readonly created: number;
  readonly tags: Readonly<Record<string, string>>;
  /** At most one name. */
  readonly roles: readonly string[];
}

export interface OidcProviderRecord {
  readonly arn: string;
  readonly url: string;
  readonly clientIds: readonly string[];
  readonly thumbprints: readonly string[];
  readonly created: number;
  readonly tags: Readonly<Record<string, string>>;
}

/** Names differ by more than case: the key holds them in lower case, the record as they were given. */
export const entityKey = (account: string, kind: EntityKind, name: string): Key => [
  'iam',
  account,
  kind,
  name.toLowerCase(),
];
export const entityPrefix = (account: string, kind: EntityKind): Key => ['iam', account, kind];
export const accessKeyKey = (accessKeyId: string): Key => ['iam', 'key', accessKeyId];
/** Index: the keys of a user. */
export const userAccessKeyKey = (account: string, user: string, accessKeyId: string): Key => [
  'iam',
  account,
  'user-key',
  user.toLowerCase(),
  accessKeyId,
];
export const userAccessKeyPrefix = (account: string, user: string): Key => [
  'iam',
  account,
  'user-key',
  user.toLowerCase(),
];
/** Written often, and of no consequence for what is allowed. */
export const USAGE = 'usage';
export const lastUsedKey = (what: string): Key => ['iam', USAGE, what];
export const rootKeyKey = (account: string): Key => ['iam', 'root', account];
/** Whose an alias is: aliases are one account's only. */
export const aliasOwnerKey = (alias: string): Key => ['iam', 'alias-owner', alias];
export const policyKey = (account: string, name: string): Key => ['iam', account, 'policy', name.toLowerCase()];
export const policyPrefix = (account: string): Key => ['iam', account, 'policy'];
export const profileKey = (account: string, name: string): Key => ['iam', account, 'profile', name.toLowerCase()];
export const profilePrefix = (account: string): Key => ['iam', account, 'profile'];
export const oidcKey = (account: string, issuer: string): Key => ['iam', account, 'oidc', issuer];
export const oidcPrefix = (account: string): Key => ['iam', account, 'oidc'];
export const aliasKey = (account: string): Key => ['iam', account, 'alias'];

const ID_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** Unique id; the prefix tells what of (IAM User Guide, "IAM identifiers"). */
export function newId(prefix: 'AIDA' | 'AGPA' | 'AROA' | 'ANPA' | 'AIPA', random: Random): string {
  return prefix + random.from(ID_ALPHABET, 17);
}

export function iamArn(account: string, type: string, path: string, name: string): string {
  return `arn:aws:iam::${account}:${type}${path}${name}`;
}

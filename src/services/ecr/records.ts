import type { Key } from '../../store/index.ts';

/** The registry of an account in a region. */
export interface RegistryId {
  readonly account: string;
  readonly region: string;
}

/** A repository of one. */
export interface RepositoryId extends RegistryId {
  readonly name: string;
}

export type Mutability = 'MUTABLE' | 'IMMUTABLE' | 'MUTABLE_WITH_EXCLUSION' | 'IMMUTABLE_WITH_EXCLUSION';

export interface RepositorySettings {
  readonly mutability: Mutability;
  /** Wildcards of tags to which the opposite applies. */
  readonly exclusions: readonly string[];
  readonly tags: Readonly<Record<string, string>>;
  /** Policy of who may use it, as it was given. */
  readonly policy?: string | undefined;
  /** Lifecycle policy, as it was given. */
  readonly lifecycle?: string | undefined;
}

export interface RepositoryRecord extends RepositorySettings {
  /** Epoch ms. */
  readonly createdAt: number;
  /** When the lifecycle policy was last carried out, epoch ms. */
  readonly evaluatedAt?: number | undefined;
  /** When it is carried out next, epoch ms. */
  readonly due?: number | undefined;
}

/** An image that a lifecycle policy would delete. */
export interface PreviewResult {
  readonly digest: string;
  readonly tags: readonly string[];
  readonly pushedAt: number;
  readonly priority: number;
}

export interface PreviewRecord {
  readonly text: string;
  /** Epoch ms. */
  readonly madeAt: number;
  readonly results: readonly PreviewResult[];
}

export interface ReplicationRule {
  readonly destinations: readonly RegistryId[];
  /** Prefixes of repositories' names; none: all. */
  readonly prefixes: readonly string[];
}

/** What is set for a registry as a whole. */
export interface RegistryRecord {
  readonly policy?: string | undefined;
  readonly replication?: readonly ReplicationRule[] | undefined;
  readonly settings?: Readonly<Record<string, string>> | undefined;
}

/** How the copying of an image to another registry went. */
export interface ReplicationRecord {
  readonly status: 'IN_PROGRESS' | 'COMPLETE' | 'FAILED';
  readonly failure?: string | undefined;
}

export interface PullThroughRule {
  readonly prefix: string;
  readonly url: string;
  readonly kind: string;
  readonly credentialArn?: string | undefined;
  readonly upstreamPrefix: string;
  /** It was made from this machine, so it may lead to it. */
  readonly local: boolean;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** What is applied to repositories that are made without somebody asking for it. */
export interface TemplateRecord {
  readonly prefix: string;
  readonly description?: string | undefined;
  readonly appliedFor: readonly string[];
  readonly mutability: Mutability;
  readonly exclusions: readonly string[];
  readonly tags: Readonly<Record<string, string>>;
  readonly policy?: string | undefined;
  readonly lifecycle?: string | undefined;
  readonly createdAt: number;
  readonly updatedAt: number;
}

const ROOT = 'ecr';

export const repositoryPrefix = ({ account, region }: RegistryId): Key => [ROOT, 'repository', account, region];
export const repositoryKey = (id: RepositoryId): Key => [...repositoryPrefix(id), id.name];
export const registryKey = ({ account, region }: RegistryId): Key => [ROOT, 'registry', account, region];
export const previewKey = ({ account, region, name }: RepositoryId): Key => [ROOT, 'preview', account, region, name];
export const rulePrefix = ({ account, region }: RegistryId): Key => [ROOT, 'pull-through', account, region];
export const ruleKey = (id: RegistryId, prefix: string): Key => [...rulePrefix(id), prefix];
export const templatePrefix = ({ account, region }: RegistryId): Key => [ROOT, 'template', account, region];
export const templateKey = (id: RegistryId, prefix: string): Key => [...templatePrefix(id), prefix];
/** When a tag of a cached repository was last compared with its upstream's, epoch ms. */
export const checkedPrefix = ({ account, region, name }: RepositoryId): Key => [ROOT, 'checked', account, region, name];
export const checkedKey = (id: RepositoryId, tag: string): Key => [...checkedPrefix(id), tag];
/** How an image was copied, by destination. */
export const replicationPrefix = ({ account, region, name }: RepositoryId, digest?: string): Key => [
  ROOT,
  'replication',
  account,
  region,
  name,
  ...(digest === undefined ? [] : [digest]),
];
export const replicationKey = (id: RepositoryId, digest: string, to: RegistryId): Key => [
  ...replicationPrefix(id, digest),
  to.account,
  to.region,
];
/** When lifecycle policies are to be carried out. */
export const LIFECYCLE_AGENDA: Key = [ROOT, 'lifecycle-due'];
/** What is to be copied to other registries. */
export const REPLICATION_AGENDA: Key = [ROOT, 'replication-due'];
/** Where what tokens and addresses are signed with is kept. */
export const SECRET_KEY: Key = [ROOT, 'secret'];

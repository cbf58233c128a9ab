import type { BucketVersioningStatus, StorageClass } from '@aws-sdk/client-s3';
import type { ChecksumKind } from '../../base/checksum/index.ts';

/** What the store holds. Plain data; times are epoch milliseconds. */

export interface BucketRecord {
  readonly name: string;
  readonly account: string;
  readonly region: string;
  readonly createdAt: number;
  /** `undefined`: versioning was never turned on. */
  readonly versioning?: BucketVersioningStatus;
  readonly notifications?: NotificationRules;
  readonly publicAccessBlock?: PublicAccessBlock;
  /** False after DeleteBucketOwnershipControls; the effect is the same, GetBucketOwnershipControls differs. */
  readonly ownershipControls: boolean;
  readonly hasLifecycle?: boolean;
  readonly hasPolicy?: boolean;
  readonly hasPublicPolicy?: boolean;
  readonly hasCors?: boolean;
}

export interface PublicAccessBlock {
  readonly blockPublicAcls: boolean;
  readonly ignorePublicAcls: boolean;
  readonly blockPublicPolicy: boolean;
  readonly restrictPublicBuckets: boolean;
}

export interface NotificationRules {
  readonly lambda: readonly NotificationRule[];
  readonly queue?: readonly NotificationRule[];
  readonly topic?: readonly NotificationRule[];
  /** Every event goes to the account's default event bus, too. */
  readonly eventBridge?: boolean;
}

export interface NotificationRule {
  readonly id: string;
  readonly targetArn: string;
  readonly events: readonly string[];
  readonly prefix: string;
  readonly suffix: string;
  /** The filter as it was given, so that it is shown as it was given. */
  readonly filterRules?: readonly { readonly name: string; readonly value: string }[];
}

export interface StoredChecksum {
  readonly kind: ChecksumKind;
  /** Base64; composite ones carry `-<number of parts>`. */
  readonly value: string;
  readonly type: 'COMPOSITE' | 'FULL_OBJECT';
}

/** Where an object's bytes are. `id` is unique to these bytes and names the owner of the blob. */
export type Body =
  | { readonly kind: 'empty' }
  | { readonly kind: 'inline'; readonly id: string }
  | { readonly kind: 'blob'; readonly id: string; readonly digest: string }
  | { readonly kind: 'parts'; readonly id: string; readonly count: number };

/** The bytes of one part: inline or a blob, never nested. */
export type PartBody = Exclude<Body, { kind: 'parts' }>;

/** What the client says about an object when it writes it. */
export interface ObjectHeaders {
  readonly contentType: string;
  readonly cacheControl?: string;
  readonly contentDisposition?: string;
  readonly contentEncoding?: string;
  readonly contentLanguage?: string;
  readonly expires?: number;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly storageClass?: StorageClass;
  readonly websiteRedirect?: string;
}

export type TagList = readonly (readonly [key: string, value: string])[];

interface VersionBase {
  /** `null` for a version written while versioning was not on. */
  readonly versionId: string;
  /** Sorts the versions of a key, newer first. */
  readonly order: string;
  readonly lastModified: number;
  /** When a newer version replaced it. Only on noncurrent versions. */
  readonly noncurrentSince?: number;
  /** On the newest version: the order of the noncurrent null version, if there is one. */
  readonly nullOrder?: string;
}

export interface ObjectRecord extends VersionBase, ObjectHeaders {
  readonly deleteMarker?: undefined;
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
  readonly body: Body;
  readonly checksum?: StoredChecksum;
  readonly tags?: TagList;
}

export interface DeleteMarkerRecord extends VersionBase {
  readonly deleteMarker: true;
}

export type VersionRecord = ObjectRecord | DeleteMarkerRecord;

export interface PartRecord {
  readonly number: number;
  readonly size: number;
  readonly etag: string;
  readonly body: PartBody;
  readonly checksum?: StoredChecksum;
}

export interface UploadedPartRecord extends PartRecord {
  readonly lastModified: number;
}

export interface UploadRecord {
  readonly initiatedAt: number;
  readonly headers: ObjectHeaders;
  readonly tags?: TagList;
  readonly checksumKind?: ChecksumKind;
  readonly checksumType?: 'COMPOSITE' | 'FULL_OBJECT';
  readonly initiator: { readonly id: string; readonly name: string };
}

import { emitServiceEvent } from '../../events/index.ts';
import type { Transaction } from '../../store/index.ts';
import { bucketArn } from './bucket-access.ts';
import type { ObjectEvent } from './notifications.ts';
import type { BucketRecord } from './records.ts';
import type { S3State } from './state.ts';
import { nullVersion } from './versions.ts';

interface Meaning {
  readonly type: string;
  readonly reason?: string;
  readonly deletion?: string;
}

const DELETED = 'Permanently Deleted';
const MARKED = 'Delete Marker Created';

/** What EventBridge calls the events of notifications. Source: S3 User Guide, "Using EventBridge", the event types. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  'ObjectCreated:Put': { type: 'Object Created', reason: 'PutObject' },
  'ObjectCreated:Post': { type: 'Object Created', reason: 'POST Object' },
  'ObjectCreated:Copy': { type: 'Object Created', reason: 'CopyObject' },
  'ObjectCreated:CompleteMultipartUpload': { type: 'Object Created', reason: 'CompleteMultipartUpload' },
  'ObjectRemoved:Delete': { type: 'Object Deleted', reason: 'DeleteObject', deletion: DELETED },
  'ObjectRemoved:DeleteMarkerCreated': { type: 'Object Deleted', reason: 'DeleteObject', deletion: MARKED },
  'LifecycleExpiration:Delete': { type: 'Object Deleted', reason: 'Lifecycle Expiration', deletion: DELETED },
  'LifecycleExpiration:DeleteMarkerCreated': {
    type: 'Object Deleted',
    reason: 'Lifecycle Expiration',
    deletion: MARKED,
  },
  'ObjectTagging:Put': { type: 'Object Tags Added' },
  'ObjectTagging:Delete': { type: 'Object Tags Deleted' },
};

/** The ETag of nothing: delete markers have it. */
const EMPTY_ETAG = 'd41d8cd98f00b204e9800998ecf8427e';

/**
 * Tells the default event bus of an object's event, in the transaction that makes the change.
 * Source: S3 User Guide, "EventBridge event message structure".
 */
export function emitObjectEvent(s3: S3State, transaction: Transaction, bucket: BucketRecord, event: ObjectEvent): void {
  const meaning = MEANINGS[event.name];
  if (!meaning) return;
  const { origin, version } = event;
  const { account, name, region } = bucket;
  const object = version && !version.deleteMarker ? version : undefined;
  emitServiceEvent(s3, transaction, {
    source: 'aws.s3',
    detailType: meaning.type,
    resources: [bucketArn(name)],
    account,
    region,
    traceHeader: origin.traceHeader,
    detail: {
      version: '0',
      bucket: { name },
      object: {
        key: event.key,
        ...(object && meaning.type === 'Object Created' ? { size: object.size } : {}),
        ...(version ? { etag: object?.etag ?? EMPTY_ETAG } : {}),
        ...(version && version.versionId !== nullVersion ? { 'version-id': version.versionId } : {}),
        ...(meaning.reason === undefined ? {} : { sequencer: event.sequencer }),
      },
      'request-id': origin.requestId,
      requester: origin.requester,
      ...(origin.requester === 's3.amazonaws.com' ? {} : { 'source-ip-address': origin.sourceIp }),
      ...(meaning.reason === undefined ? {} : { reason: meaning.reason }),
      ...(meaning.deletion === undefined ? {} : { 'deletion-type': meaning.deletion }),
    },
  });
}

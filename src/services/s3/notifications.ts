import type { DeliveryCaller } from '../../events/index.ts';
import type { Transaction } from '../../store/index.ts';
import type { RequestContext } from '../service.ts';
import { traceHeaderOf } from '../trace-header.ts';
import { bucketArn, canonicalUserId } from './bucket-access.ts';
import { urlEncodeKey } from './key-encoding.ts';
import { emitObjectEvent } from './object-events.ts';
import type { BucketRecord, NotificationRule, VersionRecord } from './records.ts';
import type { S3State } from './state.ts';
import { nullVersion } from './versions.ts';

/** The name under which S3's deliveries are known. */
export const deliverySource = 's3';

/** Of e-mails by way of a topic. */
export const SUBJECT = 'Amazon S3 Notification';

/** Who caused an event; lifecycle has none of a request's fields. */
export type EventOrigin = Pick<RequestContext, 'requestId' | 'sourceIp'> & {
  readonly principalId: string;
  /** An account, or the service itself: `s3.amazonaws.com`. */
  readonly requester: string;
  /** Trace header of the request: tells a function's own writes, so that it is not invoked by them for ever. */
  readonly traceHeader?: string | undefined;
};

export function originOf(context: RequestContext): EventOrigin {
  return {
    requestId: context.requestId,
    sourceIp: context.sourceIp,
    principalId: `AWS:${context.principal.userId}`,
    requester: context.principal.account,
    traceHeader: traceHeaderOf(context.headers),
  };
}

export interface ObjectEvent {
  /** Without `s3:`, e.g. `ObjectCreated:Put`. */
  readonly name: string;
  readonly key: string;
  readonly sequencer: string;
  /** The version that the event is about; size and ETag are left out for deletions. */
  readonly version?: VersionRecord;
  readonly origin: EventOrigin;
}

/** Events that came with these families carry the later version of the message. */
const laterFamilies = ['ObjectTagging:', 'LifecycleExpiration:'];

/**
 * Hands an event to the delivery, once for each rule of the bucket that asks for it, inside the transaction that makes
 * the change: it is delivered if, and only if, the change is there.
 */
export function notify(s3: S3State, transaction: Transaction, bucket: BucketRecord, event: ObjectEvent): void {
  if (!bucket.notifications) return;
  const { eventBridge, lambda, queue = [], topic = [] } = bucket.notifications;
  if (eventBridge) emitObjectEvent(s3, transaction, bucket, event);
  for (const rule of [...lambda, ...queue, ...topic]) {
    if (!matchesRule(rule, event)) continue;
    s3.delivery.enqueue(transaction, {
      source: deliverySource,
      targetArn: rule.targetArn,
      payload: Buffer.from(JSON.stringify({ Records: [eventRecord(s3, bucket, rule, event)] })),
      account: bucket.account,
      region: bucket.region,
      parameters: { subject: SUBJECT },
      caller: notificationCaller(bucket),
      traceHeader: event.origin.traceHeader,
    });
  }
}

/** As `x-amz-id-2`. */
export const hostId = (bucket: Pick<BucketRecord, 'name'>, part: string): string =>
  Buffer.from(`${bucket.name}/${part}`).toString('base64');

/** In whose name a bucket's events are sent. */
export function notificationCaller(bucket: Pick<BucketRecord, 'name' | 'account'>): DeliveryCaller {
  return { service: 's3.amazonaws.com', sourceArn: bucketArn(bucket.name), sourceAccount: bucket.account };
}

/** True when a rule's events and filter take in this event. */
export function matchesRule(rule: NotificationRule, event: Pick<ObjectEvent, 'name' | 'key'>): boolean {
  const name = `s3:${event.name}`;
  return (
    rule.events.some((asked) => asked === name || (asked.endsWith('*') && name.startsWith(asked.slice(0, -1)))) &&
    event.key.startsWith(rule.prefix) &&
    event.key.endsWith(rule.suffix)
  );
}

/** The message of one event. Source: S3 User Guide, "Event message structure". */
function eventRecord(s3: S3State, bucket: BucketRecord, rule: NotificationRule, event: ObjectEvent): unknown {
  const { version } = event;
  const object = version && !version.deleteMarker ? version : undefined;
  const created = event.name.startsWith('ObjectCreated:');
  return {
    eventVersion: laterFamilies.some((family) => event.name.startsWith(family)) ? '2.3' : '2.1',
    eventSource: 'aws:s3',
    awsRegion: bucket.region,
    eventTime: new Date(s3.clock.now()).toISOString(),
    eventName: event.name,
    userIdentity: { principalId: event.origin.principalId },
    requestParameters: { sourceIPAddress: event.origin.sourceIp },
    responseElements: {
      'x-amz-request-id': event.origin.requestId,
      'x-amz-id-2': hostId(bucket, event.sequencer),
    },
    s3: {
      s3SchemaVersion: '1.0',
      configurationId: rule.id,
      bucket: {
        name: bucket.name,
        ownerIdentity: { principalId: canonicalUserId(bucket.account).slice(0, 14).toUpperCase() },
        arn: bucketArn(bucket.name),
      },
      object: {
        key: urlEncodeKey(event.key),
        ...(object && created ? { size: object.size } : {}),
        ...(object && !event.name.startsWith('ObjectRemoved:') ? { eTag: object.etag } : {}),
        ...(version && version.versionId !== nullVersion ? { versionId: version.versionId } : {}),
        sequencer: event.sequencer,
      },
    },
  };
}

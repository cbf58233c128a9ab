import { parseArn } from '../../base/arn.ts';
import { ServiceError } from '../../base/errors.ts';
import type { Transaction } from '../../store/index.ts';
import type { RequestContext } from '../service.ts';
import { invalidArgument } from './errors.ts';
import { TARGETS, type TargetKind } from './notification-rules.ts';
import { deliverySource, hostId, notificationCaller, SUBJECT } from './notifications.ts';
import type { BucketRecord, NotificationRule } from './records.ts';
import type { S3State } from './state.ts';

type Rules = Readonly<Record<TargetKind, readonly NotificationRule[]>>;

/** What S3 says of a destination that it may not reach. */
const REFUSALS: Readonly<Record<TargetKind, string>> = {
  lambda: 'Not authorized to invoke function',
  queue: 'Permissions on the destination queue do not allow S3 to publish notifications from this bucket',
  topic: 'Permissions on the destination topic do not allow S3 to publish notifications from this bucket',
};

/** Destinations must be there, in the bucket's region, and let S3 in. Throws InvalidArgument. */
export async function checkDestinations(s3: S3State, bucket: BucketRecord, rules: Rules): Promise<void> {
  const failed: { readonly arn: string; readonly refusal: string }[] = [];
  for (const kind of Object.keys(TARGETS) as TargetKind[]) {
    for (const arn of new Set(rules[kind].map((rule) => rule.targetArn))) {
      if (parseArn(arn)!.region !== bucket.region) {
        throw invalidArgument(
          'The notification destination service region is not valid for the bucket location constraint',
          TARGETS[kind].argument,
          arn,
        );
      }
      const allowed = s3.delivery.supports(arn) && (await s3.delivery.permits(arn, notificationCaller(bucket)));
      if (!allowed) failed.push({ arn, refusal: REFUSALS[kind] });
    }
  }
  if (failed.length === 0) return;
  throw new ServiceError('InvalidArgument', 'Unable to validate the following destination configurations', {
    members: Object.fromEntries(
      failed.flatMap(({ arn, refusal }, index) => [
        [`ArgumentName${index + 1}`, `${arn}, null`],
        [`ArgumentValue${index + 1}`, refusal],
      ]),
    ),
  });
}

/**
 * Tells each queue and topic that it is going to be notified.
 * Source: S3 User Guide, "Event message structure", the test message.
 */
export function sendTestEvents(
  s3: S3State,
  transaction: Transaction,
  bucket: BucketRecord,
  rules: Rules,
  context: RequestContext,
): void {
  const event = {
    Service: 'Amazon S3',
    Event: 's3:TestEvent',
    Time: new Date(s3.clock.now()).toISOString(),
    Bucket: bucket.name,
    RequestId: context.requestId,
    HostId: hostId(bucket, context.requestId),
  };
  for (const targetArn of new Set([...rules.queue, ...rules.topic].map((rule) => rule.targetArn))) {
    s3.delivery.enqueue(transaction, {
      source: deliverySource,
      targetArn,
      payload: Buffer.from(JSON.stringify(event)),
      account: bucket.account,
      region: bucket.region,
      parameters: { subject: SUBJECT },
      caller: notificationCaller(bucket),
    });
  }
}

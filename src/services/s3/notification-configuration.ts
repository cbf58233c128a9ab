import {
  Event as EventName,
  type GetBucketNotificationConfigurationCommandInput,
  type GetBucketNotificationConfigurationCommandOutput,
  type LambdaFunctionConfiguration,
  type PutBucketNotificationConfigurationCommandInput,
} from '@aws-sdk/client-s3';
import { parseArn } from '../../base/arn.ts';
import { ServiceError } from '../../base/errors.ts';
import type { RequestContext } from '../service.ts';
import { bucketInTransaction, requireBucket } from './bucket-access.ts';
import { invalidArgument, malformedXml, notImplemented } from './errors.ts';
import { bucketKey } from './keys.ts';
import { notificationCaller } from './notifications.ts';
import type { BucketRecord, NotificationRule } from './records.ts';
import type { S3State } from './state.ts';

type Output<T> = Omit<T, '$metadata'>;

/** Events that something here sends. */
const sentEvents: readonly string[] = [
  's3:ObjectCreated:*',
  's3:ObjectCreated:Put',
  's3:ObjectCreated:Post',
  's3:ObjectCreated:Copy',
  's3:ObjectCreated:CompleteMultipartUpload',
  's3:ObjectRemoved:*',
  's3:ObjectRemoved:Delete',
  's3:ObjectRemoved:DeleteMarkerCreated',
  's3:ObjectTagging:*',
  's3:ObjectTagging:Put',
  's3:ObjectTagging:Delete',
  's3:LifecycleExpiration:*',
  's3:LifecycleExpiration:Delete',
  's3:LifecycleExpiration:DeleteMarkerCreated',
];
const maxRules = 100;

/** Source: S3 API Reference, "PutBucketNotificationConfiguration". Replaces the whole configuration. */
export async function putBucketNotificationConfiguration(
  s3: S3State,
  input: PutBucketNotificationConfigurationCommandInput,
  context: RequestContext,
): Promise<Record<string, never>> {
  const bucket = await requireBucket(s3, input, context);
  const configuration = input.NotificationConfiguration ?? {};
  refuseMissingTargets(s3, input);
  const rules = (configuration.LambdaFunctionConfigurations ?? []).map((rule) => parseRule(s3, rule));
  if (rules.length > maxRules)
    throw invalidArgument(`The maximum number of notification configurations is ${maxRules}`);
  checkIds(rules);
  checkOverlaps(rules);
  await checkDestinations(s3, bucket, rules);
  await s3.store.transact(async (transaction) => {
    const { notifications: _, ...rest } = await bucketInTransaction(transaction, bucket.name);
    const record: BucketRecord = rules.length === 0 ? rest : { ...rest, notifications: { lambda: rules } };
    transaction.put(bucketKey(bucket.name), record);
  });
  return {};
}

/** Source: S3 API Reference, "GetBucketNotificationConfiguration". */
export async function getBucketNotificationConfiguration(
  s3: S3State,
  input: GetBucketNotificationConfigurationCommandInput,
  context: RequestContext,
): Promise<Output<GetBucketNotificationConfigurationCommandOutput>> {
  const bucket = await requireBucket(s3, input, context);
  if (!bucket.notifications) return {};
  return {
    LambdaFunctionConfigurations: bucket.notifications.lambda.map((rule) => ({
      Id: rule.id,
      LambdaFunctionArn: rule.targetArn,
      Events: [...rule.events] as EventName[],
      ...(rule.filterRules === undefined
        ? {}
        : {
            Filter: {
              Key: {
                FilterRules: rule.filterRules.map(({ name, value }) => ({
                  Name: name as 'prefix' | 'suffix',
                  Value: value,
                })),
              },
            },
          }),
    })),
  };
}

function refuseMissingTargets(s3: S3State, input: PutBucketNotificationConfigurationCommandInput): void {
  const configuration = input.NotificationConfiguration ?? {};
  if (configuration.EventBridgeConfiguration !== undefined) {
    throw notImplemented('EventBridge as a destination of bucket notifications', 'use a Lambda function');
  }
  const others = [
    ...(configuration.QueueConfigurations ?? []).map((rule) => rule.QueueArn),
    ...(configuration.TopicConfigurations ?? []).map((rule) => rule.TopicArn),
  ];
  if (others.length === 0) return;
  const [arn = ''] = others.filter((target) => target === undefined || !s3.delivery.supports(target));
  const service = parseArn(arn || (others[0] ?? ''))?.service.toUpperCase() ?? 'Queues and topics';
  throw notImplemented(`${service} as a destination of bucket notifications`, 'use a Lambda function');
}

function parseRule(s3: S3State, rule: LambdaFunctionConfiguration): NotificationRule {
  const targetArn = rule.LambdaFunctionArn ?? '';
  const arn = parseArn(targetArn);
  if (arn?.service !== 'lambda' || !/^function:[^:]+(:[^:]+)?$/.test(arn.resource)) {
    throw invalidArgument('The ARN could not be parsed', 'CloudFunction', targetArn);
  }
  const events: readonly string[] = rule.Events ?? [];
  if (events.length === 0) throw malformedXml('a notification configuration without an event');
  for (const event of events) {
    if (!Object.values(EventName as Record<string, string>).includes(event)) {
      throw invalidArgument('The event is not supported for notifications', 'Event', event);
    }
    if (!sentEvents.includes(event)) {
      throw notImplemented(`The event ${event}`, `nothing sends it here; sent are ${sentEvents.join(', ')}`);
    }
  }
  const given = rule.Filter?.Key?.FilterRules ?? [];
  const filterRules = given.map(({ Name: name = '', Value: value = '' }) => ({ name: String(name), value }));
  const named = (wanted: string): string => {
    const found = filterRules.filter((filter) => filter.name.toLowerCase() === wanted);
    if (found.length > 1) {
      throw invalidArgument(`Cannot specify more than one ${wanted} rule in a filter.`, 'FilterRule.Name', wanted);
    }
    return found[0]?.value ?? '';
  };
  for (const { name, value } of filterRules) {
    if (!['prefix', 'suffix'].includes(name.toLowerCase())) {
      throw invalidArgument('filter rule name must be either prefix or suffix', 'FilterRule.Name', name);
    }
    if (Buffer.byteLength(value) > 1024) {
      throw invalidArgument(
        'Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation',
        'FilterRule.Value',
        value,
      );
    }
  }
  return {
    id: rule.Id ?? s3.random.uuid(),
    targetArn,
    events,
    prefix: named('prefix'),
    suffix: named('suffix'),
    ...(rule.Filter === undefined ? {} : { filterRules }),
  };
}

function checkIds(rules: readonly NotificationRule[]): void {
  const ids = new Set<string>();
  for (const { id } of rules) {
    if (ids.has(id)) throw invalidArgument('Configuration Ids must be unique', 'Id', id);
    ids.add(id);
  }
}

/**
 * Throws when one object's event could match two rules.
 * Source: S3 User Guide, "Configuring event notifications using object key name filtering".
 */
function checkOverlaps(rules: readonly NotificationRule[]): void {
  rules.forEach((rule, index) => {
    for (const other of rules.slice(index + 1)) {
      if (!shareEvent(rule, other)) continue;
      const prefixes = rule.prefix.startsWith(other.prefix) || other.prefix.startsWith(rule.prefix);
      const suffixes = rule.suffix.endsWith(other.suffix) || other.suffix.endsWith(rule.suffix);
      if (!prefixes || !suffixes) continue;
      const filtered = rule.prefix + rule.suffix + other.prefix + other.suffix !== '';
      throw invalidArgument(
        filtered
          ? 'Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type.'
          : 'Configurations overlap. Configurations on the same bucket cannot share a common event type.',
        'Event',
        `${rule.events.join(', ')}, ${other.events.join(', ')}`,
      );
    }
  });
}

function shareEvent(a: NotificationRule, b: NotificationRule): boolean {
  const covers = (pattern: string, event: string): boolean =>
    pattern === event || (pattern.endsWith('*') && event.startsWith(pattern.slice(0, -1)));
  return a.events.some((event) => b.events.some((other) => covers(event, other) || covers(other, event)));
}

/** The function must exist in the bucket's region and its policy must let S3 invoke it. */
async function checkDestinations(s3: S3State, bucket: BucketRecord, rules: readonly NotificationRule[]): Promise<void> {
  const failed: string[] = [];
  for (const arn of new Set(rules.map((rule) => rule.targetArn))) {
    const parsed = parseArn(arn)!;
    if (parsed.region !== bucket.region) {
      throw invalidArgument(
        'The notification destination service region is not valid for the bucket location constraint',
        'CloudFunction',
        arn,
      );
    }
    const allowed = s3.delivery.supports(arn) && (await s3.delivery.permits(arn, notificationCaller(bucket)));
    if (!allowed) failed.push(arn);
  }
  if (failed.length === 0) return;
  throw new ServiceError('InvalidArgument', 'Unable to validate the following destination configurations', {
    members: { ArgumentName1: `${failed.join(', ')}, null`, ArgumentValue1: 'Not authorized to invoke function' },
  });
}

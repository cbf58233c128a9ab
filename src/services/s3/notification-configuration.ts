import type {
  Event as EventName,
  GetBucketNotificationConfigurationCommandInput,
  GetBucketNotificationConfigurationCommandOutput,
  LambdaFunctionConfiguration,
  PutBucketNotificationConfigurationCommandInput,
} from '@aws-sdk/client-s3';
import type { RequestContext } from '../service.ts';
import { bucketInTransaction, requireBucket } from './bucket-access.ts';
import { invalidArgument } from './errors.ts';
import { bucketKey } from './keys.ts';
import { checkDestinations, sendTestEvents } from './notification-destinations.ts';
import { checkIds, checkOverlaps, parseRules } from './notification-rules.ts';
import type { BucketRecord, NotificationRule, NotificationRules } from './records.ts';
import type { S3State } from './state.ts';

type Output<T> = Omit<T, '$metadata'>;

const maxRules = 100;

/** Source: S3 API Reference, "PutBucketNotificationConfiguration". Replaces the whole configuration. */
export async function putBucketNotificationConfiguration(
  s3: S3State,
  input: PutBucketNotificationConfigurationCommandInput,
  context: RequestContext,
): Promise<Record<string, never>> {
  const bucket = await requireBucket(s3, input, context);
  const configuration = input.NotificationConfiguration ?? {};
  const rules = parseRules(s3, configuration);
  const all = [...rules.lambda, ...rules.queue, ...rules.topic];
  if (all.length > maxRules) throw invalidArgument(`The maximum number of notification configurations is ${maxRules}`);
  checkIds(all);
  checkOverlaps(all);
  if (!input.SkipDestinationValidation) await checkDestinations(s3, bucket, rules);
  const eventBridge = configuration.EventBridgeConfiguration !== undefined;
  const notifications: NotificationRules = { ...rules, ...(eventBridge ? { eventBridge } : {}) };
  await s3.store.transact(async (transaction) => {
    const { notifications: _, ...rest } = await bucketInTransaction(transaction, bucket.name);
    const record: BucketRecord = all.length === 0 && !eventBridge ? rest : { ...rest, notifications };
    transaction.put(bucketKey(bucket.name), record);
    if (!input.SkipDestinationValidation) sendTestEvents(s3, transaction, bucket, rules, context);
  });
  return {};
}

/** Source: S3 API Reference, "GetBucketNotificationConfiguration". */
export async function getBucketNotificationConfiguration(
  s3: S3State,
  input: GetBucketNotificationConfigurationCommandInput,
  context: RequestContext,
): Promise<Output<GetBucketNotificationConfigurationCommandOutput>> {
  const { notifications } = await requireBucket(s3, input, context);
  if (!notifications) return {};
  const { eventBridge, lambda, queue = [], topic = [] } = notifications;
  return {
    ...(lambda.length === 0
      ? {}
      : {
          LambdaFunctionConfigurations: lambda.map((rule) => ({ LambdaFunctionArn: rule.targetArn, ...shown(rule) })),
        }),
    ...(queue.length === 0
      ? {}
      : { QueueConfigurations: queue.map((rule) => ({ QueueArn: rule.targetArn, ...shown(rule) })) }),
    ...(topic.length === 0
      ? {}
      : { TopicConfigurations: topic.map((rule) => ({ TopicArn: rule.targetArn, ...shown(rule) })) }),
    ...(eventBridge ? { EventBridgeConfiguration: {} } : {}),
  };
}

/** What rules of all kinds show. */
function shown(rule: NotificationRule): Pick<LambdaFunctionConfiguration, 'Id' | 'Events' | 'Filter'> {
  return {
    Id: rule.id,
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
  };
}

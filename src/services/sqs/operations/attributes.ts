import type {
  GetQueueAttributesCommandInput,
  GetQueueAttributesCommandOutput,
  QueueAttributeName,
  SetQueueAttributesCommandInput,
} from '@aws-sdk/client-sqs';
import type { RequestContext } from '../../service.ts';
import { checkRedrive } from '../dead-letters.ts';
import { invalidAttributeName } from '../errors.ts';
import { changeSettings, givenAttributes, shownSettings } from '../queue-settings.ts';
import type { SqsState } from '../state.ts';
import { changeQueue, queueOf } from './queues.ts';

export async function getQueueAttributes(
  state: SqsState,
  input: GetQueueAttributesCommandInput,
  context: RequestContext,
): Promise<Omit<GetQueueAttributesCommandOutput, '$metadata'>> {
  const queue = await queueOf(state, input, context);
  queue.settle();
  const { created, modified, settings } = queue.record;
  const { index } = queue;
  const all: Record<string, string> = {
    QueueArn: queue.arn,
    ApproximateNumberOfMessages: String(index.visible),
    ApproximateNumberOfMessagesNotVisible: String(index.inFlight),
    ApproximateNumberOfMessagesDelayed: String(index.delayed),
    CreatedTimestamp: String(Math.floor(created / 1000)),
    LastModifiedTimestamp: String(Math.floor(modified / 1000)),
    ...shownSettings(settings, queue.record),
  };
  const names: readonly string[] = input.AttributeNames ?? [];
  for (const name of names) if (!KNOWN.has(name)) throw invalidAttributeName(name);
  const wanted = names.includes('All') ? Object.keys(all) : names;
  const shown = Object.fromEntries(wanted.flatMap((name) => (name in all ? [[name, all[name]!]] : [])));
  return Object.keys(shown).length === 0 ? {} : { Attributes: shown };
}

const KNOWN: ReadonlySet<string> = new Set<QueueAttributeName>([
  'All',
  'ApproximateNumberOfMessages',
  'ApproximateNumberOfMessagesDelayed',
  'ApproximateNumberOfMessagesNotVisible',
  'ContentBasedDeduplication',
  'CreatedTimestamp',
  'DeduplicationScope',
  'DelaySeconds',
  'FifoQueue',
  'FifoThroughputLimit',
  'KmsDataKeyReusePeriodSeconds',
  'KmsMasterKeyId',
  'LastModifiedTimestamp',
  'MaximumMessageSize',
  'MessageRetentionPeriod',
  'Policy',
  'QueueArn',
  'ReceiveMessageWaitTimeSeconds',
  'RedriveAllowPolicy',
  'RedrivePolicy',
  'SqsManagedSseEnabled',
  'VisibilityTimeout',
]);

export async function setQueueAttributes(
  state: SqsState,
  input: SetQueueAttributesCommandInput,
  context: RequestContext,
): Promise<object> {
  const queue = await queueOf(state, input, context);
  const attributes = givenAttributes(input.Attributes);
  await changeQueue(state, queue, async (record) => {
    const settings = changeSettings(record.settings, attributes, record);
    await checkRedrive(state, settings, record);
    return { ...record, settings, modified: state.clock.now() };
  });
  // A shorter retention period may have let go of messages.
  queue.settle();
  return {};
}

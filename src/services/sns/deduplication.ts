import type { Transaction } from '../../store/index.ts';
import type { Message } from './message.ts';
import { type DeduplicationRecord, keys, type TopicRecord } from './records.ts';

/** Source: API Reference, "Publish": MessageDeduplicationId. */
const INTERVAL_MS = 5 * 60_000;
/** Old entries that each new message takes away. */
const SWEPT = 4;
const FIRST_NUMBER = 10_000_000_000_000_000_000n;
/** What numbers grow by. */
const STEP = 1000n;

/**
 * The number of a message of a FIFO topic, or the one that it got when it was first published: for five minutes the same
 * deduplication id, in the topic or in its group, is the same message.
 */
export async function deduplicated(
  transaction: Transaction,
  topic: TopicRecord,
  { deduplicationId = '', groupId = '' }: Message,
  { messageId, time }: { readonly messageId: string; readonly time: number },
): Promise<{ readonly messageId: string; readonly sequenceNumber: string; readonly repeated: boolean }> {
  const scope = topic.attributes.FifoThroughputScope === 'MessageGroup' ? groupId : '';
  const key = keys.deduplication(topic, scope, deduplicationId);
  const known = await transaction.get<DeduplicationRecord>(key);
  if (known && known.value.until > time) {
    return { messageId: known.value.messageId, sequenceNumber: known.value.sequenceNumber, repeated: true };
  }
  await sweep(transaction, topic, time);
  const last = await transaction.get<string>(keys.sequence(topic));
  const sequenceNumber = String(BigInt(last?.value ?? FIRST_NUMBER) + STEP);
  transaction.put(keys.sequence(topic), sequenceNumber);
  const until = time + INTERVAL_MS;
  const record: DeduplicationRecord = { messageId, sequenceNumber, until };
  transaction.put(key, record);
  transaction.put(keys.deduplicationEnd(topic, until, scope, deduplicationId), true);
  return { messageId, sequenceNumber, repeated: false };
}

/** Takes some entries away that no longer count: as many as come in go out. */
async function sweep(transaction: Transaction, topic: TopicRecord, now: number): Promise<void> {
  const prefix = keys.deduplicationEnds(topic);
  const over = await transaction.range({ prefix, before: [...prefix, now + 1], limit: SWEPT });
  for (const { key } of over) {
    const [scope, id] = key.slice(-2) as [string, string];
    transaction.delete(key);
    const record = await transaction.get<DeduplicationRecord>(keys.deduplication(topic, scope, id));
    if (record && record.value.until <= now) transaction.delete(record.key);
  }
}

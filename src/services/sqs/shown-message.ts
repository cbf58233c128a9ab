import type { Message, MessageAttributeValue } from '@aws-sdk/client-sqs';
import type { MessageAttribute } from '../../events/index.ts';
import { invalidAttributeName } from './errors.ts';
import { md5OfAttributes } from './message-digest.ts';
import type { Queue } from './queue.ts';
import type { Received } from './receive.ts';
import { sequenceNumber } from './sequence-number.ts';

const SYSTEM_ATTRIBUTES = [
  'SenderId',
  'SentTimestamp',
  'ApproximateReceiveCount',
  'ApproximateFirstReceiveTimestamp',
  'SequenceNumber',
  'MessageDeduplicationId',
  'MessageGroupId',
  'AWSTraceHeader',
  'DeadLetterQueueSourceArn',
] as const;

type SystemAttribute = (typeof SYSTEM_ATTRIBUTES)[number];

const KNOWN: ReadonlySet<string> = new Set(SYSTEM_ATTRIBUTES);

/** Attributes of queues, which older clients name here; they are passed over. */
const OF_QUEUES =
  /^(Approximate|Policy|Visibility|Maximum|MessageRetention|Created|LastModified|QueueArn|Delay|Receive|Redrive|Fifo|Content|Kms|Dedup|SqsManaged)/;

/** All that the service knows of a received message. */
export function systemAttributes(queue: Queue, received: Received): Partial<Record<SystemAttribute, string>> {
  const { firstReceive, message, receives, record } = received;
  return {
    SenderId: record.senderId,
    ApproximateFirstReceiveTimestamp: String(firstReceive),
    ApproximateReceiveCount: String(receives),
    SentTimestamp: String(record.sent),
    ...(queue.fifo ? { SequenceNumber: sequenceNumber(message.order) } : {}),
    ...(record.deduplicationId === undefined ? {} : { MessageDeduplicationId: record.deduplicationId }),
    ...(record.groupId === undefined ? {} : { MessageGroupId: record.groupId }),
    ...(record.traceHeader === undefined ? {} : { AWSTraceHeader: record.traceHeader }),
    ...(record.deadLetterSource === undefined ? {} : { DeadLetterQueueSourceArn: record.deadLetterSource }),
  };
}

/** Which attributes a receive asks for. */
export interface Wanted {
  readonly system: ReadonlySet<string> | 'All';
  readonly message: readonly string[];
}

/** Throws InvalidAttributeName. */
export function readWanted(systemNames: readonly string[], messageNames: readonly string[]): Wanted {
  for (const name of systemNames) {
    if (name !== 'All' && !KNOWN.has(name) && !OF_QUEUES.test(name)) throw invalidAttributeName(name);
  }
  return { system: systemNames.includes('All') ? 'All' : new Set(systemNames), message: messageNames };
}

/** A received message with the attributes that were asked for. */
export function shownMessage(queue: Queue, received: Received, wanted: Wanted): Message {
  const { body, receiptHandle, record } = received;
  const message: Message = {
    MessageId: record.messageId,
    ReceiptHandle: receiptHandle,
    MD5OfBody: record.md5OfBody,
    Body: body,
  };
  if (wanted.system === 'All' || wanted.system.size > 0) {
    const { system } = wanted;
    const shown = Object.entries(systemAttributes(queue, received)).filter(
      ([name]) => system === 'All' || system.has(name),
    );
    if (shown.length > 0) message.Attributes = Object.fromEntries(shown);
  }
  const attributes = selected(record.messageAttributes, wanted.message);
  if (attributes) {
    message.MessageAttributes = Object.fromEntries(
      Object.entries(attributes).map(([name, attribute]) => [name, shownAttribute(attribute)]),
    );
    // Of those that are shown, as clients check it against what they got.
    message.MD5OfMessageAttributes = md5OfAttributes(attributes);
  }
  return message;
}

/** By name, by prefix (`bar.*`), or all. Source: SQS API Reference, "ReceiveMessage". */
function selected(
  attributes: Readonly<Record<string, MessageAttribute>> | undefined,
  names: readonly string[],
): Readonly<Record<string, MessageAttribute>> | undefined {
  if (attributes === undefined || names.length === 0) return undefined;
  if (names.includes('All') || names.includes('.*') || names.includes('*')) return attributes;
  const prefixes = names.filter((name) => name.endsWith('.*')).map((name) => name.slice(0, -2));
  const chosen = Object.entries(attributes).filter(
    ([name]) => names.includes(name) || prefixes.some((prefix) => name.startsWith(prefix)),
  );
  return chosen.length === 0 ? undefined : Object.fromEntries(chosen);
}

function shownAttribute({ binaryValue, dataType, stringValue }: MessageAttribute): MessageAttributeValue {
  return binaryValue
    ? { DataType: dataType, BinaryValue: binaryValue }
    : { DataType: dataType, StringValue: stringValue };
}

import type { MessageAttribute } from '../../../events/index.ts';
import type { EventMessage } from '../ports.ts';

/** A message as a function gets it. Source: Lambda Developer Guide, "Using Lambda with Amazon SQS", the example event. */
export interface QueueRecord {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly messageAttributes: Readonly<Record<string, RecordAttribute>>;
  readonly md5OfMessageAttributes?: string;
  readonly md5OfBody: string;
  readonly eventSource: 'aws:sqs';
  readonly eventSourceARN: string;
  readonly awsRegion: string;
}

interface RecordAttribute {
  readonly stringValue?: string;
  /** Base64. */
  readonly binaryValue?: string;
  readonly stringListValues: readonly string[];
  readonly binaryListValues: readonly string[];
  readonly dataType: string;
}

export function queueRecord(queueArn: string, region: string, message: EventMessage): QueueRecord {
  const { md5OfMessageAttributes } = message;
  return {
    messageId: message.messageId,
    receiptHandle: message.receiptHandle,
    body: message.body,
    attributes: message.attributes,
    messageAttributes: Object.fromEntries(
      Object.entries(message.messageAttributes).map(([name, attribute]) => [name, recordAttribute(attribute)]),
    ),
    ...(md5OfMessageAttributes === undefined ? {} : { md5OfMessageAttributes }),
    md5OfBody: message.md5OfBody,
    eventSource: 'aws:sqs',
    eventSourceARN: queueArn,
    awsRegion: region,
  };
}

function recordAttribute({ binaryValue, dataType, stringValue }: MessageAttribute): RecordAttribute {
  return {
    ...(stringValue === undefined ? {} : { stringValue }),
    ...(binaryValue === undefined ? {} : { binaryValue: Buffer.from(binaryValue).toString('base64') }),
    stringListValues: [],
    binaryListValues: [],
    dataType,
  };
}

/** Some records, with the event that they make. */
export interface EventPart {
  readonly messages: readonly EventMessage[];
  readonly payload: Buffer;
}

const HEAD = Buffer.from('{"Records":[');
const TAIL = Buffer.from(']}');
const COMMA = Buffer.from(',');

/** Events of at most `limit` bytes; a message that is too large by itself makes one that is larger. */
export function eventParts(
  queueArn: string,
  region: string,
  messages: readonly EventMessage[],
  limit: number,
): EventPart[] {
  const parts: EventPart[] = [];
  let chunks: Buffer[] = [];
  let taken: EventMessage[] = [];
  let size = HEAD.length + TAIL.length;
  const finish = (): void => {
    if (taken.length > 0) parts.push({ messages: taken, payload: Buffer.concat([HEAD, ...chunks, TAIL]) });
    chunks = [];
    taken = [];
    size = HEAD.length + TAIL.length;
  };
  for (const message of messages) {
    const record = Buffer.from(JSON.stringify(queueRecord(queueArn, region, message)));
    if (size + record.length + COMMA.length > limit) finish();
    if (taken.length > 0) chunks.push(COMMA);
    chunks.push(record);
    taken.push(message);
    size += record.length + COMMA.length;
  }
  finish();
  return parts;
}

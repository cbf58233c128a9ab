import type {
  BatchResultErrorEntry,
  MessageAttributeValue,
  MessageSystemAttributeValue,
  SendMessageBatchCommandInput,
  SendMessageBatchCommandOutput,
  SendMessageBatchResultEntry,
  SendMessageCommandInput,
  SendMessageCommandOutput,
} from '@aws-sdk/client-sqs';
import { ServiceError } from '../../../base/errors.ts';
import type { MessageAttribute } from '../../../events/index.ts';
import type { RequestContext } from '../../service.ts';
import { traceHeaderOf } from '../../trace-header.ts';
import { checkEntries, failedEntry } from '../batch.ts';
import { invalidParameterValue } from '../errors.ts';
import { readAttributes, readTraceHeader } from '../message-checks.ts';
import { md5OfAttributes } from '../message-digest.ts';
import { checkOutgoing, type Outgoing } from '../outgoing.ts';
import type { Queue } from '../queue.ts';
import { type Sent, send, sendAll } from '../send.ts';
import { sequenceNumber } from '../sequence-number.ts';
import type { SqsState } from '../state.ts';
import { queueOf } from './queues.ts';

/** Bytes of all messages of a batch. Source: SQS API Reference, "SendMessageBatch". */
const MAX_BATCH_BYTES = 1_048_576;

interface Input {
  readonly MessageBody: string | undefined;
  readonly DelaySeconds?: number | undefined;
  readonly MessageAttributes?: Record<string, MessageAttributeValue> | undefined;
  readonly MessageSystemAttributes?: Readonly<Record<string, MessageSystemAttributeValue>> | undefined;
  readonly MessageDeduplicationId?: string | undefined;
  readonly MessageGroupId?: string | undefined;
}

interface Read {
  readonly message: Outgoing;
  readonly systemAttributes: Readonly<Record<string, MessageAttribute>> | undefined;
}

/** A message with what the answer needs besides. */
function readMessage(input: Input, context: RequestContext): Read {
  const traceHeader = readTraceHeader(input.MessageSystemAttributes);
  return {
    message: {
      body: input.MessageBody ?? '',
      attributes: readAttributes(input.MessageAttributes),
      delaySeconds: input.DelaySeconds,
      groupId: input.MessageGroupId,
      deduplicationId: input.MessageDeduplicationId,
      traceHeader: traceHeader?.stringValue ?? traceHeaderOf(context.headers),
      senderId: context.principal.userId,
      keyUser: { principal: context.principal },
    },
    systemAttributes: traceHeader && { AWSTraceHeader: traceHeader },
  };
}

function answer({ message, systemAttributes }: Read, sent: Sent) {
  const ofAttributes = md5OfAttributes(message.attributes);
  const ofSystemAttributes = md5OfAttributes(systemAttributes);
  return {
    MessageId: sent.messageId,
    MD5OfMessageBody: sent.md5OfBody,
    ...(ofAttributes === undefined ? {} : { MD5OfMessageAttributes: ofAttributes }),
    ...(ofSystemAttributes === undefined ? {} : { MD5OfMessageSystemAttributes: ofSystemAttributes }),
    ...(sent.order === undefined ? {} : { SequenceNumber: sequenceNumber(sent.order) }),
  };
}

export async function sendMessage(
  state: SqsState,
  input: SendMessageCommandInput,
  context: RequestContext,
): Promise<Omit<SendMessageCommandOutput, '$metadata'>> {
  const queue = await queueOf(state, input, context);
  const read = readMessage(input, context);
  checkOutgoing(queue, read.message);
  state.rate.take(queue, 'send');
  return answer(read, await send(state, queue, read.message));
}

/** What is wrong with one message fails that one; those that are left are sent together. */
export async function sendMessageBatch(
  state: SqsState,
  input: SendMessageBatchCommandInput,
  context: RequestContext,
): Promise<Omit<SendMessageBatchCommandOutput, '$metadata'>> {
  const queue = await queueOf(state, input, context);
  const entries = input.Entries ?? [];
  checkEntries(entries, 'SendMessageBatchRequestEntry');
  checkBatchSize(entries);
  if (queue.fifo) checkOrdered(queue, entries);
  state.rate.take(queue, 'send');
  const good: { readonly id: string; readonly read: Read }[] = [];
  const Failed: BatchResultErrorEntry[] = [];
  for (const entry of entries) {
    try {
      const read = readMessage(entry, context);
      checkOutgoing(queue, read.message);
      good.push({ id: entry.Id!, read });
    } catch (error) {
      Failed.push(failedEntry(entry.Id!, error));
    }
  }
  const sent =
    good.length === 0
      ? []
      : await sendAll(
          state,
          queue,
          good.map(({ read }) => read.message),
        );
  const Successful = good.map(
    ({ id, read }, index): SendMessageBatchResultEntry => ({ Id: id, ...answer(read, sent[index]!) }),
  );
  return { Successful, Failed };
}

function checkBatchSize(entries: readonly Input[]): void {
  let size = 0;
  for (const { MessageAttributes, MessageBody = '' } of entries) {
    size += Buffer.byteLength(MessageBody);
    for (const [name, { BinaryValue, DataType = '', StringValue = '' }] of Object.entries(MessageAttributes ?? {})) {
      size += Buffer.byteLength(name) + Buffer.byteLength(DataType);
      size += BinaryValue?.length ?? Buffer.byteLength(StringValue);
    }
  }
  if (size <= MAX_BATCH_BYTES) return;
  throw new ServiceError(
    'BatchRequestTooLong',
    `Batch requests cannot be longer than ${MAX_BATCH_BYTES} bytes. You have sent ${size} bytes.`,
  );
}

/** A batch for a FIFO queue is refused as a whole when one of its messages says not enough: so the real service was seen to. */
function checkOrdered(queue: Queue, entries: readonly Input[]): void {
  for (const { MessageDeduplicationId, MessageGroupId } of entries) {
    if (MessageGroupId === undefined) {
      throw invalidParameterValue('The request must contain the parameter MessageGroupId.');
    }
    if (MessageDeduplicationId === undefined && queue.record.settings.contentBasedDeduplication !== true) {
      throw invalidParameterValue(
        'The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly',
      );
    }
  }
}

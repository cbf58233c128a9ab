import type {
  BatchResultErrorEntry,
  PublishBatchCommandInput,
  PublishBatchCommandOutput,
  PublishBatchRequestEntry,
  PublishBatchResultEntry,
  PublishCommandInput,
  PublishCommandOutput,
} from '@aws-sdk/client-sns';
import { ServiceError } from '../../../base/errors.ts';
import type { Transaction } from '../../../store/index.ts';
import type { RequestContext } from '../../service.ts';
import { traceHeaderOf } from '../../trace-header.ts';
import { publishToDevice, publishToPhone } from '../direct-messages.ts';
import { invalidParameter } from '../errors.ts';
import { type Message, readMessage } from '../message.ts';
import { isFifo, parseEndpointArn, type TopicName, topicArn } from '../names.ts';
import { checkForTopic, type Publication, publication, publish as publishTo } from '../publication.ts';
import { findTopic, type SnsState } from '../state.ts';
import { maximumMessageSize } from '../topic-attributes.ts';
import { topicOfRegion } from './topics.ts';

type Out<T> = Omit<T, '$metadata'>;

/** Bytes of a message that goes to one phone or device. */
const DIRECT_SIZE = 262_144;
const MAXIMUM_ENTRIES = 10;

/** Source: API Reference, "Publish". */
export async function publish(
  state: SnsState,
  input: PublishCommandInput,
  context: RequestContext,
): Promise<Out<PublishCommandOutput>> {
  const { PhoneNumber, TargetArn, TopicArn } = input;
  if ([PhoneNumber, TargetArn, TopicArn].filter((given) => given !== undefined).length > 1) {
    throw invalidParameter('TopicArn Reason: give one of TopicArn, TargetArn and PhoneNumber');
  }
  if (PhoneNumber !== undefined) {
    const message = readMessage(input);
    checkDirectSize(message);
    return publishToPhone(state, PhoneNumber, message, context);
  }
  const device = TargetArn === undefined ? undefined : parseEndpointArn(TargetArn);
  if (device) {
    const message = readMessage(input, { endpoint: true });
    checkDirectSize(message);
    return publishToDevice(state, device, message, context);
  }
  const arn = TopicArn ?? TargetArn;
  if (!arn) throw invalidParameter('TopicArn or TargetArn Reason: no value for required parameter');
  const topic = topicOfRegion(arn, context);
  const message = readMessage(input);
  const given = publication(state, topic, message, senderOf(context));
  const { messageId, sequenceNumber } = await inTurn(state, topic, () =>
    state.store.transact((transaction) => publishTo(state, transaction, given)),
  );
  return { MessageId: messageId, ...(sequenceNumber === undefined ? {} : { SequenceNumber: sequenceNumber }) };
}

function senderOf({ headers, principal }: RequestContext): Pick<Publication, 'publisher' | 'traceHeader'> {
  return { traceHeader: traceHeaderOf(headers), publisher: { principal } };
}

function checkDirectSize(message: Message): void {
  if (message.size > DIRECT_SIZE) throw invalidParameter('Message too long');
}

/** Messages of a FIFO topic are numbered: one transaction after the other goes through without being run again. */
function inTurn<T>(state: SnsState, topic: TopicName, work: () => Promise<T>): Promise<T> {
  return isFifo(topic.name) ? state.turns.take(topicArn(topic), work) : work();
}

/** Source: API Reference, "PublishBatch". An entry that is wrong does not keep the others from being published. */
export async function publishBatch(
  state: SnsState,
  input: PublishBatchCommandInput,
  context: RequestContext,
): Promise<Out<PublishBatchCommandOutput>> {
  const name = topicOfRegion(input.TopicArn, context);
  const entries = input.PublishBatchRequestEntries ?? [];
  checkEntries(entries);
  const topic = await findTopic(state.store, name);
  const sender = senderOf(context);
  const failed: BatchResultErrorEntry[] = [];
  const ready: { readonly id: string; readonly given: Publication }[] = [];
  let size = 0;
  for (const entry of entries) {
    try {
      const message = readMessage(entry);
      size += message.size;
      checkForTopic(topic, { ...message, size: 0 });
      ready.push({ id: entry.Id!, given: publication(state, name, message, sender) });
    } catch (error) {
      failed.push(failure(entry.Id!, error));
    }
  }
  if (size > maximumMessageSize(topic)) {
    throw new ServiceError(
      'BatchRequestTooLong',
      'The length of all the messages put together is more than the limit.',
    );
  }
  const successful = await inTurn(state, name, () =>
    state.store.transact((transaction) => publishAll(state, transaction, ready)),
  );
  return { Successful: successful, Failed: failed };
}

async function publishAll(
  state: SnsState,
  transaction: Transaction,
  ready: readonly { readonly id: string; readonly given: Publication }[],
): Promise<PublishBatchResultEntry[]> {
  const results: PublishBatchResultEntry[] = [];
  for (const { given, id } of ready) {
    const { messageId, sequenceNumber } = await publishTo(state, transaction, given);
    results.push({
      Id: id,
      MessageId: messageId,
      ...(sequenceNumber === undefined ? {} : { SequenceNumber: sequenceNumber }),
    });
  }
  return results;
}

function checkEntries(entries: readonly PublishBatchRequestEntry[]): void {
  if (entries.length === 0) {
    throw new ServiceError('EmptyBatchRequest', "The batch request doesn't contain any entries.");
  }
  if (entries.length > MAXIMUM_ENTRIES) {
    throw new ServiceError('TooManyEntriesInBatchRequest', 'The batch request contains more entries than permissible.');
  }
  if (new Set(entries.map(({ Id }) => Id)).size < entries.length) {
    throw new ServiceError('BatchEntryIdsNotDistinct', 'Two or more batch entries in the request have the same Id.');
  }
  if (entries.some(({ Id = '' }) => !/^[\w-]{1,80}$/.test(Id))) {
    throw new ServiceError(
      'InvalidBatchEntryId',
      'The Id of a batch entry in a batch request can only contain alphanumeric characters, hyphens, or underscores. It must be between 1 and 80 in length.',
    );
  }
}

function failure(id: string, error: unknown): BatchResultErrorEntry {
  if (!(error instanceof ServiceError)) throw error;
  return { Id: id, Code: error.code, Message: error.message, SenderFault: true };
}

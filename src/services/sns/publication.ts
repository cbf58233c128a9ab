import type { Transaction } from '../../store/index.ts';
import { deduplicated } from './deduplication.ts';
import type { Envelope } from './envelope.ts';
import { invalidParameter, notFound } from './errors.ts';
import { contentDeduplicationId, type Message, textFor } from './message.ts';
import type { Publisher } from './message-encryption.ts';
import { isFifo, type TopicName } from './names.ts';
import { type Numbered, requestFor } from './notification-delivery.ts';
import type { TopicRecord } from './records.ts';
import type { SnsState } from './state.ts';
import type { Subscriber } from './subscribers.ts';
import { maximumMessageSize } from './topic-attributes.ts';

/** A message on its way to a topic. Its id, time and signature stay the same when the transaction runs again. */
export interface Publication {
  readonly topic: TopicName;
  readonly message: Message;
  readonly messageId: string;
  /** Epoch ms. */
  readonly time: number;
  readonly traceHeader?: string | undefined;
  readonly publisher: Publisher;
  /** Envelopes by their text. */
  readonly envelopes: Map<string, Promise<Envelope>>;
}

export interface Published {
  readonly messageId: string;
  readonly sequenceNumber?: string | undefined;
}

export function publication(
  state: SnsState,
  topic: TopicName,
  message: Message,
  { publisher, traceHeader }: Pick<Publication, 'publisher' | 'traceHeader'>,
): Publication {
  const messageId = state.random.uuid();
  return { topic, message, messageId, time: state.clock.now(), traceHeader, publisher, envelopes: new Map() };
}

/**
 * Enqueues a delivery for each subscription that wants the message. Throws NotFound, or InvalidParameter for what the topic
 * does not take.
 */
export async function publish(state: SnsState, transaction: Transaction, given: Publication): Promise<Published> {
  const found = await state.subscribers.of(transaction, given.topic);
  if (!found) throw notFound('Topic');
  const { subscribers, topic } = found;
  checkForTopic(topic, given.message);
  const key = await state.encryptedMessages.keyFor(topic, given.publisher);
  const fifo = isFifo(topic.name);
  const message: Message = fifo
    ? { ...given.message, deduplicationId: given.message.deduplicationId ?? contentDeduplicationId(given.message) }
    : given.message;
  if (!fifo) {
    const sent = { ...given, message, key };
    for (const subscriber of subscribers) await send(state, transaction, sent, topic, subscriber);
    return { messageId: given.messageId };
  }
  const { repeated, ...published } = await deduplicated(transaction, topic, message, given);
  if (!repeated) {
    const numbered = { ...given, message, key, sequenceNumber: published.sequenceNumber };
    for (const subscriber of subscribers) await send(state, transaction, numbered, topic, subscriber);
  }
  return published;
}

/** Throws InvalidParameter. */
export function checkForTopic(topic: TopicRecord, message: Message): void {
  if (message.size > maximumMessageSize(topic)) throw invalidParameter('Message too long');
  if (!isFifo(topic.name)) {
    if (message.deduplicationId === undefined) return;
    throw invalidParameter(
      'MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type',
    );
  }
  if (message.groupId === undefined) {
    throw invalidParameter('The MessageGroupId parameter is required for FIFO topics');
  }
  if (message.deduplicationId === undefined && topic.attributes.ContentBasedDeduplication !== 'true') {
    throw invalidParameter(
      'The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly',
    );
  }
}

async function send(
  state: SnsState,
  transaction: Transaction,
  sent: Numbered,
  topic: TopicRecord,
  subscriber: Subscriber,
): Promise<void> {
  const { protocol } = subscriber.record;
  const text = textFor(sent.message, protocol);
  if (subscriber.filter && !subscriber.filter(sent.message.attributes, text)) return;
  const request = await requestFor(state, sent, topic, subscriber, text);
  if (request) state.delivery.enqueue(transaction, request);
}

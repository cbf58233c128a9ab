import type { DeliveryCaller, DeliveryRequest, MessageAttribute, TargetParameters } from '../../events/index.ts';
import type { Transaction } from '../../store/index.ts';
import { deduplicated } from './deduplication.ts';
import { CUSTOMER_RETRY, MANAGED_RETRY, type RetryPolicy } from './delivery-policy.ts';
import { type Envelope, envelopeAttributes, envelopeText, lambdaEvent } from './envelope.ts';
import { invalidParameter, notFound } from './errors.ts';
import { contentDeduplicationId, type Message, textFor } from './message.ts';
import type { OpenKey, Publisher, Sealing } from './message-encryption.ts';
import { isFifo, type TopicName, topicArn } from './names.ts';
import type { OutboxDetails } from './outbox/outbox-target.ts';
import { hasPayload, platformPayload } from './platform-payload.ts';
import type { TopicRecord } from './records.ts';
import type { SnsState } from './state.ts';
import type { Subscriber } from './subscribers.ts';
import { maximumMessageSize } from './topic-attributes.ts';
import { unsubscribeUrl } from './urls.ts';

/** The name under which messages are known to the delivery. */
export const SOURCE = 'sns';
const PRINCIPAL = 'sns.amazonaws.com';
const USER_AGENT = 'Amazon Simple Notification Service Agent';
/** Attributes that a message of SQS can have. Source: SNS Developer Guide, "Amazon SNS raw message delivery". */
const MAXIMUM_RAW_ATTRIBUTES = 10;
const DEFAULT_SUBJECT = 'AWS Notification Message';
/** Characters of a topic's display name that a text message begins with. */
const SMS_PREFIX = 10;

/** What a delivery of a message remembers. */
export interface NotificationAttributes extends Record<string, unknown> {
  readonly retry: RetryPolicy;
  /** Milliseconds that it waited for its turn, which do not count against its age. */
  readonly waited?: number;
  /** Seconds. */
  readonly maximumAge: number;
  readonly deadLetters?: string | undefined;
  /** The dead letter, where it is not what was delivered. */
  readonly deadLetterBody?: Uint8Array | undefined;
  /** Payload and dead letter are encrypted. */
  readonly sealing?: Sealing | undefined;
  readonly outbox?: OutboxDetails;
}

const DAY = 24 * 3600;
export const MANAGED = { retry: MANAGED_RETRY, maximumAge: 23 * DAY } as const;
export const CUSTOMER = { retry: CUSTOMER_RETRY, maximumAge: 6 * 3600 + 600 } as const;

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

interface Numbered extends Publication {
  readonly sequenceNumber?: string | undefined;
  /** By which it is kept encrypted until it is delivered. */
  readonly key: OpenKey | undefined;
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

type Kind = Pick<DeliveryRequest, 'notBefore' | 'payload' | 'targetArn'> & {
  readonly parameters?: TargetParameters;
  readonly attributes: NotificationAttributes;
};

/** `undefined`: it has nothing for this subscription. */
async function requestFor(
  state: SnsState,
  sent: Numbered,
  topic: TopicRecord,
  subscriber: Subscriber,
  text: string,
): Promise<DeliveryRequest | undefined> {
  const kind = await kindOf(state, sent, topic, subscriber, text);
  if (!kind) return undefined;
  const { account, name, region } = topic;
  return {
    source: SOURCE,
    account,
    region,
    caller: callerOf(topic),
    ...(sent.traceHeader === undefined ? {} : { traceHeader: sent.traceHeader }),
    ...(isFifo(name) ? { orderingKey: `${name} ${sent.message.groupId}` } : {}),
    ...(sent.key ? sealed(state, sent.key, kind) : kind),
  };
}

function sealed(state: SnsState, key: OpenKey, kind: Kind): Kind {
  const { deadLetterBody } = kind.attributes;
  const seal = (content: Uint8Array): Uint8Array => state.encryptedMessages.seal(key, content);
  return {
    ...kind,
    payload: seal(kind.payload),
    attributes: {
      ...kind.attributes,
      sealing: key.sealing,
      ...(deadLetterBody === undefined ? {} : { deadLetterBody: seal(deadLetterBody) }),
    },
  };
}

/** In whose name messages are delivered: queues and functions are asked about the topic. */
export function callerOf(topic: TopicName): DeliveryCaller {
  return { service: PRINCIPAL, sourceArn: topicArn(topic), sourceAccount: topic.account };
}

async function kindOf(
  state: SnsState,
  sent: Numbered,
  topic: TopicRecord,
  subscriber: Subscriber,
  text: string,
): Promise<Kind | undefined> {
  const { arn, deadLetters, record } = subscriber;
  const { message } = sent;
  const envelope = () => envelopeFor(state, sent, topic, text, arn);
  // What a dead-letter queue gets where a subscription's own form says nothing to it.
  const lost = async () =>
    deadLetters === undefined ? {} : { deadLetters, deadLetterBody: Buffer.from(envelopeText(await envelope())) };
  const links = { messageId: sent.messageId, topicArn: topicArn(topic), unsubscribeUrl: unsubscribeUrl(state, arn) };
  switch (record.protocol) {
    case 'sqs':
      return queueKind(sent, subscriber, subscriber.raw ? text : envelopeText(await envelope()));
    case 'lambda':
      return {
        targetArn: record.endpoint,
        payload: Buffer.from(lambdaEvent(arn, await envelope())),
        attributes: { ...MANAGED, ...(await lost()) },
      };
    case 'http':
    case 'https':
      return httpKind(state, sent, subscriber, subscriber.raw ? text : envelopeText(await envelope()));
    case 'email':
    case 'email-json': {
      const json = record.protocol === 'email-json';
      const footer = `\n\n--\nTo end this subscription, visit:\n${links.unsubscribeUrl}\n`;
      return {
        targetArn: `mailto:${encodeURIComponent(record.endpoint)}`,
        payload: Buffer.from(json ? envelopeText(await envelope()) : text + footer),
        parameters: { subject: message.subject ?? DEFAULT_SUBJECT },
        attributes: { ...CUSTOMER, ...(await lost()), outbox: { ...links, from: senderOf(topic) } },
      };
    }
    case 'sms': {
      const { DisplayName: name } = topic.attributes;
      const prefix = name ? `${name.slice(0, SMS_PREFIX)}> ` : '';
      return {
        targetArn: `tel:${record.endpoint}`,
        payload: Buffer.from(prefix + text),
        attributes: {
          ...CUSTOMER,
          ...(await lost()),
          outbox: { messageId: sent.messageId, topicArn: links.topicArn, ...smsDetails(message.attributes) },
        },
      };
    }
    case 'application': {
      const platform = record.endpoint.split('/')[1]!;
      if (!hasPayload(message, platform)) return undefined;
      return {
        targetArn: record.endpoint,
        payload: Buffer.from(platformPayload(message, platform)),
        attributes: {
          ...CUSTOMER,
          ...(await lost()),
          outbox: { messageId: sent.messageId, topicArn: links.topicArn, options: pushOptions(message.attributes) },
        },
      };
    }
  }
}

function queueKind(sent: Numbered, { deadLetters, raw, record }: Subscriber, body: string): Kind | undefined {
  const { attributes, deduplicationId, groupId } = sent.message;
  // A message that a queue cannot take is discarded, as AWS does it.
  if (raw && Object.keys(attributes).length > MAXIMUM_RAW_ATTRIBUTES) return undefined;
  return {
    targetArn: record.endpoint,
    payload: Buffer.from(body),
    parameters: {
      ...(raw && Object.keys(attributes).length > 0 ? { messageAttributes: attributes } : {}),
      ...(groupId === undefined ? {} : { messageGroupId: groupId }),
      ...(deduplicationId === undefined || !isFifo(record.endpoint) ? {} : { messageDeduplicationId: deduplicationId }),
    },
    attributes: { ...MANAGED, deadLetters },
  };
}

function httpKind(state: SnsState, sent: Numbered, subscriber: Subscriber, body: string): Kind {
  const { arn, deadLetters, delivery, raw, record } = subscriber;
  const { maxReceivesPerSecond } = delivery;
  const notBefore = maxReceivesPerSecond === undefined ? undefined : state.pace.take(arn, maxReceivesPerSecond);
  return {
    targetArn: record.endpoint,
    payload: Buffer.from(body),
    parameters: {
      http: {
        local: record.local,
        headers: {
          ...httpHeaders('Notification', sent.messageId, topicArn(sent.topic), delivery.headerContentType),
          'x-amz-sns-subscription-arn': arn,
          ...(raw ? { 'x-amz-sns-rawdelivery': 'true' } : {}),
        },
      },
    },
    attributes: {
      retry: delivery.retry,
      maximumAge: 3600,
      deadLetters,
      ...(notBefore === undefined ? {} : { waited: Math.max(notBefore - sent.time, 0) }),
    },
    ...(notBefore === undefined ? {} : { notBefore }),
  };
}

/** Source: SNS Developer Guide, "Parsing Amazon SNS message formats". */
export function httpHeaders(
  type: Envelope['Type'],
  messageId: string,
  topic: string,
  contentType: string,
): Record<string, string> {
  return {
    'x-amz-sns-message-type': type,
    'x-amz-sns-message-id': messageId,
    'x-amz-sns-topic-arn': topic,
    'content-type': contentType,
    'user-agent': USER_AGENT,
  };
}

/** `"Orders" <no-reply@sns.amazonaws.com>` */
export function senderOf({ attributes }: Pick<TopicRecord, 'attributes'>): string {
  const address = 'no-reply@sns.amazonaws.com';
  return attributes.DisplayName ? `"${attributes.DisplayName.replaceAll('"', '')}" <${address}>` : address;
}

/** What attributes of a message say of its text message. Source: SNS Developer Guide, "Publishing SMS messages". */
export function smsDetails(attributes: Readonly<Record<string, MessageAttribute>>): OutboxDetails {
  const options = optionsOf(attributes, /^AWS\.(SNS\.SMS|MM\.SMS)\./);
  const from = options?.['AWS.SNS.SMS.SenderID'] ?? options?.['AWS.MM.SMS.OriginationNumber'];
  return { ...(from === undefined ? {} : { from }), ...(options === undefined ? {} : { options }) };
}

/** What attributes of a message say to the service of a mobile platform: how long it holds, and so on. */
export const pushOptions = (attributes: Readonly<Record<string, MessageAttribute>>) =>
  optionsOf(attributes, /^AWS\.SNS\.MOBILE\./);

function optionsOf(
  attributes: Readonly<Record<string, MessageAttribute>>,
  pattern: RegExp,
): Record<string, string> | undefined {
  const entries = Object.entries(attributes).filter(([name]) => pattern.test(name));
  if (entries.length === 0) return undefined;
  return Object.fromEntries(entries.map(([name, { stringValue = '' }]) => [name, stringValue]));
}

/**
 * The signature is over what all subscriptions share, so it is made once. Messages of FIFO topics are not signed.
 * Source: SNS Developer Guide, "Message delivery for FIFO topics".
 */
async function envelopeFor(
  state: SnsState,
  sent: Numbered,
  topic: TopicRecord,
  text: string,
  subscription: string,
): Promise<Envelope> {
  let common = sent.envelopes.get(text);
  if (!common) {
    const { message, messageId, sequenceNumber, time } = sent;
    const envelope: Envelope = {
      Type: 'Notification',
      MessageId: messageId,
      SequenceNumber: sequenceNumber,
      TopicArn: topicArn(topic),
      Subject: message.subject,
      Message: text,
      Timestamp: new Date(time).toISOString(),
      MessageAttributes: envelopeAttributes(message.attributes),
    };
    const { SignatureVersion = '1' } = topic.attributes;
    common = isFifo(topic.name)
      ? Promise.resolve(envelope)
      : state.signer.signed(envelope, SignatureVersion, topic.region);
    if (!isFifo(topic.name)) sent.envelopes.set(text, common);
  }
  return { ...(await common), UnsubscribeURL: unsubscribeUrl(state, subscription) };
}

import type { DeliveryRequest, TargetParameters } from '../../events/index.ts';
import { type Envelope, envelopeAttributes, envelopeText, lambdaEvent } from './envelope.ts';
import { httpHeaders, pushOptions, senderOf, smsDetails } from './message-details.ts';
import type { OpenKey } from './message-encryption.ts';
import { isFifo, topicArn } from './names.ts';
import { CUSTOMER, callerOf, MANAGED, type NotificationAttributes, SOURCE } from './notification-attributes.ts';
import { hasPayload, platformPayload } from './platform-payload.ts';
import type { Publication } from './publication.ts';
import type { TopicRecord } from './records.ts';
import type { SnsState } from './state.ts';
import type { Subscriber } from './subscribers.ts';
import { unsubscribeUrl } from './urls.ts';

/** Attributes that a message of SQS can have. Source: SNS Developer Guide, "Amazon SNS raw message delivery". */
const MAXIMUM_RAW_ATTRIBUTES = 10;
const DEFAULT_SUBJECT = 'AWS Notification Message';
/** Characters of a topic's display name that a text message begins with. */
const SMS_PREFIX = 10;

/** A message of a topic as its subscriptions get it. */
export interface Numbered extends Publication {
  readonly sequenceNumber?: string | undefined;
  /** By which it is kept encrypted until it is delivered. */
  readonly key: OpenKey | undefined;
}

type Kind = Pick<DeliveryRequest, 'notBefore' | 'payload' | 'targetArn'> & {
  readonly parameters?: TargetParameters;
  readonly attributes: NotificationAttributes;
};

/** The delivery of a message to a subscription; `undefined` when it has nothing for it. */
export async function requestFor(
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

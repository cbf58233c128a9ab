import type { MessageAttribute } from '../../events/index.ts';
import type { Envelope } from './envelope.ts';
import type { OutboxDetails } from './outbox/outbox-target.ts';
import type { TopicRecord } from './records.ts';

const USER_AGENT = 'Amazon Simple Notification Service Agent';

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

import { type DeliveryRules, readTopicPolicy, topicPolicyText } from './delivery-policy.ts';
import { invalidParameter, refused } from './errors.ts';
import { isFifo, topicArn } from './names.ts';
import type { SubscriptionCounts, TopicRecord } from './records.ts';
import { checkPolicy, defaultPolicy } from './topic-policy.ts';

/** A topic's attributes as they were given; those that were not are absent. Names are the API's. */
export interface TopicAttributes {
  readonly DisplayName?: string;
  readonly Policy?: string;
  readonly DeliveryPolicy?: string;
  readonly SignatureVersion?: '1' | '2';
  readonly TracingConfig?: 'PassThrough';
  readonly MaximumMessageSize?: string;
  /** The key by which messages are kept encrypted until they are delivered. */
  readonly KmsMasterKeyId?: string;
  readonly FifoTopic?: 'true' | 'false';
  readonly ContentBasedDeduplication?: 'true' | 'false';
  readonly FifoThroughputScope?: 'Topic' | 'MessageGroup';
}

/** Bytes. Source: API Reference, "CreateTopic". */
const MESSAGE_SIZE = { least: 1024, most: 1_048_576, normal: 262_144 } as const;
/** What can only be said when the topic is made. */
const FIXED = ['FifoTopic'];
const FEEDBACK =
  /^(HTTP|Firehose|Lambda|Application|SQS)(SuccessFeedbackRoleArn|SuccessFeedbackSampleRate|FailureFeedbackRoleArn)$/;

type Check = (value: string, context: { readonly fifo: boolean; readonly prefix: string }) => string;

const boolean: Check = (value, { prefix }) => {
  const lower = value.toLowerCase();
  if (lower === 'true' || lower === 'false') return lower;
  throw invalidParameter(`${prefix}Must be true or false.`);
};

const CHECKS: Readonly<Record<keyof TopicAttributes, Check>> = {
  DisplayName: (value, { prefix }) => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    if (value.length > 100 || /[\u0000-\u001f\u007f]/.test(value)) throw invalidParameter(`${prefix}DisplayName`);
    return value;
  },
  Policy: (value, { prefix }) => {
    checkPolicy(value, prefix);
    return value;
  },
  DeliveryPolicy: (value, { prefix }) => {
    readTopicPolicy(value, prefix);
    return value;
  },
  SignatureVersion: (value, { prefix }) => {
    if (value === '1' || value === '2') return value;
    throw invalidParameter(`${prefix}SignatureVersion`);
  },
  TracingConfig: (value, { prefix }) => {
    if (value === 'Active')
      throw refused('TracingConfig Active', 'There is no X-Ray here; PassThrough hands trace headers on.');
    if (value === 'PassThrough') return value;
    throw invalidParameter(`${prefix}TracingConfig`);
  },
  MaximumMessageSize: (value, { prefix }) => {
    const size = Number(value);
    if (Number.isInteger(size) && size >= MESSAGE_SIZE.least && size <= MESSAGE_SIZE.most) return String(size);
    throw invalidParameter(`${prefix}MaximumMessageSize`);
  },
  KmsMasterKeyId: (value, { prefix }) => {
    if (value.length >= 1 && value.length <= 2048) return value;
    throw invalidParameter(`${prefix}KmsMasterKeyId`);
  },
  FifoTopic: boolean,
  ContentBasedDeduplication: (value, context) => {
    if (!context.fifo)
      throw invalidParameter(`${context.prefix}Content-based deduplication can only be set for FIFO topics`);
    return boolean(value, context);
  },
  FifoThroughputScope: (value, { fifo, prefix }) => {
    if (!fifo) throw invalidParameter(`${prefix}FifoThroughputScope can only be set for FIFO topics`);
    if (value === 'Topic' || value === 'MessageGroup') return value;
    throw invalidParameter(`${prefix}FifoThroughputScope`);
  },
};

/** Checks the attributes of CreateTopic. Throws InvalidParameter, or NotImplemented by name. */
export function readTopicAttributes(given: Readonly<Record<string, string>>, name: string): TopicAttributes {
  const fifo = given.FifoTopic?.toLowerCase() === 'true';
  const context = { fifo, prefix: 'Attributes Reason: ' };
  return Object.fromEntries(
    Object.entries(given).map(([attribute, value]) => [attribute, checkAttribute(attribute, value, name, context)]),
  );
}

/** The attributes after SetTopicAttributes. An empty value takes one back to its default. */
export function withTopicAttribute(topic: TopicRecord, attribute: string, value: string): TopicAttributes {
  const { [attribute as keyof TopicAttributes]: _, ...rest } = topic.attributes;
  if (FIXED.includes(attribute)) throw invalidParameter('AttributeName');
  if (value === '' && Object.hasOwn(CHECKS, attribute) && attribute !== 'Policy') return rest;
  const context = { fifo: isFifo(topic.name), prefix: '' };
  return { ...rest, [attribute]: checkAttribute(attribute, value, topic.name, context) };
}

function checkAttribute(
  attribute: string,
  value: string,
  name: string,
  context: { readonly fifo: boolean; readonly prefix: string },
): string {
  if (FEEDBACK.test(attribute)) {
    throw refused(attribute, 'The delivery status is not logged; dead-letter queues tell what was not delivered.');
  }
  if (attribute === 'ArchivePolicy') {
    throw refused(`${attribute} of ${name}`, 'Messages are not archived; subscribe a queue that keeps them.');
  }
  const check = Object.hasOwn(CHECKS, attribute) ? CHECKS[attribute as keyof TopicAttributes] : undefined;
  if (!check) throw invalidParameter(context.prefix === '' ? 'AttributeName' : 'Attributes');
  return check(value, context);
}

/** True when a topic has what a second CreateTopic asks for. Attributes that are not mentioned do not count. */
export function hasAttributes(topic: TopicRecord, wanted: TopicAttributes): boolean {
  const present: Readonly<Record<string, string | undefined>> = { ...DEFAULTS, ...topic.attributes };
  return Object.entries(wanted).every(([name, value]) => present[name] === value);
}

const DEFAULTS: TopicAttributes = {
  DisplayName: '',
  SignatureVersion: '1',
  TracingConfig: 'PassThrough',
  FifoTopic: 'false',
  ContentBasedDeduplication: 'false',
};

export const policyOf = (topic: TopicRecord): string => topic.attributes.Policy ?? defaultPolicy(topic);

export const deliveryRulesOf = ({ attributes }: Pick<TopicRecord, 'attributes'>): DeliveryRules | undefined =>
  attributes.DeliveryPolicy === undefined ? undefined : readTopicPolicy(attributes.DeliveryPolicy);

/** Bytes of message and attributes. */
export const maximumMessageSize = ({ attributes }: TopicRecord): number =>
  Number(attributes.MaximumMessageSize ?? MESSAGE_SIZE.normal);

/** A topic whose messages may be larger than the usual 256 KiB takes no other subscriptions than these, and at most 100. */
export const LARGE_MESSAGES = { above: MESSAGE_SIZE.normal, protocols: ['sqs', 'lambda'], subscriptions: 100 } as const;

/** What GetTopicAttributes answers. */
export function describeTopic(topic: TopicRecord, counts: SubscriptionCounts): Record<string, string> {
  const { attributes } = topic;
  const fifo = isFifo(topic.name);
  return {
    Policy: policyOf(topic),
    Owner: topic.account,
    SubscriptionsPending: String(counts.pending),
    SubscriptionsConfirmed: String(counts.confirmed),
    SubscriptionsDeleted: String(counts.deleted),
    TopicArn: topicArn(topic),
    EffectiveDeliveryPolicy: topicPolicyText(deliveryRulesOf(topic)),
    DisplayName: attributes.DisplayName ?? '',
    ...optional('DeliveryPolicy', attributes.DeliveryPolicy),
    ...optional('SignatureVersion', attributes.SignatureVersion),
    ...optional('TracingConfig', attributes.TracingConfig),
    ...optional('KmsMasterKeyId', attributes.KmsMasterKeyId),
    ...optional('MaximumMessageSize', attributes.MaximumMessageSize),
    ...(fifo
      ? {
          FifoTopic: 'true',
          ContentBasedDeduplication: attributes.ContentBasedDeduplication ?? 'false',
          FifoThroughputScope: attributes.FifoThroughputScope ?? 'Topic',
        }
      : {}),
  };
}

const optional = (name: string, value: string | undefined): Record<string, string> =>
  value === undefined ? {} : { [name]: value };

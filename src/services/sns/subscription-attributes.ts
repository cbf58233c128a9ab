import { parseArn } from '../../base/arn.ts';
import {
  type DeliveryRules,
  effectiveDelivery,
  readSubscriptionPolicy,
  subscriptionPolicyText,
} from './delivery-policy.ts';
import { invalidParameter, refused } from './errors.ts';
import { checkFilterPolicy, type FilterScope } from './filter-policy.ts';
import { isFifo, subscriptionArn, type TopicName, topicArn } from './names.ts';
import type { Protocol, SubscriptionRecord, TopicRecord } from './records.ts';
import { deliveryRulesOf } from './topic-attributes.ts';

/** A subscription's attributes as they were given; those that were not are absent. Names are the API's. */
export interface SubscriptionAttributes {
  readonly RawMessageDelivery?: 'true' | 'false';
  readonly FilterPolicy?: string;
  readonly FilterPolicyScope?: FilterScope;
  readonly RedrivePolicy?: string;
  readonly DeliveryPolicy?: string;
}

interface Subject {
  readonly topic: TopicName;
  readonly protocol: Protocol;
  readonly endpoint: string;
}

const NAMES = ['RawMessageDelivery', 'FilterPolicy', 'FilterPolicyScope', 'RedrivePolicy', 'DeliveryPolicy'];
const RAW: readonly Protocol[] = ['sqs', 'http', 'https'];
const ABSENT: Readonly<Record<string, string>> = {
  SubscriptionRoleArn: 'It is for Firehose, which is not served; leave it out.',
  ReplayPolicy: 'Messages are not archived; subscribe a queue that keeps them.',
};

/** Checks the attributes of Subscribe. Throws InvalidParameter, or NotImplemented by name. */
export function readSubscriptionAttributes(
  given: Readonly<Record<string, string>>,
  subject: Subject,
): SubscriptionAttributes {
  let attributes: SubscriptionAttributes = {};
  for (const [name, value] of Object.entries(given)) {
    attributes = { ...attributes, ...readAttribute(name, value, subject, 'Attributes Reason: ') };
  }
  checkFilter(attributes, 'Attributes Reason: ');
  return attributes;
}

/** The attributes after SetSubscriptionAttributes. An empty value takes one back to its default. */
export function withSubscriptionAttribute(
  subscription: SubscriptionRecord,
  name: string,
  value: string,
): SubscriptionAttributes {
  const { [name as keyof SubscriptionAttributes]: _, ...rest } = subscription.attributes;
  if (value === '' && NAMES.includes(name)) return rest;
  const subject = { topic: subscription, protocol: subscription.protocol, endpoint: subscription.endpoint };
  const attributes = { ...rest, ...readAttribute(name, value, subject, '') };
  checkFilter(attributes, '');
  return attributes;
}

function readAttribute(name: string, value: string, subject: Subject, prefix: string): SubscriptionAttributes {
  if (Object.hasOwn(ABSENT, name)) throw refused(name, ABSENT[name]!);
  switch (name) {
    case 'RawMessageDelivery':
      return { RawMessageDelivery: readRaw(value, subject.protocol, prefix) };
    case 'FilterPolicy':
      // An empty policy lets everything through, as having none does.
      return /^\s*\{\s*\}\s*$/.test(value) ? {} : { FilterPolicy: value };
    case 'FilterPolicyScope':
      if (value === 'MessageAttributes' || value === 'MessageBody') return { FilterPolicyScope: value };
      throw invalidParameter(
        `${prefix}FilterPolicyScope: Invalid value [${value}]. Please use either MessageBody or MessageAttributes`,
      );
    case 'RedrivePolicy':
      deadLetterTarget(value, subject, prefix);
      return { RedrivePolicy: value };
    case 'DeliveryPolicy':
      if (subject.protocol !== 'http' && subject.protocol !== 'https') {
        throw invalidParameter(
          `${prefix}DeliveryPolicy: protocol ${subject.protocol} does not support delivery policies`,
        );
      }
      readSubscriptionPolicy(value, prefix);
      return { DeliveryPolicy: value };
    default:
      throw invalidParameter(`${prefix}AttributeName`);
  }
}

function readRaw(value: string, protocol: Protocol, prefix: string): 'true' | 'false' {
  const lower = value.toLowerCase();
  if (lower !== 'true' && lower !== 'false') {
    throw invalidParameter(`${prefix}RawMessageDelivery: Invalid value [${value}]. Must be true or false.`);
  }
  if (lower === 'true' && !RAW.includes(protocol)) {
    throw invalidParameter(`${prefix}RawMessageDelivery: protocol ${protocol} does not support raw message delivery`);
  }
  return lower;
}

function checkFilter({ FilterPolicy, FilterPolicyScope }: SubscriptionAttributes, prefix: string): void {
  if (FilterPolicy !== undefined) checkFilterPolicy(FilterPolicy, FilterPolicyScope ?? 'MessageAttributes', prefix);
}

/** The queue of a RedrivePolicy. Throws InvalidParameter. Source: SNS Developer Guide, "Amazon SNS dead-letter queues". */
function deadLetterTarget(text: string, { topic, endpoint }: Subject, prefix: string): string {
  const fail = (reason: string) => invalidParameter(`${prefix}RedrivePolicy: ${reason}`);
  let policy: unknown;
  try {
    policy = JSON.parse(text);
  } catch {
    throw fail('failed to parse JSON.');
  }
  const target = (policy as { deadLetterTargetArn?: unknown } | null)?.deadLetterTargetArn;
  const arn = typeof target === 'string' ? parseArn(target) : undefined;
  if (arn?.service !== 'sqs') throw fail('deadLetterTargetArn is an invalid arn');
  if (arn.account !== topic.account || arn.region !== topic.region) {
    throw fail('deadLetterTargetArn must be in the account and region of the subscription');
  }
  if (isFifo(topic.name) && isFifo(endpoint) && !isFifo(arn.resource)) {
    throw fail('must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.');
  }
  if (!isFifo(topic.name) && isFifo(arn.resource)) {
    throw fail('must use a standard queue as DLQ for a subscription to a standard topic.');
  }
  return target as string;
}

/** True when a subscription has what a second Subscribe asks for. Attributes that are not mentioned do not count. */
export function hasSubscriptionAttributes(present: SubscriptionAttributes, wanted: SubscriptionAttributes): boolean {
  const full: Readonly<Record<string, string>> = {
    RawMessageDelivery: 'false',
    FilterPolicyScope: 'MessageAttributes',
    ...present,
  };
  return Object.entries(wanted).every(([name, value]) => full[name] === value);
}

export const isRaw = ({ attributes }: SubscriptionRecord): boolean => attributes.RawMessageDelivery === 'true';

/** ARN of the dead-letter queue, if there is one. */
export const deadLettersOf = ({ attributes }: SubscriptionRecord): string | undefined =>
  attributes.RedrivePolicy === undefined ? undefined : JSON.parse(attributes.RedrivePolicy).deadLetterTargetArn;

export const subscriptionRulesOf = ({ attributes }: SubscriptionRecord): DeliveryRules | undefined =>
  attributes.DeliveryPolicy === undefined ? undefined : readSubscriptionPolicy(attributes.DeliveryPolicy);

/** What GetSubscriptionAttributes answers. */
export function describeSubscription(
  subscription: SubscriptionRecord,
  topic: Pick<TopicRecord, 'attributes'>,
): Record<string, string> {
  const { protocol } = subscription;
  const { FilterPolicyScope = 'MessageAttributes', ...given } = subscription.attributes;
  const http = protocol === 'http' || protocol === 'https';
  return {
    SubscriptionArn: subscriptionArn(subscription),
    TopicArn: topicArn(subscription),
    Protocol: protocol,
    Endpoint: subscription.endpoint,
    Owner: subscription.owner,
    PendingConfirmation: String(subscription.pending !== undefined),
    ConfirmationWasAuthenticated: String(subscription.confirmationWasAuthenticated),
    SubscriptionPrincipal: subscription.principal,
    RawMessageDelivery: 'false',
    ...given,
    ...(given.FilterPolicy === undefined ? {} : { FilterPolicyScope }),
    ...(http
      ? {
          EffectiveDeliveryPolicy: subscriptionPolicyText(
            effectiveDelivery(deliveryRulesOf(topic), subscriptionRulesOf(subscription)),
          ),
        }
      : {}),
  };
}

import { hash } from 'node:crypto';
import type { Key } from '../../store/index.ts';
import type { ApplicationName, EndpointName, Place, SubscriptionName, TopicName } from './names.ts';
import type { SubscriptionAttributes } from './subscription-attributes.ts';
import type { TopicAttributes } from './topic-attributes.ts';

export type Protocol = 'sqs' | 'lambda' | 'http' | 'https' | 'email' | 'email-json' | 'sms' | 'application';

export interface TopicRecord extends TopicName {
  /** Epoch ms, as all times in records. */
  readonly created: number;
  readonly attributes: TopicAttributes;
  readonly tags: Readonly<Record<string, string>>;
}

/** How many subscriptions a topic has. It is written with each change of one, so its revision tells whether any changed. */
export interface SubscriptionCounts {
  readonly confirmed: number;
  readonly pending: number;
  readonly deleted: number;
  /** Subscriptions with a filter policy. */
  readonly filtered: number;
}

export interface SubscriptionRecord extends SubscriptionName {
  readonly protocol: Protocol;
  readonly endpoint: string;
  /** The account that subscribed. */
  readonly owner: string;
  /** ARN of who subscribed. */
  readonly principal: string;
  readonly created: number;
  readonly attributes: SubscriptionAttributes;
  /** Until it is confirmed. */
  readonly pending?: Confirmation | undefined;
  /** The token that did it. */
  readonly confirmedBy?: string;
  readonly confirmationWasAuthenticated: boolean;
  /** Only its owner and the topic's may end it. */
  readonly authenticateOnUnsubscribe: boolean;
  /** It was made from this machine: its endpoint may be there. */
  readonly local: boolean;
}

export interface Confirmation {
  readonly token: string;
  /** When it is given up. */
  readonly until: number;
}

/** A message of a FIFO topic that must not be delivered twice. */
export interface DeduplicationRecord {
  readonly messageId: string;
  readonly sequenceNumber: string;
  readonly until: number;
}

export interface ApplicationRecord extends ApplicationName {
  readonly created: number;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface EndpointRecord extends EndpointName {
  readonly created: number;
  readonly token: string;
  readonly enabled: boolean;
  readonly userData?: string | undefined;
}

export interface SandboxNumberRecord {
  readonly phoneNumber: string;
  readonly status: 'Pending' | 'Verified';
  readonly oneTimePassword: string;
  /** Until when the password holds. */
  readonly until: number;
  readonly language: string;
}

/** Addresses and tokens can be longer than a part of a key may be. */
const brief = (text: string): string => (Buffer.byteLength(text) <= 512 ? text : `sha256:${hash('sha256', text)}`);

const ROOT = 'sns';
const placed = (kind: string, { account, region }: Place, ...rest: Key): Key => [ROOT, kind, account, region, ...rest];

export const keys = {
  topics: (place: Place): Key => placed('topic', place),
  topic: (topic: TopicName): Key => placed('topic', topic, topic.name),
  /** Number of topics: `{ standard, fifo }`. */
  topicCount: (place: Place): Key => placed('topic-count', place),
  counts: (topic: TopicName): Key => placed('counts', topic, topic.name),
  subscriptions: (topic: TopicName): Key => placed('subscription', topic, topic.name),
  subscription: (name: SubscriptionName): Key => placed('subscription', name, name.name, name.id),
  /** A topic's subscription for an endpoint: its id. */
  subscribed: (topic: TopicName, protocol: string, endpoint: string): Key =>
    placed('subscribed', topic, topic.name, protocol, brief(endpoint)),
  /** Subscriptions by the account that made them. */
  ownedSubscriptions: (owner: string, region: string): Key => [ROOT, 'owned', owner, region],
  ownedSubscription: (owner: string, { account, region, name, id }: SubscriptionName): Key => [
    ROOT,
    'owned',
    owner,
    region,
    account,
    name,
    id,
  ],
  /** A token's subscription: its ARN. */
  token: (token: string): Key => [ROOT, 'token', token],
  /** A subscription that was ended by its endpoint, which may restore it with the token. */
  unsubscribed: (token: string): Key => [ROOT, 'unsubscribed', token],
  expiries: (): Key => [ROOT, 'expiry'],
  sequence: (topic: TopicName): Key => placed('sequence', topic, topic.name),
  deduplications: (topic: TopicName): Key => placed('deduplication', topic, topic.name),
  deduplication: (topic: TopicName, scope: string, id: string): Key =>
    placed('deduplication', topic, topic.name, scope, id),
  /** In order of their ends. */
  deduplicationEnds: (topic: TopicName): Key => placed('deduplication-end', topic, topic.name),
  deduplicationEnd: (topic: TopicName, until: number, scope: string, id: string): Key =>
    placed('deduplication-end', topic, topic.name, until, scope, id),
  applications: (place: Place): Key => placed('application', place),
  application: (name: ApplicationName): Key => placed('application', name, name.platform, name.name),
  endpoints: (name: ApplicationName): Key => placed('endpoint', name, name.platform, name.name),
  endpoint: (name: EndpointName): Key => placed('endpoint', name, name.platform, name.name, name.id),
  /** A device's endpoint: its id. */
  device: (name: ApplicationName, token: string): Key => placed('device', name, name.platform, name.name, brief(token)),
  smsAttributes: (place: Place): Key => placed('sms', place),
  sandboxNumbers: (place: Place): Key => placed('sandbox-number', place),
  sandboxNumber: (place: Place, number: string): Key => placed('sandbox-number', place, number),
  outboxes: (): Key => [ROOT, 'outbox'],
  outbox: (account: string): Key => [ROOT, 'outbox', account],
  outboxEntry: (account: string, number: number): Key => [ROOT, 'outbox', account, number],
  signingKey: (): Key => [ROOT, 'signing-key'],
} as const;

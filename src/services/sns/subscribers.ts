import type { Transaction } from '../../store/index.ts';
import { type EffectiveDelivery, effectiveDelivery } from './delivery-policy.ts';
import { type MessageFilter, messageFilter } from './filter-policy.ts';
import { subscriptionArn, type TopicName, topicArn } from './names.ts';
import { keys, type SubscriptionCounts, type SubscriptionRecord, type TopicRecord } from './records.ts';
import { deadLettersOf, isRaw, subscriptionRulesOf } from './subscription-attributes.ts';
import { deliveryRulesOf } from './topic-attributes.ts';

/** A confirmed subscription, ready to be delivered to. */
export interface Subscriber {
  readonly arn: string;
  readonly record: SubscriptionRecord;
  readonly raw: boolean;
  readonly filter: MessageFilter | undefined;
  readonly deadLetters: string | undefined;
  /** For HTTP(S). */
  readonly delivery: EffectiveDelivery;
}

interface Known {
  /** Revisions of the topic and of its counts: when neither has changed, nor have the subscriptions. */
  readonly topicRevision: number;
  readonly countsRevision: number;
  readonly subscribers: readonly Subscriber[];
}

/** Topics whose subscriptions are remembered. */
const REMEMBERED = 1000;
const NONE: SubscriptionCounts = { confirmed: 0, pending: 0, deleted: 0, filtered: 0 };

/** The confirmed subscriptions of topics, remembered for as long as nothing about them changes. */
export class Subscribers {
  readonly #known = new Map<string, Known>();

  /** Those of a topic, and the topic itself; `undefined` when there is no such topic. */
  async of(
    transaction: Transaction,
    name: TopicName,
  ): Promise<{ readonly topic: TopicRecord; readonly subscribers: readonly Subscriber[] } | undefined> {
    const [topic, counts] = await Promise.all([
      transaction.get<TopicRecord>(keys.topic(name)),
      transaction.get<SubscriptionCounts>(keys.counts(name)),
    ]);
    if (!topic) return undefined;
    const [topicRevision, countsRevision] = [topic.modRevision, counts?.modRevision ?? 0];
    const arn = topicArn(name);
    const known = this.#known.get(arn);
    if (known?.topicRevision === topicRevision && known.countsRevision === countsRevision) {
      return { topic: topic.value, subscribers: known.subscribers };
    }
    const entries = await transaction.range<SubscriptionRecord>({ prefix: keys.subscriptions(name) });
    const subscribers = entries.flatMap(({ value }) => (value.pending ? [] : [subscriber(topic.value, value)]));
    if (topicRevision !== 0) {
      if (this.#known.size >= REMEMBERED) this.#known.delete(this.#known.keys().next().value!);
      this.#known.set(arn, { topicRevision, countsRevision, subscribers });
    }
    return { topic: topic.value, subscribers };
  }
}

function subscriber(topic: TopicRecord, record: SubscriptionRecord): Subscriber {
  const { FilterPolicy, FilterPolicyScope = 'MessageAttributes' } = record.attributes;
  return {
    arn: subscriptionArn(record),
    record,
    raw: isRaw(record),
    filter: FilterPolicy === undefined ? undefined : messageFilter(FilterPolicy, FilterPolicyScope),
    deadLetters: deadLettersOf(record),
    delivery: effectiveDelivery(deliveryRulesOf(topic), subscriptionRulesOf(record)),
  };
}

/** How many subscriptions a topic has. */
export async function countsOf(from: Pick<Transaction, 'get'>, name: TopicName): Promise<SubscriptionCounts> {
  return (await from.get<SubscriptionCounts>(keys.counts(name)))?.value ?? NONE;
}

/** Notes a change of a subscription: `undefined` before it was made and after it was deleted. */
export async function noteChange(
  transaction: Transaction,
  name: TopicName,
  before: SubscriptionRecord | undefined,
  after: SubscriptionRecord | undefined,
): Promise<SubscriptionCounts> {
  const counts = await countsOf(transaction, name);
  const of = (record: SubscriptionRecord | undefined, what: (record: SubscriptionRecord) => boolean): number =>
    record && what(record) ? 1 : 0;
  const change = (what: (record: SubscriptionRecord) => boolean): number => of(after, what) - of(before, what);
  const next: SubscriptionCounts = {
    confirmed: counts.confirmed + change(({ pending }) => !pending),
    pending: counts.pending + change(({ pending }) => pending !== undefined),
    deleted: counts.deleted + (before && !after ? 1 : 0),
    filtered: counts.filtered + change(({ attributes }) => attributes.FilterPolicy !== undefined),
  };
  transaction.put(keys.counts(name), next);
  return next;
}

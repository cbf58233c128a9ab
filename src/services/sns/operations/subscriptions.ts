import type {
  GetSubscriptionAttributesCommandInput,
  GetSubscriptionAttributesCommandOutput,
  ListSubscriptionsByTopicCommandInput,
  ListSubscriptionsByTopicCommandOutput,
  ListSubscriptionsCommandInput,
  ListSubscriptionsCommandOutput,
  SetSubscriptionAttributesCommandInput,
  SubscribeCommandInput,
  SubscribeCommandOutput,
  Subscription,
} from '@aws-sdk/client-sns';
import { isLoopback } from '../../../events/index.ts';
import type { Transaction } from '../../../store/index.ts';
import type { RequestContext } from '../../service.ts';
import { confirmationRequest, newConfirmation, putSubscription } from '../confirmations.ts';
import { needsConfirmation, readEndpoint, readProtocol } from '../endpoints.ts';
import { invalidParameter, limitExceeded, notAuthorized, notFound } from '../errors.ts';
import { isFifo, readSubscriptionArn, subscriptionArn, type TopicName, topicArn } from '../names.ts';
import { page } from '../paging.ts';
import { keys, type SubscriptionRecord, type TopicRecord } from '../records.ts';
import { findTopic, type SnsState } from '../state.ts';
import { countsOf } from '../subscribers.ts';
import {
  describeSubscription,
  hasSubscriptionAttributes,
  readSubscriptionAttributes,
  withSubscriptionAttribute,
} from '../subscription-attributes.ts';
import { LARGE_MESSAGES, maximumMessageSize } from '../topic-attributes.ts';
import { topicOfRegion } from './topics.ts';

type Out<T> = Omit<T, '$metadata'>;

/** Source: AWS General Reference, "Amazon SNS endpoints and quotas". */
const QUOTA = { fifoSubscriptions: 100, filterPolicies: 200 } as const;

/** Source: API Reference, "Subscribe": the same endpoint again is the same subscription. */
export async function subscribe(
  state: SnsState,
  input: SubscribeCommandInput,
  context: RequestContext,
): Promise<Out<SubscribeCommandOutput>> {
  const name = topicOfRegion(input.TopicArn, context);
  await findTopic(state.store, name);
  const protocol = readProtocol(input.Protocol!);
  const endpoint = await readEndpoint(state, name, protocol, input.Endpoint);
  const attributes = readSubscriptionAttributes(input.Attributes ?? {}, { topic: name, protocol, endpoint });
  const pending = needsConfirmation(protocol, endpoint, context.account);
  const made: SubscriptionRecord = {
    ...name,
    id: state.random.uuid(),
    protocol,
    endpoint,
    owner: context.account,
    principal: context.principal.arn,
    created: state.clock.now(),
    attributes,
    ...(pending ? { pending: newConfirmation(state) } : {}),
    confirmationWasAuthenticated: !pending,
    authenticateOnUnsubscribe: false,
    local: isLoopback(context.sourceIp),
  };
  const record = await state.store.transact((transaction) => put(state, transaction, made));
  state.expiry.changed(record.pending?.until);
  const told = input.ReturnSubscriptionArn === true || !record.pending;
  return { SubscriptionArn: told ? subscriptionArn(record) : 'pending confirmation' };
}

/** The subscription that there is now. One that waits for its confirmation is asked for it again. */
async function put(state: SnsState, transaction: Transaction, made: SubscriptionRecord): Promise<SubscriptionRecord> {
  const topic = await findTopic(transaction, made);
  const id = await transaction.get<string>(keys.subscribed(made, made.protocol, made.endpoint));
  const present =
    id && (await transaction.get<SubscriptionRecord>(keys.subscription({ ...made, id: id.value })))?.value;
  if (present) {
    if (!hasSubscriptionAttributes(present.attributes, made.attributes)) {
      throw invalidParameter('Attributes Reason: Subscription already exists with different attributes');
    }
    if (!present.pending || !made.pending) return present;
    const again: SubscriptionRecord = { ...present, pending: made.pending, local: made.local };
    await putSubscription(state, transaction, present, again);
    state.delivery.enqueue(transaction, await confirmationRequest(state, topic, again));
    return again;
  }
  await checkQuota(transaction, topic, made);
  await putSubscription(state, transaction, undefined, made);
  if (made.pending) state.delivery.enqueue(transaction, await confirmationRequest(state, topic, made));
  return made;
}

async function checkQuota(transaction: Transaction, topic: TopicRecord, made: SubscriptionRecord): Promise<void> {
  const counts = await countsOf(transaction, topic);
  const present = counts.confirmed + counts.pending;
  if (isFifo(topic.name) && present >= QUOTA.fifoSubscriptions) {
    throw limitExceeded(
      'SubscriptionLimitExceeded',
      'The topic has 100 subscriptions, which is the limit of FIFO topics.',
    );
  }
  if (made.attributes.FilterPolicy !== undefined && counts.filtered >= QUOTA.filterPolicies) {
    throw filterLimit();
  }
  if (maximumMessageSize(topic) > LARGE_MESSAGES.above) {
    const { protocols, subscriptions } = LARGE_MESSAGES;
    if (!(protocols as readonly string[]).includes(made.protocol)) {
      throw invalidParameter(`Endpoint Reason: a topic with large messages takes no ${made.protocol} subscriptions`);
    }
    if (present >= subscriptions) {
      throw limitExceeded('SubscriptionLimitExceeded', 'A topic with large messages has at most 100 subscriptions.');
    }
  }
}

const filterLimit = () =>
  limitExceeded('FilterPolicyLimitExceeded', `A topic has at most ${QUOTA.filterPolicies} filter policies.`);

export async function getSubscriptionAttributes(
  state: SnsState,
  input: GetSubscriptionAttributesCommandInput,
  context: RequestContext,
): Promise<Out<GetSubscriptionAttributesCommandOutput>> {
  const subscription = await findOwn(state.store, input.SubscriptionArn!, context);
  const topic = await findTopic(state.store, subscription);
  return { Attributes: describeSubscription(subscription, topic) };
}

export async function setSubscriptionAttributes(
  state: SnsState,
  input: SetSubscriptionAttributesCommandInput,
  context: RequestContext,
): Promise<object> {
  await state.store.transact(async (transaction) => {
    const before = await findOwn(transaction, input.SubscriptionArn!, context);
    const attributes = withSubscriptionAttribute(before, input.AttributeName!, input.AttributeValue ?? '');
    const filtered = attributes.FilterPolicy !== undefined && before.attributes.FilterPolicy === undefined;
    if (filtered && (await countsOf(transaction, before)).filtered >= QUOTA.filterPolicies) throw filterLimit();
    await putSubscription(state, transaction, before, { ...before, attributes });
  });
  state.pace.forget(input.SubscriptionArn!);
  return {};
}

export async function listSubscriptions(
  state: SnsState,
  input: ListSubscriptionsCommandInput,
  context: RequestContext,
): Promise<Out<ListSubscriptionsCommandOutput>> {
  const prefix = keys.ownedSubscriptions(context.account, context.region);
  const { entries, nextToken } = await page<true>(state.store, prefix, input.NextToken);
  const records = await Promise.all(
    entries.map(({ key }) => {
      const [account, name, id] = key.slice(prefix.length) as [string, string, string];
      return state.store.get<SubscriptionRecord>(keys.subscription({ account, region: context.region, name, id }));
    }),
  );
  return listed(
    records.flatMap((entry) => (entry ? [entry.value] : [])),
    nextToken,
  );
}

export async function listSubscriptionsByTopic(
  state: SnsState,
  input: ListSubscriptionsByTopicCommandInput,
  context: RequestContext,
): Promise<Out<ListSubscriptionsByTopicCommandOutput>> {
  const name: TopicName = topicOfRegion(input.TopicArn, context);
  await findTopic(state.store, name);
  const { entries, nextToken } = await page<SubscriptionRecord>(state.store, keys.subscriptions(name), input.NextToken);
  return listed(
    entries.map(({ value }) => value),
    nextToken,
  );
}

function listed(records: readonly SubscriptionRecord[], nextToken: string | undefined) {
  const Subscriptions: Subscription[] = records.map((record) => ({
    SubscriptionArn: record.pending ? 'PendingConfirmation' : subscriptionArn(record),
    Owner: record.owner,
    Protocol: record.protocol,
    Endpoint: record.endpoint,
    TopicArn: topicArn(record),
  }));
  return { Subscriptions, ...(nextToken === undefined ? {} : { NextToken: nextToken }) };
}

/** A subscription of the caller's account, or of one of its topics. Throws NotFound or AuthorizationError. */
async function findOwn(
  from: Pick<Transaction, 'get'>,
  arn: string,
  { account }: Pick<RequestContext, 'account'>,
): Promise<SubscriptionRecord> {
  const name = readSubscriptionArn(arn);
  const entry = await from.get<SubscriptionRecord>(keys.subscription(name));
  if (!entry) throw notFound('Subscription');
  if (account !== entry.value.owner && account !== name.account) {
    throw notAuthorized('Access Denied: only the owners of the subscription and of its topic may do this.');
  }
  return entry.value;
}

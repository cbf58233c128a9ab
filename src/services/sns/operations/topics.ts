import { isDeepStrictEqual } from 'node:util';
import type {
  AddPermissionCommandInput,
  CreateTopicCommandInput,
  CreateTopicCommandOutput,
  DeleteTopicCommandInput,
  GetTopicAttributesCommandInput,
  GetTopicAttributesCommandOutput,
  ListTagsForResourceCommandInput,
  ListTagsForResourceCommandOutput,
  ListTopicsCommandInput,
  ListTopicsCommandOutput,
  RemovePermissionCommandInput,
  SetTopicAttributesCommandInput,
  TagResourceCommandInput,
  UntagResourceCommandInput,
} from '@aws-sdk/client-sns';
import type { Transaction } from '../../../store/index.ts';
import type { RequestContext } from '../../service.ts';
import { removeSubscription } from '../confirmations.ts';
import { invalidParameter, limitExceeded, refused, resourceNotFound } from '../errors.ts';
import { checkTopicName, isFifo, readTopicArn, type TopicName, topicArn } from '../names.ts';
import { page } from '../paging.ts';
import { keys, type SubscriptionRecord, type TopicRecord } from '../records.ts';
import { findTopic, type SnsState } from '../state.ts';
import { countsOf } from '../subscribers.ts';
import { checkCount, readTags, tagList } from '../tags.ts';
import {
  describeTopic,
  hasAttributes,
  LARGE_MESSAGES,
  maximumMessageSize,
  policyOf,
  readTopicAttributes,
  type TopicAttributes,
  withTopicAttribute,
} from '../topic-attributes.ts';
import { withoutPermission, withPermission } from '../topic-policy.ts';

type Out<T> = Omit<T, '$metadata'>;

interface TopicCount {
  readonly standard: number;
  readonly fifo: number;
}

/** Topics of an account in a region. Source: AWS General Reference, "Amazon SNS endpoints and quotas". */
const QUOTA: TopicCount = { standard: 100_000, fifo: 1000 };
/** Subscriptions, and other entries, that one transaction deletes. */
const CHUNK = 500;

/** Source: API Reference, "CreateTopic": it is idempotent for a topic with the same attributes and tags. */
export async function createTopic(
  state: SnsState,
  input: CreateTopicCommandInput,
  context: RequestContext,
): Promise<Out<CreateTopicCommandOutput>> {
  if (input.DataProtectionPolicy !== undefined) {
    throw refused('DataProtectionPolicy', 'Messages are not searched for personal data; leave it out.');
  }
  const name: TopicName = { account: context.account, region: context.region, name: input.Name! };
  const attributes = readTopicAttributes(input.Attributes ?? {}, name.name);
  checkTopicName(name.name, attributes.FifoTopic === 'true');
  const tags = readTags(input.Tags);
  await state.store.transact(async (transaction) => {
    const present = await transaction.get<TopicRecord>(keys.topic(name));
    if (present) {
      checkSame(present.value, attributes, input.Tags && tags);
      return;
    }
    await countTopic(transaction, name, 1);
    const record: TopicRecord = { ...name, created: state.clock.now(), attributes, tags };
    transaction.put(keys.topic(name), record);
  });
  return { TopicArn: topicArn(name) };
}

function checkSame(topic: TopicRecord, attributes: TopicAttributes, tags: Record<string, string> | undefined): void {
  if (!hasAttributes(topic, attributes)) {
    throw invalidParameter('Attributes Reason: Topic already exists with different attributes');
  }
  if (tags && !isDeepStrictEqual(tags, topic.tags)) {
    throw invalidParameter('Tags Reason: Topic already exists with different tags');
  }
}

async function countTopic(transaction: Transaction, name: TopicName, change: 1 | -1): Promise<void> {
  const kind = isFifo(name.name) ? 'fifo' : 'standard';
  const count = (await transaction.get<TopicCount>(keys.topicCount(name)))?.value ?? { standard: 0, fifo: 0 };
  if (change === 1 && count[kind] >= QUOTA[kind]) {
    throw limitExceeded('TopicLimitExceeded', `There are ${QUOTA[kind]} ${kind} topics already, which is the limit.`);
  }
  transaction.put(keys.topicCount(name), { ...count, [kind]: count[kind] + change });
}

/** Deletes a topic with its subscriptions. Source: API Reference, "DeleteTopic": deleting what is not there succeeds. */
export async function deleteTopic(
  state: SnsState,
  input: DeleteTopicCommandInput,
  context: RequestContext,
): Promise<object> {
  const name = topicOfRegion(input.TopicArn, context);
  while (!(await state.store.transact((transaction) => deleteSome(state, transaction, name))));
  return {};
}

/** What belongs to a topic, up to some entries of each kind; true when that was all and the topic itself is gone. */
async function deleteSome(state: SnsState, transaction: Transaction, name: TopicName): Promise<boolean> {
  if (!(await transaction.get(keys.topic(name)))) return true;
  const limit = CHUNK;
  const subscriptions = await transaction.range<SubscriptionRecord>({ prefix: keys.subscriptions(name), limit });
  const ends = await transaction.range({ prefix: keys.deduplicationEnds(name), limit });
  const records = await transaction.range({ prefix: keys.deduplications(name), limit });
  for (const { value } of subscriptions) await removeSubscription(state, transaction, value);
  for (const { key } of [...ends, ...records]) transaction.delete(key);
  if ([subscriptions, ends, records].some(({ length }) => length === limit)) return false;
  for (const key of [keys.topic(name), keys.counts(name), keys.sequence(name)]) transaction.delete(key);
  await countTopic(transaction, name, -1);
  return true;
}

export async function getTopicAttributes(
  state: SnsState,
  input: GetTopicAttributesCommandInput,
  context: RequestContext,
): Promise<Out<GetTopicAttributesCommandOutput>> {
  const name = topicOfRegion(input.TopicArn, context);
  const topic = await findTopic(state.store, name);
  return { Attributes: describeTopic(topic, await countsOf(state.store, name)) };
}

export async function setTopicAttributes(
  state: SnsState,
  input: SetTopicAttributesCommandInput,
  context: RequestContext,
): Promise<object> {
  const name = topicOfRegion(input.TopicArn, context);
  await state.store.transact(async (transaction) => {
    const topic = await findTopic(transaction, name);
    const attributes = withTopicAttribute(topic, input.AttributeName!, input.AttributeValue ?? '');
    const next: TopicRecord = { ...topic, attributes };
    if (maximumMessageSize(next) > LARGE_MESSAGES.above) await checkSubscriptions(transaction, name);
    transaction.put(keys.topic(name), next);
  });
  return {};
}

/** A topic for large messages has few subscriptions, of certain protocols. Throws InvalidParameter. */
async function checkSubscriptions(transaction: Transaction, name: TopicName): Promise<void> {
  const limit = LARGE_MESSAGES.subscriptions + 1;
  const found = await transaction.range<SubscriptionRecord>({ prefix: keys.subscriptions(name), limit });
  const protocols: readonly string[] = LARGE_MESSAGES.protocols;
  if (found.length < limit && found.every(({ value }) => protocols.includes(value.protocol))) return;
  throw invalidParameter(
    `MaximumMessageSize Reason: above ${LARGE_MESSAGES.above} bytes a topic has at most ${LARGE_MESSAGES.subscriptions} subscriptions, of queues and functions`,
  );
}

export async function listTopics(
  state: SnsState,
  input: ListTopicsCommandInput,
  context: RequestContext,
): Promise<Out<ListTopicsCommandOutput>> {
  const { entries, nextToken } = await page<TopicRecord>(state.store, keys.topics(context), input.NextToken);
  return {
    Topics: entries.map(({ value }) => ({ TopicArn: topicArn(value) })),
    ...(nextToken === undefined ? {} : { NextToken: nextToken }),
  };
}

export async function addPermission(
  state: SnsState,
  input: AddPermissionCommandInput,
  context: RequestContext,
): Promise<object> {
  await changePolicy(state, topicOfRegion(input.TopicArn, context), (policy, name) =>
    withPermission(policy, name, {
      label: input.Label!,
      accounts: input.AWSAccountId ?? [],
      actions: input.ActionName ?? [],
    }),
  );
  return {};
}

export async function removePermission(
  state: SnsState,
  input: RemovePermissionCommandInput,
  context: RequestContext,
): Promise<object> {
  await changePolicy(state, topicOfRegion(input.TopicArn, context), (policy) =>
    withoutPermission(policy, input.Label!),
  );
  return {};
}

export async function tagResource(state: SnsState, input: TagResourceCommandInput): Promise<object> {
  const added = readTags(input.Tags);
  await changeTags(state, input.ResourceArn!, (tags) => checkCount({ ...tags, ...added }));
  return {};
}

export async function untagResource(state: SnsState, input: UntagResourceCommandInput): Promise<object> {
  const removed = new Set(input.TagKeys);
  await changeTags(state, input.ResourceArn!, (tags) =>
    Object.fromEntries(Object.entries(tags).filter(([key]) => !removed.has(key))),
  );
  return {};
}

export async function listTagsForResource(
  state: SnsState,
  input: ListTagsForResourceCommandInput,
): Promise<Out<ListTagsForResourceCommandOutput>> {
  const topic = await state.store.get<TopicRecord>(keys.topic(readTopicArn(input.ResourceArn, 'ResourceArn')));
  if (!topic) throw resourceNotFound();
  return { Tags: tagList(topic.value.tags) };
}

/** Topics are reached in their own region only. Throws InvalidParameter. */
export function topicOfRegion(arn: string | undefined, { region }: Pick<RequestContext, 'region'>): TopicName {
  const name = readTopicArn(arn);
  if (name.region !== region) throw invalidParameter('TopicArn');
  return name;
}

async function change(state: SnsState, name: TopicName, next: (topic: TopicRecord) => TopicRecord): Promise<void> {
  await state.store.transact(async (transaction) => {
    transaction.put(keys.topic(name), next(await findTopic(transaction, name)));
  });
}

function changePolicy(
  state: SnsState,
  name: TopicName,
  next: (policy: string, name: TopicName) => string,
): Promise<void> {
  return change(state, name, (topic) => ({
    ...topic,
    attributes: { ...topic.attributes, Policy: next(policyOf(topic), name) },
  }));
}

async function changeTags(
  state: SnsState,
  arn: string,
  next: (tags: Readonly<Record<string, string>>) => Record<string, string>,
): Promise<void> {
  const name = readTopicArn(arn, 'ResourceArn');
  await state.store.transact(async (transaction) => {
    const topic = await transaction.get<TopicRecord>(keys.topic(name));
    if (!topic) throw resourceNotFound();
    transaction.put(topic.key, { ...topic.value, tags: next(topic.value.tags) });
  });
}

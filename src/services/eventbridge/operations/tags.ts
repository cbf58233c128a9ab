import type {
  ListTagsForResourceCommandInput,
  ListTagsForResourceCommandOutput,
  TagResourceCommandInput,
  UntagResourceCommandInput,
} from '@aws-sdk/client-eventbridge';
import type { Transaction } from '../../../store/index.ts';
import type { RequestContext } from '../../service.ts';
import { invalidParameter, notFound } from '../errors.ts';
import { type BusRecord, busKey, parseEventsArn, parseRuleArn, type RuleRecord, ruleKey } from '../records.ts';
import { type EventBridgeState, placeOf, readBus } from '../state.ts';
import { checkTagCount, tagsOf } from '../tags.ts';

type Output<T> = Promise<Omit<T, '$metadata'>>;
type Tagged = Pick<BusRecord, 'tags'> | Pick<RuleRecord, 'tags'>;

export async function tagResource(
  state: EventBridgeState,
  input: TagResourceCommandInput,
  context: RequestContext,
): Promise<object> {
  const added = tagsOf(input.Tags);
  await change(state, input.ResourceARN!, context, (tags) => checkTagCount({ ...tags, ...added }));
  return {};
}

export async function untagResource(
  state: EventBridgeState,
  input: UntagResourceCommandInput,
  context: RequestContext,
): Promise<object> {
  const removed = new Set(input.TagKeys);
  await change(state, input.ResourceARN!, context, (tags) =>
    Object.fromEntries(Object.entries(tags).filter(([key]) => !removed.has(key))),
  );
  return {};
}

export async function listTagsForResource(
  state: EventBridgeState,
  input: ListTagsForResourceCommandInput,
  context: RequestContext,
): Output<ListTagsForResourceCommandOutput> {
  const { record } = await find(state.store, input.ResourceARN!, context);
  return { Tags: Object.entries(record.tags).map(([Key, Value]) => ({ Key, Value })) };
}

async function change(
  state: EventBridgeState,
  arn: string,
  context: RequestContext,
  body: (tags: Readonly<Record<string, string>>) => Readonly<Record<string, string>>,
): Promise<void> {
  await state.store.transact(async (transaction) => {
    const { key, record } = await find(transaction, arn, context);
    transaction.put(key, { ...record, tags: body(record.tags) });
  });
}

/** Rules and event buses have tags. */
async function find(reader: Pick<Transaction, 'get'>, arn: string, context: RequestContext) {
  const parsed = parseEventsArn(arn);
  const place = placeOf(context);
  if (!parsed) throw invalidParameter('ResourceARN', 'Provided Arn is not in correct format.');
  if (parsed.account !== place.account || parsed.region !== place.region) throw notFound(missing(parsed.type, arn));
  if (parsed.type === 'rule') {
    const id = parseRuleArn(arn)!;
    const entry = await reader.get<RuleRecord>(ruleKey(id));
    if (entry) return { key: ruleKey(id), record: entry.value as Tagged };
  } else if (parsed.type === 'event-bus') {
    const id = { ...place, bus: parsed.name };
    const bus = await readBus(reader, id);
    if (bus) return { key: busKey(id), record: bus as Tagged };
  } else {
    throw invalidParameter('ResourceARN', 'Rules and event buses can have tags.');
  }
  throw notFound(missing(parsed.type, arn));
}

function missing(type: string, arn: string): string {
  const rule = parseRuleArn(arn);
  if (rule) return `Rule ${rule.rule} does not exist on EventBus ${rule.bus}.`;
  return `${type === 'event-bus' ? 'Event bus' : 'Resource'} ${parseEventsArn(arn)!.name} does not exist.`;
}

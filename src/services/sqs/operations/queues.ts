import type {
  CreateQueueCommandInput,
  CreateQueueCommandOutput,
  DeleteQueueCommandInput,
  GetQueueUrlCommandInput,
  GetQueueUrlCommandOutput,
  ListDeadLetterSourceQueuesCommandInput,
  ListDeadLetterSourceQueuesCommandOutput,
  ListQueuesCommandInput,
  ListQueuesCommandOutput,
  PurgeQueueCommandInput,
} from '@aws-sdk/client-sqs';
import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { checkRedrive } from '../dead-letters.ts';
import { invalidParameterValue, queueDoesNotExist } from '../errors.ts';
import { checkQueueName, invalidQueueName, isFifo, parseQueueUrl, type QueueName, queueUrl } from '../names.ts';
import type { Queue } from '../queue.ts';
import {
  changeSettings,
  DEFAULT_FIFO_SETTINGS,
  DEFAULT_SETTINGS,
  givenAttributes,
  shownSettings,
} from '../queue-settings.ts';
import { keys, type QueueRecord, type QueueSettings, type RemainsRecord } from '../records.ts';
import type { SqsState } from '../state.ts';
import { checkTags } from './tags.ts';

/** Source: SQS API Reference, "CreateQueue" and "PurgeQueue": 60 seconds. */
const PAUSE_MS = 60_000;
const PAGE = 1000;

type Output<T> = Omit<T, '$metadata'>;

/** The queue of a request. Throws QueueDoesNotExist, InvalidAddress. */
export function queueOf(
  state: SqsState,
  input: { readonly QueueUrl?: string | undefined },
  context: RequestContext,
): Promise<Queue> {
  return state.queues.require(parseQueueUrl(input.QueueUrl ?? '', context));
}

/** Making a queue again with the same attributes gives it; with others it is refused. */
export async function createQueue(
  state: SqsState,
  input: CreateQueueCommandInput,
  context: RequestContext,
): Promise<Output<CreateQueueCommandOutput>> {
  const { account, region } = context;
  const name: QueueName = { account, region, name: input.QueueName! };
  checkQueueName(name.name);
  const attributes = givenAttributes(input.Attributes);
  const fifo = attributes.FifoQueue?.toLowerCase() === 'true';
  if (fifo && !isFifo(name.name)) {
    throw invalidParameterValue(
      'The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.',
    );
  }
  if (!fifo && isFifo(name.name)) throw invalidQueueName();
  const defaults = isFifo(name.name) ? DEFAULT_FIFO_SETTINGS : DEFAULT_SETTINGS;
  const settings = changeSettings(defaults, attributes, name);
  const tags = checkTags({ ...input.tags });
  await checkRedrive(state, settings, name);
  const now = state.clock.now();
  const record: QueueRecord = {
    ...name,
    id: state.random.hex(16),
    created: now,
    modified: now,
    settings,
    tags,
  };
  const kept = await state.store.transact(async (transaction) => {
    const existing = (await transaction.get<QueueRecord>(keys.queue(name)))?.value;
    if (existing) {
      checkSame(existing, settings, attributes);
      return existing;
    }
    const deleted = (await transaction.get<number>(keys.deleted(name)))?.value;
    if (deleted !== undefined) {
      if (deleted + PAUSE_MS > now) {
        throw new ServiceError(
          'QueueDeletedRecently',
          'You must wait 60 seconds after deleting a queue before you can create another with the same name.',
        );
      }
      transaction.delete(keys.deleted(name));
    }
    transaction.put(keys.queue(name), record);
    return record;
  });
  if (kept === record) state.queues.created(record);
  return { QueueUrl: queueUrl(name, context) };
}

/** Only the attributes that are given are compared. Source: SQS API Reference, "CreateQueue". */
function checkSame(existing: QueueRecord, wanted: QueueSettings, given: Readonly<Record<string, string>>): void {
  const [have, want] = [shownSettings(existing.settings, existing), shownSettings(wanted, existing)];
  for (const attribute of Object.keys(given)) {
    if (have[attribute] === want[attribute]) continue;
    throw new ServiceError(
      'QueueNameExists',
      `A queue already exists with the same name and a different value for attribute ${attribute}`,
    );
  }
}

export async function deleteQueue(
  state: SqsState,
  input: DeleteQueueCommandInput,
  context: RequestContext,
): Promise<object> {
  const queue = await queueOf(state, input, context);
  await state.store.transact(async (transaction) => {
    const entry = await transaction.get<QueueRecord>(keys.queue(queue.record));
    if (entry?.value.id !== queue.id) throw queueDoesNotExist();
    transaction.delete(keys.queue(queue.record));
    transaction.put(keys.deleted(queue.record), state.clock.now());
    transaction.put(keys.remainsOf(queue.id), {} satisfies RemainsRecord);
    for (const { key } of await transaction.range({ prefix: keys.moveTasks(queue.record) })) transaction.delete(key);
  });
  state.queues.deleted(queue);
  state.rate.forget(queue);
  return {};
}

export async function getQueueUrl(
  state: SqsState,
  input: GetQueueUrlCommandInput,
  context: RequestContext,
): Promise<Output<GetQueueUrlCommandOutput>> {
  const account = input.QueueOwnerAWSAccountId ?? context.account;
  const name: QueueName = { account, region: context.region, name: input.QueueName! };
  await state.queues.require(name);
  return { QueueUrl: queueUrl(name, context) };
}

export async function listQueues(
  state: SqsState,
  input: ListQueuesCommandInput,
  context: RequestContext,
): Promise<Output<ListQueuesCommandOutput>> {
  const limit = checkPage(input.MaxResults, input.NextToken);
  const prefix = input.QueueNamePrefix ?? '';
  const names: QueueName[] = [];
  let after: string | undefined = readToken(input.NextToken);
  while (names.length <= limit) {
    const at = keys.queues(context.account, context.region);
    const page = await state.store.range<QueueRecord>({
      prefix: at,
      limit: PAGE,
      ...(after === undefined ? {} : { after: [...at, after] }),
    });
    for (const { value } of page) if (value.name.startsWith(prefix) && names.length <= limit) names.push(value);
    if (page.length < PAGE) break;
    after = page[page.length - 1]!.value.name;
  }
  const shown = names.slice(0, limit);
  const more = names.length > limit && input.MaxResults !== undefined;
  return {
    ...(shown.length === 0 ? {} : { QueueUrls: shown.map((name) => queueUrl(name, context)) }),
    ...(more ? { NextToken: Buffer.from(shown[shown.length - 1]!.name).toString('base64') } : {}),
  };
}

/** Up to 1,000 at once. Source: SQS API Reference, "ListQueues". */
function checkPage(maximum: number | undefined, token: string | undefined): number {
  if (maximum === undefined) {
    if (token !== undefined) throw invalidParameterValue('MaxResults is a mandatory parameter when NextToken is set.');
    return PAGE;
  }
  if (!Number.isInteger(maximum) || maximum < 1 || maximum > PAGE) {
    throw invalidParameterValue('Value for parameter MaxResults is invalid. Reason: It must be between 1 and 1000.');
  }
  return maximum;
}

function readToken(token: string | undefined): string | undefined {
  if (token === undefined) return undefined;
  const name = Buffer.from(token, 'base64').toString();
  if (!/^[\w-]{1,80}(\.fifo)?$/.test(name)) throw invalidParameterValue('Invalid or expired next token.');
  return name;
}

export async function listDeadLetterSourceQueues(
  state: SqsState,
  input: ListDeadLetterSourceQueuesCommandInput,
  context: RequestContext,
): Promise<Output<ListDeadLetterSourceQueuesCommandOutput>> {
  const limit = checkPage(input.MaxResults, input.NextToken);
  const queue = await queueOf(state, input, context);
  const token = readToken(input.NextToken);
  const sources = (await sourcesOf(state, queue)).filter(({ name }) => token === undefined || name > token);
  const shown = sources.slice(0, limit);
  return {
    queueUrls: shown.map((name) => queueUrl(name, context)),
    ...(sources.length > limit ? { NextToken: Buffer.from(shown[limit - 1]!.name).toString('base64') } : {}),
  };
}

/** The queues that have this one as their dead-letter queue. */
export async function sourcesOf(state: SqsState, queue: Queue): Promise<QueueRecord[]> {
  const { account, region } = queue.record;
  const all = await state.store.range<QueueRecord>({ prefix: keys.queues(account, region) });
  return all
    .map(({ value }) => value)
    .filter(({ settings }) => settings.redrivePolicy?.deadLetterTargetArn === queue.arn);
}

/** Changes a queue's record, durably. Throws QueueDoesNotExist. */
export async function changeQueue(
  state: SqsState,
  queue: Queue,
  change: (record: QueueRecord) => QueueRecord | Promise<QueueRecord>,
): Promise<void> {
  const next = await state.store.transact(async (transaction) => {
    const entry = await transaction.get<QueueRecord>(keys.queue(queue.record));
    if (entry?.value.id !== queue.id) throw queueDoesNotExist();
    const changed = await change(entry.value);
    transaction.put(keys.queue(queue.record), changed);
    return changed;
  });
  queue.record = next;
}

/** Messages sent before the call go, those in flight included. Source: SQS API Reference, "PurgeQueue". */
export async function purgeQueue(
  state: SqsState,
  input: PurgeQueueCommandInput,
  context: RequestContext,
): Promise<object> {
  const queue = await queueOf(state, input, context);
  const now = state.clock.now();
  const upTo = queue.nextPlace();
  const next = await state.store.transact(async (transaction) => {
    const entry = await transaction.get<QueueRecord>(keys.queue(queue.record));
    if (entry?.value.id !== queue.id) throw queueDoesNotExist();
    const { purged } = entry.value;
    if (purged !== undefined && purged + PAUSE_MS > now) {
      throw new ServiceError(
        'PurgeQueueInProgress',
        `Only one PurgeQueue operation on ${queue.record.name} is allowed every 60 seconds.`,
        { status: 403 },
      );
    }
    const changed: QueueRecord = { ...entry.value, purged: now };
    transaction.put(keys.queue(queue.record), changed);
    transaction.put(keys.remainsOf(queue.id), { upTo } satisfies RemainsRecord);
    return changed;
  });
  queue.record = next;
  queue.purge(upTo);
  state.queues.erase(queue.id, { upTo });
  return {};
}

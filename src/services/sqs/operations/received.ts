import type {
  BatchResultErrorEntry,
  ChangeMessageVisibilityBatchCommandInput,
  ChangeMessageVisibilityBatchCommandOutput,
  ChangeMessageVisibilityCommandInput,
  DeleteMessageBatchCommandInput,
  DeleteMessageBatchCommandOutput,
  DeleteMessageCommandInput,
} from '@aws-sdk/client-sqs';
import type { RequestContext } from '../../service.ts';
import { checkEntries, eachEntry, failedEntry } from '../batch.ts';
import { deletable, deleteMessages } from '../delete.ts';
import { missingParameter } from '../errors.ts';
import type { IndexedMessage } from '../indexed-message.ts';
import type { SqsState } from '../state.ts';
import { changeVisibility, visibilityChange } from '../visibility.ts';
import { queueOf } from './queues.ts';

/** What is done with messages that were received. */

export async function deleteMessage(
  state: SqsState,
  input: DeleteMessageCommandInput,
  context: RequestContext,
): Promise<object> {
  const queue = await queueOf(state, input, context);
  state.rate.take(queue, 'delete');
  const message = deletable(queue, input.ReceiptHandle!);
  if (message) await deleteMessages(state, queue, [message]);
  return {};
}

export async function deleteMessageBatch(
  state: SqsState,
  input: DeleteMessageBatchCommandInput,
  context: RequestContext,
): Promise<Omit<DeleteMessageBatchCommandOutput, '$metadata'>> {
  const queue = await queueOf(state, input, context);
  const entries = input.Entries ?? [];
  checkEntries(entries, 'DeleteMessageBatchRequestEntry');
  state.rate.take(queue, 'delete');
  const messages = new Set<IndexedMessage>();
  const Successful: { Id: string }[] = [];
  const Failed: BatchResultErrorEntry[] = [];
  for (const { Id, ReceiptHandle } of entries) {
    try {
      const message = deletable(queue, ReceiptHandle ?? '');
      if (message) messages.add(message);
      Successful.push({ Id: Id! });
    } catch (error) {
      Failed.push(failedEntry(Id!, error));
    }
  }
  await deleteMessages(state, queue, [...messages]);
  return { Successful, Failed };
}

export async function changeMessageVisibility(
  state: SqsState,
  input: ChangeMessageVisibilityCommandInput,
  context: RequestContext,
): Promise<object> {
  const queue = await queueOf(state, input, context);
  await changeVisibility(state, queue, visibilityChange(queue, input.ReceiptHandle!, input.VisibilityTimeout!));
  return {};
}

export async function changeMessageVisibilityBatch(
  state: SqsState,
  input: ChangeMessageVisibilityBatchCommandInput,
  context: RequestContext,
): Promise<Omit<ChangeMessageVisibilityBatchCommandOutput, '$metadata'>> {
  const queue = await queueOf(state, input, context);
  const entries = input.Entries ?? [];
  checkEntries(entries, 'ChangeMessageVisibilityBatchRequestEntry');
  return eachEntry(entries, async ({ Id, ReceiptHandle = '', VisibilityTimeout }) => {
    if (VisibilityTimeout === undefined) throw missingParameter('VisibilityTimeout');
    await changeVisibility(state, queue, visibilityChange(queue, ReceiptHandle, VisibilityTimeout));
    return { Id: Id! };
  });
}

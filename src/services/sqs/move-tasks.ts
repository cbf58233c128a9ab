import { moveMessages } from './dead-letters.ts';
import type { IndexedMessage } from './indexed-message.ts';
import { parseQueueArn } from './names.ts';
import type { Queue } from './queue.ts';
import { keys, type MessageRecord, type MoveTaskRecord } from './records.ts';
import type { SqsState } from './state.ts';

/** Messages of one transaction: each may have 1 MiB. */
const BATCH = 50;

/** The task was cancelled, or its queue deleted, while a batch was on its way. */
class Ended extends Error {}

/** Why a task cannot go on, as ListMessageMoveTasks shows it. */
class Failure extends Error {}

/** Runs message move tasks. What a batch moves and how far its task has come are written together. */
export class MoveTasks {
  readonly #state: SqsState;
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<void>>();

  constructor(state: SqsState) {
    this.#state = state;
  }

  /** Goes on with the tasks that an earlier run left. */
  async resume(): Promise<void> {
    for (const { value } of await this.#state.store.range<MoveTaskRecord>({ prefix: keys.allMoveTasks() })) {
      if (value.status === 'RUNNING') this.run(value);
    }
  }

  /** Runs a task that is in the store. */
  run(task: MoveTaskRecord): void {
    const running = this.#run(task)
      .catch((error: unknown) => this.#ended(task, error))
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#running);
  }

  async #run(task: MoveTaskRecord): Promise<void> {
    const { clock } = this.#state;
    const { perSecond, source: name, started } = task;
    let { moved } = task;
    for (let second = 1; !this.#closing.signal.aborted; ) {
      const source = await this.#state.queues.find(name);
      if (!source) return;
      const due = perSecond === undefined ? moved + BATCH : Math.floor((clock.now() - started) / 1000) * perSecond;
      if (due <= moved) {
        second = Math.floor((clock.now() - started) / 1000) + 1;
        await clock.sleep(Math.max(0, started + second * 1000 - clock.now()), this.#closing.signal);
        continue;
      }
      source.settle();
      // Hidden for the time of the transaction only; if it fails they are shown again.
      const messages = source.index.take(Math.min(BATCH, due - moved), Number.MAX_SAFE_INTEGER);
      if (messages.length === 0) {
        await this.#finish(task, { status: 'COMPLETED' });
        return;
      }
      moved = await this.#moveBatch(task, source, messages);
    }
  }

  /** Returns how many the task has moved. */
  async #moveBatch(task: MoveTaskRecord, source: Queue, messages: readonly IndexedMessage[]): Promise<number> {
    let total = 0;
    try {
      await moveMessages(
        this.#state,
        source,
        messages,
        async (record) => ({ to: await this.#destination(task, record), record: this.#anew(record) }),
        async (transaction, count) => {
          const key = keys.moveTask(task.source, task.started, task.id);
          const now = (await transaction.get<MoveTaskRecord>(key))?.value;
          if (now?.status !== 'RUNNING') throw new Ended();
          total = now.moved + count;
          transaction.put(key, { ...now, moved: total });
        },
      );
    } catch (error) {
      for (const message of messages) source.index.show(message);
      source.waiters.wake(messages.length);
      throw error;
    }
    return total;
  }

  async #destination(task: MoveTaskRecord, record: MessageRecord): Promise<Queue> {
    const name = task.destination ?? parseQueueArn(record.deadLetterSource ?? '');
    if (!name) throw new Failure('CouldNotDetermineMessageSource');
    const queue = await this.#state.queues.find(name);
    if (!queue) throw new Failure('AWS.SimpleQueueService.NonExistentQueue');
    return queue;
  }

  /** A message that is moved back counts as a new one. Source: SQS Developer Guide, "Learn how to configure a dead-letter queue redrive". */
  #anew(record: MessageRecord): MessageRecord {
    const { deadLetterSource: _, receivesBefore: __, ...kept } = record;
    return { ...kept, messageId: this.#state.random.uuid(), sent: this.#state.clock.now() };
  }

  async #ended(task: MoveTaskRecord, error: unknown): Promise<void> {
    if (error instanceof Ended || this.#closing.signal.aborted) return;
    const { logger } = this.#state;
    try {
      if (error instanceof Failure) await this.#finish(task, { status: 'FAILED', failure: error.message });
      else {
        logger.error('a message move task failed', { task: task.id, error });
        await this.#finish(task, { status: 'FAILED', failure: 'InternalError' });
      }
    } catch (failure) {
      logger.error('the end of a message move task could not be written; it goes on at the next start', {
        task: task.id,
        error: failure,
      });
    }
  }

  async #finish(task: MoveTaskRecord, end: Pick<MoveTaskRecord, 'status' | 'failure'>): Promise<void> {
    await this.#state.store.transact(async (transaction) => {
      const key = keys.moveTask(task.source, task.started, task.id);
      const now = (await transaction.get<MoveTaskRecord>(key))?.value;
      if (now?.status === 'RUNNING') transaction.put(key, { ...now, ...end });
    });
  }
}

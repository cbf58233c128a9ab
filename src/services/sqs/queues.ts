import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Store } from '../../store/index.ts';
import { queueDoesNotExist } from './errors.ts';
import { type QueueName, queueArn } from './names.ts';
import { Queue } from './queue.ts';
import { keys, type QueueRecord, type RemainsRecord } from './records.ts';

/** Entries that are erased at once: each may have 1 MiB. */
const PAGE = 50;

interface QueuesParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The queues in use, each read from the store when it is first named. */
export class Queues {
  readonly #parts: QueuesParts;
  readonly #loaded = new Map<string, Queue>();
  readonly #loading = new Map<string, Promise<Queue | undefined>>();
  readonly #erasing = new Set<Promise<void>>();
  #closed = false;

  constructor(parts: QueuesParts) {
    this.#parts = parts;
  }

  /** The queue. Throws QueueDoesNotExist. */
  async require(name: QueueName): Promise<Queue> {
    const queue = this.#loaded.get(queueArn(name)) ?? (await this.find(name));
    if (!queue) throw queueDoesNotExist();
    return queue;
  }

  async find(name: QueueName): Promise<Queue | undefined> {
    const arn = queueArn(name);
    const loaded = this.#loaded.get(arn);
    if (loaded) return loaded;
    let loading = this.#loading.get(arn);
    if (!loading) {
      loading = this.#load(name).finally(() => this.#loading.delete(arn));
      this.#loading.set(arn, loading);
    }
    return loading;
  }

  async #load(name: QueueName): Promise<Queue | undefined> {
    const entry = await this.#parts.store.get<QueueRecord>(keys.queue(name));
    if (!entry) return undefined;
    const queue = new Queue(entry.value, this.#parts);
    await queue.load();
    this.#loaded.set(queue.arn, queue);
    return queue;
  }

  /** A queue was made. */
  created(record: QueueRecord): Queue {
    const queue = new Queue(record, this.#parts);
    this.#loaded.set(queue.arn, queue);
    return queue;
  }

  /** A queue's record was removed, and its remains noted: forgets it and erases them. */
  deleted(queue: Queue): void {
    this.#loaded.delete(queue.arn);
    queue.remove();
    this.erase(queue.id, {});
  }

  /** Erases messages that are no longer in their queue, in the background. */
  erase(id: string, remains: RemainsRecord): void {
    const erasing = this.#erase(id, remains)
      .catch((error: unknown) => {
        if (!this.#closed) this.#parts.logger.warn('messages of a queue could not be erased yet', { id, error });
      })
      .finally(() => this.#erasing.delete(erasing));
    this.#erasing.add(erasing);
  }

  /** Goes on erasing what an earlier run had begun to. */
  async resume(): Promise<void> {
    const left = await this.#parts.store.range<RemainsRecord>({ prefix: keys.remains() });
    for (const { key, value } of left) this.erase(String(key[key.length - 1]), value);
  }

  async #erase(id: string, { upTo }: RemainsRecord): Promise<void> {
    const { store } = this.#parts;
    const kinds = [keys.messages(id), keys.receipts(id), ...(upTo === undefined ? [keys.deduplications(id)] : [])];
    for (const prefix of kinds) {
      const before = upTo === undefined ? {} : { before: [...prefix, upTo + 1] };
      while (!this.#closed) {
        const page = await store.range({ prefix, limit: PAGE, ...before });
        if (page.length === 0) break;
        await store.transact(async (transaction) => {
          for (const { key } of page) transaction.delete(key);
        });
      }
    }
    if (this.#closed) return;
    await store.transact(async (transaction) => {
      // A later purge, or the queue's deletion, may have left more meanwhile.
      const noted = await transaction.get<RemainsRecord>(keys.remainsOf(id));
      if (noted && noted.value.upTo === upTo) transaction.delete(keys.remainsOf(id));
    });
  }

  /** Resolves when nothing is being erased. */
  async settled(): Promise<void> {
    while (this.#erasing.size > 0) await Promise.all(this.#erasing);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const queue of this.#loaded.values()) queue.close();
    await this.settled();
  }
}

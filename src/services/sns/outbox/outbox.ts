import type { Store, Transaction } from '../../../store/index.ts';
import { keys } from '../records.ts';
import type { OutboxEntry, OutboxQuery } from './outbox-entry.ts';

/** Entries that are kept of an account, the newest. */
const KEPT = 10_000;
const PAGE = 500;

/** Keeps what would have left for mail servers, phones and mobile devices. */
export class Outbox {
  readonly #store: Store;
  /** The next entry's number by account. */
  readonly #next = new Map<string, number>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Adds an entry, and takes the oldest one away when there are too many. */
  async add(transaction: Transaction, entry: Omit<OutboxEntry, 'id'>): Promise<void> {
    const { account } = entry;
    if (!this.#next.has(account)) {
      const [last] = await this.#store.range({ prefix: keys.outbox(account), reverse: true, limit: 1 });
      const next = last ? (last.key.at(-1) as number) + 1 : 1;
      // Another one may have looked meanwhile.
      if (!this.#next.has(account)) this.#next.set(account, next);
    }
    const id = this.#next.get(account)!;
    this.#next.set(account, id + 1);
    transaction.put(keys.outboxEntry(account, id), { ...entry, id });
    if (id > KEPT) transaction.delete(keys.outboxEntry(account, id - KEPT));
  }

  /** The newest entries that match, oldest first. */
  async list(query: OutboxQuery, limit: number): Promise<readonly OutboxEntry[]> {
    const found: OutboxEntry[] = [];
    const prefix = keys.outbox(query.account);
    let before: readonly (string | number)[] | undefined;
    for (;;) {
      const page = await this.#store.range<OutboxEntry>({
        prefix,
        reverse: true,
        limit: PAGE,
        ...(before ? { before } : {}),
      });
      for (const { value } of page) {
        if (matches(value, query)) found.push(value);
        if (found.length === limit) return found.reverse();
      }
      if (page.length < PAGE) return found.reverse();
      before = page.at(-1)!.key as readonly (string | number)[];
    }
  }

  /** The newest entries that match, then those that come, until the signal is aborted. */
  async *follow(query: OutboxQuery, limit: number, signal: AbortSignal): AsyncIterable<OutboxEntry> {
    // The watch opens first, so that nothing is missed between the two.
    const watch = this.#store.watch<OutboxEntry>({ prefix: keys.outbox(query.account) });
    const stop = () => watch.close();
    signal.addEventListener('abort', stop, { once: true });
    try {
      const listed = await this.list(query, limit);
      yield* listed;
      const last = listed.at(-1)?.id ?? 0;
      for await (const { events } of watch) {
        for (const event of events) {
          if (event.type !== 'put') continue;
          const { value } = event.entry;
          if (value.id > last && matches(value, query)) yield value;
        }
      }
    } finally {
      signal.removeEventListener('abort', stop);
      watch.close();
    }
  }

  /** Deletes entries that match; resolves to their number. */
  async clear(query: OutboxQuery): Promise<number> {
    let deleted = 0;
    for (;;) {
      const entries = await this.list(query, PAGE);
      if (entries.length === 0) return deleted;
      await this.#store.transact(async (transaction) => {
        for (const { account, id } of entries) transaction.delete(keys.outboxEntry(account, id));
      });
      deleted += entries.length;
    }
  }
}

function matches(entry: OutboxEntry, { kind, region, to }: OutboxQuery): boolean {
  return (
    (kind === undefined || entry.kind === kind) &&
    (region === undefined || entry.region === region) &&
    (to === undefined || entry.to === to)
  );
}

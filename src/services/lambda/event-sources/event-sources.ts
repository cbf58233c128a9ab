import { keys, type Scope } from '../model.ts';
import type { Room } from '../room.ts';
import type { MappingRecord, MappingState } from './mapping-record.ts';
import { QueuePoller } from './queue-poller.ts';

/** How long closing waits for batches under way, real milliseconds; then their messages return to the queue. */
const CLOSE_GRACE_MS = 5000;

/** The mappings of this run: each has a poller while it is enabled. */
export class EventSources {
  readonly #room: () => Room;
  readonly #pollers = new Map<string, { readonly scope: Scope; readonly poller: QueuePoller }>();
  /** Transitions under way, by mapping: an operation that changes one waits for them. */
  readonly #transitions = new Map<string, Promise<void>>();
  /** Batches of pollers that read no more. */
  readonly #ending = new Set<Promise<void>>();
  #closed = false;

  constructor(room: () => Room) {
    this.#room = room;
  }

  /** Goes on with the mappings that an earlier run left. */
  async start(): Promise<void> {
    const { store, targets } = this.#room();
    targets.onChange(({ account, region }) => {
      for (const { poller, scope } of this.#pollers.values()) {
        if (scope.account === account && scope.region === region) poller.changed();
      }
    });
    for (const { key, value } of await store.range<MappingRecord>({ prefix: keys.all })) {
      if (key[3] !== 'event-source') continue;
      this.transition({ account: String(key[1]), region: String(key[2]) }, value);
    }
  }

  /** Resolves when the mapping has no transition under way. */
  async settled(uuid: string): Promise<void> {
    await this.#transitions.get(uuid);
  }

  lastResult(uuid: string): string | undefined {
    return this.#pollers.get(uuid)?.poller.lastResult;
  }

  /** Brings a mapping, in the background, to the state that its record leads to. */
  transition(scope: Scope, record: MappingRecord): void {
    const { uuid } = record;
    const before = this.#transitions.get(uuid) ?? Promise.resolve();
    const done: Promise<void> = before
      .then(() => this.#arrive(scope, record))
      .catch((error: unknown) => {
        if (!this.#closed) this.#room().logger.error('an event source mapping could not change', { uuid, error });
      })
      .finally(() => {
        if (this.#transitions.get(uuid) === done) this.#transitions.delete(uuid);
      });
    this.#transitions.set(uuid, done);
  }

  async #arrive(scope: Scope, record: MappingRecord): Promise<void> {
    const { store } = this.#room();
    const { uuid } = record;
    const running = this.#pollers.get(uuid);
    this.#pollers.delete(uuid);
    if (running) await this.#stop(running.poller);
    if (this.#closed) return;
    const key = keys.eventSource(scope, uuid);
    if (record.state === 'Deleting') {
      await store.delete(key);
      return;
    }
    const state: MappingState = record.enabled ? 'Enabled' : 'Disabled';
    if (record.state !== state) {
      await store.transact(async (transaction) => {
        const entry = await transaction.get<MappingRecord>(key);
        if (entry) transaction.put(key, { ...entry.value, state } satisfies MappingRecord);
      });
    }
    if (!record.enabled || this.#closed) return;
    const poller = new QueuePoller(this.#room(), record);
    this.#pollers.set(uuid, { scope, poller });
    poller.start();
  }

  /** Lets a poller read no more; its batches end by themselves. */
  async #stop(poller: QueuePoller): Promise<void> {
    await poller.stop();
    const ending = poller.ended();
    this.#ending.add(ending);
    void ending.then(() => this.#ending.delete(ending));
  }

  /** Stops reading. Batches under way get a moment to end. */
  async close(): Promise<void> {
    this.#closed = true;
    const pollers = [...this.#pollers.values()];
    this.#pollers.clear();
    const stopped = Promise.all([
      ...this.#transitions.values(),
      ...pollers.map(({ poller }) => this.#stop(poller)),
    ]).then(() => Promise.all(this.#ending));
    // Real time on purpose: a frozen clock must not keep the program from ending.
    const { promise, resolve } = Promise.withResolvers<void>();
    const grace = setTimeout(resolve, CLOSE_GRACE_MS);
    await Promise.race([stopped, promise]);
    clearTimeout(grace);
  }
}

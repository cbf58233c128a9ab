import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Entry, Store, Transaction } from '../../store/index.ts';
import { replayed } from './envelope.ts';
import { expiryLimit, type Housekeeping } from './housekeeping.ts';
import type { Match, Publisher } from './publisher.ts';
import {
  ACTIVE_REPLAYS,
  type ArchivedEvent,
  type ArchiveRecord,
  activeReplayKey,
  archivedPrefix,
  archiveKey,
  type Place,
  parseBusArn,
  parseEventsArn,
  type ReplayRecord,
  replayKey,
} from './records.ts';

export interface ReplayerOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly publisher: Publisher;
  readonly housekeeping: Housekeeping;
}

/** Events that one transaction replays. */
const PAGE = 100;
const RETRY_MS = 10_000;

/** The next events of a replay, and what they lead to. */
interface Step {
  readonly matches: readonly Match[];
  readonly cursor: readonly [number, string] | undefined;
  readonly last: boolean;
}

/**
 * Sends archived events to their bus again, in order of their times. A page of events and how far the replay has come are
 * written together, so that a replay goes on exactly where it was when the process ended.
 */
export class Replayer {
  readonly #options: ReplayerOptions;
  readonly #running = new Map<string, Promise<void>>();
  readonly #abort = new AbortController();

  constructor(options: ReplayerOptions) {
    this.#options = options;
  }

  /** Goes on with the replays that have not ended. */
  async start(): Promise<void> {
    for (const { key } of await this.#options.store.range({ prefix: ACTIVE_REPLAYS })) {
      const [account, region, name] = key.slice(ACTIVE_REPLAYS.length) as [string, string, string];
      this.begin({ account, region }, name);
    }
  }

  /** Replays from where it is. */
  begin(place: Place, name: string): void {
    const id = `${place.account} ${place.region} ${name}`;
    if (this.#running.has(id)) return;
    this.#running.set(
      id,
      this.#replay(place, name).finally(() => this.#running.delete(id)),
    );
  }

  /** Takes no more events; resolves when those under way are written. */
  async close(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#running.values());
  }

  async #replay(place: Place, name: string): Promise<void> {
    const { clock, logger } = this.#options;
    while (!this.#abort.signal.aborted) {
      try {
        if (!(await this.#step(place, name))) return;
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        logger.error('a replay stopped; it goes on in a while', { replay: name, error: String(error) });
        await clock.sleep(RETRY_MS, this.#abort.signal).catch(() => {});
      }
    }
  }

  /** Replays one page; false when the replay has ended. */
  async #step(place: Place, name: string): Promise<boolean> {
    const { housekeeping, store } = this.#options;
    const replay = (await store.get<ReplayRecord>(replayKey(place, name)))?.value;
    if (!replay) return false;
    const step = await this.#read(place, replay);
    let forgetAt: number | undefined;
    const goesOn = await store.transact(async (transaction) => {
      forgetAt = undefined;
      const current = (await transaction.get<ReplayRecord>(replayKey(place, name)))?.value;
      if (!current) return false;
      if (current.state === 'CANCELLING') {
        forgetAt = this.#end(transaction, place, { ...current, state: 'CANCELLED' });
        return false;
      }
      if (typeof step === 'string') {
        forgetAt = this.#end(transaction, place, { ...current, state: 'FAILED', reason: step });
        return false;
      }
      for (const match of step.matches) this.#options.publisher.publish(transaction, match);
      const cursor = step.cursor ?? current.cursor;
      const next: ReplayRecord = {
        ...current,
        state: 'RUNNING',
        cursor,
        lastReplayed: step.cursor?.[0] ?? current.lastReplayed,
      };
      if (step.last) forgetAt = this.#end(transaction, place, { ...next, state: 'COMPLETED' });
      else transaction.put(replayKey(place, name), next);
      return !step.last;
    });
    housekeeping.expect(forgetAt);
    return goesOn;
  }

  #end(transaction: Transaction, place: Place, replay: ReplayRecord): number {
    const ended = { ...replay, endedAt: this.#options.clock.now() };
    transaction.put(replayKey(place, replay.name), ended);
    transaction.delete(activeReplayKey(place, replay.name));
    return this.#options.housekeeping.scheduleForgetting(transaction, place, ended);
  }

  /** The next page, or why there cannot be one. Archived events do not change, so they are read outside of the transaction. */
  async #read(place: Place, replay: ReplayRecord): Promise<Step | string> {
    const { clock, publisher, store } = this.#options;
    const archiveName = parseEventsArn(replay.archiveArn)!.name;
    const archive = (await store.get<ArchiveRecord>(archiveKey(place, archiveName)))?.value;
    if (!archive) return `Archive ${archiveName} does not exist.`;
    const bus = parseBusArn(replay.busArn)!;
    const table = await publisher.tables.get(bus);
    if (!table.exists) return `Event bus ${bus.bus} does not exist.`;
    const prefix = archivedPrefix(place, archive.id);
    const page: Entry<ArchivedEvent>[] = await store.range<ArchivedEvent>({
      prefix,
      limit: PAGE,
      before: [...prefix, replay.to + 1],
      ...(replay.cursor ? { after: [...prefix, ...replay.cursor] } : { from: [...prefix, replay.from] }),
    });
    const limit = expiryLimit(archive, clock.now());
    const only = replay.rules.length === 0 ? undefined : new Set(replay.rules);
    const matches = page
      .filter(({ value }) => value.archivedAt > limit)
      .map(({ value }) => {
        const again = replayed(value.event, replay.name);
        return publisher.match(table, { ...again, ingestedAt: clock.now(), buses: 1 }, only);
      });
    const cursor = page.at(-1)?.key.slice(prefix.length) as [number, string] | undefined;
    return { matches, cursor, last: page.length < PAGE };
  }
}

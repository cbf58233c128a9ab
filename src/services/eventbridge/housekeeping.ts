import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Store, Transaction } from '../../store/index.ts';
import { Agenda } from '../agenda.ts';
import {
  type ArchivedEvent,
  type ArchiveRecord,
  archivedPrefix,
  archiveKey,
  HOUSEKEEPING_DUE,
  type Place,
  type ReplayRecord,
  replayKey,
} from './records.ts';

export const DAY_MS = 86_400_000;
/** Source: EventBridge User Guide, "Replaying archived events": replays are deleted after 90 days. */
const REPLAYS_KEPT_MS = 90 * DAY_MS;
/** Events that one transaction removes. */
const PAGE = 500;

export interface HousekeepingOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Removes archived events that are too old, the events of deleted archives, and replays that ended long ago. */
export class Housekeeping {
  readonly #options: HousekeepingOptions;
  readonly #agenda: Agenda;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
    this.#agenda = new Agenda({ ...options, prefix: HOUSEKEEPING_DUE, run: (item, due) => this.#run(item, due) });
  }

  start(): Promise<void> {
    return this.#agenda.start();
  }

  close(): Promise<void> {
    return this.#agenda.close();
  }

  /** The archive as it is to be written, with its next cleaning. Call `expect` once that is durable. */
  scheduleCleaning(transaction: Transaction, place: Place, archive: ArchiveRecord): ArchiveRecord {
    const cleanAt = archive.retentionDays === 0 ? undefined : this.#options.clock.now() + DAY_MS;
    this.#agenda.move(transaction, item('archive', place, archive.name), archive.cleanAt, cleanAt);
    return { ...archive, cleanAt };
  }

  /** The archive was deleted: its events go, now. */
  schedulePurge(transaction: Transaction, place: Place, archive: ArchiveRecord): number {
    const now = this.#options.clock.now();
    this.#agenda.move(transaction, item('archive', place, archive.name), archive.cleanAt, undefined);
    this.#agenda.move(transaction, item('purge', place, archive.id), undefined, now);
    return now;
  }

  /** The replay ended: it is forgotten one day. */
  scheduleForgetting(transaction: Transaction, place: Place, replay: ReplayRecord): number {
    const time = replay.endedAt! + REPLAYS_KEPT_MS;
    this.#agenda.move(transaction, item('replay', place, replay.name), undefined, time);
    return time;
  }

  expect(time: number | undefined): void {
    this.#agenda.changed(time);
  }

  async #run([kind, account, region, name]: readonly string[], due: number): Promise<void> {
    const place = { account: account!, region: region! };
    const self = item(kind!, place, name!);
    if (kind === 'archive') return this.#clean(place, name!, due);
    if (kind === 'purge') await this.#removeEvents(place, name!, Number.POSITIVE_INFINITY);
    await this.#options.store.transact(async (transaction) => {
      if (kind === 'replay') transaction.delete(replayKey(place, name!));
      this.#agenda.move(transaction, self, due, undefined);
    });
  }

  async #clean(place: Place, name: string, due: number): Promise<void> {
    const { clock, store } = this.#options;
    const archive = (await store.get<ArchiveRecord>(archiveKey(place, name)))?.value;
    if (archive) await this.#removeEvents(place, archive.id, expiryLimit(archive, clock.now()));
    await store.transact(async (transaction) => {
      this.#agenda.move(transaction, item('archive', place, name), due, undefined);
      const current = (await transaction.get<ArchiveRecord>(archiveKey(place, name)))?.value;
      if (current?.cleanAt !== due) return;
      transaction.put(
        archiveKey(place, name),
        this.scheduleCleaning(transaction, place, { ...current, cleanAt: undefined }),
      );
    });
  }

  /** Removes the events that were archived up to this time. */
  async #removeEvents(place: Place, archiveId: string, limit: number): Promise<void> {
    const { store } = this.#options;
    const prefix = archivedPrefix(place, archiveId);
    for (let after: readonly unknown[] | undefined; ; ) {
      const page = await store.range<ArchivedEvent>({
        prefix,
        limit: PAGE,
        ...(after ? { after: after as string[] } : {}),
      });
      await store.transact(async (transaction) => {
        for (const { key, value } of page) if (value.archivedAt <= limit) transaction.delete(key);
      });
      if (page.length < PAGE) return;
      after = page.at(-1)!.key;
    }
  }
}

/** Events that were archived up to this time are not kept any more. */
export function expiryLimit({ retentionDays }: ArchiveRecord, now: number): number {
  return retentionDays === 0 ? Number.NEGATIVE_INFINITY : now - retentionDays * DAY_MS;
}

const item = (kind: string, { account, region }: Place, name: string): readonly string[] => [
  kind,
  account,
  region,
  name,
];

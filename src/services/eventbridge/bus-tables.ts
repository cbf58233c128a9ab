import type { Logger } from '../../base/logger.ts';
import { compileEventPattern, InvalidInputError, InvalidPatternError, RuleIndex } from '../../events/index.ts';
import type { Entry, Store } from '../../store/index.ts';
import type { EventEnvelope } from './envelope.ts';
import { type ActiveRule, activate } from './invocation.ts';
import {
  type ArchiveRecord,
  archivePrefix,
  type BusId,
  busArn,
  busKey,
  DEFAULT_BUS,
  type RuleRecord,
  rulePrefix,
} from './records.ts';

interface ListeningArchive {
  readonly id: string;
  matches(event: EventEnvelope): boolean;
}

/** What listens to a bus: its enabled rules with a pattern, and the archives made from it. */
export class BusTable {
  readonly id: BusId;
  exists: boolean;
  readonly #rules = new RuleIndex<ActiveRule>();
  readonly #archives = new Map<string, ListeningArchive>();
  /** Revision of what is known of each thing: changes may be told out of order. */
  readonly #revisions = new Map<string, number>();

  readonly #logger: Logger;

  constructor(id: BusId, exists: boolean, logger: Logger) {
    this.id = id;
    this.exists = exists;
    this.#logger = logger;
  }

  /** The rules that the event matches. */
  match(event: EventEnvelope): readonly ActiveRule[] {
    return this.#rules.match(event);
  }

  /** Ids of the archives that keep the event. Replayed events are not archived again. */
  archivesOf(event: EventEnvelope): readonly string[] {
    if (this.#archives.size === 0 || event['replay-name'] !== undefined) return [];
    return [...this.#archives.values()].filter(({ matches }) => matches(event)).map(({ id }) => id);
  }

  setExists(exists: boolean, revision: number): void {
    if (this.#isNews('bus', revision)) this.exists = exists;
  }

  setRule(name: string, rule: RuleRecord | undefined, revision: number): void {
    if (!this.#isNews(`rule ${name}`, revision)) return;
    this.#rules.remove(name);
    if (rule?.state !== 'ENABLED' || rule.pattern === undefined) return;
    const { pattern } = rule;
    this.#unlessUnreadable({ rule: name }, () => {
      const active = activate({ ...this.id, rule: name }, rule);
      this.#rules.add(name, compileEventPattern(pattern, 'eventbridge'), active);
    });
  }

  setArchive(name: string, archive: ArchiveRecord | undefined, revision: number): void {
    if (!this.#isNews(`archive ${name}`, revision)) return;
    this.#archives.delete(name);
    if (!archive) return;
    this.#unlessUnreadable({ archive: name }, () => {
      const pattern = archive.pattern === undefined ? undefined : compileEventPattern(archive.pattern, 'eventbridge');
      this.#archives.set(name, { id: archive.id, matches: (event) => pattern?.matches(event) ?? true });
    });
  }

  /** What an earlier version took and this one does not must not keep the others of the bus from being served. */
  #unlessUnreadable(what: object, read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof InvalidPatternError || error instanceof InvalidInputError)) throw error;
      this.#logger.warn('a rule or archive cannot be read, and gets no events', { ...what, reason: error.message });
    }
  }

  #isNews(what: string, revision: number): boolean {
    if ((this.#revisions.get(what) ?? 0) > revision) return false;
    this.#revisions.set(what, revision);
    return true;
  }
}

/** The tables of the buses that are there and were used so far, read from the store when first needed and kept current by who writes. */
export class BusTables {
  readonly #store: Store;
  readonly #logger: Logger;
  readonly #tables = new Map<string, Promise<BusTable>>();

  constructor({ logger, store }: { readonly logger: Logger; readonly store: Store }) {
    this.#store = store;
    this.#logger = logger;
  }

  async get(id: BusId): Promise<BusTable> {
    const name = busArn(id);
    let table = this.#tables.get(name);
    if (!table) {
      table = this.#load(id);
      this.#tables.set(name, table);
      table.then(
        ({ exists }) => exists || this.#tables.delete(name),
        () => this.#tables.delete(name),
      );
    }
    return table;
  }

  /** Tells a table of a change that was committed; one that is not there yet will read it. */
  async tell(id: BusId, change: (table: BusTable) => void): Promise<void> {
    const table = await this.#tables.get(busArn(id));
    if (table) change(table);
  }

  async #load(id: BusId): Promise<BusTable> {
    const bus = await this.#store.get(busKey(id));
    const table = new BusTable(id, bus !== undefined || id.bus === DEFAULT_BUS, this.#logger);
    const rules: Entry<RuleRecord>[] = await this.#store.range<RuleRecord>({ prefix: rulePrefix(id) });
    for (const { key, modRevision, value } of rules) table.setRule(key.at(-1) as string, value, modRevision);
    const archives = await this.#store.range<ArchiveRecord>({ prefix: archivePrefix(id) });
    for (const { modRevision, value } of archives) {
      if (value.busArn === busArn(id)) table.setArchive(value.name, value, modRevision);
    }
    return table;
  }
}

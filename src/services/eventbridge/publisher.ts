import type { Logger } from '../../base/logger.ts';
import type { Delivery } from '../../events/index.ts';
import type { Store, Transaction } from '../../store/index.ts';
import { type BusTable, BusTables } from './bus-tables.ts';
import type { ActiveRule, BusEvent } from './invocation.ts';
import { type ArchivedEvent, archivedKey } from './records.ts';

/** What an event on a bus leads to. */
export interface Match {
  readonly table: BusTable;
  readonly event: BusEvent;
  readonly rules: readonly ActiveRule[];
  /** Ids. */
  readonly archives: readonly string[];
}

/** Brings events from buses to the targets of the rules that they match, and into archives. */
export class Publisher {
  readonly tables: BusTables;
  readonly #delivery: Pick<Delivery, 'enqueue'>;

  constructor(parts: { readonly store: Store; readonly delivery: Pick<Delivery, 'enqueue'>; readonly logger: Logger }) {
    this.tables = new BusTables(parts);
    this.#delivery = parts.delivery;
  }

  /** `only`: ARNs of the rules that may get it; all of them unless told. */
  match(table: BusTable, event: BusEvent, only?: ReadonlySet<string>): Match {
    const rules = table.match(event.event);
    return {
      table,
      event,
      rules: only ? rules.filter(({ arn }) => only.has(arn)) : rules,
      archives: table.archivesOf(event.event),
    };
  }

  /** In the caller's transaction: the targets are invoked if, and only if, it commits. */
  publish(transaction: Transaction, { archives, event, rules, table }: Match): void {
    for (const rule of rules) this.invoke(transaction, rule, event);
    for (const archive of archives) {
      const record: ArchivedEvent = { event: event.text, archivedAt: event.ingestedAt };
      const time = Date.parse(event.event.time);
      const at = Number.isNaN(time) ? event.ingestedAt : time;
      transaction.put(archivedKey(table.id, archive, at, event.event.id), record);
    }
  }

  /** Invokes the targets of one rule. */
  invoke(transaction: Transaction, rule: ActiveRule, event: BusEvent): void {
    for (const request of rule.invocations(event)) this.#delivery.enqueue(transaction, request);
  }
}

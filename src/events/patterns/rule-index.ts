import { type EventPattern, type ExactField, valuesAt } from './event-pattern.ts';
import type { Scalar } from './leaf-pattern.ts';

interface Entry<T> {
  readonly id: string;
  readonly pattern: EventPattern;
  readonly value: T;
  /** The field by which it is found; `undefined`: it is tried for every event. */
  readonly field: ExactField | undefined;
}

interface Path<T> {
  readonly path: readonly string[];
  readonly entries: Map<Scalar, Set<Entry<T>>>;
}

/**
 * Many patterns, of which few match an event. Each is filed under the field, of those that must have an exact value, that
 * it shares with the fewest others: an event is tried against the patterns filed under its own values, not against all.
 */
export class RuleIndex<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #paths = new Map<string, Path<T>>();
  readonly #unfiled = new Set<Entry<T>>();

  get size(): number {
    return this.#entries.size;
  }

  /** Adds a pattern; one with the same id is replaced. */
  add(id: string, pattern: EventPattern, value: T): void {
    this.remove(id);
    const field = this.#leastShared(pattern.exactFields);
    const entry: Entry<T> = { id, pattern, value, field };
    this.#entries.set(id, entry);
    if (!field) {
      this.#unfiled.add(entry);
      return;
    }
    const name = JSON.stringify(field.path);
    let filed = this.#paths.get(name);
    if (!filed) {
      filed = { path: field.path, entries: new Map() };
      this.#paths.set(name, filed);
    }
    for (const wanted of field.values) {
      const sharing = filed.entries.get(wanted);
      if (sharing) sharing.add(entry);
      else filed.entries.set(wanted, new Set([entry]));
    }
  }

  remove(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#entries.delete(id);
    this.#unfiled.delete(entry);
    if (!entry.field) return;
    const name = JSON.stringify(entry.field.path);
    const filed = this.#paths.get(name)!;
    for (const wanted of entry.field.values) {
      const sharing = filed.entries.get(wanted);
      sharing?.delete(entry);
      if (sharing?.size === 0) filed.entries.delete(wanted);
    }
    if (filed.entries.size === 0) this.#paths.delete(name);
  }

  /** The values of the patterns that match, in no particular order. `event`: parsed JSON. */
  match(event: unknown): T[] {
    const tried = new Set<Entry<T>>(this.#unfiled);
    for (const { entries, path } of this.#paths.values()) {
      for (const value of valuesAt(event, path)) {
        for (const entry of entries.get(value) ?? []) tried.add(entry);
      }
    }
    const matching: T[] = [];
    for (const { pattern, value } of tried) if (pattern.matches(event)) matching.push(value);
    return matching;
  }

  #leastShared(fields: readonly ExactField[]): ExactField | undefined {
    let [least, fewest]: [ExactField | undefined, number] = [undefined, Number.POSITIVE_INFINITY];
    for (const field of fields) {
      const filed = this.#paths.get(JSON.stringify(field.path));
      const sharing = field.values.reduce((sum: number, wanted) => sum + (filed?.entries.get(wanted)?.size ?? 0), 0);
      if (sharing < fewest) [least, fewest] = [field, sharing];
    }
    return least;
  }
}

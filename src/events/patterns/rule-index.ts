import type { Branch, ExactField } from './branch.ts';
import type { EventPattern } from './event-pattern.ts';
import type { Scalar } from './leaf-pattern.ts';

interface Rule<T> {
  readonly value: T;
  readonly filed: readonly Filed<T>[];
}

/** A branch of a rule's pattern, filed under one of its fields. */
interface Filed<T> {
  readonly branch: Branch;
  readonly rule: { readonly value: T };
  /** `undefined`: it is tried for every event. */
  readonly field: ExactField | undefined;
}

interface Shelf<T> {
  readonly field: ExactField;
  readonly byValue: Map<Scalar, Set<Filed<T>>>;
}

/**
 * Many patterns, of which few match an event. Each branch of a pattern is filed under the field, of those that must have an
 * exact value, that it shares with the fewest others: an event is tried against what is filed under its own values, not
 * against all.
 */
export class RuleIndex<T> {
  readonly #rules = new Map<string, Rule<T>>();
  readonly #shelves = new Map<string, Shelf<T>>();
  readonly #unfiled = new Set<Filed<T>>();

  get size(): number {
    return this.#rules.size;
  }

  /** Adds a pattern; one with the same id is replaced. */
  add(id: string, pattern: EventPattern, value: T): void {
    this.remove(id);
    const rule = { value };
    const filed = pattern.branches.map((branch) => this.#file(branch, rule));
    this.#rules.set(id, { value, filed });
  }

  remove(id: string): void {
    const rule = this.#rules.get(id);
    if (!rule) return;
    this.#rules.delete(id);
    for (const filed of rule.filed) this.#take(filed);
  }

  /** The values of the patterns that match, each once, in no particular order. `event`: parsed JSON. */
  match(event: unknown): T[] {
    const matching = new Set<{ readonly value: T }>();
    const tried = new Set<Filed<T>>();
    const attempt = (filed: Filed<T>): void => {
      if (tried.has(filed)) return;
      tried.add(filed);
      if (!matching.has(filed.rule) && filed.branch.matches(event)) matching.add(filed.rule);
    };
    for (const filed of this.#unfiled) attempt(filed);
    for (const { byValue, field } of this.#shelves.values()) {
      field.find(event, (value) => byValue.get(value)?.forEach(attempt));
    }
    return [...matching].map(({ value }) => value);
  }

  #file(branch: Branch, rule: { readonly value: T }): Filed<T> {
    const field = this.#leastShared(branch.exactFields);
    const filed = { branch, rule, field };
    if (!field) {
      this.#unfiled.add(filed);
      return filed;
    }
    let shelf = this.#shelves.get(field.path);
    if (!shelf) {
      shelf = { field, byValue: new Map() };
      this.#shelves.set(field.path, shelf);
    }
    for (const value of field.values) {
      const sharing = shelf.byValue.get(value);
      if (sharing) sharing.add(filed);
      else shelf.byValue.set(value, new Set([filed]));
    }
    return filed;
  }

  #take(filed: Filed<T>): void {
    this.#unfiled.delete(filed);
    const shelf = filed.field && this.#shelves.get(filed.field.path);
    if (!shelf) return;
    for (const value of filed.field.values) {
      const sharing = shelf.byValue.get(value);
      sharing?.delete(filed);
      if (sharing?.size === 0) shelf.byValue.delete(value);
    }
    if (shelf.byValue.size === 0) this.#shelves.delete(filed.field.path);
  }

  /** Of fields that are shared with as many others, one that has a shelf already: each shelf is looked at for every event. */
  #leastShared(fields: readonly ExactField[]): ExactField | undefined {
    let least: ExactField | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const field of fields) {
      const shelf = this.#shelves.get(field.path);
      const sharing = field.values.reduce((sum: number, value) => sum + (shelf?.byValue.get(value)?.size ?? 0), 0);
      const cost = sharing + (shelf ? 0 : 0.5);
      if (cost < fewest) [least, fewest] = [field, cost];
    }
    return least;
  }
}

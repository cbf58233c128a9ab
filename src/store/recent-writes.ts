import type { EncodedKey } from './key-codec.ts';
import type { TransactionView } from './transaction-view.ts';

/** Writes accepted while transactions are running: what tells them that something they read has changed. */
export class RecentWrites {
  #running = 0;
  #latest = new Map<EncodedKey, number>();
  #ordered: { readonly revision: number; readonly key: EncodedKey }[] = [];

  begin(): void {
    this.#running++;
  }

  end(): void {
    if (--this.#running === 0) this.clear();
  }

  clear(): void {
    if (this.#ordered.length === 0) return;
    this.#latest = new Map();
    this.#ordered = [];
  }

  record(revision: number, key: EncodedKey): void {
    if (this.#running === 0) return;
    this.#latest.set(key, revision);
    this.#ordered.push({ revision, key });
  }

  /** Whether anything that `view` has read was written after it read it. */
  changed(view: TransactionView): boolean {
    for (const [key, revision] of view.reads) if ((this.#latest.get(key) ?? 0) > revision) return true;
    if (view.ranges.length === 0) return false;
    for (let i = this.#ordered.length - 1; i >= 0; i--) {
      const write = this.#ordered[i]!;
      if (write.revision <= view.startRevision) return false;
      for (const range of view.ranges) {
        if (write.revision > range.revision && write.key >= range.start && write.key < range.end) return true;
      }
    }
    return false;
  }
}

import type { Commit, Driver, Scan } from '../driver.ts';
import type { EncodedKey } from '../key-codec.ts';
import type { StoredRecord } from '../record.ts';
import { SortedMap } from './sorted-map.ts';

/** Keeps everything in memory and nothing after `close`. */
export class MemoryDriver implements Driver {
  readonly openedRevision = 0;
  readonly openedCompactedRevision = 0;
  readonly gathers = false;
  readonly #records = new SortedMap<StoredRecord>();
  #log: { readonly last: number; readonly entry: Buffer }[] = [];
  #logSize = 0;

  get(key: EncodedKey): StoredRecord | undefined {
    return this.#records.get(key);
  }

  *scan({
    start,
    end,
    reverse,
    limit = Number.POSITIVE_INFINITY,
  }: Scan): Iterable<readonly [EncodedKey, StoredRecord]> {
    let left = limit;
    if (left <= 0) return;
    for (const entry of this.#records.scan(start, end, reverse)) {
      yield entry;
      if (--left <= 0) return;
    }
  }

  *log(afterRevision: number, reverse: boolean): Iterable<Buffer> {
    const first = this.#firstAfter(afterRevision);
    if (reverse) for (let i = this.#log.length - 1; i >= first; i--) yield this.#log[i]!.entry;
    else for (let i = first; i < this.#log.length; i++) yield this.#log[i]!.entry;
  }

  logSize(): number {
    return this.#logSize;
  }

  async commit({ revision, writes, log, compactedRevision }: Commit): Promise<void> {
    for (const [key, record] of writes) {
      if (record) this.#records.set(key, record);
      else this.#records.delete(key);
    }
    if (log) {
      this.#log.push({ last: revision, entry: log });
      this.#logSize += log.length;
    }
    const keep = this.#firstAfter(compactedRevision);
    // Dropped in strides: a splice at the front moves all that stays.
    if (keep > this.#log.length / 8) {
      for (const { entry } of this.#log.splice(0, keep)) this.#logSize -= entry.length;
    }
  }

  async close(): Promise<void> {
    this.#log = [];
  }

  /** Index of the first log entry whose last revision is above `revision`. */
  #firstAfter(revision: number): number {
    let low = 0;
    let high = this.#log.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#log[middle]!.last <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

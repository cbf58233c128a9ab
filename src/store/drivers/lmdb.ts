import { statfsSync } from 'node:fs';
import { type Database, open, type RootDatabase } from 'lmdb';
import type { Commit, Driver, Scan } from '../driver.ts';
import type { EncodedKey } from '../key-codec.ts';
import type { StoredRecord } from '../record.ts';

/** The tables of an LMDB environment. Log entries are found by the last revision in them. */
export interface LmdbTables {
  readonly root: RootDatabase<Buffer, string>;
  readonly data: Database<Buffer, EncodedKey>;
  readonly log: Database<Buffer, string>;
  readonly meta: Database<Buffer, string>;
}

// Keys are strings of bytes already; this puts them into the library's buffers without a Buffer in between.
const keyEncoder = {
  writeKey(key: string | Buffer, target: Buffer, start: number): number {
    if (typeof key === 'string') return start + target.write(key, start, 'latin1');
    target.set(key, start); // the bounds that the library takes when none are given
    return start + key.length;
  },
  readKey: (source: Buffer, start: number, end: number) => Buffer.prototype.toString.call(source, 'latin1', start, end),
};

const TABLE = { encoding: 'binary', keyEncoder } as const;
const STATE = 'state';
/** Above every log key: these have six bytes. */
const AFTER_LOG = '\xff'.repeat(7);
/** With less than this left on the device, a write that failed is put down to a full disk. */
const FULL = 1024 * 1024;
/**
 * Bytes that a commit leaves free besides what it may need: the library does not survive running out of space while it
 * writes pages (its heap is damaged, and the process dies sooner or later), so a commit that might is not begun.
 */
const RESERVE = 256 * 1024;
/** Pages that one write may copy, in the tables of data and log, bytes. */
const COPIED = 4 * 4096;

/** Opens the environment in `directory`, which must exist. */
export function openTables(directory: string, durable: boolean): LmdbTables {
  const root = open<Buffer, string>({
    ...TABLE,
    path: directory,
    noSubdir: false,
    // A commit counts when it is on disk, not before; and it begins when we say so: we gather the writes ourselves.
    overlappingSync: false,
    eventTurnBatching: false,
    noSync: !durable,
    maxDbs: 4,
  } as Parameters<typeof open>[0]) as RootDatabase<Buffer, string>;
  return {
    root,
    data: root.openDB<Buffer, EncodedKey>('data', TABLE),
    log: root.openDB<Buffer, string>('log', TABLE),
    meta: root.openDB<Buffer, string>('meta', TABLE),
  };
}

/** The embedded driver: one LMDB environment, its commits flushed by a thread of the library. */
export class LmdbDriver implements Driver {
  readonly openedRevision: number;
  readonly openedCompactedRevision: number;
  readonly gathers = true;
  readonly #tables: LmdbTables;
  readonly #directory: string;
  #compactedRevision: number;

  constructor(tables: LmdbTables, directory: string) {
    this.#tables = tables;
    this.#directory = directory;
    const state = tables.meta.get(STATE);
    this.openedRevision = state ? state.readUIntBE(0, 6) : 0;
    this.openedCompactedRevision = state ? state.readUIntBE(6, 6) : 0;
    this.#compactedRevision = this.openedCompactedRevision;
  }

  get(key: EncodedKey): StoredRecord | undefined {
    return this.#tables.data.getBinary(key);
  }

  *scan({
    start,
    end,
    reverse = false,
    limit = Number.POSITIVE_INFINITY,
  }: Scan): Iterable<readonly [EncodedKey, Buffer]> {
    let left = limit;
    if (left <= 0) return;
    for (const [key, value] of entries(this.#tables.data, start, end, reverse)) {
      yield [key, value];
      if (--left <= 0) return;
    }
  }

  *log(afterRevision: number, reverse: boolean): Iterable<Buffer> {
    const first = logKey(afterRevision + 1);
    for (const [, value] of entries(this.#tables.log, first, AFTER_LOG, reverse)) yield value;
  }

  logSize(): number {
    const stats = this.#tables.log.getStats() as {
      pageSize: number;
      treeLeafPageCount: number;
      overflowPages: number;
    };
    return (stats.treeLeafPageCount + stats.overflowPages) * stats.pageSize;
  }

  async commit({ revision, writes: given, log, compactedRevision }: Commit): Promise<void> {
    const { root, data, log: logTable, meta } = this.#tables;
    const forgotten = this.#logKeysThrough(compactedRevision);
    const writes = [...given];
    let size = COPIED + (log?.length ?? 0);
    for (const [, record] of writes) size += COPIED + (record?.length ?? 0);
    if (this.#free() < size + RESERVE) throw this.#full();
    try {
      await root.batch(() => {
        for (const [key, record] of writes) {
          if (record) data.put(key, record);
          else data.remove(key);
        }
        if (log) logTable.put(logKey(revision), log);
        for (const key of forgotten) logTable.remove(key);
        const state = Buffer.allocUnsafe(12);
        state.writeUIntBE(revision, 0, 6);
        state.writeUIntBE(compactedRevision, 6, 6);
        meta.put(STATE, state);
      });
    } catch (error) {
      throw await this.#explained(error);
    }
    this.#compactedRevision = compactedRevision;
  }

  async close(): Promise<void> {
    await this.#tables.root.close();
  }

  #logKeysThrough(revision: number): string[] {
    if (revision <= this.#compactedRevision) return [];
    return [...this.#tables.log.getKeys({ start: logKey(0), end: logKey(revision + 1) })];
  }

  /** The library's error says no more than "commit failed"; why is in a promise beside it. */
  async #explained(error: unknown): Promise<unknown> {
    const reason: unknown = (error as { commitError?: PromiseLike<never> }).commitError;
    const cause = await Promise.resolve(reason).catch((why: unknown) => why);
    return this.#free() < FULL ? this.#full(cause) : (cause ?? error);
  }

  #full(cause?: unknown): Error {
    return new Error(`the disk that holds ${this.#directory} is full`, { cause });
  }

  /** Bytes that are left on the disk. Takes microseconds: the system knows without looking. */
  #free(): number {
    const { bavail, bsize } = statfsSync(this.#directory);
    return bavail * bsize;
  }
}

/** Entries with `start` ≤ key < `end`, in order or reversed. */
function* entries(
  table: Database<Buffer, string>,
  start: string,
  end: string,
  reverse: boolean,
): Generator<readonly [string, Buffer]> {
  // Reversed, the library begins at `end` itself when that is a key: it is passed over.
  const range = reverse ? { start: end, end: start, inclusiveEnd: true, reverse } : { start, end };
  for (const { key, value } of table.getRange(range)) if (key < end) yield [key, value];
}

function logKey(revision: number): string {
  const bytes = Buffer.allocUnsafe(6);
  bytes.writeUIntBE(revision, 0, 6);
  return bytes.toString('latin1');
}

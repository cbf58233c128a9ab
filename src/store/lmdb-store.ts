import { mkdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../base/errors.ts';
import { DEFAULT_HISTORY, type HistoryLimits } from './commit-queue.ts';
import { LmdbDriver, type LmdbTables, openTables } from './drivers/lmdb.ts';
import { checkDataFile, damaged } from './drivers/lmdb-file.ts';
import { checkFormatFile, type FormatSupport, migrate, SUPPORTED } from './drivers/lmdb-format.ts';
import { RevisionedStore } from './revisioned-store.ts';
import type { Store } from './store.ts';

export interface LmdbStoreOptions {
  /** Made if missing. */
  readonly directory: string;
  /** False: commits are not flushed to disk. For directories that nobody wants back after a crash of the machine. */
  readonly durable?: boolean;
  /** How much history to keep for watches and reads at a revision. */
  readonly history?: Partial<HistoryLimits>;
  /** For tests of migrations. */
  readonly formats?: FormatSupport;
}

/**
 * Opens the store in a directory, for this process alone. Throws UserError when another process has it open, when a
 * newer program wrote it, or when it is damaged.
 */
export async function openLmdbStore(options: LmdbStoreOptions): Promise<Store> {
  const { directory, durable = true, formats = SUPPORTED } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const format = await checkFormatFile(directory, formats);
  const path = join(directory, 'data.mdb');
  const fresh = !checkDataFile(directory, format !== undefined);
  if (fresh && format !== undefined) throw damaged(path, 'it is missing');
  await checkRoom(directory);
  let tables: LmdbTables;
  try {
    tables = openTables(directory, durable);
  } catch (error) {
    throw unopened(directory, error);
  }
  try {
    claim(tables, directory);
    await migrate(tables, directory, fresh, formats);
    return new RevisionedStore(
      new LmdbDriver(tables, directory),
      { ...DEFAULT_HISTORY, ...options.history },
      directory,
    );
  } catch (error) {
    await tables.root.close();
    throw error;
  }
}

/** Bytes that opening takes at most: LMDB's table of readers and the first pages of a new file. */
const ROOM_TO_OPEN = 512 * 1024;

/** LMDB writes some pages through memory, where a full disk is not an error but the end of the process. */
async function checkRoom(directory: string): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize >= ROOM_TO_OPEN) return;
  throw new UserError(`the store in ${directory} cannot be opened: its disk is full`, {
    hint: `make room for at least ${ROOM_TO_OPEN / 1024} KB, or name a data directory on another disk`,
  });
}

/** From here down, LMDB's own error numbers say that the file is wrong; above, the system refused something. */
const FIRST_FILE_ERROR = -30797;
const LAST_FILE_ERROR = -30793;

function unopened(directory: string, error: unknown): UserError {
  const { code, message } = error as { code?: unknown; message?: string };
  const path = join(directory, 'data.mdb');
  if (typeof code === 'number' && code >= FIRST_FILE_ERROR && code <= LAST_FILE_ERROR) {
    return damaged(path, String(message), error);
  }
  return new UserError(`the store in ${directory} cannot be opened: ${message ?? String(error)}`, {
    hint: 'see whether this user may write there, and whether the disk has room',
    cause: error,
  });
}

/**
 * Makes sure that nobody else has the directory open. LMDB's own lock file lists who reads: each process that has the
 * environment open holds a kernel lock on its entry, so one that was killed leaves none. Two that start at the same
 * moment see each other, and neither goes on.
 */
function claim({ root, meta }: LmdbTables, directory: string): void {
  root.readerCheck(); // takes entries of dead processes out
  const before = readersOf(root.readerList())[0];
  meta.get('claim'); // the first read enters this process in the list
  const holder = before ?? readersOf(root.readerList()).find((pid) => pid !== process.pid);
  if (holder === undefined) return;
  throw new UserError(`the data directory ${directory} is in use by process ${holder}`, {
    hint: `stop that one (kobune down --data ${directory}), or use another data directory`,
  });
}

/** The process ids in LMDB's table of readers. */
function readersOf(list: string): number[] {
  return [...list.matchAll(/^\s*(\d+)\s+[0-9a-f]+\s/gm)].map(([, pid]) => Number(pid));
}

import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../base/errors.ts';
import type { LmdbTables } from './lmdb.ts';
import { damaged } from './lmdb-file.ts';

/** The way this program lays a store out. Raise it with each change that an older program could not read. */
const FORMAT = 1;

/** Turns a store of format `from` into one of format `from + 1`. */
export interface Migration {
  readonly from: number;
  /** Runs inside one transaction: reads and writes the tables synchronously, and throws to leave all as it was. */
  migrate(tables: LmdbTables): void;
}

/** The format that a program can read, and how it brings older ones to it. */
export interface FormatSupport {
  readonly format: number;
  readonly migrations: readonly Migration[];
}

export const SUPPORTED: FormatSupport = { format: FORMAT, migrations: [] };

const FORMAT_KEY = 'format';
const FILE = 'format';
/** The store as it was, while it is being migrated. */
const OLD_COPY = 'before-migration';

/**
 * Refuses a store that a newer program has written. The number is read from a file of its own, so that this works
 * however the newer store may look; undefined when there is none.
 */
export async function checkFormatFile(directory: string, { format }: FormatSupport): Promise<number | undefined> {
  const path = join(directory, FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const found = Number(text);
  if (!Number.isInteger(found) || found < 1) throw damaged(path, 'it should hold the number of a format');
  if (found > format) throw tooNew(directory, found, format);
  return found;
}

/** Brings an open store to the supported format; a new one is marked with it. Nothing changes when it throws. */
export async function migrate(
  tables: LmdbTables,
  directory: string,
  fresh: boolean,
  { format, migrations }: FormatSupport,
): Promise<void> {
  const found = tables.meta.get(FORMAT_KEY)?.readUInt32BE(0);
  if (found === undefined && !fresh && hasEntries(tables)) {
    throw damaged(join(directory, 'data.mdb'), 'it does not say which format it has');
  }
  if (found !== undefined && found > format) throw tooNew(directory, found, format);
  if (found === undefined) tables.meta.putSync(FORMAT_KEY, formatRecord(format));
  else if (found < format) await migrateFrom(found, tables, directory, { format, migrations });
  await writeFormatFile(directory, format);
  await rm(join(directory, OLD_COPY), { force: true, recursive: true });
}

async function migrateFrom(
  found: number,
  tables: LmdbTables,
  directory: string,
  { format, migrations }: FormatSupport,
): Promise<void> {
  const copy = join(directory, OLD_COPY);
  await rm(copy, { force: true, recursive: true });
  try {
    await mkdir(copy, { mode: 0o700 });
    await tables.root.backup(copy, false);
    tables.root.transactionSync(() => {
      for (let at = found; at < format; at++) {
        const step = migrations.find(({ from }) => from === at);
        if (!step) throw new Error(`this program does not know how to bring format ${at} to ${at + 1}`);
        step.migrate(tables);
      }
      tables.meta.putSync(FORMAT_KEY, formatRecord(format));
    });
  } catch (cause) {
    await rm(copy, { force: true, recursive: true });
    throw new UserError(`the store in ${directory} (format ${found}) could not be brought to format ${format}`, {
      hint: 'nothing was changed: the version of the program that wrote it still reads it',
      cause,
    });
  }
}

/** Replaced whole, like everything that must not be found half-written. */
async function writeFormatFile(directory: string, format: number): Promise<void> {
  const path = join(directory, FILE);
  if ((await readFile(path, 'utf8').catch(() => '')) === `${format}\n`) return;
  const file = await open(`${path}.new`, 'w');
  try {
    await file.writeFile(`${format}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}

function hasEntries({ data }: LmdbTables): boolean {
  for (const _ of data.getKeys({ limit: 1 })) return true;
  return false;
}

function formatRecord(format: number): Buffer {
  const record = Buffer.alloc(4);
  record.writeUInt32BE(format);
  return record;
}

function tooNew(directory: string, found: number, format: number): UserError {
  return new UserError(
    `the store in ${directory} has format ${found}, written by a newer version of this program, which reads up to ${format}`,
    { hint: 'use that version, or another data directory' },
  );
}

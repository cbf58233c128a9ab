import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../base/errors.ts';

// Where LMDB's two meta pages keep what is checked here: after the page header of 24 bytes, little-endian.
const MAGIC = 24;
const VERSION = 28;
const PAGE_SIZE = 48;
const LAST_PAGE = 144;
const TRANSACTION = 152;
const META_BYTES = 160;

/** Pages at the end that a transaction may have taken and never written. */
const UNWRITTEN_TAIL = 64;

/**
 * Refuses a data file that is not an LMDB file or has lost its end: LMDB maps the file into memory, where reading past
 * its end would end the process. False when there is no file yet.
 */
export async function checkDataFile(directory: string): Promise<boolean> {
  const path = join(directory, 'data.mdb');
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  try {
    const { size } = await file.stat();
    const first = await readMeta(file, 0);
    if (!first) throw damaged(path, size === 0 ? 'it is empty' : 'it does not begin as an LMDB file does');
    const second = await readMeta(file, first.pageSize);
    if (!second) throw damaged(path, 'its second page is not what LMDB writes there');
    const { lastPage } = second.transaction > first.transaction ? second : first;
    const missing = lastPage + 1 - size / first.pageSize;
    if (missing > UNWRITTEN_TAIL) throw damaged(path, `its last ${Math.ceil(missing)} pages are missing`);
    return true;
  } finally {
    await file.close();
  }
}

async function readMeta(file: Awaited<ReturnType<typeof open>>, at: number) {
  const page = Buffer.alloc(META_BYTES);
  const { bytesRead } = await file.read(page, 0, META_BYTES, at);
  if (bytesRead < META_BYTES || page.readUInt32LE(MAGIC) !== 0xbeefc0de || page.readUInt32LE(VERSION) > 2)
    return undefined;
  const pageSize = page.readUInt32LE(PAGE_SIZE);
  if (pageSize < 512 || pageSize > 65536) return undefined;
  return {
    pageSize,
    lastPage: Number(page.readBigUInt64LE(LAST_PAGE)),
    transaction: page.readBigUInt64LE(TRANSACTION),
  };
}

/** What to tell the user about a store that cannot be read. */
export function damaged(path: string, how: string, cause?: unknown): UserError {
  return new UserError(`the store is damaged: ${path}: ${how}`, {
    hint: 'put back a copy of the data directory, or start with an empty one (`kobune reset` empties it)',
    cause,
  });
}

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../base/errors.ts';

/*
 * LMDB maps its file into memory and trusts it: a page that is not what it should be ends the process, or worse. So what
 * can be checked quickly is checked before it is opened. Layout: `mdb.c` of the LMDB that the package `lmdb` carries
 * (data version 2, 64 bits, little-endian).
 */

/** Bytes of a page's header: its number, the transaction that wrote it, padding, flags, lower and upper bound. */
const HEADER = 24;
const FLAGS = 18;
const LOWER = 20;
const UPPER = 22;
const BRANCH = 1;
const LEAF = 2;
const OVERFLOW = 4;
// Flags of a node in a leaf: its value lies on pages of its own, or is the root of another tree.
const ON_OWN_PAGES = 1;
const TREE = 2;
const ROOT_IN_TREE = 40;
const NO_ROOT = 0xffff_ffff_ffff_ffffn;

// Where a meta page keeps what is read here.
const MAGIC = 24;
const VERSION = 28;
const PAGE_SIZE = 48;
const FREE_ROOT = 88;
const MAIN_ROOT = 136;
const LAST_PAGE = 144;
const TRANSACTION = 152;
const META_BYTES = 160;

/** Pages at the end that a transaction may have taken and never written. */
const UNWRITTEN_TAIL = 64;
/** Pages looked at from the roots down: some milliseconds' worth, all of a small store, the upper levels of a large one. */
const MOST_PAGES = 2048;

/**
 * Refuses a data file that is not whole, with a UserError. False when there is no file yet, or an empty one of a process
 * that came no further than making it: `begun` says that the store had been in use.
 */
export function checkDataFile(directory: string, begun: boolean): boolean {
  const path = join(directory, 'data.mdb');
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  try {
    const { size } = fstatSync(file);
    if (size === 0 && !begun) return false;
    const meta = readNewest(file, path);
    const missing = meta.lastPage + 1 - size / meta.pageSize;
    if (missing > UNWRITTEN_TAIL) throw damaged(path, `its last ${Math.ceil(missing)} pages are missing`);
    const broken = firstBrokenPage(file, meta);
    // Another process that is writing reuses old pages: then it is that process which is in the way, as will be found.
    const unchanged = readNewest(file, path).transaction === meta.transaction;
    if (broken !== undefined && unchanged) throw damaged(path, `page ${broken} is not what it should be`);
    return true;
  } finally {
    closeSync(file);
  }
}

/** The meta page of the last commit. LMDB writes to its two in turn. */
function readNewest(file: number, path: string): Meta {
  const first = readMeta(file, 0);
  if (!first) {
    const { size } = fstatSync(file);
    throw damaged(path, size === 0 ? 'it is empty' : 'it does not begin as an LMDB file does');
  }
  const second = readMeta(file, first.pageSize);
  if (!second) throw damaged(path, 'its second page is not what LMDB writes there');
  return second.transaction > first.transaction ? second : first;
}

interface Meta {
  readonly pageSize: number;
  readonly lastPage: number;
  readonly transaction: bigint;
  readonly roots: readonly bigint[];
}

function readMeta(file: number, at: number): Meta | undefined {
  const page = Buffer.alloc(META_BYTES);
  if (readSync(file, page, 0, META_BYTES, at) < META_BYTES) return undefined;
  if (page.readUInt32LE(MAGIC) !== 0xbeefc0de || page.readUInt32LE(VERSION) !== 2) return undefined;
  const pageSize = page.readUInt32LE(PAGE_SIZE);
  if (pageSize < 512 || pageSize > 65536) return undefined;
  return {
    pageSize,
    lastPage: Number(page.readBigUInt64LE(LAST_PAGE)),
    transaction: page.readBigUInt64LE(TRANSACTION),
    roots: [page.readBigUInt64LE(FREE_ROOT), page.readBigUInt64LE(MAIN_ROOT)],
  };
}

/** Walks the trees level by level; the number of the first page that cannot be right. */
function firstBrokenPage(file: number, { pageSize, lastPage, roots }: Meta): bigint | undefined {
  const next = roots.filter((root) => root !== NO_ROOT);
  const page = Buffer.alloc(pageSize);
  for (let seen = 0; seen < Math.min(next.length, MOST_PAGES); seen++) {
    const number = next[seen]!;
    if (number > BigInt(lastPage)) return number;
    if (readSync(file, page, 0, pageSize, Number(number) * pageSize) < pageSize) return number;
    const found = pagesBelow(page, number);
    if (!found) return number;
    for (const below of found) next.push(below);
  }
  return undefined;
}

/** The pages that a page points to; undefined when it is no page of a tree, or not this one. */
function pagesBelow(page: Buffer, number: bigint): bigint[] | undefined {
  if (page.readBigUInt64LE(0) !== number) return undefined;
  const flags = page.readUInt16LE(FLAGS) & (BRANCH | LEAF | OVERFLOW);
  if (flags === OVERFLOW) return [];
  if (flags !== BRANCH && flags !== LEAF) return undefined;
  const [lower, upper] = [page.readUInt16LE(LOWER), page.readUInt16LE(UPPER)];
  if (lower > upper || HEADER + upper > page.length) return undefined;
  const below: bigint[] = [];
  for (let pointer = HEADER; pointer < HEADER + lower; pointer += 2) {
    const node = HEADER + page.readUInt16LE(pointer);
    if (node < HEADER + upper || node + 8 > page.length) return undefined;
    const kind = page.readUInt16LE(node + 4);
    const value = node + 8 + page.readUInt16LE(node + 6);
    if (value > page.length) return undefined;
    if (flags === BRANCH) {
      // 48 bits: the two halves of the first word, then what would be the node's flags.
      below.push(BigInt(page.readUInt32LE(node)) | (BigInt(kind) << 32n));
    } else if (kind === ON_OWN_PAGES) {
      if (value + 8 > page.length) return undefined;
      below.push(page.readBigUInt64LE(value));
    } else if (kind === TREE) {
      if (value + ROOT_IN_TREE + 8 > page.length) return undefined;
      const root = page.readBigUInt64LE(value + ROOT_IN_TREE);
      if (root !== NO_ROOT) below.push(root);
    }
  }
  return below;
}

/** What to tell the user about a store that cannot be read. */
export function damaged(path: string, how: string, cause?: unknown): UserError {
  return new UserError(`the store is damaged: ${path}: ${how}`, {
    hint: 'put back a copy of the data directory, or start with another one (--data)',
    cause,
  });
}

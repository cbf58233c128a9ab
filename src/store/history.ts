import type { Change, Driver } from './driver.ts';
import type { EncodedKey } from './key-codec.ts';
import { modRevisionOf, type StoredRecord } from './record.ts';

/*
 * History is an undo log: for each change its revision, its key and what the key held before. The new value is not
 * repeated: it is the current one, or the `previous` of a later change. So a new key costs its name twice and its value
 * once. One log entry holds all revisions of one commit and is found by the last of them.
 */

const ABSENT = 0xffffffff;

/** Writes the log entry of a commit. */
export function encodeLog(changes: readonly Change[]): Buffer {
  let size = 0;
  for (const change of changes) size += 12 + change.key.length + (change.previous?.length ?? 0);
  const log = Buffer.allocUnsafe(size);
  let at = 0;
  for (const { revision, key, previous } of changes) {
    at = log.writeUIntBE(revision, at, 6);
    at = log.writeUInt16BE(key.length, at);
    at += log.write(key, at, 'latin1');
    at = log.writeUInt32BE(previous?.length ?? ABSENT, at);
    if (previous) {
      log.set(previous, at);
      at += previous.length;
    }
  }
  return log;
}

/** One change taken back out of the log. */
export interface Undo {
  readonly revision: number;
  readonly key: EncodedKey;
  readonly previous: StoredRecord | undefined;
}

export function decodeLog(log: Buffer): Undo[] {
  const changes: Undo[] = [];
  let at = 0;
  while (at < log.length) {
    const revision = log.readUIntBE(at, 6);
    const keyEnd = at + 8 + log.readUInt16BE(at + 6);
    const key = log.toString('latin1', at + 8, keyEnd);
    const size = log.readUInt32BE(keyEnd);
    at = keyEnd + 4;
    let previous: StoredRecord | undefined;
    if (size !== ABSENT) {
      previous = log.subarray(at, at + size);
      at += size;
    }
    changes.push({ revision, key, previous });
  }
  return changes;
}

/** What `key` held at `revision`. */
export function recordAt(driver: Driver, key: EncodedKey, revision: number): StoredRecord | undefined {
  const current = driver.get(key);
  if (current && modRevisionOf(current) <= revision) return current;
  for (const entry of driver.log(revision, false)) {
    for (const undo of decodeLog(entry)) if (undo.revision > revision && undo.key === key) return undo.previous;
  }
  return current; // never changed since: undefined, or there would have been an entry in the log
}

/** For each key in [start, end) that changed after `revision`: what it held at `revision`. */
export function undoneAfter(
  driver: Driver,
  revision: number,
  start: EncodedKey,
  end: EncodedKey,
): Map<EncodedKey, StoredRecord | undefined> {
  const undone = new Map<EncodedKey, StoredRecord | undefined>();
  for (const entry of driver.log(revision, false)) {
    for (const undo of decodeLog(entry)) {
      if (undo.revision <= revision || undo.key < start || undo.key >= end || undone.has(undo.key)) continue;
      undone.set(undo.key, undo.previous);
    }
  }
  return undone;
}

/** The changes under `prefix` with `after` < revision ≤ `through`, oldest first. */
export function changesBetween(driver: Driver, prefix: EncodedKey, after: number, through: number): Change[] {
  // Walked from the newest change back, so that what a change wrote is known: it is what the next change found.
  const later = new Map<EncodedKey, StoredRecord | undefined>();
  const changes: Change[] = [];
  for (const entry of driver.log(after, true)) {
    for (const { revision, key, previous } of decodeLog(entry).reverse()) {
      if (revision <= after || !key.startsWith(prefix)) continue;
      const next = later.has(key) ? later.get(key) : driver.get(key);
      later.set(key, previous);
      if (revision <= through) changes.push({ revision, key, next, previous });
    }
  }
  return changes.reverse();
}

import type { Driver, Scan } from './driver.ts';
import type { EncodedKey } from './key-codec.ts';
import { encodeBound, encodePrefix, encodeSought, prefixEnd } from './key-codec.ts';
import type { StoredRecord } from './record.ts';
import type { RangeOptions } from './store.ts';

/** The scan that range options ask for. The smallest string above `key` is `key` and a zero byte. */
export function scanOf(options: Omit<RangeOptions, 'revision'>): Scan {
  const { limit = Number.POSITIVE_INFINITY, reverse = false } = options;
  const prefix = options.prefix.length === 0 ? encodePrefix([]) : encodeSought(options.prefix);
  if (prefix === undefined) return { start: '', end: '', reverse, limit };
  let start = prefix;
  let end = prefixEnd(prefix);
  if (options.from) start = larger(start, encodeBound(options.from));
  if (options.after) start = larger(start, `${encodeBound(options.after)}\x00`);
  if (options.before) {
    const before = encodeBound(options.before);
    if (before < end) end = before;
  }
  return { start, end, reverse, limit };
}

/** Scans the driver with some keys replaced (undefined: taken away). */
export function* mergeScan(
  driver: Driver,
  { start, end, reverse = false, limit = Number.POSITIVE_INFINITY }: Scan,
  overrides: ReadonlyMap<EncodedKey, StoredRecord | undefined>,
): Generator<readonly [EncodedKey, StoredRecord]> {
  if (limit <= 0 || start >= end) return;
  let left = limit;
  const keys = [...overrides.keys()].sort();
  if (reverse) keys.reverse();
  let next = 0;
  const precedes = reverse ? (a: string, b: string) => a > b : (a: string, b: string) => a < b;
  for (const entry of driver.scan({ start, end, reverse })) {
    for (; next < keys.length && precedes(keys[next]!, entry[0]); next++) {
      const record = overrides.get(keys[next]!);
      if (!record) continue;
      yield [keys[next]!, record];
      if (--left <= 0) return;
    }
    if (keys[next] === entry[0]) continue; // its override comes in the next round, in its place
    yield entry;
    if (--left <= 0) return;
  }
  for (; next < keys.length; next++) {
    const record = overrides.get(keys[next]!);
    if (!record) continue;
    yield [keys[next]!, record];
    if (--left <= 0) return;
  }
}

function larger(a: string, b: string): string {
  return a > b ? a : b;
}

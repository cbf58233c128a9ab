import { BLOCK, numberOf } from './header.ts';
import { type PaxRecords, paxInteger } from './pax-records.ts';
import { TarError } from './tar-entry.ts';

/** A stretch of a sparse file that has content. */
export interface Segment {
  readonly offset: number;
  readonly length: number;
}

/** Holes of one file that a header may tell. */
const MAX_SEGMENTS = 100_000;

/** Checks that segments are in order, do not overlap, lie within the file and fit what is stored. Source: GNU tar manual, "Storing Sparse Files". */
export function checkSegments(segments: readonly Segment[], realSize: number, storedSize: number): void {
  if (segments.length > MAX_SEGMENTS) throw new TarError('a sparse file has too many holes');
  let end = 0;
  let stored = 0;
  for (const { offset, length } of segments) {
    if (offset < end || length < 0) throw new TarError('the map of a sparse file is out of order');
    end = offset + length;
    stored += length;
  }
  if (!Number.isSafeInteger(end) || end > realSize || stored !== storedSize) {
    throw new TarError('the map of a sparse file does not fit its size');
  }
}

/** The old GNU format: four segments in the header, more in blocks after it. */
export const OLD_GNU = {
  header: 386,
  extended: 482,
  realSize: [483, 12],
  inHeader: 4,
  inBlock: 21,
  more: 504,
} as const;

export function oldGnuSegments(block: Uint8Array, start: number, count: number): Segment[] {
  const segments: Segment[] = [];
  for (let i = 0; i < count; i++) {
    const at = start + i * 24;
    if (block[at] === 0) break;
    segments.push({
      offset: numberOf(block, [at, 12], 'a hole'),
      length: numberOf(block, [at + 12, 12], 'a hole'),
    });
  }
  return segments;
}

/** Formats 0.0 and 0.1: the map is in the extended header. `undefined`: the entry is not sparse in one of those ways. */
export function paxSegments({ texts, sparse }: PaxRecords): Segment[] | undefined {
  const map = texts.get('GNU.sparse.map');
  const numbers =
    map === undefined ? sparse : map.split(',').map((number) => paxInteger(number, 'the map of a sparse file'));
  if (numbers.length === 0 && texts.get('GNU.sparse.size') === undefined) return undefined;
  return pairs(numbers);
}

/**
 * Format 1.0: the map stands before the content, as decimal lines: the number of segments, then offset and length of each, filled
 * up to a whole block. Answers the segments once all are there, else `undefined`.
 */
export function leadingSegments(bytes: Uint8Array): { segments: Segment[]; length: number } | undefined {
  const numbers: number[] = [];
  let at = 0;
  let wanted = 1;
  while (numbers.length < wanted) {
    const newline = bytes.indexOf(0x0a, at);
    if (newline === -1) {
      if (bytes.length - at > 20) throw new TarError('the map of a sparse file is malformed');
      return undefined;
    }
    numbers.push(paxInteger(Buffer.from(bytes.subarray(at, newline)).toString('latin1'), 'the map of a sparse file'));
    if (numbers.length === 1) {
      wanted = 1 + 2 * numbers[0]!;
      if (wanted < 1 || numbers[0]! > MAX_SEGMENTS) throw new TarError('a sparse file has too many holes');
    }
    at = newline + 1;
  }
  const length = Math.ceil(at / BLOCK) * BLOCK;
  return bytes.length < length ? undefined : { segments: pairs(numbers.slice(1)), length };
}

function pairs(numbers: readonly number[]): Segment[] {
  if (numbers.length % 2 !== 0) throw new TarError('the map of a sparse file is malformed');
  return Array.from({ length: numbers.length / 2 }, (_, i) => ({
    offset: numbers[2 * i]!,
    length: numbers[2 * i + 1]!,
  }));
}

/** Bytes that the map of format 1.0 may take. */
export const MAX_LEADING_MAP = MAX_SEGMENTS * 2 * 18;

import { decodeName } from './names.ts';
import { TarError } from './tar-entry.ts';

export const BLOCK = 512;

/** Where the members of a header stand. Source: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format". */
export const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkName: [157, 100],
  magic: [257, 8],
  deviceMajor: [329, 8],
  deviceMinor: [337, 8],
  prefix: [345, 155],
} as const satisfies Record<string, readonly [offset: number, length: number]>;

/** Text up to the first NUL. */
export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decodeName(end === -1 ? bytes : bytes.subarray(0, end));
}

/**
 * A number: octal digits between spaces or NULs, or, with the first bit set, big-endian two's complement as GNU tar writes
 * what is too large for those. An empty member is 0.
 */
export function numberOf(block: Uint8Array, [offset, length]: readonly [number, number], what: string): number {
  const first = block[offset]!;
  if (first & 0x80) return binaryNumber(block.subarray(offset, offset + length), what);
  let value = 0;
  let at = offset;
  const end = offset + length;
  while (at < end && (block[at] === 0x20 || block[at] === 0)) at++;
  for (; at < end; at++) {
    const byte = block[at]!;
    if (byte === 0x20 || byte === 0) break;
    if (byte < 0x30 || byte > 0x37) throw new TarError(`${what} of a header is not a number`);
    value = value * 8 + (byte - 0x30);
  }
  return value;
}

function binaryNumber(bytes: Uint8Array, what: string): number {
  let value = BigInt(bytes[0]! & 0x7f);
  for (const byte of bytes.subarray(1)) value = (value << 8n) | BigInt(byte);
  const bits = BigInt(bytes.length * 8 - 1);
  if (bytes[0]! & 0x40) value -= 1n << bits;
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new TarError(`${what} of a header is out of range`);
  return number;
}

/** Whether the block's sum is the one that it tells. Some old programs summed signed bytes. */
export function checksumMatches(block: Uint8Array): boolean {
  const [start, length] = FIELD.checksum;
  let unsigned = length * 0x20;
  let signed = unsigned;
  for (let i = 0; i < BLOCK; i++) {
    if (i === start) i += length;
    const byte = block[i]!;
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  try {
    const told = numberOf(block, FIELD.checksum, 'the checksum');
    return told === unsigned || told === signed;
  } catch {
    return false;
  }
}

export function isZero(block: Uint8Array): boolean {
  for (let i = 0; i < BLOCK; i++) if (block[i] !== 0) return false;
  return true;
}

import type { ChecksumKind } from './checksum.ts';

/** The kinds whose value for a whole can be had from its parts: S3's full-object checksums of multipart uploads. */
export type CombinableKind = Extract<ChecksumKind, 'CRC32' | 'CRC32C' | 'CRC64NVME'>;

interface Field {
  readonly bits: bigint;
  readonly polynomial: bigint;
}

const fields: Readonly<Record<CombinableKind, Field>> = {
  CRC32: { bits: 32n, polynomial: 0xedb88320n },
  CRC32C: { bits: 32n, polynomial: 0x82f63b78n },
  CRC64NVME: { bits: 64n, polynomial: 0x9a6c9329ac4bc9b5n },
};

/** One part: its checksum and its length in bytes. */
export interface PartChecksum {
  readonly digest: Uint8Array;
  readonly size: number;
}

/**
 * The CRC of the concatenation of `parts`. A CRC is the remainder of a polynomial over GF(2), so appending n bytes
 * multiplies the first remainder by x^(8n), and the second is added.
 */
export function combineChecksums(kind: CombinableKind, parts: readonly PartChecksum[]): Buffer {
  const field = fields[kind];
  const shifts = new Map<number, bigint>();
  let combined = 0n;
  for (const part of parts) {
    let shift = shifts.get(part.size);
    if (shift === undefined) {
      shift = powerOfX(field, BigInt(part.size) * 8n);
      shifts.set(part.size, shift);
    }
    combined = multiply(field, shift, combined) ^ BigInt(`0x${Buffer.from(part.digest).toString('hex')}`);
  }
  return Buffer.from(combined.toString(16).padStart(Number(field.bits) / 4, '0'), 'hex');
}

/** Product modulo the polynomial; reflected, so the highest bit is x^0. */
function multiply(field: Field, a: bigint, b: bigint): bigint {
  let product = 0n;
  let term = b;
  for (let mask = 1n << (field.bits - 1n); mask > 0n; mask >>= 1n) {
    if (a & mask) product ^= term;
    term = term & 1n ? (term >> 1n) ^ field.polynomial : term >> 1n;
  }
  return product;
}

/** x^exponent modulo the polynomial, by repeated squaring. */
function powerOfX(field: Field, exponent: bigint): bigint {
  let power = 1n << (field.bits - 1n);
  let square = 1n << (field.bits - 2n);
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) power = multiply(field, power, square);
    square = multiply(field, square, square);
  }
  return power;
}

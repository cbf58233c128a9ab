import { checkLength, validation } from './errors.ts';

export type EncryptionContext = Readonly<Record<string, string>>;

const EMPTY = Buffer.alloc(0);

/**
 * The bytes that authenticate an encryption context: the same for the same pairs in any order, different for any other.
 * Source: KMS Developer Guide, "Encryption context".
 */
export function contextBytes(context: EncryptionContext | undefined): Buffer {
  if (context === undefined) return EMPTY;
  const keys = Object.keys(context);
  if (keys.length === 0) return EMPTY;
  const parts: Buffer[] = [];
  for (const key of keys.sort()) {
    for (const text of [key, context[key]!]) {
      const bytes = Buffer.from(text);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      parts.push(length, bytes);
    }
  }
  return Buffer.concat(parts);
}

/** Throws ValidationException when keys are empty or the pairs are larger than 8,192 bytes together. */
export function checkContext(member: string, context: EncryptionContext | undefined): void {
  if (context === undefined) return;
  let size = 0;
  for (const [key, value] of Object.entries(context)) {
    checkLength(`${member}.key`, key.length, 1, 8192);
    if (value === null) throw validation(`1 validation error detected: Value null at '${member}.${key}.member'`);
    size += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  checkLength(member, size, 0, 8192);
}

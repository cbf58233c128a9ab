import type { Key } from './store.ts';

/**
 * A key as the drivers see it: a string whose characters are the bytes of an order-keeping encoding. Comparing two of
 * them with `<` gives the order of the tuples. (A string rather than a Buffer: it hashes and compares without a call.)
 */
export type EncodedKey = string;

/** Longest encoded key, in bytes: what an LMDB page of 4 KB can hold. */
export const MAX_KEY_BYTES = 1978;

// Each part is a tag, its bytes and, where its length varies, a terminator. A zero byte inside is written 00 FF; tags
// are below FF, so a part that ends sorts before one that goes on.
const NUMBER = '\x10';
const STRING = '\x20';
const BYTES = '\x30';
const END = '\x00';

// biome-ignore lint/suspicious/noControlCharactersInRegex: zero bytes are what is looked for
const PLAIN = /^[\x01-\x7f]*$/;

/** Encodes a tuple so that byte order is the order of keys documented at `Key`. Throws TypeError on what is no key. */
export function encodeKey(key: Key): EncodedKey {
  const encoded = encodePrefix(key);
  if (encoded.length === 0) throw new TypeError('a key needs at least one part');
  if (encoded.length > MAX_KEY_BYTES) {
    throw new RangeError(`a key may have ${MAX_KEY_BYTES} bytes when encoded, this one has ${encoded.length}`);
  }
  return encoded;
}

/** As `encodeKey`; `undefined` for what nothing can be kept under: what clients ask for need not be a key that there can be. */
export function encodeSought(key: Key): EncodedKey | undefined {
  for (const part of key) if (typeof part === 'string' && !part.isWellFormed()) return undefined;
  const encoded = encodePrefix(key);
  if (encoded.length === 0) throw new TypeError('a key needs at least one part');
  return encoded.length > MAX_KEY_BYTES ? undefined : encoded;
}

/** A bound of a range, which need not be a key that there can be: cut where no key goes on, and made well-formed. */
export function encodeBound(key: Key): EncodedKey {
  return encodePrefix(key.map((part) => (typeof part === 'string' ? part.toWellFormed() : part))).slice(
    0,
    MAX_KEY_BYTES,
  );
}

/** Like `encodeKey`, for the start of a range: may be empty. */
export function encodePrefix(key: Key): EncodedKey {
  let encoded = '';
  for (const part of key) {
    if (typeof part === 'string') encoded += STRING + (PLAIN.test(part) ? part : escapeText(part)) + END;
    else if (typeof part === 'number') encoded += NUMBER + encodeNumber(part);
    else if (part instanceof Uint8Array) encoded += BYTES + escapeZeros(latin1(part)) + END;
    else throw new TypeError(`a part of a key is a string, a number or bytes, not ${typeof part}`);
  }
  return encoded;
}

/** The first string after everything that begins with `prefix`, in tuple terms: exclusive end of a prefix range. */
export function prefixEnd(prefix: EncodedKey): EncodedKey {
  return `${prefix}\xff`;
}

/** Reads a key back. Bytes come as Uint8Array. */
export function decodeKey(encoded: EncodedKey): Key {
  const parts: (string | number | Uint8Array)[] = [];
  let at = 0;
  while (at < encoded.length) {
    const tag = encoded[at++];
    if (tag === NUMBER) {
      parts.push(decodeNumber(encoded, at));
      at += 8;
      continue;
    }
    let end = encoded.indexOf(END, at);
    while (end >= 0 && encoded.charCodeAt(end + 1) === 0xff) end = encoded.indexOf(END, end + 2);
    if (end < 0 || (tag !== STRING && tag !== BYTES)) throw new Error('this is not an encoded key');
    const raw = encoded.slice(at, end);
    if (tag === STRING) parts.push(PLAIN.test(raw) ? raw : Buffer.from(unescapeZeros(raw), 'latin1').toString('utf8'));
    else parts.push(new Uint8Array(Buffer.from(unescapeZeros(raw), 'latin1')));
    at = end + 1;
  }
  return parts;
}

function escapeText(text: string): string {
  if (!text.isWellFormed()) throw new TypeError('a string in a key must be well-formed Unicode');
  return escapeZeros(Buffer.from(text, 'utf8').toString('latin1'));
}

function escapeZeros(bytes: string): string {
  return bytes.includes(END) ? bytes.replaceAll(END, '\x00\xff') : bytes;
}

function unescapeZeros(bytes: string): string {
  return bytes.includes(END) ? bytes.replaceAll('\x00\xff', END) : bytes;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** IEEE 754 big-endian; negative numbers inverted and the sign bit flipped, so that bytes order as numbers do. */
function encodeNumber(value: number): string {
  if (Number.isNaN(value)) throw new TypeError('NaN has no place in an order of keys');
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value === 0 ? 0 : value); // -0 and 0 are the same key
  flip(bytes, value < 0);
  return bytes.toString('latin1');
}

function decodeNumber(encoded: string, at: number): number {
  const bytes = Buffer.from(encoded.slice(at, at + 8), 'latin1');
  if (bytes.length < 8) throw new Error('this is not an encoded key');
  flip(bytes, bytes[0]! < 0x80);
  return bytes.readDoubleBE();
}

function flip(bytes: Buffer, negative: boolean): void {
  if (!negative) bytes[0] = bytes[0]! ^ 0x80;
  else for (let i = 0; i < 8; i++) bytes[i] = bytes[i]! ^ 0xff;
}

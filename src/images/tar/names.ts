import { isAscii, isUtf8 } from 'node:buffer';

/**
 * Names of files are bytes, mostly but not always UTF-8. As a text, each byte that is none stands as a lone surrogate U+DC80 to
 * U+DCFF, so that it can be given back the same. Source of the way: Python's PEP 383.
 */
export function decodeName(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (isAscii(buffer)) return buffer.toString('latin1');
  if (isUtf8(buffer)) return buffer.toString('utf8');
  let text = '';
  for (let at = 0; at < buffer.length; ) {
    const length = sequenceLength(buffer, at);
    text += length === 0 ? String.fromCharCode(0xdc00 + buffer[at]!) : buffer.toString('utf8', at, at + length);
    at += length || 1;
  }
  return text;
}

/** The bytes that {@link decodeName} has read. */
export function encodeName(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text);
  const parts: Buffer[] = [];
  for (const character of text) {
    const code = character.codePointAt(0)!;
    const isByte = code >= 0xdc80 && code <= 0xdcff;
    parts.push(isByte ? Buffer.from([code - 0xdc00]) : Buffer.from(character));
  }
  return Buffer.concat(parts);
}

/** A path for Node's file functions: as bytes where it is no UTF-8. */
export function nativePath(path: string): string | Buffer {
  return path.isWellFormed() ? path : encodeName(path);
}

/** How many bytes from `at` on are one character; 0 when none is. */
function sequenceLength(bytes: Buffer, at: number): number {
  for (let length = 1; length <= 4; length++) {
    if (at + length <= bytes.length && isUtf8(bytes.subarray(at, at + length))) return length;
  }
  return 0;
}

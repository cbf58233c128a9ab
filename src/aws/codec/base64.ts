import { MalformedInput } from './malformed.ts';

/** Reads base64, refusing what is not: Node itself skips characters that do not belong. */
export function decodeBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const digits = text.length - padding;
  if (bytes.length !== Math.floor((digits * 3) / 4) || digits % 4 === 1 || (padding > 0 && text.length % 4 !== 0)) {
    throw new MalformedInput('Invalid base64');
  }
  return bytes;
}

export function encodeBase64(bytes: Uint8Array | string): string {
  if (typeof bytes === 'string') return Buffer.from(bytes).toString('base64');
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

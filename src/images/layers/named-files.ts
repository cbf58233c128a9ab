import { type BigIntStats, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { decodeName, nativePath } from '../tar/names.ts';
import { codeOf } from './file-system-calls.ts';

/** What Node puts for bytes that are no UTF-8; then the name has to be read again, as bytes. */
const REPLACEMENT = '\ufffd';

/** Names in a directory, in order. */
export function namesIn(path: string): string[] {
  const native = nativePath(path);
  const names = readdirSync(native);
  const exact = names.some((name) => name.includes(REPLACEMENT))
    ? readdirSync(native, { encoding: 'buffer' }).map(decodeName)
    : names;
  return exact.sort();
}

export function linkTargetOf(path: string): string {
  const native = nativePath(path);
  const target = readlinkSync(native);
  return target.includes(REPLACEMENT) ? decodeName(readlinkSync(native, { encoding: 'buffer' })) : target;
}

/** What is at a path, its last link not followed; `undefined`: nothing. */
export function lstatIfThere(path: string): BigIntStats | undefined {
  try {
    return lstatSync(nativePath(path), { bigint: true });
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

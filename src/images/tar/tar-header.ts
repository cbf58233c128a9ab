import { isAscii } from 'node:buffer';
import { BLOCK, FIELD } from './header.ts';
import { encodeName } from './names.ts';
import type { TarEntry, TarEntryType } from './tar-entry.ts';

const TYPE_FLAGS: Readonly<Record<TarEntryType, string>> = {
  file: '0',
  'hard-link': '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

const MAX_OCTAL_8 = 0o7777777;
const MAX_OCTAL_12 = 0o77777777777;

/**
 * The header of an entry as it stands in an archive: ustar, after an extended header where that cannot hold it. The same entry
 * always gives the same bytes. Times are in whole seconds, as in the layers that Docker makes.
 */
export function tarHeader(entry: TarEntry): Uint8Array {
  const records: [key: string, value: Uint8Array | string][] = [];
  const split = splitName(entry.path);
  if (!split) records.push(['path', entry.path]);
  if (!fitsText(entry.linkTarget, FIELD.linkName[1])) records.push(['linkpath', entry.linkTarget]);
  if (entry.size > MAX_OCTAL_12) records.push(['size', String(entry.size)]);
  if (entry.uid > MAX_OCTAL_8) records.push(['uid', String(entry.uid)]);
  if (entry.gid > MAX_OCTAL_8) records.push(['gid', String(entry.gid)]);
  const { seconds } = entry.mtime;
  if (seconds < 0 || seconds > MAX_OCTAL_12) records.push(['mtime', String(seconds)]);
  for (const name of [...entry.xattrs.keys()].sort()) records.push([`SCHILY.xattr.${name}`, entry.xattrs.get(name)!]);
  const header = ustarHeader(entry, split ?? { prefix: '', name: cut(entry.path) });
  if (records.length === 0) return header;
  const body = Buffer.concat(records.map(([key, value]) => paxRecord(key, value)));
  const padding = Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK);
  return Buffer.concat([paxHeader(entry.path, body.length), body, padding, header]);
}

/** What ends an archive. */
export const END_OF_ARCHIVE: Uint8Array = Buffer.alloc(2 * BLOCK);

/** Zeros that fill the last block of a file's content. */
export function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/** Name and directory of a path that has room in a ustar header; `undefined` when it needs an extended one. */
function splitName(path: string): { prefix: string; name: string } | undefined {
  if (fitsText(path, FIELD.name[1])) return { prefix: '', name: path };
  if (!isAscii(encodeName(path)) || path.length > FIELD.name[1] + 1 + FIELD.prefix[1]) return undefined;
  // The slash between both is not written, and the name may not be empty.
  const at = path.indexOf('/', path.length - FIELD.name[1] - 1);
  if (at <= 0 || at > FIELD.prefix[1] || at === path.length - 1) return undefined;
  return { prefix: path.slice(0, at), name: path.slice(at + 1) };
}

function fitsText(text: string, length: number): boolean {
  return text.length <= length && isAscii(encodeName(text));
}

/** For readers that know no extended headers. */
function cut(path: string): string {
  return path.replace(/[^ -~]/g, '_').slice(-FIELD.name[1]);
}

function ustarHeader(entry: TarEntry, { prefix, name }: { prefix: string; name: string }): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name, FIELD.name[0], 'latin1');
  octal(block, FIELD.mode, entry.mode);
  octal(block, FIELD.uid, Math.min(entry.uid, MAX_OCTAL_8));
  octal(block, FIELD.gid, Math.min(entry.gid, MAX_OCTAL_8));
  octal(block, FIELD.size, entry.type === 'file' ? Math.min(entry.size, MAX_OCTAL_12) : 0);
  octal(block, FIELD.mtime, Math.min(Math.max(entry.mtime.seconds, 0), MAX_OCTAL_12));
  block.write(TYPE_FLAGS[entry.type], FIELD.type[0], 'latin1');
  block.write(cut(entry.linkTarget), FIELD.linkName[0], 'latin1');
  block.write('ustar\x0000', FIELD.magic[0], 'latin1');
  octal(block, FIELD.deviceMajor, entry.deviceMajor);
  octal(block, FIELD.deviceMinor, entry.deviceMinor);
  block.write(prefix, FIELD.prefix[0], 'latin1');
  checksum(block);
  return block;
}

function paxHeader(path: string, size: number): Buffer {
  const slash = path.replace(/\/$/, '').lastIndexOf('/');
  const name = `PaxHeaders.0/${path.slice(slash + 1)}`.replace(/[^ -~]/g, '_').slice(0, FIELD.name[1]);
  const block = Buffer.alloc(BLOCK);
  block.write(name, FIELD.name[0], 'latin1');
  octal(block, FIELD.mode, 0o644);
  octal(block, FIELD.uid, 0);
  octal(block, FIELD.gid, 0);
  octal(block, FIELD.size, size);
  octal(block, FIELD.mtime, 0);
  block.write('x', FIELD.type[0], 'latin1');
  block.write('ustar\x0000', FIELD.magic[0], 'latin1');
  octal(block, FIELD.deviceMajor, 0);
  octal(block, FIELD.deviceMinor, 0);
  checksum(block);
  return block;
}

function octal(block: Buffer, [offset, length]: readonly [number, number], value: number): void {
  block.write(value.toString(8).padStart(length - 1, '0'), offset, 'latin1');
}

function checksum(block: Buffer): void {
  const [offset, length] = FIELD.checksum;
  block.fill(0x20, offset, offset + length);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, offset, 'latin1');
}

/** `LENGTH KEY=VALUE\n`, where the length counts its own digits. */
function paxRecord(key: string, value: Uint8Array | string): Buffer {
  const rest = Buffer.concat([
    Buffer.from(` ${key}=`),
    typeof value === 'string' ? encodeName(value) : value,
    Buffer.from('\n'),
  ]);
  let length = rest.length;
  for (let digits = 0; digits !== String(length).length; ) {
    digits = String(length).length;
    length = rest.length + digits;
  }
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

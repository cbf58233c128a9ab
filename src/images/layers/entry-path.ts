import { TarError } from '../tar/tar-entry.ts';

/**
 * The place of an archive's entry below the directory that it is unpacked in, without `.`, `..` and slashes at the ends;
 * empty for that directory itself. Throws {@link TarError} for a name that climbs out.
 */
export function entryPath(name: string): string {
  if (isClean(name)) return name;
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) throw new TarError(`the archive holds a name that leads out of it: ${name}`);
  }
  return parts.join('/');
}

/** Most names are as they should be already. */
function isClean(name: string): boolean {
  return name !== '' && !/(?:^|\/)(?:\.{0,2})(?:\/|$)/.test(name);
}

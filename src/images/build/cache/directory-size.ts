import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes that the files below a directory take on disk; a file with several names counts once. What vanishes meanwhile counts nothing. */
export async function directorySize(directory: string): Promise<number> {
  const seen = new Set<string>();
  let bytes = 0;
  const pending = [directory];
  while (pending.length > 0) {
    const at = pending.pop()!;
    const entries = await readdir(at, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) {
        pending.push(path);
        continue;
      }
      const stats = await lstat(path).catch(() => undefined);
      if (stats === undefined) continue;
      if (stats.nlink > 1) {
        const key = `${stats.dev}:${stats.ino}`;
        if (seen.has(key)) continue;
        seen.add(key);
      }
      bytes += stats.blocks * 512;
    }
  }
  return bytes;
}

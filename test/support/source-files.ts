import { glob, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root directory. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

export interface SourceFile {
  /** Relative to the root, with `/`. */
  readonly path: string;
  readonly text: string;
}

/** The files that match a pattern, without what is installed or built. */
export async function filesMatching(pattern: string): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  const exclude = ['**/node_modules/**', '**/dist/**', 'bench/results/**'];
  for await (const entry of glob(pattern, { cwd: root, exclude, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const absolute = join(entry.parentPath, entry.name);
    files.push({ path: relative(root, absolute), text: await readFile(absolute, 'utf8') });
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

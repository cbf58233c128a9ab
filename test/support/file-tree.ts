import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * What is in a file system, by path: type, mode, owner, and the content (of long files its digest), the link's target or the device's
 * numbers. Times and the root itself are left out. A further name of the same file tells the first one.
 */
export async function fileTree(root: string): Promise<Map<string, string>> {
  const tree = new Map<string, string>();
  const names = new Map<bigint, string>();
  async function walk(path: string): Promise<void> {
    const stats = await lstat(join(root, path), { bigint: true });
    const mode = (stats.mode & 0o7777n).toString(8);
    const owner = `${stats.uid}:${stats.gid}`;
    const first = stats.isDirectory() || stats.nlink === 1n ? undefined : names.get(stats.ino);
    if (first !== undefined) {
      tree.set(path, `the same as ${first}`);
      return;
    }
    names.set(stats.ino, path);
    if (stats.isDirectory()) {
      if (path !== '') tree.set(path, `directory ${mode} ${owner}`);
      for (const name of (await readdir(join(root, path))).sort()) await walk(`${path}/${name}`);
    } else if (stats.isSymbolicLink()) {
      tree.set(path, `link ${owner} ${await readlink(join(root, path))}`);
    } else if (stats.isFile()) {
      tree.set(path, `file ${mode} ${owner} ${contentOf(await readFile(join(root, path)))}`);
    } else if (stats.isFIFO()) tree.set(path, `fifo ${mode} ${owner}`);
    else if (stats.isSocket()) tree.set(path, `socket ${mode} ${owner}`);
    else {
      const kind = stats.isCharacterDevice() ? 'character' : 'block';
      tree.set(path, `${kind} device ${mode} ${owner} ${stats.rdev}`);
    }
  }
  await walk('');
  return tree;
}

const SHORT = 200;

function contentOf(bytes: Buffer): string {
  if (bytes.length <= SHORT) return JSON.stringify(bytes.toString('latin1'));
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

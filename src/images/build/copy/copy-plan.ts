import { type CopyFile, type CopySource, stampOf } from './copy-files.ts';
import type { Selection } from './copy-sources.ts';
import type { TreeFile } from './source-tree.ts';

/** What was selected, as the plain data that copying needs. Throws for files that a build context cannot give. */
export function toCopySources(selections: readonly Selection[]): CopySource[] {
  return selections.map(({ tree, name, file, below }) => {
    const convert = (one: TreeFile) => toCopyFile(one, tree);
    return { name, file: convert(file), below: below.map((one) => ({ path: one.path, file: convert(one.file) })) };
  });
}

function toCopyFile(file: TreeFile, { time, ownsFiles, label }: Selection['tree']): CopyFile {
  const { kind, absolute, mode, uid, gid, target, stats } = file;
  const isSpecial = kind === 'device' || kind === 'fifo';
  if (isSpecial && !ownsFiles) {
    throw new Error(
      `${file.path} in ${label} is a ${kind === 'fifo' ? 'named pipe' : 'device'}, which cannot be copied`,
    );
  }
  return {
    kind,
    from: absolute,
    size: stats.size,
    mode,
    ...(kind === 'file' ? { sourceMode: stats.mode & 0o7777 } : {}),
    uid,
    gid,
    target,
    ...(time === undefined ? {} : { time: BigInt(time) * 1_000_000_000n }),
    ...(isSpecial ? { device: BigInt(stats.rdev), nodeMode: stats.mode } : {}),
    ...(kind === 'file' && stats.nlink > 1 ? { inode: `${stats.dev}:${stats.ino}` } : {}),
    ...(kind === 'file' ? { stamp: stampOf(stats) } : {}),
    attributes: ownsFiles,
  };
}

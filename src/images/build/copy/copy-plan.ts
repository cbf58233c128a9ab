import type { CopyFile, CopySource } from './copy-files.ts';
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
    mode,
    uid,
    gid,
    target,
    time: time === undefined ? stats.mtimeNs : BigInt(time) * 1_000_000_000n,
    ...(isSpecial ? { device: stats.rdev, nodeMode: Number(stats.mode) } : {}),
    ...(kind === 'file' && stats.nlink > 1n ? { inode: `${stats.dev}:${stats.ino}` } : {}),
    ...(kind === 'file' ? { stamp: `${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}:${stats.ino}` } : {}),
    attributes: ownsFiles,
  };
}

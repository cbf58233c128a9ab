import { existsSync, lstatSync, readlinkSync } from 'node:fs';

/** Directories of the system that a runtime needs. In merged-/usr systems all but the first are symbolic links. */
const SYSTEM_DIRECTORIES = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];

const OWNERS_ADDITIONS = ['/usr/local', '/usr/src'];

/** bwrap's arguments for the file system that every sandbox starts from, before anything of its own. */
export function baseFileSystem(): string[] {
  const args: string[] = [];
  for (const directory of SYSTEM_DIRECTORIES) {
    const stat = lstatSync(directory, { throwIfNoEntry: false });
    if (!stat) continue;
    if (stat.isSymbolicLink()) args.push('--symlink', readlinkSync(directory), directory);
    else args.push('--ro-bind', directory, directory);
  }
  // Local additions of the machine's owner are none of a function's business.
  for (const directory of OWNERS_ADDITIONS) if (existsSync(directory)) args.push('--tmpfs', directory);
  args.push(...kernelFileSystems());
  args.push('--perms', '0755', '--dir', '/var/task', '--perms', '0755', '--dir', '/opt', '--dir', '/var/runtime');
  return args;
}

/** bwrap's arguments for a file system that is an image's: nothing of it can be written. */
export function imageFileSystem(root: string): string[] {
  return ['--ro-bind', root, '/', ...kernelFileSystems()];
}

/** Lambda has no shared memory file system either: what works here must work there. */
function kernelFileSystems(): string[] {
  return [
    ...['--proc', '/proc', '--dev', '/dev'],
    ...['--perms', '0555', '--size', '4096', '--tmpfs', '/dev/shm', '--remount-ro', '/dev'],
  ];
}

/** To be given after everything else was put in its place: nothing but `/tmp` can then be written. */
export function sealFileSystem(): string[] {
  const args: string[] = [];
  for (const directory of OWNERS_ADDITIONS) if (existsSync(directory)) args.push('--remount-ro', directory);
  return [...args, '--remount-ro', '/'];
}

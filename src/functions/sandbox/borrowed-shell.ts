import { execFile } from 'node:child_process';
import { copyFile, mkdir, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

/** Where a sandbox with a file system of its own finds the shell that starts it. */
export const SHELL_INSIDE = '/run/kobune-shell';

const SHELL = '/bin/sh';

/** The command by which it runs: the dynamic loader is named, since the inside's own may be another, or none. */
export const BORROWED_SHELL: readonly string[] = [
  `${SHELL_INSIDE}/loader`,
  '--library-path',
  SHELL_INSIDE,
  `${SHELL_INSIDE}/sh`,
];

/**
 * Copies the host's shell, its libraries and the loader that joins them into `directory`: an image need not have a
 * shell, and what starts a sandbox's command is one.
 */
export async function copyShell(directory: string): Promise<void> {
  const { stdout } = await promisify(execFile)('ldd', [SHELL], {
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
  });
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const copies = [copyFile(await realpath(SHELL), join(directory, 'sh'))];
  for (const line of stdout.split('\n')) {
    const [, library] = /=> (\/\S+)/.exec(line) ?? [];
    const [, loader] = /^\s*(\/\S*ld[-.]\S*)/.exec(line) ?? [];
    if (library !== undefined) copies.push(copyFile(library, join(directory, basename(library))));
    else if (loader !== undefined) copies.push(copyFile(loader, join(directory, 'loader')));
  }
  await Promise.all(copies);
}

import { execFile } from 'node:child_process';
import { copyFile, mkdir, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import type { StartPrograms } from './sandbox.ts';

/** Where a sandbox with a file system of its own finds what starts it. */
export const PROGRAMS_INSIDE = '/run/kobune-shell';

const SYSTEM_PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
const LOADER = 'loader';

/** The base file system's own. */
export const OWN_PROGRAMS: StartPrograms = { shell: ['/bin/sh'], env: ['/usr/bin/env'] };

/**
 * Copies the host's `sh` and `env`, their libraries and the loader that joins them into `directory`: an image need not
 * have a shell, and what starts a sandbox's command is one. Answers the commands by which they run inside.
 */
export async function borrowPrograms(directory: string): Promise<StartPrograms> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const [shell, env] = await Promise.all([
    borrow(directory, 'sh', OWN_PROGRAMS.shell[0]!),
    borrow(directory, 'env', OWN_PROGRAMS.env[0]!),
  ]);
  return { shell, env };
}

async function borrow(directory: string, name: string, program: string): Promise<readonly string[]> {
  const path = await realpath(program);
  const needed = await librariesOf(path);
  await Promise.all([
    copyFile(path, join(directory, name)),
    ...[...needed].map(([target, source]) => copyFile(source, join(directory, target))),
  ]);
  const inside = join(PROGRAMS_INSIDE, name);
  if (!needed.has(LOADER)) return [inside];
  // The loader is named, since the inside's own may be another, or none.
  return [join(PROGRAMS_INSIDE, LOADER), '--library-path', PROGRAMS_INSIDE, inside];
}

/** Paths of the libraries of a program by the names that they are to have; none of one that is linked statically. */
async function librariesOf(program: string): Promise<Map<string, string>> {
  const { stdout } = await promisify(execFile)('ldd', [program], { env: { PATH: SYSTEM_PATH, LC_ALL: 'C' } }).catch(
    (error: { stdout?: string; stderr?: string }) => {
      if (/not a (?:valid )?dynamic (?:executable|program)/i.test(`${error.stdout}${error.stderr}`))
        return { stdout: '' };
      throw error;
    },
  );
  const libraries = new Map<string, string>();
  for (const line of stdout.split('\n')) {
    const [, library] = /=> (\/\S+)/.exec(line) ?? [];
    const [, loader] = /^\s*(\/\S*ld[-.]\S*)/.exec(line) ?? [];
    if (library !== undefined) libraries.set(basename(library), library);
    else if (loader !== undefined) libraries.set(LOADER, loader);
  }
  return libraries;
}

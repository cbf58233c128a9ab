import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { ImageRoot } from '../engine.ts';

/**
 * A runtime client as a shell script of busybox. An event is `{"run":"<base64 of a script>"}`; the answer is what the
 * script prints, as a JSON string in base64.
 */
export const BUSYBOX_RUNTIME = `#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime
while true; do
  wget -q -S -O /tmp/.event "$api/invocation/next" 2>/tmp/.headers || exit 1
  id=$(sed -n 's/^ *[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: *//p' /tmp/.headers | tr -d '\\r')
  sed 's/.*"run": *"//; s/".*//' /tmp/.event | base64 -d >/tmp/.script
  answer=$(sh /tmp/.script "$@" 2>&1 | base64 -w 0)
  echo "served $id"
  wget -q -O /dev/null --post-data "\\"$answer\\"" "$api/invocation/$id/response"
done
`;

/** The event that has {@link BUSYBOX_RUNTIME} run a script. */
export function runEvent(script: string): { readonly run: string } {
  return { run: Buffer.from(script).toString('base64') };
}

const PLACES = ['proc', 'dev', 'tmp', 'run/kobune', 'run/kobune-shell', 'etc/kobune', 'bin'];

/** An image's file system as a directory: busybox, `/runtime`, and further files (`*` at the end: executable). */
export async function busyboxRoot(
  parent: string,
  files: Readonly<Record<string, string>> = {},
  changes: Partial<ImageRoot> = {},
): Promise<ImageRoot> {
  const directory = await mkdtemp(join(parent, 'root-'));
  await chmod(directory, 0o755);
  await Promise.all(PLACES.map((place) => mkdir(join(directory, place), { recursive: true })));
  await Promise.all(['etc/hosts', 'etc/resolv.conf'].map((file) => writeFile(join(directory, file), '')));
  await copyFile('/bin/busybox', join(directory, 'bin/busybox'));
  const { stdout } = await promisify(execFile)('/bin/busybox', ['--list']);
  for (const applet of stdout.split('\n').filter((name) => name !== '' && name !== 'busybox')) {
    await symlink('busybox', join(directory, 'bin', applet));
  }
  for (const [name, text] of Object.entries({ 'runtime*': BUSYBOX_RUNTIME, ...files })) {
    const path = join(directory, name.replace(/\*$/, ''));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text, { mode: name.endsWith('*') ? 0o755 : 0o644 });
  }
  return {
    directory,
    entryPoint: ['/runtime'],
    command: [],
    workingDirectory: '/',
    environment: [],
    release: () => {},
    ...changes,
  };
}

import { spawn } from 'node:child_process';
import { closeSync, constants, fstatSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { Root } from '../../images/index.ts';
import type { MountPoint } from '../container.ts';
import type { EngineParts } from '../parts.ts';
import { openInRoot } from '../runtime/in-root.ts';

/**
 * Copies what the image has at a volume's place into the volume, with owners and modes, if the volume is empty. Source: Docker's
 * documentation, "Volumes": populate a volume using a container.
 */
export async function copyUp(
  { kernel, volumes }: Pick<EngineParts, 'kernel' | 'volumes'>,
  root: Root,
  point: MountPoint,
): Promise<void> {
  const volume = point.name === undefined ? undefined : volumes.find(point.name);
  if (!volume || Object.keys(volume.options).length > 0) return;
  const source = openInRoot(kernel, root.path, point.destination, constants.O_RDONLY | constants.O_DIRECTORY);
  if (source === undefined) return;
  try {
    if (!fstatSync(source).isDirectory() || (await readdir(volume.mountpoint)).length > 0) return;
    await copyTree(source, volume.mountpoint);
  } finally {
    closeSync(source);
  }
}

/** `cp` keeps everything that a file system has: links, holes, attributes, devices; and it follows no link inside the tree. */
async function copyTree(source: number, target: string): Promise<void> {
  const child = spawn('cp', ['--archive', '--reflink=auto', '--', '/proc/self/fd/3/.', target], {
    stdio: ['ignore', 'ignore', 'pipe', source],
  });
  let complaint = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    if (complaint.length < 1024) complaint += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  if (code !== 0) throw new Error(`the image's files could not be copied into a volume: ${complaint.trim()}`);
}

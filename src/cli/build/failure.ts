import { readFile } from 'node:fs/promises';
import { isAbsolute, join, relative } from 'node:path';
import type { ImageBuild } from '../docker-client/image-build.ts';
import { paint, type Terminal } from '../terminal.ts';

/** Lines shown before and after the one that is meant. */
const AROUND = 2;

/** Shows the place in the Dockerfile that an error of a build names (`FILE:LINE: …`), on standard error. */
export async function showPlace(terminal: Terminal, message: string, build: ImageBuild): Promise<void> {
  const [, file, number] = /^(.+?):(\d+): /.exec(message) ?? [];
  if (file === undefined || number === undefined) return;
  const lines = await linesOf(build, file);
  const line = Number(number);
  if (lines?.[line - 1] === undefined) return;
  const stderr = { ...terminal, stdout: terminal.stderr };
  const width = String(line + AROUND).length;
  for (let at = Math.max(1, line - AROUND); at <= Math.min(lines.length, line + AROUND); at += 1) {
    const text = `${at === line ? '>' : ' '} ${String(at).padStart(width)} | ${lines[at - 1]}`;
    terminal.stderr.write(`${at === line ? paint(stderr, 'bold', text) : text}\n`);
  }
}

async function linesOf({ dockerfile, directory }: ImageBuild, file: string): Promise<string[] | undefined> {
  if ('text' in dockerfile) return dockerfile.text.split('\n');
  const path = isAbsolute(dockerfile.path) ? dockerfile.path : join(directory, dockerfile.path);
  // An error of another file, such as an ONBUILD of the base, has no place here.
  if (file !== path && file !== relative(directory, path)) return undefined;
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text?.split('\n');
}

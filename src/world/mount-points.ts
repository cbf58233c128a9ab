import { readFile } from 'node:fs/promises';

/** Where something is mounted below a directory, outermost first. None where there is no `/proc`. */
export async function mountPointsBelow(directory: string): Promise<readonly string[]> {
  const table = await readFile('/proc/self/mounts', 'utf8').catch(() => '');
  return table
    .split('\n')
    .map((line) => unescaped(line.split(' ')[1] ?? ''))
    .filter((point) => point.startsWith(`${directory}/`));
}

/** Spaces and the like are octal numbers in the kernel's table of mounts (proc(5)). */
function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

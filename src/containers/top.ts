import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { groupDirectories, membersOf } from './cgroups/hierarchies.ts';
import { invalid, notRunning } from './errors.ts';
import type { LiveContainer } from './live-container.ts';
import type { EngineParts } from './parts.ts';
import { findProgram } from './runtime/oci-runtime.ts';

const run = promisify(execFile);

/** Rows of the machine's `ps` about the container's processes. Source: `docker top`. */
export async function top(
  { hierarchies }: EngineParts,
  container: LiveContainer,
  psArguments = '-ef',
): Promise<{ readonly titles: readonly string[]; readonly processes: readonly (readonly string[])[] }> {
  if (!container.running) throw notRunning(container.id);
  // A header of one's own could make another column look like that of process numbers.
  if (/pid\s*=|=\s*pid/i.test(psArguments)) throw invalid('specifying "PID" as a header is not allowed');
  const program = findProgram('ps');
  if (program === undefined) throw invalid('ps is not installed on this machine: apt-get install procps');
  const directory = groupDirectories(hierarchies, container.groupPath)[0]!;
  const members = new Set(membersOf(directory).map(String));
  let text: string;
  try {
    text = (await run(program, psArguments.split(/\s+/).filter(Boolean), { maxBuffer: 64 * 1024 * 1024 })).stdout;
  } catch (error) {
    throw invalid(`ps: ${(error as { stderr?: string }).stderr?.trim() || (error as Error).message}`);
  }
  const [header = '', ...lines] = text.split('\n').filter(Boolean);
  const titles = header.trim().split(/\s+/);
  const pid = titles.indexOf('PID');
  if (pid < 0) throw invalid("Couldn't find PID field in ps output");
  const processes = lines.map((line) => columns(line, titles.length)).filter((row) => members.has(row[pid]!));
  return { titles, processes };
}

/** The last column has everything that is left. */
function columns(line: string, count: number): string[] {
  const words = line.trim().split(/\s+/);
  return [...words.slice(0, count - 1), words.slice(count - 1).join(' ')];
}

import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

/** Where Debian has the programs that only root uses. */
const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

/** A program said no: its error output is the message. */
export class ProgramError extends Error {
  /** Of the system call that failed, where the program told it; `ENOENT` also when the program is not installed. */
  readonly code: string | undefined;
  constructor(program: string, complaint: string, code?: string) {
    super(`${program}: ${complaint}`);
    this.name = 'ProgramError';
    this.code = code ?? CODES.find(([pattern]) => pattern.test(complaint))?.[1];
  }
}

const CODES: readonly (readonly [RegExp, string])[] = [
  [/File exists|already assigned/, 'EEXIST'],
  [/Cannot find device|No such device/, 'ENODEV'],
  [/No such file/, 'ENOENT'],
  [/not permitted/, 'EPERM'],
];

/** Runs a program of this machine with `input`; answers what it printed. Throws {@link ProgramError}. */
export async function runProgram(program: string, args: readonly string[], input = ''): Promise<string> {
  const child = spawn(program, args, { stdio: 'pipe', env: { PATH, LC_ALL: 'C' } });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(new ProgramError(program, error.code === 'ENOENT' ? 'not installed' : error.message, error.code));
    });
    child.once('close', resolve);
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code, output, complaint] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  if (code !== 0) throw new ProgramError(program, complaint.trim() || `ended with ${code}`);
  return output;
}

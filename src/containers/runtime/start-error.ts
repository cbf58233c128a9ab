import { ServiceError } from '../../base/errors.ts';

/** What a shell answers for a command that is not there, and for one that cannot be run; Docker answers the same. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

/** `CannotStart` for what a runtime said of `command`, with the exit code that goes with it as member `exitCode`. */
export function startError(complaint: string, command: string, cause?: unknown): ServiceError {
  const message = inWordsOfRunc(complaint, command);
  const notFound = /executable file not found|no such file or directory/i.test(message);
  const notExecutable = /permission denied|is a directory|exec format error/i.test(message);
  const exitCode = notFound ? NOT_FOUND : notExecutable ? NOT_EXECUTABLE : NOT_EXECUTABLE + 2;
  return new ServiceError('CannotStart', message, { status: 400, members: { exitCode }, cause });
}

/** crun words what runc tells in its own way; the `docker` command knows runc's, and takes its exit code from them. */
function inWordsOfRunc(complaint: string, command: string): string {
  const [, reason] =
    /^(?:executable file `.*` not found|open executable|exec container process)\b.*: (.+)$/i.exec(complaint) ?? [];
  if (reason === undefined) return complaint;
  if (/ in \$PATH/.test(complaint)) return `exec: "${command}": executable file not found in $PATH`;
  // So it says of a directory.
  return `exec: "${command}": ${/not permitted/i.test(reason) ? 'permission denied' : reason.toLowerCase()}`;
}

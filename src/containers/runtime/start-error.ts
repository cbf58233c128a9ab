import { ServiceError } from '../../base/errors.ts';

/** What a shell answers for a command that is not there, and for one that cannot be run; Docker answers the same. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

/** `CannotStart` for what a runtime said, with the exit code that goes with it as member `exitCode`. */
export function startError(message: string, cause?: unknown): ServiceError {
  const notFound = /executable file not found|no such file or directory/i.test(message);
  const notExecutable = /permission denied|is a directory|exec format error/i.test(message);
  const exitCode = notFound ? NOT_FOUND : notExecutable ? NOT_EXECUTABLE : NOT_EXECUTABLE + 2;
  return new ServiceError('CannotStart', message, { status: 400, members: { exitCode }, cause });
}

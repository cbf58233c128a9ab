import { ServiceError } from '../../base/errors.ts';
import type { BuildErrorPlace } from './builder.ts';
import { CopyError } from './copy/copy-files.ts';
import { SourceNotFoundError } from './copy/copy-sources.ts';
import { InsidePathError } from './copy/inside.ts';
import { DockerfileError, dockerfileError, type Instruction, PatternError } from './dockerfile/index.ts';
import { RunFailedError } from './run/run-operation.ts';

/** The error of a step with its place in the Dockerfile. What is the program's own fault stays as it is. */
export function stepError(error: unknown, instruction: Pick<Instruction, 'lines' | 'excerpt'>, file: string): unknown {
  const place: BuildErrorPlace = { file, line: instruction.lines.start, excerpt: instruction.excerpt };
  if (error instanceof RunFailedError) {
    return new ServiceError('BuildFailed', `${file}:${place.line}: ${error.message}`, {
      status: 500,
      members: { place: { ...place, exitCode: error.exitCode } },
      cause: error,
    });
  }
  if (error instanceof ServiceError && error.members.place === undefined) {
    return new ServiceError(error.code, `${file}:${place.line}: ${error.message}`, {
      status: error.status,
      members: { ...error.members, place },
      headers: error.headers,
      ...(error.detail === undefined ? {} : { detail: error.detail }),
      cause: error,
    });
  }
  if (error instanceof DockerfileError || !(error instanceof Error)) return error;
  const full = diskError(error, place);
  if (full !== undefined) return full;
  if ((error as NodeJS.ErrnoException).code === 'ENAMETOOLONG') {
    return dockerfileError(instruction, file, 'a path is longer than 4095 bytes, or a name in it than 255');
  }
  const isUsers =
    error.constructor === Error ||
    [CopyError, SourceNotFoundError, PatternError, InsidePathError].some((kind) => error instanceof kind);
  const isSystems = (error as NodeJS.ErrnoException).code !== undefined;
  return isUsers && !isSystems ? dockerfileError(instruction, file, error.message) : error;
}

function diskError(error: Error, place: BuildErrorPlace): ServiceError | undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return undefined;
  return new ServiceError('DiskFull', `${place.file}:${place.line}: no space left on device`, {
    status: 507,
    members: { place },
    cause: error,
  });
}

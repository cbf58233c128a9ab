import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { ServiceError } from '../../base/errors.ts';
import type { BuildOptions } from './builder.ts';
import { resolveInside } from './copy/inside.ts';
import { ignoreFileNames } from './dockerfile/index.ts';

/** Larger ones are refused. */
const MAX_SIZE = 1 << 20;

/** The context's own ignore file: that of the Dockerfile's name if there is one, else `.dockerignore`. */
export async function readIgnoreFile({ context, dockerfile }: BuildOptions): Promise<string | undefined> {
  for (const name of ignoreFileNames(dockerfile.name)) {
    const { path, stats } = resolveInside(context.directory, name);
    if (!stats?.isFile()) continue;
    if (stats.size > MAX_SIZE) {
      throw new ServiceError('DockerfileError', `${name} is larger than ${MAX_SIZE} bytes`);
    }
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    return await file.readFile('utf8');
  }
  return undefined;
}

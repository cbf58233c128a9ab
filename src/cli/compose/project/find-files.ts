import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ComposeFileError } from '../file/place.ts';

/** In this order (https://docs.docker.com/compose/intro/compose-application-model/#the-compose-file). */
const NAMES = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml'];
const OVERRIDES = [
  'compose.override.yaml',
  'compose.override.yml',
  'docker-compose.override.yml',
  'docker-compose.override.yaml',
];

/** Standard input, as `-f -` names it. */
export const STANDARD_INPUT = '-';

interface FoundFiles {
  /** Absolute paths, or `-`; the later override the earlier. */
  readonly files: readonly string[];
  readonly warnings: readonly string[];
}

/** The files that were named, or those with the usual names here or in a directory above. Throws when there are none. */
export function findComposeFiles(named: readonly string[], workingDirectory: string): FoundFiles {
  if (named.length > 0) {
    const files = named.map((file) => (file === STANDARD_INPUT ? file : resolve(workingDirectory, file)));
    for (const file of files)
      if (file !== STANDARD_INPUT && !existsSync(file)) throw new ComposeFileError(`there is no file ${file}`);
    return { files, warnings: [] };
  }
  for (let directory = workingDirectory; ; directory = dirname(directory)) {
    const found = NAMES.map((name) => join(directory, name)).filter((file) => existsSync(file));
    const [file] = found;
    if (file !== undefined) {
      const override = OVERRIDES.map((name) => join(directory, name)).filter((path) => existsSync(path));
      return {
        files: [file, ...override.slice(0, 1)],
        warnings: [several(found), several(override)].flat(),
      };
    }
    if (directory === dirname(directory)) break;
  }
  throw new ComposeFileError('there is no Compose file here, nor in a directory above', {
    hint: `Name one with -f, or call it ${NAMES[0]}.`,
  });
}

function several(files: readonly string[]): string[] {
  return files.length > 1 ? [`there are several Compose files: ${files.join(', ')}; ${files[0]} is used`] : [];
}

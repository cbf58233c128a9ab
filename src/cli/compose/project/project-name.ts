import { basename } from 'node:path';
import { ComposeFileError } from '../file/place.ts';

/** What a project may be called (https://docs.docker.com/reference/compose-file/version-and-name/#name-top-level-element). */
const VALID = /^[a-z0-9][a-z0-9_-]*$/;

/**
 * The project's name: the first that is given of `-p`, `COMPOSE_PROJECT_NAME`, the files' `name` and the directory's name without what a
 * name may not hold (https://docs.docker.com/compose/how-tos/project-name/). Throws when a given name is not valid.
 */
export function projectName(options: {
  readonly option: string | undefined;
  readonly variable: string | undefined;
  readonly file: string | undefined;
  readonly directory: string;
}): string {
  for (const [source, name] of [
    ['-p', options.option],
    ['COMPOSE_PROJECT_NAME', options.variable],
    ['"name"', options.file],
  ] as const) {
    if (name === undefined || name === '') continue;
    if (VALID.test(name)) return name;
    throw new ComposeFileError(`${source} gives the project a name that is not valid: "${name}"`, {
      hint: 'Lower-case letters, digits, "-" and "_" are allowed; a letter or a digit comes first.',
    });
  }
  const name = basename(options.directory)
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, '')
    .replace(/^[_-]+/, '');
  if (name !== '') return name;
  throw new ComposeFileError(`no name for the project can be made of ${options.directory}`, {
    hint: 'Give one with -p or COMPOSE_PROJECT_NAME.',
  });
}

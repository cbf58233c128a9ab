import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { InterpolationError, interpolate, type Variables } from '../file/interpolation.ts';
import { ComposeFileError, showPlace } from '../file/place.ts';
import { checkOrder, checkProject } from './check-project.ts';
import { withEnvFiles } from './environment.ts';
import { findComposeFiles, STANDARD_INPUT } from './find-files.ts';
import type { Warning } from './layer.ts';
import { loadFiles, readDocuments, type Surroundings } from './load-files.ts';
import type { Project } from './project.ts';
import { projectName } from './project-name.ts';
import { resolveProject } from './resolve-project.ts';

export interface ProjectOptions {
  /** `-f`, in order; `-` is standard input. */
  readonly files: readonly string[];
  readonly projectName?: string;
  readonly projectDirectory?: string;
  /** `--env-file`; the project's `.env` when there are none. */
  readonly envFiles: readonly string[];
  readonly profiles: readonly string[];
  /** Services named on the command line; their profiles count as active. */
  readonly named?: readonly string[];
  /**
   * For commands on containers that are there: what keeps services from being started now (an environment file that is gone, a service
   * that is not active) is no error.
   */
  readonly isForExisting?: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
  readonly home: string;
  readonly readStandardInput?: () => string;
}

/** Finds and reads a project's files and makes the whole of it. Throws a `ComposeFileError` that says where the problem is. */
export function loadProject(options: ProjectOptions): Project {
  const { workingDirectory, environment } = options;
  const show = (file: string) => {
    const path = relative(workingDirectory, file);
    return path.startsWith('..') ? file : path || '.';
  };
  const shell: Variables = (name) => environment[name];
  const given = options.projectDirectory && resolve(workingDirectory, options.projectDirectory);
  const early = withEnvFiles(envFilesOf(options, given ?? workingDirectory, shell), shell, show);
  const named = options.files.length > 0 ? options.files : filesOfVariable(early);
  const found = findComposeFiles(named, given ?? workingDirectory);
  const directory = given ?? directoryOf(found.files, workingDirectory);
  const envFiles = envFilesOf(options, directory, shell);
  const outer = withEnvFiles(envFiles, shell, show);
  const warnings: Warning[] = found.warnings.map((message) => ({ message }));
  const surroundings: Surroundings = {
    variables: outer,
    home: options.home,
    show,
    readStandardInput: once(options.readStandardInput ?? (() => '')),
    warn: (warning) => {
      if (!warnings.some((other) => showWarning(other) === showWarning(warning))) warnings.push(warning);
    },
  };
  const name = projectName({
    option: options.projectName,
    variable: outer('COMPOSE_PROJECT_NAME'),
    file: nameInFiles(found.files, surroundings),
    directory,
  });
  const variables: Variables = (variable) => (variable === 'COMPOSE_PROJECT_NAME' ? name : outer(variable));
  const loaded = loadFiles(found.files, directory, { ...surroundings, variables });
  const project = resolveProject({
    ...loaded,
    name,
    directory,
    files: found.files,
    envFiles,
    profiles: [...options.profiles, ...(options.profiles.length > 0 ? [] : words(outer('COMPOSE_PROFILES'), ','))],
    named: options.named ?? [],
    variables,
    readsFiles: options.isForExisting !== true,
    warn: surroundings.warn,
    show,
  });
  if (options.isForExisting === true) checkOrder(project);
  else checkProject(project, surroundings.warn);
  return { ...project, warnings };
}

/** `compose.yaml:3: …` */
export function showWarning({ place, message }: Warning): string {
  return place === undefined ? message : `${showPlace(place)}: ${message}`;
}

function directoryOf(files: readonly string[], workingDirectory: string): string {
  const [first] = files;
  return first === undefined || first === STANDARD_INPUT ? workingDirectory : dirname(first);
}

/** `--env-file`, `COMPOSE_ENV_FILES`, or the `.env` beside the Compose file. */
function envFilesOf(options: ProjectOptions, directory: string, shell: Variables): string[] {
  const given = options.envFiles.length > 0 ? options.envFiles : words(shell('COMPOSE_ENV_FILES'), ',');
  if (given.length > 0) return given.map((file) => resolve(options.workingDirectory, file));
  const isDisabled = ['1', 'true'].includes(shell('COMPOSE_DISABLE_ENV_FILE')?.toLowerCase() ?? '');
  const standard = join(directory, '.env');
  return !isDisabled && existsSync(standard) ? [standard] : [];
}

function filesOfVariable(variables: Variables): string[] {
  return words(variables('COMPOSE_FILE'), variables('COMPOSE_PATH_SEPARATOR') || ':');
}

function words(text: string | undefined, separator: string): string[] {
  return (text ?? '')
    .split(separator)
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

/** The last `name` at the top of a file: known before variables are replaced, for it is one of them. */
function nameInFiles(files: readonly string[], surroundings: Surroundings): string | undefined {
  let result: string | undefined;
  for (const file of files) {
    for (const tree of readDocuments(file, surroundings)) {
      const name = tree.kind === 'map' ? tree.entries.get('name')?.value : undefined;
      if (name?.kind !== 'scalar' || typeof name.value !== 'string') continue;
      try {
        result = interpolate(name.value, surroundings.variables);
      } catch (error) {
        if (!(error instanceof InterpolationError)) throw error;
        throw new ComposeFileError(`name: ${error.message}`, { place: name.place, cause: error });
      }
    }
  }
  return result;
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

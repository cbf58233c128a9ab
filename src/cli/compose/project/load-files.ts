import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { interpolateTree, type Variables } from '../file/interpolation.ts';
import { ComposeFileError } from '../file/place.ts';
import { readYaml, type Tree } from '../file/yaml-tree.ts';
import type { ComposeFile, Include } from '../model/compose-file.ts';
import { nearest } from '../model/nearest.ts';
import { type Service, service as serviceMember } from '../model/service.ts';
import { readText, withEnvFiles } from './environment.ts';
import { STANDARD_INPUT } from './find-files.ts';
import { type Layer, mergeLayer, Places, readLayer, type Warning, without } from './layer.ts';

export interface Surroundings {
  readonly variables: Variables;
  readonly home: string;
  /** A file's path as messages name it. */
  readonly show: (file: string) => string;
  readonly readStandardInput: () => string;
  readonly warn: (warning: Warning) => void;
}

export interface LoadedFiles {
  readonly model: ComposeFile;
  readonly places: Places;
}

const RESOURCES = ['services', 'networks', 'volumes', 'secrets', 'configs'] as const;

/**
 * Reads Compose files and merges them in their order: variables, then `extends`, then `include`, file by file
 * (https://docs.docker.com/reference/compose-file/merge/). `directory` is where relative paths start in all of them.
 */
export function loadFiles(files: readonly string[], directory: string, surroundings: Surroundings): LoadedFiles {
  return new Loader(surroundings).load(files, directory, surroundings.variables, []);
}

/** The documents of a file as they stand, before variables are replaced. */
export function readDocuments(file: string, surroundings: Surroundings): Tree[] {
  const text = file === STANDARD_INPUT ? surroundings.readStandardInput() : readText(file, surroundings.show);
  return readYaml(text, file === STANDARD_INPUT ? 'standard input' : surroundings.show(file));
}

class Loader {
  readonly #surroundings: Surroundings;

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
  }

  load(files: readonly string[], directory: string, variables: Variables, includedBy: readonly string[]): LoadedFiles {
    const places = new Places();
    let model: ComposeFile = {};
    for (const file of files) {
      for (const document of readDocuments(file, this.#surroundings)) {
        const layer = this.#read(document, directory, variables);
        const extended = this.#extend(layer, file, variables, model);
        for (const include of extended.model.include ?? []) {
          const chain = [...includedBy, file];
          const included = this.#include(include, variables, chain);
          places.add(included.places);
          model = withIncluded(model, extended, included, this.#surroundings.show(include.path[0]!));
        }
        places.add(extended.places);
        model = mergeLayer(model, extended);
      }
    }
    return { model: without(model, ['include']), places };
  }

  #read(document: Tree, directory: string, variables: Variables): Layer {
    const { home, warn } = this.#surroundings;
    const tree = interpolateTree(document, variables, (name) =>
      warn({ message: `the variable ${name} is not set; an empty text takes its place` }),
    );
    return readLayer(tree, { directory, home, warn });
  }

  #include(include: Include, variables: Variables, chain: readonly string[]): LoadedFiles {
    const [first] = include.path;
    if (first === undefined) throw new ComposeFileError('an include needs a path');
    const again = include.path.find((path) => chain.includes(path));
    if (again !== undefined) {
      const way = [...chain, again].map((file) => this.#surroundings.show(file)).join(' → ');
      throw new ComposeFileError(`Compose files include each other in a circle: ${way}`);
    }
    const directory = include.project_directory ?? dirname(first);
    const standard = join(directory, '.env');
    const envFiles = include.env_file ?? (existsSync(standard) ? [standard] : []);
    // What is set here wins over what the included application says of itself.
    return this.load(include.path, directory, withEnvFiles(envFiles, variables, this.#surroundings.show), chain);
  }

  /** The layer with each service that extends another made whole. */
  #extend(layer: Layer, file: string, variables: Variables, earlier: ComposeFile): Layer {
    const { services } = layer.model;
    if (services === undefined) return layer;
    const whole = new Map<string, Service>();
    for (const name of services.keys()) whole.set(name, this.#service(layer, file, name, variables, earlier, []));
    return { ...layer, model: { ...layer.model, services: whole } };
  }

  #service(
    layer: Layer,
    file: string,
    name: string,
    variables: Variables,
    earlier: ComposeFile,
    chain: readonly string[],
  ): Service {
    const path = ['services', name];
    const service = layer.model.services?.get(name) ?? earlier.services?.get(name);
    if (service === undefined) {
      const guess = nearest(name, [...(layer.model.services?.keys() ?? [])]);
      throw new ComposeFileError(`there is no service "${name}" to extend in ${this.#surroundings.show(file)}`, {
        hint: guess === undefined ? undefined : `Did you mean "${guess}"?`,
      });
    }
    if (service.extends === undefined) return service;
    const { service: baseName, file: baseFile = file } = service.extends;
    const step = `${this.#surroundings.show(file)}:${name}`;
    if (chain.includes(step)) {
      throw new ComposeFileError(`services extend each other in a circle: ${[...chain, step].join(' → ')}`, {
        place: layer.places.at([...path, 'extends']),
      });
    }
    const steps = [...chain, step];
    const base =
      baseFile === file
        ? this.#service(layer, file, baseName, variables, earlier, steps)
        : this.#foreign(layer, path, baseFile, baseName, variables, steps);
    const tags = layer.tags.filter(({ path: [kind, owner] }) => kind === 'services' && owner === name);
    const cleared = tags.reduce((value, tag) => without(value, tag.path.slice(2)), base);
    const { extends: _, ...own } = service;
    if (baseFile === file) layer.places.adopt(layer.places, ['services', baseName], path);
    return serviceMember.merge(cleared, own);
  }

  /** A service of another file; relative paths in it start at that file. */
  #foreign(
    layer: Layer,
    path: readonly string[],
    file: string,
    name: string,
    variables: Variables,
    chain: readonly string[],
  ): Service {
    let other: Layer = { model: {}, tags: [], places: new Places() };
    for (const document of readDocuments(file, this.#surroundings)) {
      const next = this.#read(document, dirname(file), variables);
      next.places.adopt(other.places, [], []);
      other = { ...next, model: mergeLayer(other.model, next), tags: [...other.tags, ...next.tags] };
    }
    const service = this.#service(other, file, name, variables, {}, chain);
    layer.places.adopt(other.places, ['services', name], path);
    return service;
  }
}

/** What an included application defines, added to the model; what the including file defines too must be the same. */
function withIncluded(model: ComposeFile, layer: Layer, included: LoadedFiles, file: string): ComposeFile {
  const result: Record<string, ReadonlyMap<string, unknown>> = {};
  for (const kind of RESOURCES) {
    const present: ReadonlyMap<string, unknown> = model[kind] ?? new Map();
    const own: ReadonlyMap<string, unknown> = layer.model[kind] ?? new Map();
    const added: ReadonlyMap<string, unknown> = included.model[kind] ?? new Map();
    for (const [name, value] of added) {
      const other = present.get(name) ?? own.get(name);
      if (other === undefined || isDeepStrictEqual(other, value)) continue;
      throw new ComposeFileError(`${kind}.${name} is defined here, and otherwise in ${file}, which is included`, {
        place: layer.places.at([kind, name]),
        hint: 'Change an included application in a further Compose file (-f, or compose.override.yaml).',
      });
    }
    if (present.size + added.size > 0) result[kind] = new Map([...present, ...added]);
  }
  return { ...model, ...(result as Partial<ComposeFile>) };
}

import { existsSync } from 'node:fs';
import { parseEnvFile, parseRawEnvFile } from '../file/env-file.ts';
import type { Variables } from '../file/interpolation.ts';
import { ComposeFileError } from '../file/place.ts';
import type { ComposeFile } from '../model/compose-file.ts';
import { nearest } from '../model/nearest.ts';
import type { Service } from '../model/service.ts';
import type { Dependency, Healthcheck } from '../model/service-parts.ts';
import { readText } from './environment.ts';
import type { Places, Warning } from './layer.ts';
import type { Project, ProjectService } from './project.ts';

export interface ResolveInput {
  readonly model: ComposeFile;
  readonly places: Places;
  readonly name: string;
  readonly directory: string;
  readonly files: readonly string[];
  readonly envFiles: readonly string[];
  readonly profiles: readonly string[];
  readonly named: readonly string[];
  readonly variables: Variables;
  /** Whether the files with variables and labels of active services are read. */
  readonly readsFiles: boolean;
  readonly warn: (warning: Warning) => void;
  readonly show: (file: string) => string;
}

/** Puts in what the files leave open: names, defaults, variables for containers, which services are active. */
export function resolveProject(input: ResolveInput): Omit<Project, 'warnings'> {
  const { model, name, directory, files, envFiles, variables, places } = input;
  const declared = model.services ?? new Map<string, Service>();
  if (declared.size === 0)
    throw new ComposeFileError('there are no services', { hint: 'Name at least one in "services".' });
  const active = activeServices(declared, input);
  const all = [...declared].map(
    ([key, service]) => [key, resolveService(key, service, active.has(key) && input.readsFiles, input)] as const,
  );
  const needsDefault = all.some(([key, { networks }]) => active.has(key) && networks?.has('default'));
  const networks = new Map(model.networks);
  if (needsDefault && !networks.has('default')) networks.set('default', {});
  return {
    name,
    directory,
    files,
    envFiles,
    services: new Map(all.filter(([key]) => active.has(key))),
    inactive: new Map(all.filter(([key]) => !active.has(key))),
    networks: named(networks, name),
    volumes: named(model.volumes ?? new Map(), name),
    secrets: model.secrets ?? new Map(),
    configs: model.configs ?? new Map(),
    variables,
    places,
  };
}

/** `PROJECT_KEY`, unless a name is given or the thing is somebody else's. */
function named<T extends { readonly name?: string; readonly external?: boolean }>(
  things: ReadonlyMap<string, T>,
  project: string,
): ReadonlyMap<string, T & { readonly name: string }> {
  return new Map(
    [...things].map(([key, thing]) => [
      key,
      { ...thing, name: thing.name ?? (thing.external === true ? key : `${project}_${key}`) },
    ]),
  );
}

/** Services without profiles, with an active one, or named on the command line (https://docs.docker.com/reference/compose-file/profiles/). */
function activeServices(declared: ReadonlyMap<string, Service>, input: ResolveInput): ReadonlySet<string> {
  const profiles = new Set(input.profiles);
  for (const name of input.named) {
    const service = declared.get(name);
    if (service === undefined) throw noSuchService(name, [...declared.keys()]);
    for (const profile of service.profiles ?? []) profiles.add(profile);
  }
  const isActive = ({ profiles: own = [] }: Service) =>
    own.length === 0 || profiles.has('*') || own.some((profile) => profiles.has(profile));
  return new Set([...declared].filter(([, service]) => isActive(service)).map(([name]) => name));
}

/** The error for a service that is named but not there. */
export function noSuchService(name: string, known: readonly string[]): ComposeFileError {
  const guess = nearest(name, known);
  return new ComposeFileError(`there is no service "${name}"`, {
    hint: guess === undefined ? `There are ${known.join(', ')}.` : `Did you mean "${guess}"?`,
  });
}

function resolveService(key: string, service: Service, readsFiles: boolean, input: ResolveInput): ProjectService {
  const { env_file: _files, label_file: labelFiles, extends: _extends, environment: _environment, ...rest } = service;
  const labels = new Map([...(readsFiles ? fileLabels(labelFiles, input) : []), ...(service.labels ?? [])]);
  return {
    ...rest,
    name: key,
    imageName: service.image || `${input.name}-${key}`,
    replicas: service.scale ?? service.deploy?.replicas ?? 1,
    environment: readsFiles ? containerEnvironment(key, service, input) : new Map(),
    ...(labels.size > 0 ? { labels } : {}),
    ...(service.network_mode === undefined ? { networks: networksOf(service) } : {}),
    ...(service.healthcheck === undefined ? {} : { healthcheck: resolveHealthcheck(service.healthcheck) }),
    ...(service.build === undefined ? {} : { build: resolveBuild(service.build, input) }),
    dependencies: dependenciesOf(service),
  };
}

/** There are two ways to say that there is none. */
function resolveHealthcheck(check: Healthcheck): Healthcheck {
  return check.disable === true || check.test?.[0] === 'NONE' ? { disable: true } : check;
}

function resolveBuild(build: NonNullable<Service['build']>, input: ResolveInput): NonNullable<Service['build']> {
  const context = build.context ?? input.directory;
  if (build.args === undefined) return { ...build, context };
  const args = [...build.args].flatMap(([name, value]) => {
    const known = value ?? input.variables(name);
    return known === undefined ? [] : [[name, known] as const];
  });
  return { ...build, context, args: new Map(args) };
}

function networksOf({ networks }: Service): NonNullable<Service['networks']> {
  return networks === undefined || networks.size === 0 ? new Map([['default', {}]]) : networks;
}

/** Variables of `env_file`, then those of `environment`; a name alone is taken over from here, if it is set. */
function containerEnvironment(key: string, service: Service, input: ResolveInput): ReadonlyMap<string, string> {
  let result = new Map<string, string>();
  for (const { path, required = true, format } of service.env_file ?? []) {
    if (!existsSync(path)) {
      if (!required) continue;
      throw new ComposeFileError(`services.${key}.env_file: there is no file ${input.show(path)}`, {
        place: input.places.at(['services', key, 'env_file']),
      });
    }
    const parse = format === 'raw' ? parseRawEnvFile : parseEnvFile;
    result = parse(readText(path, input.show), input.show(path), input.variables, result);
  }
  for (const [name, value] of service.environment ?? []) {
    const known = value ?? input.variables(name);
    if (known !== undefined) result.set(name, known);
    else if (value === null) result.delete(name);
  }
  return result;
}

function fileLabels(files: readonly string[] = [], { show, variables }: ResolveInput): [string, string][] {
  return files.flatMap((path) => [...parseEnvFile(readText(path, show), show(path), variables)]);
}

/** Other services that must be there first, and how far they must have come. */
function dependenciesOf(service: Service): ReadonlyMap<string, Dependency> {
  const result = new Map<string, Dependency>(service.depends_on);
  const implied = [
    ...(service.links ?? []).map((link) => link.split(':')[0]!),
    ...(service.volumes_from ?? [])
      .filter((source) => !source.startsWith('container:'))
      .map((source) => source.split(':')[0]!),
    ...[service.network_mode, service.ipc, service.pid].flatMap((mode) =>
      mode?.startsWith('service:') ? [mode.slice('service:'.length)] : [],
    ),
  ];
  for (const name of implied) if (!result.has(name)) result.set(name, { condition: 'service_started' });
  return result;
}

import type { RunConfig } from '../../images/index.ts';
import { invalid } from '../shapes/shape.ts';
import type { ContainerConfig } from './config-shape.ts';

/**
 * What a container runs with: what was asked for, and where nothing was, what its image says. Source: the docker run reference,
 * "Override image defaults", and what dockerd answers on inspection: own variables come before the image's.
 */
export function mergeConfig(config: ContainerConfig, image: RunConfig): ContainerConfig {
  const given = config.Entrypoint !== null && config.Entrypoint.length > 0;
  const commandGiven = config.Cmd !== null && config.Cmd.length > 0;
  // An entry point of one empty word says: none, not even the image's.
  const cleared = config.Entrypoint?.length === 1 && config.Entrypoint[0] === '';
  const entrypoint = cleared ? null : (config.Entrypoint ?? image.Entrypoint ?? null);
  const command = given || commandGiven ? config.Cmd : (image.Cmd ?? null);
  const healthcheck = mergeHealthcheck(config.Healthcheck, image.Healthcheck);
  const stopTimeout = config.StopTimeout ?? image.StopTimeout ?? null;
  return {
    ...config,
    User: config.User || (image.User ?? ''),
    ExposedPorts: merged(image.ExposedPorts, config.ExposedPorts),
    Env: mergeEnvironment(config.Env ?? [], image.Env ?? []),
    Entrypoint: entrypoint === null ? null : [...entrypoint],
    Cmd: command === null ? null : [...command],
    Healthcheck: healthcheck,
    Volumes: merged(image.Volumes, config.Volumes),
    WorkingDir: config.WorkingDir || (image.WorkingDir ?? ''),
    Labels: merged(image.Labels, config.Labels) ?? {},
    StopSignal: config.StopSignal || (image.StopSignal ?? ''),
    StopTimeout: stopTimeout,
    Shell: config.Shell ?? (image.Shell === undefined ? null : [...image.Shell]),
    OnBuild: config.OnBuild,
  };
}

function mergeEnvironment(own: readonly string[], ofImage: readonly string[]): string[] {
  const names = new Set<string>();
  for (const variable of own) {
    const name = variable.split('=', 1)[0]!;
    if (name === '') throw invalid(`invalid environment variable: ${variable.slice(0, 100)}`);
    names.add(name);
  }
  return [...own, ...ofImage.filter((variable) => !names.has(variable.split('=', 1)[0]!))];
}

function mergeHealthcheck(
  own: ContainerConfig['Healthcheck'],
  ofImage: RunConfig['Healthcheck'],
): ContainerConfig['Healthcheck'] {
  if (own === null && ofImage === undefined) return null;
  const test = own?.Test?.length ? own.Test : (ofImage?.Test ?? null);
  return {
    Test: test === null ? null : [...test],
    Interval: own?.Interval || (ofImage?.Interval ?? 0),
    Timeout: own?.Timeout || (ofImage?.Timeout ?? 0),
    StartPeriod: own?.StartPeriod || (ofImage?.StartPeriod ?? 0),
    StartInterval: own?.StartInterval || (ofImage?.StartInterval ?? 0),
    Retries: own?.Retries || (ofImage?.Retries ?? 0),
  };
}

function merged<T>(
  base: Readonly<Record<string, T>> | undefined,
  own: Readonly<Record<string, T>> | null,
): Record<string, T> | null {
  const all = { ...base, ...own };
  return Object.keys(all).length === 0 ? null : all;
}

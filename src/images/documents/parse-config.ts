import { isDigest, isSha512 } from '../content/digest.ts';
import type { HealthcheckConfig, HistoryEntry, ImageConfig, RunConfig } from '../oci.ts';
import { Shape } from './shape.ts';

const shape = new Shape('the configuration of the image', 'InvalidImage');

/** Largest configuration that is read, bytes; as large as a manifest may be. */
export const MAX_CONFIG_SIZE = 4 * 1024 * 1024;

/**
 * Reads an image's configuration and checks what a container is made with. Members that are not known stay in the bytes, which are
 * kept as they came. Throws `InvalidImage`. Source: OCI Image Configuration; Docker Image Specification 1.3.
 */
export function parseConfig(bytes: Uint8Array): ImageConfig {
  const document = shape.parse(bytes);
  const rootfs = shape.object(document.rootfs, 'rootfs');
  if (rootfs.type !== 'layers') throw shape.wrong(`has a root file system of type ${JSON.stringify(rootfs.type)}`);
  const diffIds = shape.optional(rootfs.diff_ids, (value) => shape.texts(value, 'rootfs.diff_ids')) ?? [];
  for (const diffId of diffIds) {
    if (!isDigest(diffId) || isSha512(diffId)) throw shape.wrong(`has a diff_id that is no SHA-256 digest: ${diffId}`);
  }
  const text = (name: string) => shape.optional(document[name], (value) => shape.text(value, name));
  return withoutUndefined<ImageConfig>({
    created: text('created'),
    author: text('author'),
    architecture: text('architecture') ?? '',
    os: text('os') ?? 'linux',
    variant: text('variant'),
    'os.version': text('os.version'),
    config: shape.optional(document.config, runConfig),
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: shape.optional(document.history, history),
    comment: text('comment'),
  });
}

function runConfig(value: unknown): RunConfig {
  const document = shape.object(value, 'config');
  const text = (name: string) => shape.optional(document[name], (item) => shape.text(item, `config.${name}`));
  const texts = (name: string) => shape.optional(document[name], (item) => shape.texts(item, `config.${name}`));
  const set = (name: string) => shape.optional(document[name], (item) => emptyObjects(item, `config.${name}`));
  return withoutUndefined<RunConfig>({
    User: text('User'),
    ExposedPorts: set('ExposedPorts'),
    Env: texts('Env'),
    Entrypoint: texts('Entrypoint'),
    Cmd: texts('Cmd'),
    Volumes: set('Volumes'),
    WorkingDir: text('WorkingDir'),
    Labels: shape.optional(document.Labels, (item) => shape.textMap(item, 'config.Labels')),
    StopSignal: text('StopSignal'),
    StopTimeout: shape.optional(document.StopTimeout, (item) => shape.integer(item, 'config.StopTimeout')),
    Shell: texts('Shell'),
    OnBuild: texts('OnBuild'),
    Healthcheck: shape.optional(document.Healthcheck, healthcheck),
    ArgsEscaped: document.ArgsEscaped === true ? true : undefined,
  });
}

function healthcheck(value: unknown): HealthcheckConfig {
  const document = shape.object(value, 'config.Healthcheck');
  const number = (name: string) =>
    shape.optional(document[name], (item) => shape.integer(item, `config.Healthcheck.${name}`));
  return withoutUndefined<HealthcheckConfig>({
    Test: shape.optional(document.Test, (item) => shape.texts(item, 'config.Healthcheck.Test')),
    Interval: number('Interval'),
    Timeout: number('Timeout'),
    StartPeriod: number('StartPeriod'),
    StartInterval: number('StartInterval'),
    Retries: number('Retries'),
  });
}

function history(value: unknown): HistoryEntry[] {
  return shape.array(value, 'history').map((item, i) => {
    const document = shape.object(item, `history[${i}]`);
    const text = (name: string) => shape.optional(document[name], (one) => shape.text(one, `history[${i}].${name}`));
    return withoutUndefined<HistoryEntry>({
      created: text('created'),
      created_by: text('created_by'),
      author: text('author'),
      comment: text('comment'),
      empty_layer: document.empty_layer === true ? true : undefined,
    });
  });
}

function emptyObjects(value: unknown, member: string): Record<string, Record<string, never>> {
  return Object.fromEntries(Object.keys(shape.object(value, member)).map((key) => [key, {}]));
}

function withoutUndefined<T extends object>(object: T): T {
  for (const key of Object.keys(object) as (keyof T)[]) if (object[key] === undefined) delete object[key];
  return object;
}

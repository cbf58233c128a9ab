import { CommandError } from '../../command-error.ts';
import { EXIT } from '../../exit-codes.ts';
import { labels } from '../model/key-values.ts';
import { Cursor, type Member } from '../model/member.ts';
import { mount } from '../model/mount.ts';
import { ports } from '../model/port.ts';
import type { ProjectService } from '../project/project.ts';

interface RunOptions {
  readonly environment: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
  readonly volume?: readonly string[];
  readonly publish?: readonly string[];
  readonly servicePorts?: boolean;
  readonly entrypoint: readonly string[] | undefined;
  readonly label?: readonly string[];
  readonly tty: boolean;
  readonly directory: string;
}

/** The service as a single run has it: with another command, and what else the command line says. */
export function serviceWithOptions(
  service: ProjectService,
  command: readonly string[],
  options: RunOptions,
): ProjectService {
  const { container_name: _name, restart: _restart, healthcheck: _check, command: own, ...rest } = service;
  const environment = new Map(service.environment);
  for (const variable of options.environment) {
    const at = variable.indexOf('=');
    environment.set(variable.slice(0, at), variable.slice(at + 1));
  }
  const added = (options.volume ?? []).map((text) => readOption(mount, text, '--volume', options.directory));
  const targets = new Set(added.map(({ target }) => target));
  const published = readOption(ports(), options.publish ?? [], '--publish', options.directory);
  return {
    ...rest,
    environment,
    // Another entry point has nothing to do with the service's command.
    ...(command.length > 0
      ? { command }
      : options.entrypoint === undefined && own !== undefined
        ? { command: own }
        : {}),
    ...(options.entrypoint === undefined ? {} : { entrypoint: options.entrypoint }),
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.workdir === undefined ? {} : { working_dir: options.workdir }),
    volumes: [...(service.volumes ?? []).filter(({ target }) => !targets.has(target)), ...added],
    ports: [...(options.servicePorts === true ? (service.ports ?? []) : []), ...published],
    labels: new Map([
      ...(service.labels ?? []),
      ...readOption(labels(), options.label ?? [], '--label', options.directory),
    ]),
    tty: options.tty,
  };
}

/** Reads an option's text as the member of a Compose file that it stands for. */
function readOption<T>(member: Member<T>, value: string | readonly string[], option: string, directory: string): T {
  const place = { file: option, line: 1 };
  const scalar = (text: string) => ({ kind: 'scalar', place, value: text }) as const;
  const tree = typeof value === 'string' ? scalar(value) : ({ kind: 'list', place, items: value.map(scalar) } as const);
  try {
    return member.read(
      new Cursor(tree, [option], { directory, home: '', warn: () => {}, tagged: () => {}, found: () => {} }),
    );
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new CommandError(error.message.replace(`${option}:1: `, ''), { exitCode: EXIT.usage, hint: error.hint });
  }
}

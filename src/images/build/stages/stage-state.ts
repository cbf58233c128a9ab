import { posix } from 'node:path';
import type { ImageConfig, Platform, RunConfig } from '../../oci.ts';
import {
  type CommandLine,
  type Healthcheck,
  type Lookup,
  readPorts,
  type StageInstruction,
} from '../dockerfile/index.ts';

/** What a stage is before and after each of its instructions, besides its files. Immutable. */
export interface StageState {
  readonly platform: Platform;
  readonly author: string | undefined;
  readonly run: RunConfig;
  /** ARGs declared so far; undefined: without a value. In the order they were declared. */
  readonly arguments: ReadonlyMap<string, string | undefined>;
  /** A CMD of this stage: a later ENTRYPOINT leaves it alone. */
  readonly hasCommand: boolean;
}

/** Source: BuildKit; Docker sets it where an image has none. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const DEFAULT_SHELL = ['/bin/sh', '-c'];

/** The state after `FROM scratch`. */
export function emptyState(platform: Platform): StageState {
  return stateOf({ platform, author: undefined, run: { WorkingDir: '/' } });
}

/** The state after a FROM that names an image. Its triggers are not in it. */
export function imageState(config: ImageConfig): StageState {
  const { architecture, os, variant, author } = config;
  const osVersion = config['os.version'];
  const platform = {
    architecture,
    os,
    ...(variant === undefined ? {} : { variant }),
    ...(osVersion === undefined ? {} : { 'os.version': osVersion }),
  };
  const { OnBuild: _triggers, ...run } = config.config ?? {};
  return stateOf({ platform, author, run });
}

function stateOf(from: Pick<StageState, 'platform' | 'author' | 'run'>): StageState {
  const environment = from.run.Env ?? [];
  const hasPath = environment.some((entry) => entry.startsWith('PATH='));
  const run = hasPath ? from.run : { ...from.run, Env: [...environment, `PATH=${DEFAULT_PATH}`] };
  return { ...from, run, arguments: new Map(), hasCommand: false };
}

/** The state with which a stage begins that is made from another stage. Source: "Scope" of ARG: child stages inherit arguments. */
export function inheritedState(state: StageState): StageState {
  const { OnBuild: _triggers, ...run } = state.run;
  return { ...state, run, hasCommand: false };
}

/** Variables as instructions see them: ENV wins over ARG. Source: "Using ARG variables". */
export function lookupIn(state: StageState): Lookup {
  const environment = environmentOf(state);
  return (name) => environment.get(name) ?? state.arguments.get(name);
}

export function environmentOf(state: StageState): ReadonlyMap<string, string> {
  return new Map(
    (state.run.Env ?? []).map((entry) => {
      const equals = entry.indexOf('=');
      return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
}

/** ARGs with a value that no ENV hides: what a RUN sees besides the environment. */
export function argumentsOf(state: StageState): readonly (readonly [string, string])[] {
  const environment = environmentOf(state);
  return [...state.arguments].flatMap(([name, value]) =>
    value === undefined || environment.has(name) ? [] : [[name, value] as const],
  );
}

export function shellOf(state: StageState): readonly string[] {
  return state.run.Shell ?? DEFAULT_SHELL;
}

export function workingDirectoryOf(state: StageState): string {
  return posix.join('/', state.run.WorkingDir ?? '');
}

/** Gives ARG a value: `undefined` when neither the build nor the Dockerfile has one. */
export type ArgumentValue = (name: string, fallback: string | undefined) => string | undefined;

/**
 * What an instruction whose variables are expanded makes of the state. RUN, COPY and ADD leave it as it is. Throws an error with a
 * message for the user. Source: Dockerfile reference, and BuildKit where that is silent.
 */
export function applyInstruction(
  state: StageState,
  instruction: StageInstruction,
  argumentValue: ArgumentValue,
): StageState {
  const { run } = state;
  const set = (changes: Partial<RunConfig>): StageState => ({ ...state, run: { ...run, ...changes } });
  switch (instruction.kind) {
    case 'RUN':
    case 'COPY':
    case 'ADD':
      return state;
    case 'ARG': {
      const declared = new Map(state.arguments);
      for (const { name, value } of instruction.parameters) declared.set(name, argumentValue(name, value));
      return { ...state, arguments: declared };
    }
    case 'ENV':
      return set({ Env: withVariables(run.Env ?? [], instruction.pairs) });
    case 'LABEL':
      return set({
        Labels: { ...run.Labels, ...Object.fromEntries(instruction.pairs.map(({ key, value }) => [key, value])) },
      });
    case 'MAINTAINER':
      return { ...state, author: instruction.author };
    case 'CMD':
      return { ...set({ Cmd: commandOf(state, instruction.command) }), hasCommand: true };
    case 'ENTRYPOINT': {
      // A CMD that came with the base image was written for another program.
      const entrypoint = { Entrypoint: commandOf(state, instruction.command) };
      return set(state.hasCommand ? entrypoint : { ...entrypoint, Cmd: undefined });
    }
    case 'EXPOSE': {
      const ports = instruction.ports.flatMap(readPorts).map((port) => [port, {}] as const);
      return set({ ExposedPorts: sorted({ ...run.ExposedPorts, ...Object.fromEntries(ports) }) });
    }
    case 'VOLUME': {
      const paths = instruction.paths.map((path) => {
        if (path.trim() === '') throw new Error('VOLUME specified can not be an empty string');
        return [path, {}] as const;
      });
      return set({ Volumes: sorted({ ...run.Volumes, ...Object.fromEntries(paths) }) });
    }
    case 'USER':
      return set({ User: instruction.user });
    case 'WORKDIR':
      return set({ WorkingDir: posix.resolve(workingDirectoryOf(state), instruction.path) });
    case 'STOPSIGNAL':
      return set({ StopSignal: checkSignal(instruction.signal) });
    case 'SHELL':
      return set({ Shell: instruction.words });
    case 'ONBUILD':
      return set({ OnBuild: [...(run.OnBuild ?? []), instruction.trigger] });
    case 'HEALTHCHECK':
      return set({ Healthcheck: healthcheckOf(instruction.check) });
  }
}

function withVariables(
  environment: readonly string[],
  pairs: readonly { readonly key: string; readonly value: string }[],
): string[] {
  const result = [...environment];
  for (const { key, value } of pairs) {
    const at = result.findIndex((entry) => entry.startsWith(`${key}=`));
    if (at < 0) result.push(`${key}=${value}`);
    else result[at] = `${key}=${value}`;
  }
  return result;
}

function commandOf(state: StageState, command: CommandLine): readonly string[] {
  return command.form === 'exec' ? command.words : [...shellOf(state), command.command];
}

function healthcheckOf(check: 'none' | Healthcheck): NonNullable<RunConfig['Healthcheck']> {
  if (check === 'none') return { Test: ['NONE'] };
  const { command, interval, timeout, startPeriod, startInterval, retries } = check;
  // The SHELL is chosen when the check is run, by the image's configuration.
  const words = command.form === 'exec' ? ['CMD', ...command.words] : ['CMD-SHELL', command.command];
  return {
    Test: words,
    ...(interval === undefined ? {} : { Interval: interval }),
    ...(timeout === undefined ? {} : { Timeout: timeout }),
    ...(startPeriod === undefined ? {} : { StartPeriod: startPeriod }),
    ...(startInterval === undefined ? {} : { StartInterval: startInterval }),
    ...(retries === undefined ? {} : { Retries: retries }),
  };
}

/** Real-time signals are `SIGRTMIN+n`; numbers go up to 64. */
const SIGNALS = new Set(
  (
    'HUP INT QUIT ILL TRAP ABRT IOT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CLD CONT STOP TSTP TTIN TTOU URG XCPU ' +
    'XFSZ VTALRM PROF WINCH IO POLL PWR SYS UNUSED RTMIN RTMAX'
  ).split(' '),
);

function checkSignal(signal: string): string {
  const name = signal.toUpperCase().replace(/^SIG/, '');
  const known =
    SIGNALS.has(name) ||
    /^RTMIN\+([1-9]|[12]\d|3[0-4])$/.test(name) ||
    /^RTMAX-([1-9]|[12]\d|3[0-4])$/.test(name) ||
    (/^\d{1,2}$/.test(name) && Number(name) >= 1 && Number(name) <= 64);
  if (!known) throw new Error(`unknown signal "${signal}"`);
  return signal;
}

function sorted<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

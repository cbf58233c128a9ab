import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { LogLevel } from '../base/logger.ts';
import { CommandError } from './command-error.ts';
import { EXIT } from './exit-codes.ts';

/** Everything that can be set, by flag, `KOBUNE_*` variable or `kobune.yaml`. */
export interface Settings {
  readonly port: number;
  readonly host: string;
  readonly data: string;
  readonly ephemeral: boolean;
  readonly iam: 'off' | 'enforce';
  /** Serve the Docker API here, too, for clients that show a certificate of this data directory; 0: any free port. */
  readonly dockerPort: number | 'off';
  /** Root may run functions as plain processes where no sandbox can be made. */
  readonly unsandboxed: boolean;
  /** `HOST=URL`: asked before the registry HOST when images are pulled. */
  readonly registryMirrors: readonly string[];
  readonly hosts: readonly string[];
  readonly origins: readonly string[];
  readonly logLevel: LogLevel;
  readonly logFormat: 'text' | 'json';
}

export type SettingName = keyof Settings;

export interface SettingSources {
  /** As given on the command line. */
  readonly flags: Readonly<Partial<Record<SettingName | 'config', unknown>>>;
  readonly environment: NodeJS.ProcessEnv;
  readonly workingDirectory: string;
}

interface Setting<T> {
  /** What a right value is, to end the sentence "must be …". */
  readonly expected: string;
  /** From text (a flag or a variable) or from what the file holds; `undefined` when it is wrong. */
  parse(value: unknown): T | undefined;
}

const SETTINGS: { readonly [Name in SettingName]: Setting<Settings[Name]> } = {
  port: { expected: 'a whole number from 0 to 65535 (0: any free port)', parse: parsePort },
  host: text('an address to listen on, such as 127.0.0.1'),
  data: text('the path of a directory'),
  ephemeral: { expected: 'true or false', parse: parseBoolean },
  iam: oneOf('off', 'enforce'),
  dockerPort: {
    expected: 'off or a whole number from 0 to 65535 (0: any free port)',
    parse: (value) => (value === 'off' || value === false ? 'off' : parsePort(value)),
  },
  unsandboxed: { expected: 'true or false', parse: parseBoolean },
  registryMirrors: mirrors(),
  hosts: list('host names'),
  origins: list('origins such as https://app.example'),
  logLevel: oneOf('debug', 'info', 'warn', 'error'),
  logFormat: oneOf('text', 'json'),
};

const FILE = 'kobune.yaml';
/** `KOBUNE_` variables that are not settings: the file, and interpreters of functions (`KOBUNE_NODE_22`). */
const OTHER_VARIABLES = /^KOBUNE_(?:CONFIG|NODE_\d+|PYTHON_[\d_.]+)$/;

/**
 * The settings in force: a flag wins over a variable, that over the file, that over the default. Throws a
 * `CommandError` that names the flag, the variable, or the file with its line and key.
 */
export async function readSettings(sources: SettingSources): Promise<Settings> {
  const { flags, environment, workingDirectory } = sources;
  const given: Partial<Record<SettingName, unknown>> = {};
  await readFile(sources, given);
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith('KOBUNE_') || OTHER_VARIABLES.test(variable) || value === undefined) continue;
    const name = settingOfVariable(variable);
    if (name === undefined) {
      throw wrong(`${variable} is not a setting`, `The variables are ${variableNames().join(', ')}, KOBUNE_CONFIG.`);
    }
    given[name] = checked(name, value, variable);
  }
  for (const name of settingNames()) {
    const value = flags[name];
    if (value !== undefined) given[name] = checked(name, value, `--${kebab(name)}`);
  }
  const settings: Settings = { ...defaults(environment), ...(given as Partial<Settings>) };
  const result = { ...settings, data: resolve(workingDirectory, settings.data) };
  refuseOpenNetwork(result);
  refuseSamePort(result);
  return result;
}

/** Loopback addresses only, unless every request is verified: any credentials are accepted otherwise. */
function refuseOpenNetwork({ host, iam }: Settings): void {
  if (iam === 'enforce' || host === 'localhost' || host === '::1' || /^127\./.test(host)) return;
  throw wrong(
    `--host ${host} can be reached from the network, where anyone could call without credentials`,
    'Add --iam enforce (KOBUNE_IAM=enforce, or "iam: enforce" in kobune.yaml), or listen on 127.0.0.1.',
  );
}

function refuseSamePort({ port, dockerPort }: Settings): void {
  if (port === 0 || port !== dockerPort) return;
  throw wrong(`--docker-port ${dockerPort} is the port of the other APIs`, 'Choose another port for one of them.');
}

function defaults(environment: NodeJS.ProcessEnv): Settings {
  return {
    port: 4566,
    host: '127.0.0.1',
    data: join(environment.XDG_DATA_HOME || join(homedir(), '.local', 'share'), 'kobune'),
    ephemeral: false,
    iam: 'off',
    dockerPort: 'off',
    unsandboxed: false,
    registryMirrors: [],
    hosts: [],
    origins: [],
    logLevel: 'info',
    logFormat: 'text',
  };
}

async function readFile(
  { flags, environment, workingDirectory }: SettingSources,
  given: Partial<Record<SettingName, unknown>>,
) {
  const named = (flags.config as string | undefined) ?? environment.KOBUNE_CONFIG;
  const path = resolve(workingDirectory, named ?? FILE);
  let source: string;
  try {
    source = readFileSync(path, 'utf8');
  } catch (error) {
    if (named === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw wrong(
      `cannot read ${path}: ${(error as Error).message}`,
      'Check the path given by --config or KOBUNE_CONFIG.',
    );
  }
  const { readSettingsFile } = await import('./settings-file.ts');
  for (const { key, value, where } of readSettingsFile(source, path)) {
    if (!isSetting(key))
      throw wrong(`${where}: "${key}" is not a setting`, `The settings are ${settingNames().join(', ')}.`);
    const parsed = checked(key, value, `${where}: "${key}"`);
    given[key] = key === 'data' ? resolve(dirname(path), parsed as string) : parsed;
  }
}

function checked(name: SettingName, value: unknown, where: string): unknown {
  const parsed = SETTINGS[name].parse(value);
  if (parsed !== undefined) return parsed;
  throw wrong(`${where} must be ${SETTINGS[name].expected}, not ${JSON.stringify(value)}`);
}

function wrong(message: string, hint?: string): CommandError {
  return new CommandError(message, { exitCode: EXIT.usage, hint });
}

function settingNames(): SettingName[] {
  return Object.keys(SETTINGS) as SettingName[];
}

function isSetting(name: string): name is SettingName {
  return Object.hasOwn(SETTINGS, name);
}

function variableNames(): string[] {
  return settingNames().map(variableOf);
}

function variableOf(name: SettingName): string {
  return `KOBUNE_${kebab(name).replaceAll('-', '_').toUpperCase()}`;
}

function settingOfVariable(variable: string): SettingName | undefined {
  return settingNames().find((name) => variableOf(name) === variable);
}

/** True for the variables that `readSettings` reads. */
export function isSettingVariable(variable: string): boolean {
  return variable === 'KOBUNE_CONFIG' || settingOfVariable(variable) !== undefined;
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function text(expected: string): Setting<string> {
  return { expected, parse: (value) => (typeof value === 'string' && value !== '' ? value : undefined) };
}

function oneOf<const T extends string>(...choices: T[]): Setting<T> {
  return {
    expected: `one of ${choices.join(', ')}`,
    parse: (value) => choices.find((choice) => choice === value),
  };
}

/** A list in the file; separated by commas in a variable or flag. */
function list(what: string): Setting<readonly string[]> {
  return {
    expected: `a list of ${what}`,
    parse: (value) => {
      const parts = typeof value === 'string' ? value.split(',').map((part) => part.trim()) : value;
      const valid = Array.isArray(parts) && parts.every((part) => typeof part === 'string');
      return valid ? (parts as string[]).filter((part) => part !== '') : undefined;
    },
  };
}

function mirrors(): Setting<readonly string[]> {
  const all = list('registries with the address of a mirror, such as docker.io=https://mirror.example');
  const valid = (pair: string) => /^[\w.:[\]-]+=https?:\/\/[^/\s?#]+(?:\/[^\s?#]*)?$/.test(pair);
  return { ...all, parse: (value) => (all.parse(value)?.every(valid) ? all.parse(value) : undefined) };
}

function parsePort(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= 65535 ? number : undefined;
}

function parseBoolean(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value;
  if (value === 'true' || value === '1') return true;
  return value === 'false' || value === '0' ? false : undefined;
}

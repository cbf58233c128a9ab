import { readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { CommandError } from '../command-error.ts';
import { type CachePlace, type ImageBuild, parseCachePlace } from '../docker-client/image-build.ts';
import { EXIT } from '../exit-codes.ts';
import type { Terminal } from '../terminal.ts';

/** Options of `kobune build` as the command line has them. */
export interface BuildFlags {
  readonly tag: readonly string[];
  readonly file?: string;
  readonly buildArg: readonly string[];
  readonly label: readonly string[];
  readonly target?: string;
  readonly secret: readonly string[];
  readonly ssh: readonly string[];
  readonly cache: boolean;
  readonly pull: boolean;
  readonly platform?: string;
  readonly cacheFrom: readonly string[];
  readonly cacheTo: readonly string[];
  readonly network?: string;
  readonly addHost: readonly string[];
  readonly shmSize?: string;
  readonly ulimit: readonly string[];
}

const MAX_DOCKERFILE = 16 << 20;

/** What is to be built, and how. Reads the files that the options name. Throws `CommandError` for what cannot be. */
export async function readBuild(terminal: Terminal, context: string, flags: BuildFlags): Promise<ImageBuild> {
  const { environment, workingDirectory } = terminal;
  const directory = contextOf(context, workingDirectory);
  const epoch = environment.SOURCE_DATE_EPOCH;
  return {
    directory,
    dockerfile: await dockerfileOf(flags.file, directory, workingDirectory),
    tags: flags.tag,
    args: new Map(flags.buildArg.map((text) => argumentOf(text, environment))),
    labels: new Map(flags.label.map((text) => pairOf(text))),
    ...(flags.target === undefined ? {} : { target: flags.target }),
    ...(flags.platform === undefined ? {} : { platform: flags.platform }),
    noCache: !flags.cache,
    pull: flags.pull,
    ...(flags.network === undefined ? {} : { network: flags.network }),
    ...(flags.shmSize === undefined ? {} : { shmSize: sizeOf('--shm-size', flags.shmSize) }),
    extraHosts: flags.addHost,
    ulimits: flags.ulimit.map(ulimitOf),
    cacheFrom: flags.cacheFrom.map((text) => cacheOf('--cache-from', text, workingDirectory)),
    cacheTo: flags.cacheTo.map((text) => cacheOf('--cache-to', text, workingDirectory)),
    secrets: new Map(await Promise.all(flags.secret.map((text) => secretOf(text, terminal)))),
    ssh: new Map(flags.ssh.map((text) => agentOf(text, terminal))),
    ...(epoch !== undefined && /^\d{1,11}$/.test(epoch) ? { sourceDateEpoch: Number(epoch) } : {}),
  };
}

function contextOf(context: string, workingDirectory: string): string {
  if (context === '-')
    throw wrong('a context on standard input is not supported', 'Name a directory; -f - reads the Dockerfile.');
  if (/^([a-z][a-z0-9+.-]*:\/\/|git@)/i.test(context)) {
    throw wrong(`the context ${context} is not supported`, 'Name a directory of this machine.');
  }
  return isAbsolute(context) ? context : join(workingDirectory, context);
}

async function dockerfileOf(
  file: string | undefined,
  directory: string,
  workingDirectory: string,
): Promise<ImageBuild['dockerfile']> {
  if (file === undefined) return { path: join(directory, 'Dockerfile') };
  if (file !== '-') return { path: isAbsolute(file) ? file : join(workingDirectory, file) };
  const text = await buffer(process.stdin);
  if (text.length > MAX_DOCKERFILE) throw wrong('the Dockerfile on standard input is too large');
  return { text: text.toString('utf8') };
}

/** `NAME=value`; a name alone takes the value that the environment has. */
function argumentOf(text: string, environment: NodeJS.ProcessEnv): readonly [string, string | null] {
  const equals = text.indexOf('=');
  if (equals === 0 || text === '') throw wrong(`--build-arg ${text} has no name`);
  return equals < 0 ? [text, environment[text] ?? null] : [text.slice(0, equals), text.slice(equals + 1)];
}

function pairOf(text: string): readonly [string, string] {
  const equals = text.indexOf('=');
  if (equals === 0 || text === '') throw wrong(`--label ${text} has no name`);
  return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
}

function cacheOf(option: string, text: string, workingDirectory: string): CachePlace {
  const place = parseCachePlace(text, workingDirectory);
  if (place !== undefined) return place;
  throw wrong(
    `${option} ${text} is not supported`,
    'Write type=registry,ref=NAME or type=local,dest=DIRECTORY, with mode=max for all stages.',
  );
}

/** `id=NAME[,src=FILE|,env=VARIABLE]`; without either, the variable of that name, else the file. Source: `docker buildx build --secret`. */
async function secretOf(text: string, { environment, workingDirectory }: Terminal): Promise<readonly [string, Buffer]> {
  const fields = fieldsOf('--secret', text, ['id', 'src', 'source', 'env', 'type']);
  const id = fields.get('id');
  if (!id) throw wrong(`--secret ${text} has no id=`);
  const type = fields.get('type');
  if (type !== undefined && type !== 'file' && type !== 'env') throw wrong(`--secret type=${type} is not supported`);
  const source = fields.get('src') ?? fields.get('source');
  const isVariable = source === undefined && type !== 'file' && environment[id] !== undefined;
  const variable = fields.get('env') ?? (type === 'env' ? (source ?? id) : isVariable ? id : undefined);
  if (variable !== undefined) {
    const value = environment[variable];
    if (value === undefined) throw wrong(`--secret ${text}: the variable ${variable} is not set`);
    return [id, Buffer.from(value)];
  }
  const path = source ?? id;
  const content = await readFile(isAbsolute(path) ? path : join(workingDirectory, path)).catch((error: Error) => {
    throw wrong(`--secret ${text}: ${error.message}`);
  });
  return [id, content];
}

/** `default`, or `ID=SOCKET`. */
function agentOf(text: string, { environment, workingDirectory }: Terminal): readonly [string, string] {
  const equals = text.indexOf('=');
  const [id, path] = equals < 0 ? [text, environment.SSH_AUTH_SOCK] : [text.slice(0, equals), text.slice(equals + 1)];
  if (id === '') throw wrong(`--ssh ${text} has no ID`);
  if (!path)
    throw wrong(
      `--ssh ${text} needs an SSH agent`,
      'Start one ("eval $(ssh-agent)"), or write --ssh ID=/path/of/its/socket.',
    );
  return [id, isAbsolute(path) ? path : join(workingDirectory, path)];
}

function ulimitOf(text: string): ImageBuild['ulimits'][number] {
  const [, name, soft, hard = soft] = /^([a-z]+)=(-?\d{1,18})(?::(-?\d{1,18}))?$/.exec(text) ?? [];
  if (name === undefined) throw wrong(`--ulimit ${text} is not of the form name=soft[:hard]`);
  return { Name: name, Soft: Number(soft), Hard: Number(hard) };
}

function sizeOf(option: string, text: string): number {
  const [, number, unit = ''] = /^(\d{1,15}(?:\.\d{1,6})?)([kmgt]?)(?:i?b)?$/i.exec(text) ?? [];
  if (number === undefined) throw wrong(`${option} ${text} is not a size such as 128m`);
  return Math.floor(Number(number) * 1024 ** ('kmgt'.indexOf(unit.toLowerCase() || '?') + 1));
}

function fieldsOf(option: string, text: string, known: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    text.split(',').map((field) => {
      const equals = field.indexOf('=');
      const name = equals < 0 ? field : field.slice(0, equals);
      if (equals < 0 || !known.includes(name)) throw wrong(`${option} ${text}: ${name} is none of ${known.join(', ')}`);
      return [name, field.slice(equals + 1)];
    }),
  );
}

function wrong(message: string, hint?: string): CommandError {
  return new CommandError(message, { exitCode: EXIT.usage, ...(hint === undefined ? {} : { hint }) });
}

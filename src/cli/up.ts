import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { UserError } from '../base/errors.ts';
import { CommandError } from './command-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { logPath, readRecord } from './instance.ts';
import { runServer } from './server.ts';
import { isSettingVariable, type Settings } from './settings.ts';
import { paint, print, printJson, type Terminal } from './terminal.ts';

export interface UpOptions {
  readonly detach: boolean;
  readonly json: boolean;
  /** File descriptor of the parent that waits for this detached instance. */
  readonly readyFd: number | undefined;
}

/** What a detached instance tells the command that started it. */
type ReadyMessage =
  | { readonly ready: { readonly pid: number; readonly endpoint: string } }
  | { readonly failed: { readonly message: string; readonly hint?: string; readonly exitCode: ExitCode } };

const READY_FD = 3;
/** A detached instance's log is set aside once it has grown past this, at a start. */
const LOG_LIMIT = 10 * 1024 * 1024;

/** Why a directory cannot hold the data, by the system's error. */
const UNFIT_DIRECTORY: Readonly<Record<string, string>> = {
  EEXIST: 'it is a file',
  ENOTDIR: 'a part of its path is a file',
  EROFS: 'its disk is read-only',
  ENOSPC: 'its disk is full',
};

/** Starts Kobune: in this process until it is told to stop, or with `detach` in one of its own. */
export async function up(terminal: Terminal, settings: Settings, options: UpOptions): Promise<void> {
  if (options.detach) return upDetached(terminal, settings, options);
  const tell = (message: ReadyMessage) => {
    if (options.readyFd === undefined) return;
    writeSync(options.readyFd, JSON.stringify(message));
    closeSync(options.readyFd);
  };
  try {
    await runServer(settings, {
      logTo: process.stderr,
      ready: ({ endpoint }) => {
        tell({ ready: { pid: process.pid, endpoint } });
        if (options.readyFd === undefined) announce(terminal, settings, options, process.pid, endpoint);
      },
    });
  } catch (error) {
    if (error instanceof UserError) {
      const { message, hint } = error;
      const exitCode = error instanceof CommandError ? error.exitCode : EXIT.failure;
      tell({ failed: { message, ...(hint === undefined ? {} : { hint }), exitCode } });
    }
    throw error;
  }
}

async function upDetached(terminal: Terminal, settings: Settings, options: UpOptions): Promise<void> {
  const log = await openLog(settings.data).catch(async (error: unknown) => {
    throw await describeStartFailure(error, settings);
  });
  // The settings are passed as flags: the child must not find others in a file that changed meanwhile.
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, 'up', ...settingFlags(settings)], {
    detached: true,
    stdio: ['ignore', log, log, 'pipe'],
    cwd: settings.data,
    env: withoutSettings(terminal.environment),
  });
  closeSync(log);
  const message = await firstMessage(child);
  child.unref();
  if (message === undefined) {
    throw new CommandError('Kobune ended while it was starting', {
      hint: `Its last words are in ${logPath(settings.data)}.`,
    });
  }
  if ('failed' in message) throw new CommandError(message.failed.message, message.failed);
  announce(terminal, settings, options, message.ready.pid, message.ready.endpoint);
}

async function openLog(directory: string): Promise<number> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = logPath(directory);
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > LOG_LIMIT) renameSync(path, `${path}.1`);
  return openSync(path, 'a', 0o600);
}

function settingFlags(settings: Settings): string[] {
  return [
    `--port=${settings.port}`,
    `--host=${settings.host}`,
    `--data=${settings.data}`,
    `--iam=${settings.iam}`,
    `--docker-port=${settings.dockerPort}`,
    `--registry-mirrors=${settings.registryMirrors.join(',')}`,
    `--hosts=${settings.hosts.join(',')}`,
    `--origins=${settings.origins.join(',')}`,
    `--log-level=${settings.logLevel}`,
    `--log-format=${settings.logFormat}`,
    ...(settings.ephemeral ? ['--ephemeral'] : []),
    ...(settings.unsandboxed ? ['--unsandboxed'] : []),
    `--ready-fd=${READY_FD}`,
  ];
}

function withoutSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !isSettingVariable(name)));
}

/** What the child says on its descriptor 3; `undefined` when it ends without a word. */
async function firstMessage(child: ChildProcess): Promise<ReadyMessage | undefined> {
  const pipe = child.stdio[READY_FD] as Readable;
  let text = '';
  for await (const chunk of pipe.setEncoding('utf8')) text += chunk;
  return text === '' ? undefined : (JSON.parse(text) as ReadyMessage);
}

function announce(terminal: Terminal, settings: Settings, options: UpOptions, pid: number, endpoint: string): void {
  if (options.json) {
    printJson(terminal, { pid, endpoint, data: settings.ephemeral ? null : settings.data });
    return;
  }
  print(
    terminal,
    `${paint(terminal, 'green', 'Kobune is up')} at ${paint(terminal, 'bold', endpoint)} (process ${pid})`,
  );
  print(terminal, settings.ephemeral ? 'Nothing is kept: --ephemeral.' : `State is kept in ${settings.data}.`);
  print(terminal, `In this shell: eval "$(kobune env${dataFlag(terminal, settings)})"`);
}

function dataFlag(terminal: Terminal, settings: Settings): string {
  const standard = terminal.environment.KOBUNE_DATA === undefined && settings.data.endsWith('/.local/share/kobune');
  return standard ? '' : ` --data ${settings.data}`;
}

/** Says who holds what, as an error of the command. */
export async function describeStartFailure(error: unknown, settings: Settings): Promise<unknown> {
  const { code, name } = error as NodeJS.ErrnoException;
  if (name === 'DirectoryInUseError') {
    const holder = await readRecord(settings.data);
    const { pid } = error as { pid?: number };
    const who =
      pid === undefined ? 'another Kobune' : `another Kobune (process ${pid}${holder ? `, ${holder.endpoint}` : ''})`;
    return new CommandError(`the data directory ${settings.data} is in use by ${who}`, {
      exitCode: EXIT.inUse,
      hint: `Use that one, end it with "kobune down --data ${settings.data}", or name another directory with --data.`,
    });
  }
  if (code === 'EADDRINUSE') {
    const { port = settings.port } = error as { port?: number };
    const flag = port === settings.dockerPort ? '--docker-port' : '--port';
    return new CommandError(`port ${port} on ${settings.host} is in use by another program`, {
      exitCode: EXIT.inUse,
      hint: `Choose another with ${flag} (0: any free one), or see who has it: ss -ltnp 'sport = :${port}'`,
    });
  }
  if (code === 'EADDRNOTAVAIL') {
    return new CommandError(`this machine has no address ${settings.host}`, {
      exitCode: EXIT.usage,
      hint: 'Name one of its own addresses with --host; 127.0.0.1 always works.',
    });
  }
  const unfit = code === undefined ? undefined : UNFIT_DIRECTORY[code];
  if (unfit !== undefined) {
    return new CommandError(`the data directory ${settings.data} cannot be used: ${unfit}`, {
      hint: 'Name another with --data.',
      cause: error,
    });
  }
  if (code === 'EACCES') {
    return new CommandError(`not allowed: ${(error as Error).message}`, {
      hint: `Ports below 1024 need more rights, and ${settings.data} must be writable for you.`,
    });
  }
  return error;
}

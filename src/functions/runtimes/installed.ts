import { execFile } from 'node:child_process';
import { readdir, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { parseRuntime, type RuntimeIdentity, runtimeNames } from './catalogue.ts';

const run = promisify(execFile);

/** An interpreter found on this machine. */
export interface Interpreter {
  readonly family: 'nodejs' | 'python';
  /** Absolute path of the program, links resolved. */
  readonly path: string;
  /** Node's major version, Python's minor one. */
  readonly version: number;
  /** `22.23.3`, `3.11.2` */
  readonly fullVersion: string;
  /** Python only: `import boto3` works. */
  readonly boto3: boolean;
  /** Directory that holds all of it when it lies outside the system's own directories; shown inside as `/var/lang`. */
  readonly prefix: string | undefined;
}

export interface InstalledRuntime {
  readonly name: string;
  readonly interpreter: Interpreter | undefined;
  /** The interpreter has the very version that the name asks for. */
  readonly exact: boolean;
}

export interface InterpreterSearch {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /**
   * Directory of interpreters installed for Kobune, each by `npm install --prefix <directory>/node-22 node@22`;
   * `~/.kobune/runtimes` unless told.
   */
  readonly runtimesDirectory?: string | undefined;
}

const systemDirectories = ['/usr/bin/', '/bin/', '/usr/local/bin/'];

async function children(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).map((name) => join(directory, name));
  } catch {
    return [];
  }
}

async function resolved(paths: Iterable<string>): Promise<string[]> {
  const real = await Promise.all([...paths].map((path) => realpath(path).catch(() => undefined)));
  return [...new Set(real.filter((path) => path !== undefined))];
}

async function nodeCandidates(search: InterpreterSearch): Promise<string[]> {
  const environment = search.environment;
  const named = [20, 22, 24].map((version) => environment[`KOBUNE_NODE_${version}`] ?? '').filter(Boolean);
  const beside = search.runtimesDirectory ?? join(environment.HOME ?? homedir(), '.kobune', 'runtimes');
  const installed = (await children(beside)).map((directory) => join(directory, 'node_modules/node/bin/node'));
  const nvm = (await children(join(environment.NVM_DIR ?? join(homedir(), '.nvm'), 'versions/node'))).map((directory) =>
    join(directory, 'bin/node'),
  );
  const onPath = (environment.PATH ?? '').split(delimiter).map((directory) => join(directory, 'node'));
  return resolved([...named, ...installed, ...nvm, ...onPath, process.execPath]);
}

async function pythonCandidates(search: InterpreterSearch): Promise<string[]> {
  const environment = search.environment;
  const minors = [9, 10, 11, 12, 13, 14];
  const named = minors.map((minor) => environment[`KOBUNE_PYTHON_3_${minor}`] ?? '').filter(Boolean);
  const system = ['/usr/bin/python3', '/usr/local/bin/python3'];
  for (const minor of minors) system.push(`/usr/bin/python3.${minor}`, `/usr/local/bin/python3.${minor}`);
  const pyenvRoot = environment.PYENV_ROOT ?? join(homedir(), '.pyenv');
  const pyenv = (await children(join(pyenvRoot, 'versions'))).map((directory) => join(directory, 'bin/python3'));
  return resolved([...named, ...system, ...pyenv]);
}

function prefixOf(path: string): string | undefined {
  return systemDirectories.includes(`${dirname(path)}/`) ? undefined : dirname(dirname(path));
}

async function inspectNode(path: string): Promise<Interpreter | undefined> {
  try {
    const { stdout } = await run(path, ['--version'], { timeout: 5_000 });
    const match = /^v(\d+)\.(\S+)/.exec(stdout);
    if (!match) return undefined;
    const version = Number(match[1]);
    return {
      family: 'nodejs',
      path,
      version,
      fullVersion: `${version}.${match[2]}`,
      boto3: false,
      prefix: prefixOf(path),
    };
  } catch {
    return undefined;
  }
}

const pythonQuestion =
  'import sys, importlib.util as u; print(sys.version.split()[0], sys.version_info[1], u.find_spec("boto3") is not None)';

async function inspectPython(path: string): Promise<Interpreter | undefined> {
  try {
    const { stdout } = await run(path, ['-c', pythonQuestion], { timeout: 5_000 });
    const match = /^(3\.\S+) (\d+) (True|False)/.exec(stdout);
    if (!match || Number(match[2]) < 9) return undefined;
    const [, fullVersion, minor, boto3] = match as unknown as [string, string, string, string];
    return {
      family: 'python',
      path,
      version: Number(minor),
      fullVersion,
      boto3: boto3 === 'True',
      prefix: prefixOf(path),
    };
  } catch {
    return undefined;
  }
}

/** Every interpreter on this machine that could run functions, in the order in which they are preferred. */
export async function findInterpreters(search: InterpreterSearch): Promise<readonly Interpreter[]> {
  const [nodes, pythons] = await Promise.all([nodeCandidates(search), pythonCandidates(search)]);
  const found = await Promise.all([...nodes.map(inspectNode), ...pythons.map(inspectPython)]);
  return found.filter((one) => one !== undefined).filter((one) => one.family === 'python' || one.version >= 18);
}

/**
 * The interpreter for a runtime: the exact version, else the nearest (the newer of two equally near). For Python those
 * that can import boto3 come first, as every Lambda runtime has it: a near version with boto3 beats the exact one without.
 */
export function chooseInterpreter(
  runtime: RuntimeIdentity,
  interpreters: readonly Interpreter[],
): Interpreter | undefined {
  const distance = (one: Interpreter) => Math.abs(one.version - runtime.version);
  let best: Interpreter | undefined;
  for (const one of interpreters) {
    if (one.family !== runtime.family) continue;
    if (best === undefined) best = one;
    else if (one.boto3 !== best.boto3) best = one.boto3 ? one : best;
    else if (distance(one) < distance(best)) best = one;
    else if (distance(one) === distance(best) && one.version > best.version) best = one;
  }
  return best;
}

/** What `doctor` prints: each runtime with the interpreter that would run it. */
export async function installedRuntimes(search: InterpreterSearch): Promise<readonly InstalledRuntime[]> {
  const interpreters = await findInterpreters(search);
  return runtimeNames.map((name) => {
    const runtime = parseRuntime(name)!;
    if (runtime.family === 'provided') return { name, interpreter: undefined, exact: true };
    const interpreter = chooseInterpreter(runtime, interpreters);
    return { name, interpreter, exact: interpreter?.version === runtime.version };
  });
}

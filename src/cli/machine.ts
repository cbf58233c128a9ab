import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, statfs } from 'node:fs/promises';
import { availableParallelism, release, tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { silentLogger } from '../base/json-logger.ts';
import { createSandboxProvider, type InstalledRuntime, installedRuntimes } from '../functions/index.ts';
import { createSandboxNetwork } from '../network/index.ts';
import { containerFindings } from './container-machine.ts';
import type { Finding } from './doctor.ts';

const run = promisify(execFile);
const GIB = 1024 ** 3;
/** Below these, functions and images soon find no room. */
const LOW_DISK = 5 * GIB;
const LOW_MEMORY = 2 * GIB;

interface Program {
  readonly name: string;
  readonly version: readonly string[];
  readonly lost: string;
  readonly debianPackage: string;
}

/** Programs that Kobune starts, or that its examples do. */
const PROGRAMS: readonly Program[] = [
  {
    name: 'bwrap',
    version: ['--version'],
    lost: 'functions run as plain processes, with no wall between them and this machine',
    debianPackage: 'bubblewrap',
  },
  {
    name: 'nft',
    version: ['--version'],
    lost: 'published container ports and network policies',
    debianPackage: 'nftables',
  },
];

/** Where control groups are of version 2 alone, `crun` is what Kobune tries first. */
const RUNTIMES = existsSync('/sys/fs/cgroup/cgroup.controllers') ? ['crun', 'runc'] : ['runc'];

/** Everything that `kobune doctor` reports on. */
export async function examine(directory: string, environment: NodeJS.ProcessEnv): Promise<Finding[]> {
  return [
    runtimeOfKobune(),
    { name: 'kernel', state: 'ok', detail: `${process.platform} ${release()}, ${availableParallelism()} processors` },
    memory(),
    await disk(directory),
    ...(await Promise.all(PROGRAMS.map(program))),
    await containerRuntime(),
    ...(await containerFindings(directory)),
    ...(await isolation()),
    ...(await runtimes(environment)),
  ];
}

function runtimeOfKobune(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const hasForeignFunctions = major > 26 || (major === 26 && minor >= 1);
  return {
    name: 'node',
    state: hasForeignFunctions ? 'ok' : 'partly',
    detail: `${process.version} runs Kobune`,
    ...(hasForeignFunctions
      ? {}
      : {
          lost: 'networks for sandboxes and quick cold starts need Node 26.1',
          remedy: 'npm install --global node@26',
        }),
  };
}

function memory(): Finding {
  const limit = process.constrainedMemory();
  const bytes = limit > 0 && limit < totalmem() ? limit : totalmem();
  const low = bytes < LOW_MEMORY;
  const lost = { lost: 'only a few functions can be kept warm' };
  return { name: 'memory', state: low ? 'partly' : 'ok', detail: gibibytes(bytes), ...(low ? lost : {}) };
}

async function disk(directory: string): Promise<Finding> {
  let place = directory;
  for (;;) {
    try {
      const { bavail, bsize } = await statfs(place);
      const free = bavail * bsize;
      const low = free < LOW_DISK;
      const lost = { lost: 'large objects and images soon find no room' };
      return {
        name: 'disk',
        state: low ? 'partly' : 'ok',
        detail: `${gibibytes(free)} free at ${place}`,
        ...(low ? lost : {}),
      };
    } catch (error) {
      if (place === dirname(place)) throw error;
      place = dirname(place);
    }
  }
}

async function program({ name, version, lost, debianPackage }: Program): Promise<Finding> {
  const PATH = [process.env.PATH, '/usr/sbin', '/sbin'].join(':');
  try {
    const { stdout } = await run(name, [...version], { env: { ...process.env, PATH }, timeout: 5000 });
    return { name, state: 'ok', detail: stdout.split('\n')[0]!.trim() };
  } catch {
    return { name, state: 'missing', detail: 'not found', lost, remedy: `apt-get install ${debianPackage}` };
  }
}

/** The program that containers are made with: the first one that is there. */
async function containerRuntime(): Promise<Finding> {
  const lost = 'containers (functions do not need it)';
  const findings = await Promise.all(
    RUNTIMES.map((name) => program({ name, version: ['--version'], lost, debianPackage: name })),
  );
  return findings.find(({ state }) => state === 'ok') ?? findings[0]!;
}

/** What sandboxes are made of, tried out rather than guessed. */
async function isolation(): Promise<Finding[]> {
  const scratch = await mkdtemp(join(tmpdir(), 'kobune-doctor-'));
  try {
    await mkdir(scratch, { recursive: true });
    const network = await createSandboxNetwork({ logger: silentLogger });
    const provider = await createSandboxProvider({
      directory: scratch,
      logger: silentLogger,
      ...(typeof network === 'string' ? {} : { network }),
    });
    const { kind, cgroups, seccomp, missing } = provider.capabilities;
    await provider.close();
    if (typeof network !== 'string') await network.close();
    const rest: Finding[] = missing.map((line) => ({ name: 'sandbox', state: 'partly', detail: line }));
    return [
      finding(
        'sandboxes',
        kind === 'bwrap',
        kind === 'bwrap' ? 'own namespaces, by bwrap' : 'plain processes',
        'isolation',
      ),
      finding(
        'cgroups',
        cgroups !== 'none',
        cgroups,
        'limits of memory, processor and processes; freezing between requests',
      ),
      finding(
        'seccomp',
        seccomp,
        seccomp ? 'system calls are filtered' : 'not available',
        'the filter of system calls',
      ),
      finding(
        'network',
        typeof network !== 'string',
        typeof network === 'string' ? network : 'own network, DNS and gateway for sandboxes',
        "AWS's own names inside functions",
      ),
      ...rest,
    ];
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function finding(name: string, there: boolean, detail: string, lost: string): Finding {
  return { name, state: there ? 'ok' : 'missing', detail, ...(there ? {} : { lost }) };
}

async function runtimes(environment: NodeJS.ProcessEnv): Promise<Finding[]> {
  const installed = await installedRuntimes({ environment });
  return installed.map((runtime) => ({ name: runtime.name, ...judge(runtime) }));
}

function judge({ name, interpreter, exact }: InstalledRuntime): Omit<Finding, 'name'> {
  if (name.startsWith('provided')) return { state: 'ok', detail: 'brings its own runtime' };
  if (!interpreter) return { state: 'missing', detail: 'no interpreter', lost: 'functions with this runtime' };
  const detail = `${interpreter.fullVersion} at ${interpreter.path}`;
  if (!exact) return { state: 'partly', detail: `nearest is ${detail}`, lost: 'the exact version of the language' };
  if (interpreter.family === 'python' && !interpreter.boto3) {
    return {
      state: 'partly',
      detail,
      lost: 'boto3, which Lambda has built in',
      remedy: 'apt-get install python3-boto3',
    };
  }
  return { state: 'ok', detail };
}

function gibibytes(bytes: number): string {
  return `${(bytes / GIB).toFixed(1)} GiB`;
}

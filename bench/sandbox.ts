import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Logger } from '../src/base/logger.ts';
import { createSandboxProvider, type Sandbox } from '../src/functions/sandbox/index.ts';
import { createSandboxNetwork } from '../src/network/index.ts';
import { type Row, report, spread } from './report.ts';

/*
 * Sandboxes alone, without the engine: what it costs to make, fill, stop, resume and end one, and what an idle one
 * weighs. `node bench/sandbox.ts [how many idle ones]`.
 */

const ROUNDS = 40;
const IDLE = Number(process.argv.slice(2).find((word) => /^\d+$/.test(word)) ?? 100);
const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => SILENT };

const directory = await mkdtemp(join(tmpdir(), 'kobune-bench-'));
const network = await createSandboxNetwork({ logger: SILENT });
const connected = typeof network !== 'string';
const provider = await createSandboxProvider({
  directory: join(directory, 'run'),
  logger: SILENT,
  ...(connected && { network }),
});
let count = 0;
const start = (command: readonly string[]): Promise<Sandbox> =>
  provider.create({
    id: `s${count++}`,
    command,
    environment: { PATH: '/usr/bin:/bin' },
    binds: [{ source: dirname(process.execPath), target: '/var/runtime', readOnly: true }],
    workingDirectory: '/',
    tmpMb: 512,
    memoryMb: undefined,
  });
const NODE = ['/var/runtime/node', '-e', 'process.stdin.on("data", () => process.stdout.write("."))'];

const times = { create: [], attach: [], limit: [], echo: [], freeze: [], thaw: [], kill: [] } as Record<
  string,
  number[]
>;
async function timed<T>(name: string, work: () => Promise<T>): Promise<T> {
  const from = performance.now();
  const result = await work();
  times[name]!.push(performance.now() - from);
  return result;
}

/** Writes a byte and waits for one. */
function echo(sandbox: Sandbox): Promise<void> {
  return new Promise((resolve) => {
    sandbox.stdout.once('data', () => resolve());
    sandbox.stdin.write('.');
  });
}

async function rows(): Promise<Row[]> {
  for (let round = 0; round < ROUNDS; round++) {
    const sandbox = await timed('create', () => start(NODE));
    await timed('attach', () => sandbox.attach(import.meta.dirname, '/var/task'));
    await timed('limit', () => sandbox.limit({ memoryMb: 512, tmpMb: 512, cpuMb: 'all' }));
    await echo(sandbox);
    for (let again = 0; again < 10; again++) {
      await timed('echo', () => echo(sandbox));
      await timed('freeze', () => sandbox.freeze());
      await timed('thaw', () => sandbox.thaw());
      await echo(sandbox);
    }
    await timed('kill', async () => {
      sandbox.kill();
      await sandbox.exited;
    });
  }
  return [
    { what: 'sandbox: make, with limits and network', ...spread(times.create!) },
    { what: 'sandbox: show code inside', ...spread(times.attach!) },
    { what: 'sandbox: set its limits', ...spread(times.limit!) },
    { what: 'sandbox: a byte there and back', ...spread(times.echo!) },
    { what: 'sandbox: freeze', ...spread(times.freeze!) },
    { what: 'sandbox: thaw', ...spread(times.thaw!) },
    { what: 'sandbox: kill', ...spread(times.kill!) },
    await weigh(),
  ];
}

/**
 * Boots idle Node sandboxes and tells what each takes: what the kernel charges to its group, and its bwrap's part. The
 * pages that all of them share (Node's binary) are in it once at most, and other programs' memory is not.
 */
async function weigh(): Promise<Row> {
  const from = performance.now();
  const sandboxes: Sandbox[] = [];
  await Promise.all(
    Array.from({ length: availableParallelism() }, async () => {
      while (sandboxes.length < IDLE) {
        const sandbox = await start(NODE);
        sandboxes.push(sandbox);
        await echo(sandbox);
        await sandbox.freeze();
      }
    }),
  );
  const seconds = (performance.now() - from) / 1000;
  const bytes = sandboxes.reduce((sum, one) => sum + one.memory() + proportionalSize(parentOf(one.pid)), 0);
  const each = bytes / sandboxes.length;
  const descriptors = readdirSync('/proc/self/fd').length;
  return {
    what: `${sandboxes.length} idle Node sandboxes, each`,
    throughput: { value: sandboxes.length / seconds, unit: 'booted/s' },
    memory: each,
    floor: '11 MB',
    aim: '10 MB',
    reached: each <= 11e6,
    note: `${(descriptors / sandboxes.length).toFixed(1)} descriptors each`,
  };
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);
}

function proportionalSize(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))![1]) * 1024;
}

try {
  report(await rows());
} finally {
  await provider.close();
  if (connected) await network.close();
  await rm(directory, { recursive: true, force: true });
}

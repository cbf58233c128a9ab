/**
 * Containers beside Docker's and podman's: how long a start takes, 100 starts at once, what a container costs in memory,
 * and how fast a program runs inside. `node bench/containers.ts [rounds]`, as root. The release is measured when it has
 * been built (`npm run build`), else the sources.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import {
  busyboxArchive,
  type Engine,
  proportionalMemory,
  run,
  STATE,
  startDockerEngine,
  startKobuneEngine,
} from './container-engines.ts';
import { type Row, report, spread } from './report.ts';

const ROUNDS = Number(process.argv.find((word) => /^\d+$/.test(word)) ?? 20);
const IMAGE = 'bench:1';
const FLOOR_MS = 90;
const FLOOR_BYTES = 1e9;
const FEW = 100;
const MANY = 1000;
/** Starts that are under way at once. */
const LANES = 8;
const SLEEP = ['sleep', '100000'];
/** Work for one processor, some seconds. */
const WORK = 'dd if=/dev/zero bs=1M count=1500 2>/dev/null | sha256sum';

interface Figures {
  /** Milliseconds of POST /containers/{id}/start. */
  readonly start: readonly number[];
  /** From POST /containers/create until the answer of the start. */
  readonly whole: readonly number[];
  /** Milliseconds until all of {@link FEW} have started. */
  readonly few: number;
  /** Bytes for each running container, beyond what it runs itself. */
  readonly overhead: number;
  /** Bytes that the machine has less available for each running container, the kernel's and the container's own among them. */
  readonly machine: number;
  /** Seconds of {@link WORK}. */
  readonly work: number;
}

async function measure(engine: Engine): Promise<Figures> {
  const { api } = engine;
  await api.import(IMAGE, await busyboxArchive());
  const start: number[] = [];
  const whole: number[] = [];
  // The first is not counted: bridges and pools are made with it.
  for (let round = 0; round <= ROUNDS; round++) {
    const began = performance.now();
    const id = await api.create(IMAGE, SLEEP);
    const created = performance.now();
    await api.start(id);
    const done = performance.now();
    if (round > 0) {
      start.push(done - created);
      whole.push(done - began);
    }
    await api.remove(id);
  }
  const before = await memoryOf(engine);
  const available = await availableMemory();
  const ids: string[] = [];
  const began = performance.now();
  await Promise.all(
    Array.from({ length: FEW }, async () => {
      const id = await api.create(IMAGE, SLEEP);
      ids.push(id);
      await api.start(id);
    }),
  );
  const few = performance.now() - began;
  const overhead = ((await memoryOf(engine)) - before) / FEW;
  const machine = (available - (await availableMemory())) / FEW;
  await inLanes(ids, (id) => api.remove(id));
  const worker = await api.create(IMAGE, ['sh', '-c', WORK], { NetworkMode: 'none' });
  const worked = performance.now();
  await api.start(worker);
  await api.wait(worker);
  const work = (performance.now() - worked) / 1000;
  await api.remove(worker);
  return { start, whole, few, overhead, machine, work };
}

async function memoryOf(engine: Engine): Promise<number> {
  const all = await Promise.all((await engine.processes()).map(proportionalMemory));
  return all.reduce((sum, bytes) => sum + bytes, 0);
}

async function inLanes<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items];
  const lane = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** A thousand containers at once: what all of it takes of the machine's memory, and how fast they came. */
async function crowd(engine: Engine): Promise<Row> {
  const { api } = engine;
  const before = await availableMemory();
  const began = performance.now();
  const ids: string[] = [];
  await inLanes([...Array(MANY).keys()], async () => {
    const id = await api.create(IMAGE, SLEEP);
    ids.push(id);
    await api.start(id);
  });
  const seconds = (performance.now() - began) / 1000;
  const memory = before - (await availableMemory());
  const running = JSON.parse((await api.call('GET', '/containers/json')).toString()) as unknown[];
  await inLanes(ids, (id) => api.remove(id));
  return {
    what: `${MANY.toLocaleString('en-US')} busybox containers at once, with network`,
    throughput: { value: MANY / seconds, unit: 'started/s' },
    memory,
    floor: '1 GB',
    aim: '0.6 GB',
    reached: memory <= FLOOR_BYTES && running.length === MANY,
    note: `${running.length} ran`,
  };
}

async function availableMemory(): Promise<number> {
  const { stdout } = await run('cat', ['/proc/meminfo']);
  return Number(/^MemAvailable:\s+(\d+)/m.exec(stdout)![1]) * 1024;
}

async function hostWork(): Promise<number> {
  const began = performance.now();
  await run('/bin/busybox', ['sh', '-c', WORK.replace('sha256sum', 'busybox sha256sum').replace('dd ', 'busybox dd ')]);
  return (performance.now() - began) / 1000;
}

/** `podman run` and what it leaves; its network is its own bridge. */
async function podmanStarts(): Promise<readonly number[] | undefined> {
  const directory = await mkdtemp(join(STATE, 'podman-bench-'));
  const podman = (...words: string[]) =>
    run('podman', [
      '--root',
      join(directory, 'root'),
      '--runroot',
      join(directory, 'run'),
      '--cgroup-manager=cgroupfs',
      ...words,
    ]);
  try {
    const archive = join(directory, 'busybox.tar');
    await import('node:fs/promises').then(async ({ writeFile }) => writeFile(archive, await busyboxArchive()));
    await podman('import', archive, IMAGE);
    const times: number[] = [];
    for (let round = 0; round <= Math.min(ROUNDS, 5); round++) {
      const began = performance.now();
      const { stdout } = await podman(
        'run',
        '-d',
        '--runtime',
        'runc',
        '--ulimit',
        'nofile=1024:1024',
        '--ulimit',
        'nproc=1024:1024',
        '--network',
        'none',
        IMAGE,
        ...SLEEP,
      );
      if (round > 0) times.push(performance.now() - began);
      await podman('rm', '-f', '-t', '0', stdout.trim());
    }
    return times;
  } catch (error) {
    console.error(`podman is not measured: ${error instanceof Error ? error.message.slice(0, 300) : error}`);
    return undefined;
  } finally {
    await rm(directory, { recursive: true, force: true }).catch(() => undefined);
  }
}

const rows: Row[] = [];
let docker: Figures | undefined;
{
  await using engine = await startDockerEngine();
  if (engine) docker = await measure(engine);
}
{
  await using engine = await startKobuneEngine();
  const own = await measure(engine);
  const { p50, p99 } = spread(own.start);
  const times = (mine: number, theirs: number | undefined) =>
    theirs === undefined ? '' : `${(theirs / mine).toFixed(1)}× Docker`;
  const median = (samples: readonly number[] | undefined) => (samples ? spread(samples).p50 : undefined);
  rows.push(
    {
      what: 'container start with network, image local',
      p50,
      p99,
      floor: '90 ms',
      aim: '25 ms',
      reached: p50 <= FLOOR_MS,
      note: times(p50, median(docker?.start)),
    },
    ...(docker ? [{ what: '  Docker', ...spread(docker.start) }] : []),
    {
      what: 'container create and start',
      ...spread(own.whole),
      note: times(spread(own.whole).p50, median(docker?.whole)),
    },
    ...(docker ? [{ what: '  Docker', ...spread(docker.whole) }] : []),
  );
  const podman = await podmanStarts();
  if (podman) rows.push({ what: '  podman run -d, without network', ...spread(podman) });
  rows.push(
    {
      what: `${FEW} containers created and started at once`,
      throughput: { value: (FEW * 1000) / own.few, unit: '/s' },
      note: `${Math.round(own.few)} ms in all${docker ? `, ${times(own.few, docker.few)}` : ''}`,
    },
    ...(docker
      ? [
          {
            what: '  Docker',
            throughput: { value: (FEW * 1000) / docker.few, unit: '/s' },
            note: `${Math.round(docker.few)} ms in all`,
          },
        ]
      : []),
    { what: 'memory for each running container, beside its own', memory: own.overhead },
    ...(docker ? [{ what: '  Docker', memory: docker.overhead }] : []),
    { what: `memory of the machine for each of ${FEW} running containers`, memory: own.machine },
    ...(docker ? [{ what: '  Docker', memory: docker.machine }] : []),
  );
  const host = await hostWork();
  const efficiency = (seconds: number) =>
    `${((100 * host) / seconds).toFixed(0)} % of the host's speed, start included`;
  rows.push(
    { what: 'sha256 of 1.5 GB inside', p50: own.work * 1000, note: efficiency(own.work) },
    ...(docker ? [{ what: '  Docker', p50: docker.work * 1000, note: efficiency(docker.work) }] : []),
  );
  rows.push(await crowd(engine));
}
console.error(`${availableParallelism()} processors`);
report(rows);

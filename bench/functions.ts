import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { build } from 'esbuild';
import type { FunctionSpec, ImageRoot } from '../src/functions/index.ts';
import { busyboxRoot, runEvent } from '../src/functions/test-support/busybox-image.ts';
import { type EngineFixture, startEngine } from '../src/functions/test-support/engine-fixture.ts';
import { type Row, report, spread } from './report.ts';

/*
 * The function engine alone, without the public API: cold and warm starts, and what idle environments weigh.
 * `node bench/functions.ts [how many idle ones]`.
 */

const COLD_STARTS = 30;
/** Lets the end of the environment before pass by. */
const SETTLE_MS = 50;
const IDLE = Number(process.argv.slice(2).find((word) => /^\d+$/.test(word)) ?? 1_000);
const PARALLEL = [1, 8] as const;
const WARM = 20_000;

const small = 'exports.handler = async (event) => ({ statusCode: 200, body: event });';
const boto3 = 'import boto3\n\ndef handler(event, context):\n    return boto3.__version__\n';

function invocation(spec: FunctionSpec, requestId: string, event: unknown = { key: 'value' }) {
  const payload = Buffer.from(JSON.stringify(event));
  return { requestId, payload, invokedArn: spec.arn, traceId: 'Root=1-0-0;Sampled=0' };
}

/** Times first invocations of functions that have no environment yet. */
async function coldStarts(fixture: EngineFixture, spec: FunctionSpec, event?: unknown): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < COLD_STARTS + 2; round++) {
    const fresh = { ...spec, arn: `${spec.arn}-${round}` };
    // As when it is deployed; resolves when the pool, if there is one, is full.
    await fixture.engine.prepare(fresh);
    await delay(SETTLE_MS);
    const from = performance.now();
    const result = await fixture.engine.invoke(fresh, invocation(fresh, `cold-${round}`, event));
    if (round >= 2) times.push(performance.now() - from);
    if (result.functionError) throw new Error(Buffer.from(result.payload).toString());
    fixture.engine.retire(fresh.arn);
  }
  return times;
}

async function bundle(): Promise<string> {
  const result = await build({
    stdin: {
      contents:
        "import { S3Client } from '@aws-sdk/client-s3'; const s3 = new S3Client({}); export const handler = async () => typeof s3.send;",
      resolveDir: import.meta.dirname,
    },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    minify: true,
    write: false,
    logLevel: 'error',
  });
  return result.outputFiles[0]!.text;
}

async function coldRows(): Promise<Row[]> {
  const rows: Row[] = [];
  const cold = (what: string, times: number[], floor: number, aim: number): void => {
    const figures = spread(times);
    rows.push({ what, ...figures, floor: `${floor} ms`, aim: `${aim} ms`, reached: figures.p50 <= floor });
  };
  {
    await using fixture = await startEngine({ poolSizes: { nodejs: 2, python: 2 } });
    const node = await fixture.spec({ 'index.js': small }, { runtime: 'nodejs24.x' });
    cold('cold start: small Node handler, pool hit', await coldStarts(fixture, node), 5, 2.5);
    const source = await bundle();
    const sdk = await fixture.spec({ 'index.js': source }, { runtime: 'nodejs24.x' });
    const size = `${(source.length / 1e6).toFixed(2)} MB`;
    cold(`cold start: AWS SDK bundled (${size}), pool hit`, await coldStarts(fixture, sdk), 40, 20);
    const python = await fixture.spec({ 'app.py': boto3 }, { runtime: 'python3.11', handler: 'app.handler' });
    cold('cold start: Python with boto3, pool hit', await coldStarts(fixture, python), 15, 5);
  }
  await using fixture = await startEngine({ poolSizes: { nodejs: 0, python: 0 } });
  const node = await fixture.spec({ 'index.js': small });
  cold('cold start: small Node handler, pool empty', await coldStarts(fixture, node), 80, 50);
  return rows;
}

/** An image of busybox whose runtime client is a shell script, unpacked already: what is left is the sandbox and the script. */
async function imageRow(): Promise<Row> {
  let root: ImageRoot | undefined;
  await using fixture = await startEngine({ images: { open: async () => root! } });
  root = await busyboxRoot(fixture.directory);
  const spec = { ...(await fixture.spec({})), runtime: '', handler: '', image: { id: 'sha256:busybox' } };
  const times = await coldStarts(fixture, spec, runEvent(''));
  return { what: 'cold start: function from an image (busybox, a shell script)', ...spread(times) };
}

async function warmRows(): Promise<Row[]> {
  await using fixture = await startEngine();
  fixture.logs.discard = true;
  const spec = await fixture.spec({ 'index.js': small }, { memoryMb: 1_769 });
  const rows: Row[] = [];
  for (const parallel of PARALLEL) {
    await Promise.all(
      Array.from({ length: parallel }, (_, n) => fixture.engine.invoke(spec, invocation(spec, `w${n}`))),
    );
    const times: number[] = [];
    let left = WARM;
    const from = performance.now();
    await Promise.all(
      Array.from({ length: parallel }, async () => {
        while (left-- > 0) {
          const begun = performance.now();
          await fixture.engine.invoke(spec, invocation(spec, `w${left}`));
          times.push(performance.now() - begun);
        }
      }),
    );
    const perSecond = (WARM / (performance.now() - from)) * 1_000;
    rows.push({
      what: `warm invoke in the engine, ${parallel} at a time`,
      ...spread(times),
      throughput: { value: perSecond, unit: '/s' },
    });
  }
  return rows;
}

/** Proportional memory of a process and all below it, bytes. */
function proportionalMemory(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids) {
    try {
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
      sum += Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024;
    } catch {
      // It has just ended.
    }
  }
  return sum;
}

function descendants(pid: number): number[] {
  const all: number[] = [];
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
    for (const child of children === '' ? [] : children.split(' ').map(Number)) all.push(child, ...descendants(child));
  } catch {
    // It has just ended.
  }
  return all;
}

async function idleRow(): Promise<Row> {
  await using fixture = await startEngine({ poolSizes: { nodejs: 0, python: 0 }, memoryBudgetMb: 64_000 });
  const spec = await fixture.spec(
    { 'index.js': small },
    { memoryMb: 128, initializationType: 'provisioned-concurrency' },
  );
  await fixture.engine.provision(spec, IDLE);
  await delay(2_000);
  const memory = proportionalMemory(descendants(process.pid));
  return {
    what: `${IDLE} idle Node environments`,
    memory,
    floor: '11 GB',
    aim: '10 GB',
    ...(IDLE === 1_000 ? { reached: memory <= 11e9 } : {}),
  };
}

report([...(await coldRows()), await imageRow(), ...(await warmRows()), await idleRow()]);

/**
 * From starting the program to its first API answer, and the memory that it takes when it then waits:
 * `node bench/startup.ts [rounds]`. The release is measured when it has been built (`npm run build`), else the sources.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { report, spread } from './report.ts';
import { program } from './server.ts';

const ROUNDS = Number(process.argv.find((word) => /^\d+$/.test(word)) ?? 15);
const FLOOR_MS = 250;
const FLOOR_BYTES = 100e6;
/** Long enough for what happens right after the start to have ended. */
const SETTLE_MS = 2_000;

interface Start {
  readonly milliseconds: number;
  readonly bytes: number | undefined;
}

/** One start on an empty data directory. With `settle`, also the resident memory once it only waits. */
async function start(port: number, settle: boolean): Promise<Start> {
  const data = await mkdtemp(join(tmpdir(), 'kobune-startup-'));
  const began = performance.now();
  const child = spawn(process.execPath, [...program(), 'up', `--port=${port}`, `--data=${data}`, '--log-level=warn'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  try {
    while (!(await answers(port))) await delay(1);
    const milliseconds = performance.now() - began;
    if (!settle) return { milliseconds, bytes: undefined };
    await delay(SETTLE_MS);
    return { milliseconds, bytes: residentMemory(child) };
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
    await rm(data, { recursive: true, force: true });
  }
}

/** True when STS has told who is calling; false when nobody listens yet. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: '127.0.0.1',
        port,
        method: 'POST',
        agent: false,
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          'x-amz-date': '20260101T000000Z',
          authorization: `AWS4-HMAC-SHA256 Credential=kobune/20260101/us-east-1/sts/aws4_request, SignedHeaders=host;x-amz-date, Signature=${'0'.repeat(64)}`,
        },
      },
      (response) => {
        response.resume();
        response.on('end', () => {
          if (response.statusCode === 200) resolve(true);
          else reject(new Error(`GetCallerIdentity answered ${response.statusCode}`));
        });
      },
    );
    call.on('error', () => resolve(false));
    call.end('Action=GetCallerIdentity&Version=2011-06-15');
  });
}

function residentMemory({ pid }: ChildProcess): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024;
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

const port = await freePort();
await start(port, false); // fills the cache of compiled code, as a user's first start does
const starts: Start[] = [];
for (let round = 0; round < ROUNDS; round++) starts.push(await start(port, round === ROUNDS - 1));
const time = spread(starts.map(({ milliseconds }) => milliseconds));
const bytes = starts.at(-1)!.bytes!;
report([
  { what: 'start to first API answer', ...time, floor: '250 ms', aim: '120 ms', reached: time.p50 <= FLOOR_MS },
  { what: 'idle memory, no pool', memory: bytes, floor: '100 MB', aim: '75 MB', reached: bytes <= FLOOR_BYTES },
]);

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { type Row, report } from './report.ts';
import { type BenchServer, startServer } from './server.ts';
import { signed } from './signed.ts';
import type { WrkRequest, WrkResult } from './wrk.ts';

/*
 * Objects of 1 KB and 1 MB, written and read over signed HTTP with the checksum that the SDKs send. The requests are
 * signed before the clock starts. Beside it, in the same run, s3rver with the same requests (it does not sync to disk).
 */

const CONNECTIONS = 32;
const SECONDS = 4;
const WARM_UP_SECONDS = 1;
const KILOBYTE = 1024;
const MEGABYTE = 1024 * 1024;
const BUCKET = 'bench';

type Target = Pick<BenchServer, 'endpoint' | 'region' | 'credentials'>;

interface Results {
  readonly put: WrkResult;
  readonly get: WrkResult;
}

/** Writes and then reads the same `keys` objects of `size` bytes. */
async function measure(target: Target, size: number, keys: number): Promise<Results> {
  const body = 'kobune! '.repeat(size / 8);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(body));
  const paths = Array.from({ length: keys }, (_, i) => `/${BUCKET}/${size}/${String(i).padStart(5, '0')}`);
  const puts = await Promise.all(
    paths.map((path) =>
      request(target, { method: 'PUT', path, body, headers: { 'x-amz-checksum-crc32': checksum.toString('base64') } }),
    ),
  );
  const gets = await Promise.all(paths.map((path) => request(target, { method: 'GET', path, body: '' })));
  await load(puts, WARM_UP_SECONDS);
  const put = await load(puts, SECONDS);
  await load(gets, WARM_UP_SECONDS);
  return { put, get: await load(gets, SECONDS) };
}

function request(target: Target, what: Parameters<typeof signed>[2]): Promise<WrkRequest> {
  return signed(target as BenchServer, 's3', what);
}

/** Cycles through `requests` with wrk. Throws when any answer is not 2xx or a connection fails. */
async function load(requests: readonly WrkRequest[], seconds: number): Promise<WrkResult> {
  const scratch = await mkdtemp(join(tmpdir(), 'wrk-s3-'));
  try {
    const script = join(scratch, 'requests.lua');
    await writeFile(script, luaScript(requests));
    const args = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '--timeout', '20s', '-s', script, requests[0]!.url];
    const { stdout } = await promisify(execFile)('wrk', args);
    const result = JSON.parse(stdout.slice(stdout.lastIndexOf('\n{')));
    if (result.errors > 0) throw new Error(`${result.errors} of ${result.requests} requests failed`);
    return { perSecond: result.requests / result.seconds, p50: result.p50, p99: result.p99 };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function luaScript(requests: readonly WrkRequest[]): string {
  const [{ method, body }] = requests as readonly [WrkRequest];
  const list = requests.map(({ url, headers }) => {
    const pairs = Object.entries(headers).map(([name, value]) => `[${JSON.stringify(name)}]=${JSON.stringify(value)}`);
    return `{${JSON.stringify(new URL(url).pathname)}, {${pairs.join(',')}}}`;
  });
  return `local body = ${body === '' ? 'nil' : `string.rep("kobune! ", ${body.length / 8})`}
local list = {${list.join(',\n')}}
local made = {}
init = function()
  for i, r in ipairs(list) do made[i] = wrk.format(${JSON.stringify(method)}, r[1], r[2], body) end
end
local i = 0
request = function() i = i % #made + 1; return made[i] end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('\\n{"requests":%d,"seconds":%f,"p50":%f,"p99":%f,"errors":%d}\\n', summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end`;
}

async function measureKobune(): Promise<{ small: Results; large: Results }> {
  await using server = await startServer({ iam: process.argv.includes('--unverified') ? 'off' : 'enforce' });
  await createBucket(server);
  return { small: await measure(server, KILOBYTE, 1000), large: await measure(server, MEGABYTE, 16) };
}

async function measurePeer(): Promise<{ small: Results; large: Results }> {
  const directory = await mkdtemp(join(tmpdir(), 's3rver-'));
  const port = await freePort();
  const program = join(import.meta.dirname, '../node_modules/s3rver/bin/s3rver.js');
  const child = spawn(process.execPath, [program, '-d', directory, '-p', String(port), '-s'], { stdio: 'ignore' });
  try {
    const target: Target = {
      endpoint: `http://127.0.0.1:${port}`,
      region: 'us-east-1',
      credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
    };
    await listening(child, target.endpoint);
    await createBucket(target);
    return { small: await measure(target, KILOBYTE, 1000), large: await measure(target, MEGABYTE, 16) };
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
    await rm(directory, { recursive: true, force: true });
  }
}

async function createBucket(target: Target): Promise<void> {
  const { url, method, headers } = await request(target, { method: 'PUT', path: `/${BUCKET}`, body: '' });
  const { host: _, ...sent } = headers;
  const answer = await fetch(url, { method, headers: sent });
  if (!answer.ok) throw new Error(`the bucket was not made: ${answer.status} ${await answer.text()}`);
}

async function listening(child: ChildProcess, endpoint: string): Promise<void> {
  while (child.exitCode === null) {
    const answer = await fetch(endpoint).catch(() => undefined);
    if (answer) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('s3rver did not start');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

interface Goal {
  readonly floor: number;
  readonly aim: number;
}

function rowsFor(what: string, unit: string, scale: number, kobune: WrkResult, peer: WrkResult, goal: Goal): Row[] {
  const value = kobune.perSecond * scale;
  const figure = (amount: number): string => `${amount.toLocaleString('en-US')}${unit === '/s' ? '' : ' '}${unit}`;
  return [
    {
      what: `S3 ${what}, SigV4, ${CONNECTIONS} connections`,
      p50: kobune.p50,
      p99: kobune.p99,
      throughput: { value, unit },
      floor: figure(goal.floor),
      aim: figure(goal.aim),
      reached: value >= goal.floor,
      note: `${(kobune.perSecond / peer.perSecond).toFixed(1)}× s3rver`,
    },
    { what: '  s3rver', p50: peer.p50, p99: peer.p99, throughput: { value: peer.perSecond * scale, unit } },
  ];
}

const kobune = await measureKobune();
const peer = await measurePeer();
const megabytes = MEGABYTE / 1e6;
report([
  ...rowsFor('1 KB put, durable', '/s', 1, kobune.small.put, peer.small.put, { floor: 6000, aim: 10_000 }),
  ...rowsFor('1 KB get', '/s', 1, kobune.small.get, peer.small.get, { floor: 8000, aim: 15_000 }),
  ...rowsFor('1 MB put, durable', 'MB/s', megabytes, kobune.large.put, peer.large.put, { floor: 250, aim: 350 }),
  ...rowsFor('1 MB get', 'MB/s', megabytes, kobune.large.get, peer.large.get, { floor: 800, aim: 1100 }),
]);

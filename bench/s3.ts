import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
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
 * Objects of 1 KB and 1 MB, written and read over signed HTTP as the SDKs do it: framed, with a trailing checksum. No two
 * bodies are the same, and the headers are signed before the clock starts. Beside it, in the same run, s3rver: without
 * framing and checksum, which it does not know; it does not wait for the disk either.
 */

/** Small objects wait for the disk together, so more at a time go faster; large ones only queue. */
const CONNECTIONS = { small: 64, large: 16 } as const;
const SECONDS = 4;
const WARM_UP_SECONDS = 2;
const KILOBYTE = 1024;
const MEGABYTE = 1024 * 1024;
const BUCKET = 'bench';

interface Target extends Pick<BenchServer, 'endpoint' | 'region' | 'credentials'> {
  /** Share of requests that may fail. */
  readonly tolerated: number;
}

interface Results {
  readonly put: WrkResult;
  readonly get: WrkResult;
}

/** What a load is made of: requests whose signatures do not depend on their bodies, and the bodies. */
interface Load {
  readonly requests: readonly WrkRequest[];
  /** Lua expression of the body of request number `n`; `nil` for none. */
  readonly body: string;
  /** Lua to run once. */
  readonly preamble?: string;
}

/** Writes and then reads the same `keys` objects of `size` bytes. Every body that is written is another one. */
async function measure(
  target: Target,
  upload: Upload,
  size: number,
  keys: number,
  connections: number,
): Promise<Results> {
  const paths = Array.from({ length: keys }, (_, i) => `/${BUCKET}/${size}/${String(i).padStart(5, '0')}`);
  const sign = (method: string, headers: Record<string, string>) =>
    Promise.all(paths.map((path) => request(target, { method, path, body: '', headers })));
  const { headers, ...bodies } = upload(size);
  const puts: Load = { requests: await sign('PUT', headers), ...bodies };
  const gets: Load = { requests: await sign('GET', {}), body: 'nil' };
  await run(puts, WARM_UP_SECONDS, connections, target.tolerated);
  const put = await run(puts, SECONDS, connections, target.tolerated);
  await run(gets, WARM_UP_SECONDS, connections, target.tolerated);
  return { put, get: await run(gets, SECONDS, connections, target.tolerated) };
}

function request(target: Target, what: Parameters<typeof signed>[2]): Promise<WrkRequest> {
  return signed(target, 's3', what);
}

/** How a client sends bodies of one size: the headers to sign, and the bodies. */
type Upload = (size: number) => { readonly headers: Record<string, string> } & Omit<Load, 'requests'>;

const VARIANTS = 4096;
const filler = (size: number): string => `string.rep("kobune! ", ${size / 8 - 1})`;
const variant = (i: number): string => String(i % VARIANTS).padStart(8, '0');

/** As the SDKs stream: the body framed as `aws-chunked`, its CRC32 in a trailer, the headers signed. */
const chunked: Upload = (size) => {
  const rest = Buffer.from('kobune! '.repeat(size / 8 - 1));
  const checksums = Array.from({ length: VARIANTS }, (_, i) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(crc32(rest, crc32(variant(i))));
    return `"${bytes.toString('base64')}"`;
  });
  const head = `${size.toString(16)}\r\n`;
  const tail = '\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n';
  return {
    headers: {
      'content-encoding': 'aws-chunked',
      'content-length': String(head.length + size + tail.length),
      'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'x-amz-decoded-content-length': String(size),
      'x-amz-trailer': 'x-amz-checksum-crc32',
    },
    preamble: `local rest, sums = ${filler(size)}, {${checksums.join(',')}}`,
    body: `${JSON.stringify(head)} .. string.format("%08d", n % ${VARIANTS}) .. rest .. "\\r\\n0\\r\\nx-amz-checksum-crc32:" .. sums[n % ${VARIANTS} + 1] .. "\\r\\n\\r\\n"`,
  };
};

/** The plain way, which every server takes: the body as it is, without a checksum. */
const plain: Upload = (size) => ({
  headers: { 'content-length': String(size), 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
  preamble: `local rest = ${filler(size)}`,
  body: 'string.format("%08d", n % 10000) .. rest',
});

/** Cycles through the requests with wrk. Throws when more than the tolerated share is not answered with 2xx. */
async function run(load: Load, seconds: number, connections: number, tolerated: number): Promise<WrkResult> {
  const scratch = await mkdtemp(join(tmpdir(), 'wrk-s3-'));
  try {
    const script = join(scratch, 'requests.lua');
    await writeFile(script, luaScript(load));
    const url = load.requests[0]!.url;
    const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '20s', '-s', script, url];
    const { stdout } = await promisify(execFile)('wrk', args);
    const result = JSON.parse(stdout.slice(stdout.lastIndexOf('\n{')));
    if (result.errors > result.requests * tolerated) {
      throw new Error(`${result.errors} of ${result.requests} requests failed`);
    }
    return { perSecond: result.requests / result.seconds, p50: result.p50, p99: result.p99 };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function luaScript({ requests, body, preamble = '' }: Load): string {
  const list = requests.map(({ url, method, headers }) => {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return JSON.stringify(`${method} ${new URL(url).pathname} HTTP/1.1\r\n${lines.join('')}\r\n`);
  });
  return `${preamble}
local heads = {${list.join(',\n')}}
local n = 0
request = function()
  n = n + 1
  local body = ${body}
  local head = heads[n % #heads + 1]
  return body and head .. body or head
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('\\n{"requests":%d,"seconds":%f,"p50":%f,"p99":%f,"errors":%d}\\n', summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end`;
}

async function measureKobune(): Promise<{ small: Results; large: Results }> {
  await using server = await startServer({ iam: process.argv.includes('--unverified') ? 'off' : 'enforce' });
  const target: Target = { ...server, tolerated: 0 };
  await createBucket(target);
  return {
    small: await measure(target, chunked, KILOBYTE, 1000, CONNECTIONS.small),
    large: await measure(target, chunked, MEGABYTE, 64, CONNECTIONS.large),
  };
}

async function measurePeer(): Promise<{ small: Results; large: Results }> {
  const program = join(import.meta.dirname, 'peers/node_modules/s3rver/bin/s3rver.js');
  if (!existsSync(program)) throw new Error('the peers are not installed: npm ci --prefix bench/peers');
  const directory = await mkdtemp(join(tmpdir(), 's3rver-'));
  const port = await freePort();
  const child = spawn(process.execPath, [program, '-d', directory, '-p', String(port), '-s'], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  try {
    const target: Target = {
      endpoint: `http://127.0.0.1:${port}`,
      region: 'us-east-1',
      credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
      // Now and then it fails a request while another writes the same object.
      tolerated: 0.01,
    };
    await listening(child, target.endpoint);
    await createBucket(target);
    return {
      small: await measure(target, plain, KILOBYTE, 1000, CONNECTIONS.small),
      large: await measure(target, plain, MEGABYTE, 64, CONNECTIONS.large),
    };
  } finally {
    child.kill('SIGKILL');
    await ended;
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
  readonly connections: number;
  readonly floor: number;
  readonly aim: number;
}

function rowsFor(what: string, unit: string, scale: number, kobune: WrkResult, peer: WrkResult, goal: Goal): Row[] {
  const value = kobune.perSecond * scale;
  const figure = (amount: number): string => `${amount.toLocaleString('en-US')}${unit === '/s' ? '' : ' '}${unit}`;
  return [
    {
      what: `S3 ${what}, SigV4, ${goal.connections} connections`,
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
  ...rowsFor('1 KB put, durable', '/s', 1, kobune.small.put, peer.small.put, {
    connections: CONNECTIONS.small,
    floor: 6000,
    aim: 10_000,
  }),
  ...rowsFor('1 KB get', '/s', 1, kobune.small.get, peer.small.get, {
    connections: CONNECTIONS.small,
    floor: 8000,
    aim: 15_000,
  }),
  ...rowsFor('1 MB put, durable', 'MB/s', megabytes, kobune.large.put, peer.large.put, {
    connections: CONNECTIONS.large,
    floor: 250,
    aim: 350,
  }),
  ...rowsFor('1 MB get', 'MB/s', megabytes, kobune.large.get, peer.large.get, {
    connections: CONNECTIONS.large,
    floor: 800,
    aim: 1100,
  }),
]);

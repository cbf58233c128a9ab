import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Row, report } from './report.ts';
import { type BenchServer, startServer } from './server.ts';
import { signed } from './signed.ts';
import type { WrkRequest, WrkResult } from './wrk.ts';

/*
 * Messages of 1 KB into a queue one by one, each durable before it is answered, over HTTP signed as the SDKs sign it; and
 * out of it again in tens, each ten received and deleted. Beside it, in the same run, fauxqs: it keeps messages in memory
 * only and does not verify signatures.
 */

/** Messages that wait for the disk together go faster. */
const CONNECTIONS = 64;
const SECONDS = 4;
const WARM_UP_SECONDS = 2;
/** Bodies that differ, each signed. */
const BODIES = 1000;
/** How long to fill the queue that is then read. */
const FILL_SECONDS = 5;
const READ_SECONDS = 3;

type Target = Pick<BenchServer, 'endpoint' | 'region' | 'credentials'>;

interface Results {
  readonly send: WrkResult;
  /** Messages, not requests. */
  readonly read: WrkResult;
}

function request(target: Target, operation: string, input: object): Promise<WrkRequest> {
  return signed(target, 'sqs', {
    method: 'POST',
    path: '/',
    headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `AmazonSQS.${operation}` },
    body: JSON.stringify(input),
  });
}

async function call(target: Target, operation: string, input: object): Promise<Record<string, string>> {
  const { url, method, headers, body } = await request(target, operation, input);
  const { host: _, ...sent } = headers;
  const answer = await fetch(url, { method, headers: sent, body });
  if (!answer.ok) throw new Error(`${operation}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Record<string, string>;
}

const body = (n: number): string => `${String(n).padStart(8, '0')} ${'kobune! '.repeat(127)}`.slice(0, 1024);

async function measureSends(target: Target): Promise<WrkResult> {
  const { QueueUrl } = await call(target, 'CreateQueue', { QueueName: 'sends' });
  const sends = await Promise.all(
    Array.from({ length: BODIES }, (_, n) => request(target, 'SendMessage', { QueueUrl, MessageBody: body(n) })),
  );
  await run(cycling(sends), WARM_UP_SECONDS, target.endpoint);
  const result = await run(cycling(sends), SECONDS, target.endpoint);
  await call(target, 'DeleteQueue', { QueueUrl });
  return result;
}

/** Fills a queue, then empties it in tens. What is deleted is not known beforehand, so nothing is signed here. */
async function measureReads(target: Target): Promise<WrkResult> {
  const { QueueUrl } = await call(target, 'CreateQueue', { QueueName: 'reads' });
  const Entries = Array.from({ length: 10 }, (_, n) => ({ Id: String(n), MessageBody: body(n) }));
  const fill = await request(target, 'SendMessageBatch', { QueueUrl, Entries });
  await run(cycling([fill]), FILL_SECONDS, target.endpoint);
  const receive = await request(target, 'ReceiveMessage', { QueueUrl, MaxNumberOfMessages: 10 });
  const remove = await request(target, 'DeleteMessageBatch', { QueueUrl });
  const { 'x-amz-content-sha256': _, ...headers } = remove.headers;
  return run(emptying(receive, { ...remove, headers }, QueueUrl!), READ_SECONDS, target.endpoint);
}

/** Runs a script with wrk. Throws when anything is not answered with 2xx. */
async function run(script: string, seconds: number, url: string): Promise<WrkResult> {
  const scratch = await mkdtemp(join(tmpdir(), 'wrk-sqs-'));
  try {
    const file = join(scratch, 'requests.lua');
    await writeFile(file, script);
    const args = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '--timeout', '20s', '-s', file, url];
    const { stdout } = await promisify(execFile)('wrk', args);
    const result = JSON.parse(stdout.slice(stdout.lastIndexOf('\n{')));
    if (result.errors > 0) throw new Error(`${result.errors} of ${result.requests} requests failed`);
    return { perSecond: result.requests / result.seconds, p50: result.p50, p99: result.p99 };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const head = ({ headers, method, url }: WrkRequest): string => {
  const lines = Object.entries(headers)
    .filter(([name]) => name !== 'content-length')
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${new URL(url).pathname} HTTP/1.1\r\n${lines.join('')}`;
};

const whole = (given: WrkRequest): string =>
  `${head(given)}content-length: ${Buffer.byteLength(given.body)}\r\n\r\n${given.body}`;

const done = (count: string): string => `
local threads = {}
setup = function(thread) table.insert(threads, thread) end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('\\n{"requests":%d,"seconds":%f,"p50":%f,"p99":%f,"errors":%d}\\n', ${count},
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end`;

/** The same requests again and again. */
const cycling = (requests: readonly WrkRequest[]): string => `
local all = {${requests.map((given) => JSON.stringify(whole(given))).join(',\n')}}
local n = 0
request = function()
  n = n + 1
  return all[n % #all + 1]
end
${done('summary.requests')}`;

/** Receives tens, and deletes what it has received; counts messages. */
const emptying = (receive: WrkRequest, remove: WrkRequest, queueUrl: string): string => `
local receive, head = ${JSON.stringify(whole(receive))}, ${JSON.stringify(head(remove))}
local opening = ${JSON.stringify(`{"QueueUrl":${JSON.stringify(queueUrl)},"Entries":[`)}
local deletions = {}
deleted = 0
request = function()
  local body = table.remove(deletions)
  if not body then return receive end
  return head .. "content-length: " .. #body .. "\\r\\n\\r\\n" .. body
end
response = function(status, headers, body)
  local entries = {}
  for handle in body:gmatch('"ReceiptHandle":"([^"]+)"') do
    table.insert(entries, '{"Id":"' .. #entries .. '","ReceiptHandle":"' .. handle .. '"}')
  end
  if #entries > 0 then
    table.insert(deletions, opening .. table.concat(entries, ',') .. ']}')
  else
    local _, count = body:gsub('"Id":', '')
    deleted = deleted + count
  end
end
${done('threads[1]:get("deleted")')}`;

async function measureKobune(): Promise<Results> {
  return { send: await measured('enforce', measureSends), read: await measured('off', measureReads) };
}

async function measured(iam: 'off' | 'enforce', measure: (target: Target) => Promise<WrkResult>): Promise<WrkResult> {
  await using server = await startServer({ iam });
  return await measure(server);
}

async function measurePeer(): Promise<Results> {
  const program = join(import.meta.dirname, 'peers/node_modules/fauxqs/dist/server.js');
  if (!existsSync(program)) throw new Error('the peers are not installed: npm ci --prefix bench/peers');
  const port = await freePort();
  const environment = { ...process.env, FAUXQS_PORT: String(port), FAUXQS_LOGGER: 'false' };
  const child = spawn(process.execPath, [program], { stdio: 'ignore', env: environment });
  const ended = once(child, 'exit');
  try {
    const target: Target = {
      endpoint: `http://127.0.0.1:${port}`,
      region: 'us-east-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    };
    await listening(child, target.endpoint);
    return { send: await measureSends(target), read: await measureReads(target) };
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

async function listening(child: ChildProcess, endpoint: string): Promise<void> {
  while (child.exitCode === null) {
    const answer = await fetch(endpoint).catch(() => undefined);
    if (answer) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('fauxqs did not start');
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

function rowsFor(what: string, kobune: WrkResult, peer: WrkResult, goal?: Goal): Row[] {
  return [
    {
      what,
      p50: kobune.p50,
      p99: kobune.p99,
      throughput: { value: kobune.perSecond, unit: '/s' },
      ...(goal && {
        floor: `${goal.floor.toLocaleString('en-US')}/s`,
        aim: `${goal.aim.toLocaleString('en-US')}/s`,
        reached: kobune.perSecond >= goal.floor,
      }),
      note: `${(kobune.perSecond / peer.perSecond).toFixed(1)}× fauxqs`,
    },
    { what: '  fauxqs', p50: peer.p50, p99: peer.p99, throughput: { value: peer.perSecond, unit: '/s' } },
  ];
}

const kobune = await measureKobune();
const peer = await measurePeer();
report([
  ...rowsFor('SQS SendMessage, durable, SigV4', kobune.send, peer.send, { floor: 8000, aim: 15_000 }),
  ...rowsFor('SQS messages received and deleted in tens, durable', kobune.read, peer.read),
]);

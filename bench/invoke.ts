import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deployEcho, ECHO_HANDLER } from './echo.ts';
import { type Row, report } from './report.ts';
import { startServer } from './server.ts';
import { signed } from './signed.ts';
import { type WrkResult, wrk } from './wrk.ts';

/*
 * Warm invocations through the public HTTP API: every request signed and verified, the handler returns its event.
 * Beside it, in the same run, serverless-offline serving the same handler.
 */

const EVENT = JSON.stringify({ order: 17, items: ['tea', 'rice'] });
const SECONDS = 5;

async function measureKobune(): Promise<{ alone: WrkResult; many: WrkResult }> {
  await using server = await startServer({ iam: 'enforce' });
  await deployEcho(server);
  const request = await signed(server, 'lambda', {
    method: 'POST',
    path: '/2015-03-31/functions/echo/invocations',
    body: EVENT,
  });
  await wrk(request, 8, 2);
  return { alone: await wrk(request, 1, SECONDS), many: await wrk(request, 8, SECONDS) };
}

async function measurePeer(): Promise<{ alone: WrkResult; many: WrkResult }> {
  const modules = join(import.meta.dirname, 'peers/node_modules');
  if (!existsSync(modules)) throw new Error('the peers are not installed: npm ci --prefix bench/peers');
  const directory = await mkdtemp(join(tmpdir(), 'serverless-offline-'));
  const [httpPort, lambdaPort] = [await freePort(), await freePort()];
  try {
    await symlink(modules, join(directory, 'node_modules'));
    await writeFile(join(directory, 'index.js'), ECHO_HANDLER);
    await writeFile(
      join(directory, 'serverless.yml'),
      JSON.stringify({
        service: 'peer',
        frameworkVersion: '*',
        provider: { name: 'aws', runtime: 'nodejs22.x' },
        plugins: ['serverless-offline'],
        functions: { echo: { handler: 'index.handler' } },
      }),
    );
    const program = join(modules, 'serverless/bin/serverless.js');
    const ports = ['--httpPort', String(httpPort), '--lambdaPort', String(lambdaPort)];
    const child = spawn(process.execPath, [program, 'offline', ...ports], {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    try {
      await untilItListens(child);
      const request = {
        url: `http://127.0.0.1:${lambdaPort}/2015-03-31/functions/peer-dev-echo/invocations`,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: EVENT,
      };
      await wrk(request, 8, 2);
      return { alone: await wrk(request, 1, SECONDS), many: await wrk(request, 8, SECONDS) };
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Resolves when serverless-offline says so; rejects with what it said when it ends instead. */
function untilItListens(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        output += chunk;
        if (output.includes('listening on')) resolve();
      });
    }
    child.once('exit', (code) => reject(new Error(`serverless-offline ended with ${code}: ${output}`)));
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

const kobune = await measureKobune();
const peer = await measurePeer();
const rows: Row[] = [
  {
    what: 'warm invoke over HTTP, SigV4, 1 connection',
    p50: kobune.alone.p50,
    p99: kobune.alone.p99,
    throughput: { value: kobune.alone.perSecond, unit: '/s' },
    floor: '0.4 ms',
    aim: '0.1 ms',
    reached: kobune.alone.p50 <= 0.4,
    note: `${(peer.alone.p50 / kobune.alone.p50).toFixed(1)}× faster than serverless-offline; whole request, not only what is added`,
  },
  {
    what: '  serverless-offline, unsigned',
    p50: peer.alone.p50,
    p99: peer.alone.p99,
    throughput: { value: peer.alone.perSecond, unit: '/s' },
  },
  {
    what: 'warm invokes over HTTP, SigV4, 8 connections',
    p50: kobune.many.p50,
    p99: kobune.many.p99,
    throughput: { value: kobune.many.perSecond, unit: '/s' },
    floor: '8,000/s',
    aim: '15,000/s',
    reached: kobune.many.perSecond >= 8_000,
    note: `${(kobune.many.perSecond / peer.many.perSecond).toFixed(1)}× serverless-offline`,
  },
  {
    what: '  serverless-offline, unsigned',
    p50: peer.many.p50,
    p99: peer.many.p99,
    throughput: { value: peer.many.perSecond, unit: '/s' },
  },
];
report(rows);

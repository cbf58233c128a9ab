import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import * as sqs from '@aws-sdk/client-sqs';
import { QueueFunctions } from '../support/queue-functions.ts';

const SERVER = `
import { createLogger } from ${JSON.stringify(new URL('../../src/base/json-logger.ts', import.meta.url).href)};
import { startKobune } from ${JSON.stringify(new URL('../../src/main.ts', import.meta.url).href)};
const kobune = await startKobune({
  dataDirectory: process.argv[1], ephemeral: false, host: '127.0.0.1', port: Number(process.argv[2]), iam: 'off', hosts: [], origins: [],
  logger: createLogger({ level: 'error', format: 'text', write: (line) => process.stderr.write(line) }),
  environment: process.env, onShutdown() {},
});
process.stdout.write('ready ' + kobune.endpoint + '\\n');
setInterval(() => {}, 60_000);
`;

const MESSAGES = 300;

interface Running {
  readonly child: ChildProcess;
  readonly world: QueueFunctions;
}

/** `port` 0: the system chooses. */
async function start(directory: string, port: number): Promise<Running> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', SERVER, directory, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout! })) {
    if (!line.startsWith('ready ')) continue;
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
    const endpoint = line.slice('ready '.length);
    return { child, world: new QueueFunctions({ endpoint, region: 'us-east-1', credentials }) };
  }
  throw new Error('the server ended before it was ready');
}

async function kill({ child, world }: Running): Promise<void> {
  world[Symbol.dispose]();
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

describe('An event source mapping when Kobune is killed', () => {
  it('gives the function every message that was accepted', { timeout: 60_000 }, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'kobune-mapping-crash-'));
    try {
      const first = await start(directory, 0);
      const seen = await first.world.queue('seen');
      const work = await first.world.queue('work', { VisibilityTimeout: '2' });
      await first.world.relay('relay', seen);
      await first.world.map('relay', work);
      const bodies = Array.from({ length: MESSAGES }, (_, n) => `message ${n}`);
      for (let from = 0; from < MESSAGES; from += 10) {
        await first.world.sqs.send(
          new sqs.SendMessageBatchCommand({
            QueueUrl: work.url,
            Entries: bodies.slice(from, from + 10).map((MessageBody, n) => ({ Id: String(n), MessageBody })),
          }),
        );
      }
      await kill(first);

      // At the same port: the function has been told the queue's URL.
      const second = await start(directory, Number(new URL(seen.url).port));
      const missing = new Set(bodies);
      while (missing.size > 0) {
        const { Records } = await second.world.event(seen);
        for (const { body } of Records) missing.delete(body);
      }
      await kill(second);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

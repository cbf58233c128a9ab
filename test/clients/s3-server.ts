import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from '../../src/base/logger.ts';
import { startKobune } from '../../src/main.ts';

/** Kobune in this process, on a port of its own, keeping nothing. */
export interface TestServer extends AsyncDisposable {
  readonly endpoint: string;
  /** A scratch directory that goes with the server. */
  readonly scratch: string;
  /** Variables that point AWS tools at it. */
  readonly environment: NodeJS.ProcessEnv;
}

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

export async function startTestServer(): Promise<TestServer> {
  const scratch = await mkdtemp(join(tmpdir(), 'kobune-s3-client-'));
  const kobune = await startKobune({
    dataDirectory: join(scratch, 'data'),
    ephemeral: true,
    host: '127.0.0.1',
    port: 0,
    iam: 'off',
    hosts: [],
    origins: ['https://example.com'],
    logger: silent,
    environment: process.env,
    onShutdown() {},
  });
  return {
    endpoint: kobune.endpoint,
    scratch,
    environment: {
      PATH: process.env.PATH,
      HOME: scratch,
      AWS_ACCESS_KEY_ID: '111122223333',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_REGION: 'us-east-1',
      AWS_PAGER: '',
    },
    async [Symbol.asyncDispose]() {
      await kobune.close();
      await rm(scratch, { recursive: true, force: true });
    },
  };
}

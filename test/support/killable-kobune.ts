import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const source = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);

const SERVER = `
import { createLogger } from ${source('base/json-logger.ts')};
import { startKobune } from ${source('main.ts')};
const kobune = await startKobune({
  dataDirectory: process.argv[1], ephemeral: false, host: '127.0.0.1', port: 0, iam: 'off', hosts: [], origins: [],
  logger: createLogger({ level: 'error', format: 'text', write: (line) => process.stderr.write(line) }),
  environment: process.env, onShutdown() {},
});
process.stdout.write('ready ' + kobune.endpoint + '\\n');
setInterval(() => {}, 60_000);
`;

/** A Kobune in a process of its own, which can be killed and started again on the same data directory. */
export class KillableKobune {
  readonly endpoint: string;
  readonly #child: ChildProcess;

  private constructor(endpoint: string, child: ChildProcess) {
    this.endpoint = endpoint;
    this.#child = child;
  }

  static async start(directory: string): Promise<KillableKobune> {
    const child = spawn(process.execPath, ['--input-type=module', '-e', SERVER, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface({ input: child.stdout! })) {
      if (line.startsWith('ready ')) return new KillableKobune(line.slice('ready '.length), child);
    }
    throw new Error('the server ended before it was ready');
  }

  /** Settings for a client of the AWS SDK. */
  settings() {
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
    return { endpoint: this.endpoint, region: 'us-east-1', credentials, maxAttempts: 1 };
  }

  /** As `kill -9` does. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}

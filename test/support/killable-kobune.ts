import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SERVER = fileURLToPath(new URL('killable-server.ts', import.meta.url));

/** A Kobune in a process of its own, which can be killed and started again on the same data directory. */
export class KillableKobune implements AsyncDisposable {
  readonly endpoint: string;
  readonly #child: ChildProcess;

  private constructor(endpoint: string, child: ChildProcess) {
    this.endpoint = endpoint;
    this.#child = child;
  }

  /** `port` 0: the system chooses. */
  static async start(directory: string, port = 0): Promise<KillableKobune> {
    const child = spawn(process.execPath, [SERVER, directory, String(port)], {
      stdio: ['pipe', 'pipe', 'inherit'],
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

  get port(): number {
    return Number(new URL(this.endpoint).port);
  }

  /** As `kill -9` does. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** As `kobune down` does. */
  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill(signal);
    await exited;
  }
}

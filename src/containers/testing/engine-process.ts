/** For tests: an engine in a process of its own, which can be killed and started again on the same directory. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ContainerEngine } from '../engine.ts';

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

type Method = {
  [K in keyof ContainerEngine]: ContainerEngine[K] extends (...args: never[]) => Promise<unknown> ? K : never;
}[keyof ContainerEngine];

export class EngineProcess implements AsyncDisposable {
  readonly imageId: string;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #count = 0;

  private constructor(child: ChildProcess, imageId: string) {
    this.#child = child;
    this.imageId = imageId;
  }

  static async start(directory: string, options: { readonly ephemeral?: boolean } = {}): Promise<EngineProcess> {
    const script = fileURLToPath(new URL('./engine-program.ts', import.meta.url));
    const child = spawn(process.execPath, ['--no-warnings', script, directory, String(options.ephemeral ?? false)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: child.stdout! });
    const ended = once(child, 'exit').then(() => assert.fail('the engine ended before it was ready'));
    const [first] = (await Promise.race([once(lines, 'line'), ended])) as [string];
    ended.catch(() => {});
    const started = new EngineProcess(child, JSON.parse(first).imageId);
    lines.on('line', (line) => {
      const answer: Answer = JSON.parse(line);
      started.#waiting.get(answer.id)?.(answer);
      started.#waiting.delete(answer.id);
    });
    return started;
  }

  /** Calls a method of the engine, or `logText`. */
  async call<M extends Method>(
    method: M,
    ...args: Parameters<ContainerEngine[M]>
  ): Promise<Awaited<ReturnType<ContainerEngine[M]>>> {
    return (await this.#ask(method, args)) as Awaited<ReturnType<ContainerEngine[M]>>;
  }

  /** Everything that the container's log holds. */
  async logText(nameOrId: string): Promise<string> {
    return (await this.#ask('logText', [nameOrId])) as string;
  }

  async #ask(method: string, args: readonly unknown[]): Promise<unknown> {
    const id = this.#count++;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.#waiting.set(id, resolve);
    this.#child.stdin!.write(`${JSON.stringify({ id, method, args })}\n`);
    const { value, error } = await promise;
    if (error) throw Object.assign(new Error(error.message), { code: error.code });
    return value;
  }

  /** As `kill -9` does. */
  async kill(): Promise<void> {
    await this.#end(() => this.#child.kill('SIGKILL'));
  }

  /** Lets go of containers and ends. */
  async stop(): Promise<void> {
    await this.#end(() => this.#child.stdin!.end());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  async #end(ending: () => void): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    ending();
    await exited;
  }
}

import type { Readable } from 'node:stream';
import { RuntimeChannel, type RuntimeListener } from './runtime-channel.ts';
import type { Interpreter } from './runtimes/installed.ts';
import type { Sandbox, SandboxExit } from './sandbox/index.ts';

/** How long output still in the pipes is waited for after a process has ended. */
const drainMs = 200;

export interface FurtherOutput {
  readonly stream: Readable;
  /** Nothing more is to come; it ends once what is there was read. */
  release(): void;
}

/** A process in a sandbox, running one of our runtimes and speaking frames. */
export class RuntimeProcess {
  readonly sandbox: Sandbox;
  readonly channel: RuntimeChannel;
  readonly interpreter: Interpreter | undefined;
  /** Resolves once everything has ended and its output was read. */
  readonly ended: Promise<SandboxExit>;
  /** Receives what is written to descriptors 1 and 2 without passing our runtime: by child processes, native code. */
  onRawOutput: ((bytes: Buffer) => void) | undefined;
  /** The end of an extension's process: `name status`. */
  onProcessExit: ((description: string) => void) | undefined;
  /** The name of an extension that is about to be started; an empty one after the last. */
  onExtension: ((name: string) => void) | undefined;
  readonly #further: FurtherOutput | undefined;
  #early: Buffer[] = [];
  #earlyBytes = 0;

  /** `further`: output of its own besides descriptors 1 and 2, which is read to its end too. */
  constructor(sandbox: Sandbox, interpreter: Interpreter | undefined, further?: FurtherOutput) {
    this.sandbox = sandbox;
    this.#further = further;
    this.interpreter = interpreter;
    this.channel = new RuntimeChannel(sandbox.stdin, sandbox.stdout);
    this.channel.onProcessExit = (description) => this.onProcessExit?.(description);
    this.channel.onExtension = (name) => this.onExtension?.(name);
    sandbox.stderr.on('data', (bytes: Buffer) => this.#raw(bytes));
    sandbox.stderr.on('error', () => {});
    // Whoever made the sandbox may have read from it before.
    sandbox.stderr.resume();
    sandbox.stdout.resume();
    this.ended = this.#watch();
  }

  /** Resolves when the runtime has booted; rejects when it ends or takes too long. */
  whenReady(timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (reason: string) => {
        clearTimeout(timer);
        this.channel.listener = undefined;
        this.kill();
        reject(new Error(`${this.interpreter?.path} did not start: ${reason} ${this.earlyOutput()}`.trim()));
      };
      const timer = setTimeout(() => fail(`not ready after ${timeoutMs} ms.`), timeoutMs);
      const ready = () => {
        clearTimeout(timer);
        this.channel.listener = undefined;
        resolve();
      };
      // A runtime that cannot even rehearse says why; whatever else it says now is part of the rehearsal.
      const initError = (error: Buffer) => this.#raw(error);
      this.channel.listener = { ...silent, ready, initError, violation: fail, closed: () => fail('it ended.') };
    });
  }

  /** What was written before anybody listened. */
  earlyOutput(): string {
    return Buffer.concat(this.#early).toString('utf8').trim();
  }

  takeEarlyOutput(): Buffer | undefined {
    const early = this.#early.length > 0 ? Buffer.concat(this.#early) : undefined;
    this.#early = [];
    return early;
  }

  pause(): void {
    this.channel.pause();
    this.sandbox.stderr.pause();
    this.#further?.stream.pause();
  }

  resume(): void {
    this.channel.resume();
    this.sandbox.stderr.resume();
    this.#further?.stream.resume();
  }

  kill(): void {
    this.sandbox.kill();
  }

  #raw(bytes: Buffer): void {
    if (this.onRawOutput) {
      this.onRawOutput(bytes);
    } else if (this.#earlyBytes < 16_384) {
      this.#early.push(bytes);
      this.#earlyBytes += bytes.length;
    }
  }

  async #watch(): Promise<SandboxExit> {
    const streams = [this.sandbox.stdout, this.sandbox.stderr];
    if (this.#further) streams.push(this.#further.stream);
    const closed = streams.map(
      (stream) => new Promise<void>((resolve) => (stream.closed ? resolve() : stream.once('close', resolve))),
    );
    const exit = await this.sandbox.exited;
    this.#further?.release();
    this.resume();
    const drained = Promise.all(closed);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, drainMs);
    });
    await Promise.race([drained, late]);
    clearTimeout(timer);
    this.#further?.stream.destroy();
    // Children that outlived the process, where no namespace ends with it.
    this.sandbox.kill();
    return exit;
  }
}

const nothing = () => {};

/** A listener that ignores everything. */
export const silent: RuntimeListener = {
  ready: nothing,
  initDone: nothing,
  initError: nothing,
  response: nothing,
  error: nothing,
  log: nothing,
  output: nothing,
  streamStart: nothing,
  streamChunk: nothing,
  streamEnd: nothing,
  streamError: nothing,
  violation: nothing,
  closed: nothing,
};

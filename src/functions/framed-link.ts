import type { Invocation, ResponseSink } from './engine.ts';
import type { EnvironmentLog } from './environment-log.ts';
import { maxResponseBytes } from './frames.ts';
import {
  brokenRuntime,
  emptyPayload,
  errorTypeOf,
  exitDescription,
  type Outcome,
  tooLarge,
} from './invocation-outcome.ts';
import type { HostedProcess } from './runtime-api/hosted-process.ts';
import type { InitOutcome, RuntimeLink, ShutdownReason } from './runtime-link.ts';
import { type RuntimeProcess, silent } from './runtime-process.ts';
import type { Sandbox, SandboxExit } from './sandbox/index.ts';
import { StreamResponse } from './stream-response.ts';

const closedGraceMs = 100;

interface Current {
  readonly sequence: number;
  readonly requestId: string;
  readonly sink: ResponseSink | undefined;
  readonly complete: (outcome: Outcome) => void;
  stream: StreamResponse | undefined;
}

/** A runtime of ours, spoken to in frames. */
export class FramedLink implements RuntimeLink {
  readonly sandbox: Sandbox;
  readonly ended: Promise<SandboxExit>;
  readonly #process: RuntimeProcess;
  readonly #log: EnvironmentLog;
  #current: Current | undefined;
  #lastWords: Outcome | undefined;
  #initialised: ((outcome: InitOutcome) => void) | undefined;
  #pausedFor: Promise<void> | undefined;
  readonly #hosted: HostedProcess | undefined;

  /** `hosted`: the runtime has extensions beside it. */
  constructor(process: RuntimeProcess, log: EnvironmentLog, hosted?: HostedProcess) {
    this.#hosted = hosted;
    this.sandbox = process.sandbox;
    this.#process = process;
    this.#log = log;
    this.ended = process.ended.then((exit) => {
      if (this.#lastWords) {
        // Our runtime's own statuses, which a shell would take for a signal's.
        const rejected = this.#lastWords.errorType === 'Runtime.UnhandledPromiseRejection';
        const own = exit.signal === 'SIGHUP' || exit.code === 128 || exit.code === 129;
        const message = own
          ? exitDescription({ code: rejected ? 128 : 129, signal: undefined, outOfMemory: false })
          : exitDescription(exit);
        this.#lastWords = { ...this.#lastWords, logLine: `${message}\nRuntime.ExitError\n` };
      }
      return exit;
    });
    process.onRawOutput = (bytes) => {
      this.#log.rawOutput(bytes);
      this.#holdBack();
    };
    process.channel.listener = {
      ...silent,
      initDone: () => this.#initialised?.({ kind: 'done' }),
      initError: (error) => this.#onInitError(error),
      response: (sequence, payload, oversize) => this.#onResponse(sequence, payload, oversize),
      error: (sequence, payload, fatal) => this.#onError(sequence, payload, fatal),
      log: (message, oversize) => {
        if (!oversize) this.#log.functionEvent(message);
        this.#holdBack();
      },
      output: (bytes) => {
        this.#log.output(bytes);
        this.#holdBack();
      },
      streamStart: (sequence, contentType) => {
        const current = this.#match(sequence);
        if (!current || current.stream) return;
        current.stream = new StreamResponse(current.sink);
        current.stream.start(contentType);
      },
      streamChunk: (sequence, bytes) => this.#onChunk(sequence, bytes),
      streamEnd: (sequence) => void this.#onStreamEnd(sequence),
      streamError: (sequence, error) => this.#onError(sequence, error, false),
      violation: (reason) => this.#onViolation(reason),
      closed: () => this.#onClosed(),
    };
  }

  async initialise(): Promise<InitOutcome> {
    const outcome = await this.#load();
    return (outcome.kind === 'done' && (await this.#hosted?.extensionsReady())) || outcome;
  }

  #load(): Promise<InitOutcome> {
    return new Promise((resolve) => {
      this.#initialised = (outcome) => {
        this.#initialised = undefined;
        resolve(outcome);
      };
      this.#process.channel.init();
    });
  }

  settled(): Promise<void> | undefined {
    return this.#hosted?.settled();
  }

  invoke(
    sequence: number,
    invocation: Invocation,
    remainingMs: number,
    sink: ResponseSink | undefined,
    complete: (outcome: Outcome) => void,
  ): void {
    const { requestId, invokedArn, traceId, clientContext, payload } = invocation;
    this.#current = { sequence, requestId, sink, complete, stream: undefined };
    this.#hosted?.tell(invocation, Math.floor(Date.now() + remainingMs));
    this.#process.channel.invoke(
      sequence,
      JSON.stringify({ requestId, invokedArn, traceId, remainingMs, clientContext }),
      payload,
    );
  }

  lastWords(): Outcome | undefined {
    return this.#lastWords;
  }

  endInvocation(): void {
    this.#current = undefined;
  }

  shutdown(reason: ShutdownReason): void {
    if (this.#hosted) void this.#hosted.shutdown(reason);
    else this.#process.kill();
  }

  kill(): void {
    this.#process.kill();
  }

  #match(sequence: number): Current | undefined {
    return this.#current?.sequence === sequence ? this.#current : undefined;
  }

  #onInitError(error: Buffer): void {
    this.#initialised?.({ kind: 'error', errorType: errorTypeOf(error) ?? 'Runtime.Unknown', payload: error });
  }

  #onResponse(sequence: number, payload: Buffer, oversize: boolean): void {
    const current = this.#match(sequence);
    if (!current) return;
    if (oversize || payload.length > maxResponseBytes) {
      current.complete(tooLarge(maxResponseBytes));
      return;
    }
    if (!current.sink) {
      current.complete({ status: 'success', payload });
      return;
    }
    const stream = new StreamResponse(current.sink);
    stream.start('application/json');
    void stream
      .write(payload)
      .then(() => stream.end())
      .then(() => current.complete({ status: 'success', payload: emptyPayload }));
  }

  #onError(sequence: number, payload: Buffer, fatal: boolean): void {
    const current = this.#match(sequence);
    if (!current) return;
    const outcome: Outcome = { status: 'error', payload, errorType: errorTypeOf(payload), broken: fatal };
    // The process is about to end; its exit completes the invocation.
    if (fatal) this.#lastWords = outcome;
    else current.complete(outcome);
  }

  #onChunk(sequence: number, bytes: Buffer): void {
    const stream = this.#match(sequence)?.stream;
    if (!stream) return;
    void stream.write(bytes).then(() => this.#process.channel.credit(bytes.length));
  }

  async #onStreamEnd(sequence: number): Promise<void> {
    const current = this.#match(sequence);
    if (!current?.stream) return;
    const payload = await current.stream.end();
    current.complete(current.stream.tooLarge ? tooLarge(maxResponseBytes) : { status: 'success', payload });
  }

  #onViolation(reason: string): void {
    this.#initialised?.({
      kind: 'error',
      errorType: 'Runtime.Unknown',
      payload: brokenRuntime('', reason).payload,
    });
    const current = this.#current;
    this.#process.kill();
    current?.complete(brokenRuntime(current.requestId, `Runtime broke its protocol: ${reason}`));
  }

  /** Without its channel it can serve nothing more, though the process may live on. */
  #onClosed(): void {
    // A process that ends closes its channel first; its own exit status is what counts.
    const timer = setTimeout(() => this.#process.kill(), closedGraceMs);
    void this.ended.then(() => clearTimeout(timer));
  }

  /** The log service is behind: the runtime's pipes are not read until it has caught up. */
  #holdBack(): void {
    const backlog = this.#log.backlog;
    if (!backlog || this.#pausedFor) return;
    this.#process.pause();
    this.#pausedFor = backlog.then(() => {
      this.#pausedFor = undefined;
      this.#process.resume();
    });
  }
}

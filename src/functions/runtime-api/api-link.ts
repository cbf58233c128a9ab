import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Invocation, ResponseSink } from '../engine.ts';
import { maxResponseBytes } from '../frames.ts';
import { emptyPayload, errorTypeOf, type Outcome, tooLarge } from '../invocation-outcome.ts';
import type { InitOutcome, RuntimeLink, ShutdownReason } from '../runtime-link.ts';
import type { Sandbox, SandboxExit } from '../sandbox/index.ts';
import { StreamResponse } from '../stream-response.ts';
import {
  type ApiAnswer,
  accepted,
  BodyTooLarge,
  type RuntimeApiHandler,
  readBody,
  refusal,
  refuseBody,
  send,
} from './api-server.ts';

interface Pending {
  readonly invocation: Invocation;
  readonly deadlineMs: number;
  readonly sink: ResponseSink | undefined;
  readonly complete: (outcome: Outcome) => void;
  delivered: boolean;
}

/** What the API link needs of the process that holds the runtime and its extensions. */
export interface HostedRuntime {
  readonly sandbox: Sandbox;
  readonly ended: Promise<SandboxExit>;
  /** Lets the runtime start; its extensions have registered. */
  start(): Promise<InitOutcome | undefined>;
  /** Resolves when the extensions have asked for their next event. */
  extensionsReady(): Promise<InitOutcome | undefined>;
  tellExtensions(invocation: Invocation, deadlineMs: number): void;
  settled(): Promise<void> | undefined;
  shutdown(reason: ShutdownReason): void;
  kill(): void;
}

const invalidState = refusal(403, 'InvalidStateTransition', 'State transition is not allowed');
const unknownRequest = refusal(400, 'InvalidRequestID', 'Invalid request ID');

/** A custom runtime, spoken to over the Runtime API. */
export class ApiLink implements RuntimeLink, RuntimeApiHandler {
  /** Everything that it prints comes by a pipe, unordered with its answers. */
  describeExit: RuntimeLink['describeExit'];
  #host: HostedRuntime | undefined;
  #initialised: ((outcome: InitOutcome) => void) | undefined;
  #pending: Pending | undefined;
  #waiting: ServerResponse | undefined;

  /** To be called before anything else; the server that calls this object has to exist first. */
  attach(host: HostedRuntime): void {
    this.#host = host;
  }

  get sandbox(): Sandbox {
    return this.#host!.sandbox;
  }

  get ended(): Promise<SandboxExit> {
    return this.#host!.ended;
  }

  async initialise(): Promise<InitOutcome> {
    const first = new Promise<InitOutcome>((resolve) => {
      this.#initialised = resolve;
    });
    const failed = await this.#host!.start();
    if (failed) return failed;
    const outcome = await first;
    this.#initialised = undefined;
    if (outcome.kind !== 'done') return outcome;
    return (await this.#host!.extensionsReady()) ?? outcome;
  }

  invoke(
    _sequence: number,
    invocation: Invocation,
    remainingMs: number,
    sink: ResponseSink | undefined,
    complete: (outcome: Outcome) => void,
  ): void {
    // Inside, time is the machine's: the cloud's clock may be elsewhere.
    const deadlineMs = Math.floor(Date.now() + remainingMs);
    this.#pending = { invocation, deadlineMs, sink, complete, delivered: false };
    this.#host!.tellExtensions(invocation, deadlineMs);
    this.#deliver();
  }

  lastWords(): Outcome | undefined {
    return undefined;
  }

  endInvocation(): void {
    this.#pending = undefined;
  }

  settled(): Promise<void> | undefined {
    return this.#host!.settled();
  }

  shutdown(reason: ShutdownReason): void {
    this.#host!.shutdown(reason);
  }

  kill(): void {
    this.#host!.kill();
  }

  next(response: ServerResponse): void {
    this.#initialised?.({ kind: 'done' });
    this.#waiting?.destroy();
    this.#waiting = response;
    response.on('close', () => {
      if (this.#waiting === response) this.#waiting = undefined;
    });
    this.#deliver();
  }

  #deliver(): void {
    const pending = this.#pending;
    const response = this.#waiting;
    if (!pending || pending.delivered || !response) return;
    pending.delivered = true;
    this.#waiting = undefined;
    const { invocation } = pending;
    const headers: Record<string, string | number> = {
      'Content-Type': 'application/json',
      'Content-Length': invocation.payload.length,
      'Lambda-Runtime-Aws-Request-Id': invocation.requestId,
      'Lambda-Runtime-Deadline-Ms': pending.deadlineMs,
      'Lambda-Runtime-Invoked-Function-Arn': invocation.invokedArn,
      'Lambda-Runtime-Trace-Id': invocation.traceId,
    };
    if (invocation.clientContext !== undefined) {
      headers['Lambda-Runtime-Client-Context'] = JSON.stringify(invocation.clientContext);
    }
    response.writeHead(200, headers);
    response.end(invocation.payload);
  }

  #match(requestId: string): Pending | undefined {
    const pending = this.#pending;
    return pending?.delivered && pending.invocation.requestId === requestId ? pending : undefined;
  }

  async response(requestId: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pending = this.#match(requestId);
    if (!pending) {
      request.resume();
      send(response, this.#pending ? unknownRequest : invalidState);
      return;
    }
    if (request.headers['lambda-runtime-function-response-mode'] === 'streaming') {
      await this.#streamed(pending, request, response);
      return;
    }
    let body: Buffer;
    try {
      body = await readBody(request, maxResponseBytes);
    } catch (error) {
      if (!(error instanceof BodyTooLarge)) throw error;
      refuseBody(request, response);
      pending.complete(tooLarge(maxResponseBytes));
      return;
    }
    send(response, accepted);
    if (!pending.sink) {
      pending.complete({ status: 'success', payload: body });
      return;
    }
    const stream = new StreamResponse(pending.sink);
    stream.start(request.headers['content-type'] ?? 'application/octet-stream');
    await stream.write(body);
    pending.complete({ status: 'success', payload: await stream.end() });
  }

  async #streamed(pending: Pending, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const stream = new StreamResponse(pending.sink);
    stream.start(request.headers['content-type'] ?? 'application/octet-stream');
    try {
      for await (const part of request as AsyncIterable<Buffer>) await stream.write(part);
    } catch {
      pending.complete(streamFailure('Runtime.TruncatedResponse', undefined));
      return;
    }
    const payload = await stream.end();
    send(response, accepted);
    const errorType = request.trailers['lambda-runtime-function-error-type'];
    if (errorType !== undefined) {
      pending.complete(streamFailure(errorType, request.trailers['lambda-runtime-function-error-body']));
    } else {
      pending.complete(stream.tooLarge ? tooLarge(maxResponseBytes) : { status: 'success', payload });
    }
  }

  invocationError(requestId: string, errorType: string | undefined, body: Buffer): ApiAnswer {
    const pending = this.#match(requestId);
    if (!pending) return this.#pending ? unknownRequest : invalidState;
    pending.complete({ status: 'error', payload: body, errorType: errorTypeOf(body) ?? errorType });
    return accepted;
  }

  initError(errorType: string | undefined, body: Buffer): ApiAnswer {
    if (!this.#initialised) return invalidState;
    this.#initialised({
      kind: 'error',
      errorType: errorTypeOf(body) ?? errorType ?? 'Runtime.Unknown',
      payload: body.length > 0 ? body : emptyPayload,
    });
    return accepted;
  }
}

/** A stream that ended with an error: what its trailers say. */
function streamFailure(errorType: string, base64: string | undefined): Outcome {
  const body = base64 ? Buffer.from(base64, 'base64') : undefined;
  const payload = body && body.length > 0 ? body : Buffer.from(JSON.stringify({ errorType, errorMessage: '' }));
  return { status: 'error', payload, errorType };
}

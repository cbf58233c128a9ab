import type { Readable, Writable } from 'node:stream';
import { FrameDecoder, frame, fromRuntime, invokeHead, toRuntime } from './frames.ts';

/** What a runtime of ours says. Every value comes from inside the sandbox: trust none of them. */
export interface RuntimeListener {
  ready(): void;
  initDone(): void;
  initError(error: Buffer): void;
  /** `tooLarge`: the response was over Lambda's limit and is gone. */
  response(sequence: number, payload: Buffer, tooLarge: boolean): void;
  /** `fatal`: the process ends right after. */
  error(sequence: number, payload: Buffer, fatal: boolean): void;
  log(message: Buffer, tooLarge: boolean): void;
  /** Bytes of standard output or standard error. */
  output(bytes: Buffer): void;
  streamStart(sequence: number, contentType: string): void;
  streamChunk(sequence: number, bytes: Buffer): void;
  streamEnd(sequence: number): void;
  streamError(sequence: number, error: Buffer): void;
  /** The runtime broke the protocol. */
  violation(reason: string): void;
  /** The runtime's end of the channel is closed: it has ended, or is about to. */
  closed(): void;
}

/** The engine's end of the frames of one runtime process. */
export class RuntimeChannel {
  readonly #input: Writable;
  readonly #output: Readable;
  listener: RuntimeListener | undefined;
  /** An extension's process ended: `name status`. */
  onProcessExit: ((description: string) => void) | undefined;
  /** An extension is about to be started; an empty name: that was all. */
  onExtension: ((name: string) => void) | undefined;

  constructor(input: Writable, output: Readable) {
    this.#input = input;
    this.#output = output;
    const decoder = new FrameDecoder({
      frame: (type, body, oversize) => this.#dispatch(type, body, oversize),
      violation: (reason) => this.listener?.violation(reason),
    });
    output.on('data', (chunk: Buffer) => decoder.push(chunk));
    output.on('error', () => {});
    output.once('close', () => this.listener?.closed());
    // A write to a runtime that has ended; its exit tells the story.
    input.on('error', () => {});
  }

  prepare(settings: object): void {
    this.#input.write(frame(toRuntime.prepare, JSON.stringify(settings)));
  }

  init(): void {
    this.#input.write(frame(toRuntime.init, ''));
  }

  invoke(sequence: number, metadata: string, payload: Uint8Array): void {
    const head = invokeHead(sequence, metadata, payload.length);
    if (payload.length === 0) {
      this.#input.write(head);
    } else if (payload.length < 16_384) {
      const whole = Buffer.allocUnsafe(head.length + payload.length);
      whole.set(head);
      whole.set(payload, head.length);
      this.#input.write(whole);
    } else {
      this.#input.write(head);
      this.#input.write(payload);
    }
  }

  /** Lets the runtime send `bytes` more of a streamed response. */
  credit(bytes: number): void {
    const body = Buffer.allocUnsafe(4);
    body.writeUInt32LE(bytes, 0);
    this.#input.write(frame(toRuntime.credit, body));
  }

  /** Stops reading: the runtime blocks as soon as it has filled the pipe. */
  pause(): void {
    this.#output.pause();
  }

  resume(): void {
    this.#output.resume();
  }

  #dispatch(type: number, body: Buffer, oversize: boolean): void {
    if (type === fromRuntime.processExit) {
      this.onProcessExit?.(body.toString('utf8'));
      return;
    }
    if (type === fromRuntime.extension) {
      this.onExtension?.(body.toString('utf8'));
      return;
    }
    const listener = this.listener;
    if (!listener) return;
    switch (type) {
      case fromRuntime.log:
        listener.log(body, oversize);
        return;
      case fromRuntime.output:
        listener.output(body);
        return;
      case fromRuntime.ready:
        listener.ready();
        return;
      case fromRuntime.initDone:
        listener.initDone();
        return;
      case fromRuntime.initError:
        listener.initError(body);
        return;
      default:
    }
    if (body.length < 4) {
      listener.violation(`frame of type ${type} without a sequence number`);
      return;
    }
    const sequence = body.readUInt32LE(0);
    const rest = body.subarray(4);
    switch (type) {
      case fromRuntime.response:
        listener.response(sequence, rest, oversize);
        return;
      case fromRuntime.error:
        listener.error(sequence, rest, false);
        return;
      case fromRuntime.fatal:
        listener.error(sequence, rest, true);
        return;
      case fromRuntime.streamStart:
        listener.streamStart(sequence, rest.toString('latin1'));
        return;
      case fromRuntime.streamChunk:
        listener.streamChunk(sequence, rest);
        return;
      case fromRuntime.streamEnd:
        listener.streamEnd(sequence);
        return;
      case fromRuntime.streamError:
        listener.streamError(sequence, rest);
        return;
      default:
    }
  }
}

import type { FunctionLogs, LogLine } from './engine.ts';
import { LineSplitter } from './line-splitter.ts';
import type { EnvironmentTelemetry } from './telemetry/environment-telemetry.ts';

const tailBytes = 4 * 1024;
/** Bytes gathered before the log service gets them without waiting for the timer. */
const flushBytes = 256 * 1024;

/** Gathers the environments' log lines and hands them on in batches, so that a line costs an invocation next to nothing. */
export class LogBatcher {
  readonly #logs: FunctionLogs;
  readonly #delayMs: number;
  readonly #dirty = new Set<EnvironmentLog>();
  #timer: NodeJS.Timeout | undefined;

  constructor(logs: FunctionLogs, delayMs = 10) {
    this.#logs = logs;
    this.#delayMs = delayMs;
  }

  get logs(): FunctionLogs {
    return this.#logs;
  }

  schedule(log: EnvironmentLog): void {
    this.#dirty.add(log);
    this.#timer ??= setTimeout(() => this.flush(), this.#delayMs);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const log of this.#dirty) log.flush();
    this.#dirty.clear();
  }
}

export interface LogDestination {
  readonly account: string;
  readonly region: string;
  readonly group: string;
  readonly stream: string;
}

/** The log of one environment: one stream of CloudWatch Logs. */
export class EnvironmentLog {
  readonly destination: LogDestination;
  readonly #batcher: LogBatcher;
  readonly #now: () => number;
  #lines: LogLine[] = [];
  #bytes = 0;
  readonly #telemetry: EnvironmentTelemetry | undefined;
  readonly #function = new LineSplitter((line) => this.#addLine('function', line));
  #raw: LineSplitter | undefined;
  #extension: LineSplitter | undefined;
  #tail: string[] | undefined;
  #tailLength = 0;
  /** Settles when the log service has taken what is over the bound; `undefined` when there is no need to wait. */
  backlog: Promise<void> | undefined;

  constructor(
    batcher: LogBatcher,
    destination: LogDestination,
    now: () => number,
    telemetry?: EnvironmentTelemetry | undefined,
  ) {
    this.#telemetry = telemetry;
    this.#batcher = batcher;
    this.destination = destination;
    this.#now = now;
  }

  /** One event as the platform or a runtime's logger wrote it. */
  event(message: string): void {
    this.#function.end();
    this.#add(message);
  }

  /** One event from a runtime of ours, as bytes. */
  functionEvent(message: Buffer): void {
    this.#function.end();
    this.#addLine('function', message.toString('utf8'));
  }

  /** Bytes of standard output or error: every line is an event, as on Lambda. */
  output(bytes: Buffer): void {
    this.#function.push(bytes);
  }

  /** The same, of bytes that did not come through the runtime: they have no order with those that did, so lines do not mix. */
  rawOutput(bytes: Buffer): void {
    this.#raw ??= new LineSplitter((line) => this.#addLine('function', line));
    this.#raw.push(bytes);
  }

  /** What external extensions print. */
  extensionOutput(bytes: Buffer): void {
    this.#extension ??= new LineSplitter((line) => this.#addLine('extension', line));
    this.#extension.push(bytes);
  }

  endExtensionOutput(): void {
    this.#extension?.end();
  }

  #addLine(kind: 'function' | 'extension', line: string): void {
    this.#add(line);
    this.#telemetry?.line(kind, line);
  }

  #add(message: string): void {
    if (this.#lines.length === 0) this.#batcher.schedule(this);
    this.#lines.push({ timestamp: this.#now(), message });
    this.#bytes += message.length;
    if (this.#tail) {
      this.#tail.push(message);
      this.#tailLength += message.length;
      while (this.#tail.length > 1 && this.#tailLength - this.#tail[0]!.length >= tailBytes) {
        this.#tailLength -= this.#tail.shift()!.length;
      }
    }
    if (this.#bytes >= flushBytes) this.flush();
  }

  startTail(): void {
    this.#tail = [];
    this.#tailLength = 0;
  }

  /** The last 4 KB since {@link startTail}. */
  takeTail(): Uint8Array | undefined {
    const tail = this.#tail;
    this.#tail = undefined;
    if (!tail) return undefined;
    const bytes = Buffer.from(tail.join(''));
    return bytes.subarray(Math.max(0, bytes.length - tailBytes));
  }

  /** Ends a line that was not ended, as at the end of an invocation. */
  endLine(): void {
    this.#function.end();
    this.#raw?.end();
  }

  flush(): void {
    if (this.#lines.length === 0) return;
    const lines = this.#lines;
    const bytes = this.#bytes;
    this.#lines = [];
    this.#bytes = 0;
    const { account, region, group, stream } = this.destination;
    const taken = this.#batcher.logs.append(account, region, group, stream, lines);
    if (bytes < flushBytes) return;
    // A flood: the runtime waits until the service has taken it, or at least until others had their turn.
    const wait =
      taken instanceof Promise ? taken.catch(() => {}) : new Promise<void>((resolve) => setImmediate(resolve));
    const backlog = Promise.all([this.backlog, wait]).then(() => {
      if (this.backlog === backlog) this.backlog = undefined;
    });
    this.backlog = backlog;
  }
}

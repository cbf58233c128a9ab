import type { FunctionLogs, LogLine } from './engine.ts';

/** CloudWatch Logs takes no longer event. */
const maxEventBytes = 256 * 1024;
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
  #partial: Buffer | undefined;
  #tail: string[] | undefined;
  #tailLength = 0;
  /** Settles when the log service has taken what is over the bound; `undefined` when there is no need to wait. */
  backlog: Promise<void> | undefined;

  constructor(batcher: LogBatcher, destination: LogDestination, now: () => number) {
    this.#batcher = batcher;
    this.destination = destination;
    this.#now = now;
  }

  /** One event as the platform or a runtime's logger wrote it. */
  event(message: string): void {
    this.#flushPartial();
    this.#add(message);
  }

  /** One event from a runtime of ours, as bytes. */
  functionEvent(message: Buffer): void {
    this.#flushPartial();
    this.#add(message.toString('utf8'));
  }

  /** Bytes of standard output or error: every line is an event, as on Lambda. */
  output(bytes: Buffer): void {
    let rest = bytes;
    if (this.#partial) {
      rest = Buffer.concat([this.#partial, bytes]);
      this.#partial = undefined;
    }
    let start = 0;
    for (let end = rest.indexOf(10, start); end >= 0; end = rest.indexOf(10, start)) {
      this.#addBytes(rest.subarray(start, end + 1));
      start = end + 1;
    }
    while (rest.length - start >= maxEventBytes) {
      this.#addBytes(rest.subarray(start, start + maxEventBytes));
      start += maxEventBytes;
    }
    if (start < rest.length) this.#partial = Buffer.from(rest.subarray(start));
  }

  #flushPartial(): void {
    if (!this.#partial) return;
    const bytes = this.#partial;
    this.#partial = undefined;
    this.#add(`${bytes.toString('utf8')}\n`);
  }

  #addBytes(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += maxEventBytes) {
      this.#add(bytes.toString('utf8', at, Math.min(bytes.length, at + maxEventBytes)));
    }
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
    this.#flushPartial();
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

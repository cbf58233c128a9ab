import { closeSync, fstatSync, openSync, read, readSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import type { LogLine, LogOptions } from '../engine.ts';
import type { JsonLog } from './json-log.ts';

const readAt = promisify(read);
const CHUNK = 256 * 1024;
const NEWLINE = 0x0a;
/** `"time":"2026-01-02T03:04:05.123456789Z"}`: times of one length, which sort as text. */
const TIME_LENGTH = 30;
const TIME_END = 2;

interface OpenFile {
  readonly fd: number;
  /** Which one it is, counted from the first that the live log had. */
  readonly sequence: number;
}

/** A place in a log: nothing that was written after it is read. */
export interface LogEnd {
  readonly sequence: number;
  /** Bytes of that file. */
  readonly size: number;
}

/** Where a log ends now; `live` is the log while it is written. */
export function endOfLog(path: string, live: JsonLog | undefined): LogEnd {
  return { sequence: live?.sequence ?? 0, size: statSync(path, { throwIfNoEntry: false })?.size ?? 0 };
}

/**
 * Lines of a log, oldest first, over all its files; `live` is the log while it is written. With `follow` it goes on until that is
 * closed. What is being rotated away stays readable, as long as it was open. Source: `docker logs`.
 */
export async function* readLog(
  path: string,
  maxFiles: number,
  live: JsonLog | undefined,
  options: LogOptions & { readonly end?: LogEnd },
): AsyncGenerator<LogLine> {
  const files = openFiles(path, maxFiles, live?.sequence ?? 0);
  try {
    const since = options.since === undefined ? '' : timeText(options.since);
    const until = options.until === undefined ? undefined : timeText(options.until);
    const start = options.tail === undefined ? { file: 0, offset: 0 } : findTail(files, options.tail);
    const follow = options.follow && live !== undefined;
    const { end } = options;
    for (let at = start.file; at < files.length; at++) {
      if (end && files[at]!.sequence > end.sequence) return;
      const last = at === files.length - 1;
      for await (const line of linesOf(
        files[at]!,
        at === start.file ? start.offset : 0,
        last && follow ? live : undefined,
        end?.sequence === files[at]!.sequence ? end.size : Number.POSITIVE_INFINITY,
        options.signal,
      )) {
        const time = line.toString('latin1', line.length - TIME_END - TIME_LENGTH, line.length - TIME_END);
        if (time < since) continue;
        if (until !== undefined && time > until) return;
        const parsed = parseLine(line);
        if (parsed && options[parsed.stream]) yield parsed;
      }
      if (last && follow) openNext(path, files, live);
    }
  } finally {
    for (const { fd } of files) closeSync(fd);
  }
}

function openFiles(path: string, maxFiles: number, current: number): OpenFile[] {
  const files: OpenFile[] = [];
  for (let age = maxFiles - 1; age >= 0; age--) {
    const fd = tryOpen(age === 0 ? path : `${path}.${age}`);
    if (fd !== undefined) files.push({ fd, sequence: current - age });
  }
  return files;
}

/** The file after the last one that is open, if there is one; those that are gone already are passed over. */
function openNext(path: string, files: OpenFile[], live: JsonLog): void {
  for (let sequence = files.at(-1)!.sequence + 1; sequence <= live.sequence; sequence++) {
    const age = live.sequence - sequence;
    const fd = tryOpen(age === 0 ? path : `${path}.${age}`);
    if (fd === undefined) continue;
    files.push({ fd, sequence });
    return;
  }
}

function tryOpen(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    return undefined;
  }
}

/** Where the last `count` lines begin: read from the end, so that a long log costs no more than a short one. */
function findTail(files: readonly OpenFile[], count: number): { readonly file: number; readonly offset: number } {
  const buffer = Buffer.allocUnsafe(CHUNK);
  // The newline that ends the last line begins none.
  let wanted = count + 1;
  for (let file = files.length - 1; file >= 0; file--) {
    const { fd } = files[file]!;
    for (let end = fstatSync(fd).size; end > 0; ) {
      const start = Math.max(0, end - CHUNK);
      const length = readSync(fd, buffer, 0, end - start, start);
      for (let at = length - 1; at >= 0; at--) {
        if (buffer[at] !== NEWLINE) continue;
        wanted--;
        if (wanted <= 0) return { file, offset: start + at + 1 };
      }
      end = start;
    }
  }
  return { file: 0, offset: 0 };
}

/** Complete lines from `offset` on, but not past `end`; with `live`, until it is closed or has gone on to another file. */
async function* linesOf(
  { fd, sequence }: OpenFile,
  offset: number,
  live: JsonLog | undefined,
  end: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  let position = offset;
  let rest: Buffer = Buffer.alloc(0);
  const buffer = Buffer.allocUnsafe(CHUNK);
  while (!signal?.aborted) {
    // Looked at before reading: what was written until then is read now.
    const complete = !live || live.closed || live.sequence > sequence;
    const { bytesRead } = await readAt(fd, buffer, 0, Math.min(CHUNK, end - position), position);
    position += bytesRead;
    let from = 0;
    for (let at = buffer.indexOf(NEWLINE); at >= 0 && at < bytesRead; at = buffer.indexOf(NEWLINE, from)) {
      const line = buffer.subarray(from, at);
      yield rest.length > 0 ? Buffer.concat([rest, line]) : line;
      rest = Buffer.alloc(0);
      from = at + 1;
    }
    if (from < bytesRead) rest = Buffer.concat([rest, buffer.subarray(from, bytesRead)]);
    if (bytesRead > 0) continue;
    if (complete) return;
    if (!live.closed && live.sequence === sequence && fstatSync(fd).size <= position) await nextWrite(live, signal);
  }
}

function nextWrite(live: JsonLog, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stop();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const stop = live.onWrite(done);
    signal?.addEventListener('abort', done, { once: true });
  });
}

function parseLine(line: Buffer): LogLine | undefined {
  try {
    const { log, stream, time } = JSON.parse(line.toString('utf8'));
    return { stream, time, bytes: Buffer.from(log) };
  } catch {
    // Somebody else has written into it.
    return undefined;
  }
}

/** Nanoseconds are beyond what a number holds, so they are taken from its digits. */
function timeText(seconds: number | string): string {
  if (typeof seconds === 'string') return seconds;
  const whole = Math.floor(seconds);
  const fraction = (seconds - whole).toFixed(9).slice(2);
  return `${new Date(whole * 1000).toISOString().slice(0, 19)}.${fraction}Z`;
}

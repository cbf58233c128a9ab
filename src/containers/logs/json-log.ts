import { closeSync, fstatSync, ftruncateSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import type { AssembledLine } from './line-assembler.ts';

export interface JsonLogOptions {
  readonly path: string;
  /** -1: never rotated. */
  readonly maxSizeBytes: number;
  readonly maxFiles: number;
}

/** Where the log's end is, as a checkpoint remembers it. */
export interface JsonLogPlace {
  readonly inode: number;
  readonly size: number;
}

/**
 * A log file as Docker's json-file driver writes it, where log collectors look for it: one JSON object a line, rotated to
 * `.1`, `.2`, … Source: Docker's documentation, "JSON File logging driver".
 */
export class JsonLog {
  readonly #options: JsonLogOptions;
  #fd: number;
  #place: JsonLogPlace;
  #waiting: string[] = [];
  #waitingLength = 0;
  /** Counts rotations, for those who read on. */
  #sequence = 0;
  #closed = false;
  readonly #listeners = new Set<() => void>();

  /** Goes on at `place`; what was written behind it, just before a crash, is written again. */
  constructor(options: JsonLogOptions, place: JsonLogPlace | undefined) {
    this.#options = options;
    this.#fd = openSync(options.path, 'a', 0o640);
    const { ino, size } = fstatSync(this.#fd);
    if (place && place.inode === ino && place.size < size) ftruncateSync(this.#fd, place.size);
    // Another file than the checkpoint's: it was rotated just before a crash, when all of it was complete.
    if (place && place.inode !== ino) ftruncateSync(this.#fd, 0);
    this.#place = { inode: ino, size: fstatSync(this.#fd).size };
  }

  get place(): JsonLogPlace {
    return this.#place;
  }

  get sequence(): number {
    return this.#sequence;
  }

  add({ stream, bytes, time }: AssembledLine): void {
    const line = `{"log":${JSON.stringify(bytes.toString('utf8'))},"stream":"${stream}","time":"${time}"}\n`;
    this.#waiting.push(line);
    this.#waitingLength += line.length;
  }

  /** It has reached its size: time to write, remember the place and `rotate`. */
  get full(): boolean {
    const { maxSizeBytes } = this.#options;
    return maxSizeBytes > 0 && this.#place.size + this.#waitingLength >= maxSizeBytes;
  }

  /** Writes what was added. Throws the system's error when the disk is full; it is kept for the next time. */
  write(): void {
    if (this.#waitingLength === 0) return;
    const bytes = Buffer.from(this.#waiting.join(''));
    try {
      for (let written = 0; written < bytes.length; ) written += writeSync(this.#fd, bytes, written);
    } catch (error) {
      ftruncateSync(this.#fd, this.#place.size);
      throw error;
    }
    this.#waiting = [];
    this.#waitingLength = 0;
    this.#place = { inode: this.#place.inode, size: this.#place.size + bytes.length };
    for (const listener of this.#listeners) listener();
  }

  /** The file becomes `.1`, that one `.2`, and so on; the last one goes. */
  rotate(): void {
    const { path, maxFiles } = this.#options;
    if (maxFiles <= 1) rmSync(path, { force: true });
    for (let index = maxFiles - 1; index >= 1; index--) {
      const from = index === 1 ? path : `${path}.${index - 1}`;
      if (isThere(from)) renameSync(from, `${path}.${index}`);
    }
    // Closed last: with a number that is another file's by now, its lines would go there.
    const before = this.#fd;
    this.#fd = openSync(path, 'ax', 0o640);
    closeSync(before);
    this.#place = { inode: fstatSync(this.#fd).ino, size: 0 };
    this.#sequence++;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Tells when more was written, and when it is closed; answers the function that stops it. */
  onWrite(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#closed = true;
    closeSync(this.#fd);
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
  }
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

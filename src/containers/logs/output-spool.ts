import { closeSync, constants, type FSWatcher, fstatSync, openSync, readSync, statSync, watch } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { Logger } from '../../base/logger.ts';
import type { Kernel } from '../../network/index.ts';
import { CheckpointFile, type LogCheckpoint, readCheckpoint } from './checkpoint.ts';
import type { JsonLog } from './json-log.ts';
import { LineAssembler } from './line-assembler.ts';
import { parseSpool, type SpoolEntry } from './spool-parser.ts';

export interface OutputSpoolOptions {
  /** conmon writes here. */
  readonly path: string;
  readonly checkpointPath: string;
  readonly kernel: Kernel;
  /** Opens the log at the place that the checkpoint remembers; `undefined`: no log is kept. */
  readonly openLog: (place: LogCheckpoint['log']) => JsonLog | undefined;
  /** Told what the process writes, as it comes. The bytes are used again afterwards. */
  readonly onOutput: (entry: SpoolEntry) => void;
  /** Whether those who are attached have too much to read already. */
  readonly congested: () => boolean;
  /** Holds the writer while too much is waiting, and lets it go on. */
  readonly hold: (held: boolean) => void;
  readonly logger: Logger;
}

const SMALL_CHUNK = 4 * 1024;
const CHUNK = 256 * 1024;
/** Work in one turn of the event loop, and the pause before the next, while a container floods. */
const SLICE_MS = 3;
const PAUSE_MS = 3;
/** The writer is held above so many bytes that wait, and released below. */
const HOLD_ABOVE = 32 * 1024 * 1024;
const RELEASE_BELOW = 4 * 1024 * 1024;
/** Blocks of the spool that were read are given back each so many bytes. */
const FREE_EVERY = 4 * 1024 * 1024;
const PAGE = 4096;
/** FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE (`linux/falloc.h`). */
const PUNCH_HOLE = 0x01 | 0x02;
const FALLOCATE = { x64: 285, arm64: 47 } as const;
const RETRY_MS = 1000;
/** Read at once, with everybody else waiting. */
const CATCH_UP = 4 * 1024 * 1024;

/**
 * Takes what a container writes from the file in which conmon puts it (the spool) over into the log, and shows it to those who are
 * attached. The spool goes on growing while nobody reads it; a checkpoint remembers how far the log is, so that after a restart,
 * also after a kill, nothing is missing and nothing comes twice. What was read is freed.
 */
export class OutputSpool {
  readonly #options: OutputSpoolOptions;
  readonly #checkpoint: CheckpointFile;
  readonly #log: JsonLog | undefined;
  readonly #lines: LineAssembler;
  readonly #chunk = { buffer: Buffer.allocUnsafeSlow(SMALL_CHUNK), kept: 0 };
  #fd: number;
  #inode: number;
  /** Place in the spool up to which entries were taken. */
  #offset = 0;
  #freed = 0;
  #held = false;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #finishing = false;
  #warned = false;

  constructor(options: OutputSpoolOptions) {
    this.#options = options;
    const last = readCheckpoint(options.checkpointPath);
    this.#log = options.openLog(last?.log);
    this.#checkpoint = new CheckpointFile(options.checkpointPath);
    this.#lines = new LineAssembler((line) => this.#log?.add(line));
    this.#fd = openSpool(options.path);
    this.#inode = fstatSync(this.#fd).ino;
    if (last && last.spoolInode === this.#inode) this.#resume(last);
    this.#watch();
    this.#run();
  }

  get log(): JsonLog | undefined {
    return this.#log;
  }

  /** Takes over what has been written until now, unless that is very much: then the beginning of it. */
  catchUp(): void {
    if (this.#closed || this.#finishing) return;
    const end = this.#offset + CATCH_UP;
    while (this.#offset < end && this.#take()) {}
  }

  /** The process has ended and its output is complete: takes the rest over and closes. */
  async finish(): Promise<void> {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#watcher?.close();
    this.#finishing = true;
    try {
      let until = performance.now() + SLICE_MS;
      while (this.#take()) {
        if (performance.now() < until && !this.#options.congested()) continue;
        await new Promise((resolve) => setTimeout(resolve, 1));
        if (this.#closed) return;
        until = performance.now() + SLICE_MS;
      }
      this.#lines.flush();
      this.#save();
    } catch (error) {
      this.#complain(error as Error);
    } finally {
      this.close();
    }
  }

  /** Stops here; another one can go on from the checkpoint. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#hold(false);
    this.#watcher?.close();
    clearTimeout(this.#timer);
    this.#checkpoint.close();
    this.#log?.close();
    closeSync(this.#fd);
  }

  /** Reads until nothing is left, in slices that leave time for others. While there is more, nothing is watched for. */
  #run(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#closed || this.#finishing) return;
    const until = performance.now() + SLICE_MS;
    try {
      let more = true;
      while (more && performance.now() < until && !this.#options.congested()) more = this.#take();
      if (more) {
        this.#watcher?.close();
        this.#watcher = undefined;
        this.#weigh();
        this.#timer = setTimeout(() => this.#run(), PAUSE_MS);
        return;
      }
      this.#warned = false;
    } catch (error) {
      this.#complain(error as Error);
      this.#timer = setTimeout(() => this.#run(), RETRY_MS);
      return;
    }
    this.#hold(false);
    if (this.#chunk.buffer.length > SMALL_CHUNK && this.#chunk.kept === 0) this.#resizeChunk(SMALL_CHUNK);
    if (this.#watcher) return;
    this.#watch();
    // What came before the watch was there.
    this.#timer = setTimeout(() => this.#run(), 0);
  }

  #watch(): void {
    try {
      this.#watcher = watch(this.#options.path, { persistent: false }, () => this.#run());
      this.#watcher.on('error', () => {});
    } catch (error) {
      this.#complain(error as Error);
      this.#timer = setTimeout(() => this.#run(), RETRY_MS);
    }
  }

  /** Takes over one chunk; answers whether there may be more. */
  #take(): boolean {
    const chunk = this.#chunk;
    const { buffer, kept } = chunk;
    const length = readSync(this.#fd, buffer, kept, buffer.length - kept, this.#offset + kept);
    if (length === 0) return this.#nextFile();
    const filled = kept + length;
    const taken = parseSpool(buffer.subarray(0, filled), this.#offset, (entry) => this.#entry(entry));
    buffer.copy(buffer, 0, taken, filled);
    chunk.kept = filled - taken;
    this.#offset += taken;
    this.#save();
    if (filled < buffer.length) return true;
    if (buffer.length < CHUNK) this.#resizeChunk(CHUNK);
    // No entry is so long: what fills the chunk is none.
    else if (taken === 0) chunk.kept = 0;
    return true;
  }

  /** Who writes little needs little room. */
  #resizeChunk(size: number): void {
    const { buffer, kept } = this.#chunk;
    this.#chunk.buffer = Buffer.allocUnsafeSlow(size);
    buffer.copy(this.#chunk.buffer, 0, 0, kept);
  }

  #entry(entry: SpoolEntry): void {
    if (this.#log?.full) {
      this.#save(entry.start);
      this.#log.rotate();
    }
    this.#lines.add(entry);
    this.#options.onOutput(entry);
  }

  #save(offset = this.#offset): void {
    this.#log?.write();
    const [stdout, stderr] = [this.#lines.pendingPlace('stdout'), this.#lines.pendingPlace('stderr')];
    this.#checkpoint.write({ spoolInode: this.#inode, offset, log: this.#log?.place, stdout, stderr });
    const needed = Math.min(offset, stdout?.start ?? offset, stderr?.start ?? offset);
    if (needed - this.#freed < FREE_EVERY) return;
    const end = needed - (needed % PAGE);
    const number = FALLOCATE[process.arch as keyof typeof FALLOCATE];
    if (number !== undefined) {
      this.#options.kernel.syscall('fallocate', number, this.#fd, PUNCH_HOLE, this.#freed, end - this.#freed);
    }
    this.#freed = end;
  }

  /** conmon begins a new file when the old one is large; the old one is complete when the new one is there. */
  #nextFile(): boolean {
    const now = statSync(this.#options.path, { throwIfNoEntry: false });
    if (!now || now.ino === this.#inode) return false;
    if (fstatSync(this.#fd).size > this.#offset + this.#chunk.kept) return true;
    this.#lines.flush();
    const before = this.#fd;
    this.#fd = openSpool(this.#options.path);
    closeSync(before);
    this.#inode = fstatSync(this.#fd).ino;
    this.#offset = 0;
    this.#freed = 0;
    this.#chunk.kept = 0;
    this.#save();
    this.#watcher?.close();
    this.#watcher = undefined;
    return true;
  }

  /** Puts unfinished lines together again. */
  #resume({ offset, stdout, stderr }: LogCheckpoint): void {
    const from = Math.min(offset, stdout?.start ?? offset, stderr?.start ?? offset);
    const bytes = Buffer.alloc(offset - from);
    const length = readSync(this.#fd, bytes, 0, bytes.length, from);
    parseSpool(bytes.subarray(0, length), from, (entry) => {
      const place = entry.stream === 'stdout' ? stdout : stderr;
      if (place && entry.start >= place.start) this.#lines.add(entry, entry.start === place.start ? place.skip : 0);
    });
    this.#offset = offset;
    this.#freed = from - (from % PAGE);
  }

  #weigh(): void {
    const waiting = fstatSync(this.#fd).size - this.#offset;
    if (waiting > HOLD_ABOVE) this.#hold(true);
    else if (waiting < RELEASE_BELOW) this.#hold(false);
  }

  #hold(held: boolean): void {
    if (this.#held === held) return;
    this.#held = held;
    this.#options.hold(held);
  }

  #complain(error: Error): void {
    if (!this.#warned) this.#options.logger.warn('output of a container cannot be taken over yet', { error });
    this.#warned = true;
  }
}

function openSpool(path: string): number {
  return openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
}

import { execFile } from 'node:child_process';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import type { WriteArchiveResult } from './root-archives.ts';
import type { Task, TaskResults } from './tasks.ts';
import { Turns } from './turns.ts';
import { prepareThreads, WorkerThread } from './worker-thread.ts';

/** Tasks at once; the machine's processors are also needed for what comes over the network. */
const MAX_TASKS = 2;
/** Tasks at once that read or write archives of others, as fast as those do. */
const MAX_STREAMS = 8;
/** Layers that are compressed at once. They wait for each other alone: it takes long, and nobody's files are kept from him by it. */
const MAX_COMPRESSIONS = 2;
/** How long a thread without work is kept. Measured with the machine's clock: it is about memory, not about anybody's data. */
const IDLE_MS = 10_000;
/** Pieces of an archive that a thread has not worked off yet. */
const MAX_UNTAKEN = 8;

const run = promisify(execFile);

type TaskOf<K extends Task['kind']> = Extract<Task, { kind: K }>;

/** Threads that work on files of images. They are started when there is work, and end when there is none. */
export class LayerWorkers {
  readonly #all = new Set<WorkerThread>();
  /** The one that has worked last is at the end. */
  readonly #idle = new Map<WorkerThread, NodeJS.Timeout>();
  readonly #tasks = new Turns(MAX_TASKS);
  readonly #streams = new Turns(MAX_STREAMS);
  readonly #compressions = new Turns(MAX_COMPRESSIONS);
  #closed = false;

  /** Runs a task on a thread. Rejects with a `ServiceError` when the archive or the disk is at fault. */
  async run<K extends Task['kind']>(task: TaskOf<K>, onProgress?: (bytes: number) => void): Promise<TaskResults[K]> {
    await using _turn = await (task.kind === 'compress' ? this.#compressions : this.#tasks).take();
    const thread = await this.#take();
    try {
      return (await thread.run(task, onProgress && { onProgress })) as TaskResults[K];
    } finally {
      this.#giveBack(thread);
    }
  }

  /**
   * Unmounts what is at a path, if something is. Never on the program's own thread: the kernel may first write everything that is
   * dirty to the disk.
   */
  async unmount(path: string): Promise<void> {
    if (this.#idle.size === 0) {
      // To start a program takes a tenth of the time that starting a thread does.
      const failure = await run('umount', ['--lazy', path]).catch((error: NodeJS.ErrnoException) => error);
      if (!(failure instanceof Error)) return;
    }
    await this.run({ kind: 'unmount', path });
  }

  /** Runs a task that writes an archive; resolves with it once it has begun, `undefined` when there is nothing. */
  async readStream(task: TaskOf<'read-archive'>): Promise<Readable | undefined> {
    const turn = await this.#streams.take();
    let thread: WorkerThread;
    try {
      thread = await this.#take();
    } catch (error) {
      await turn[Symbol.asyncDispose]();
      throw error;
    }
    let running = true;
    const leave = async (error: Error | null | undefined): Promise<void> => {
      if (running) await thread.end(error ?? new Error('nobody reads the archive any more'));
      await turn[Symbol.asyncDispose]();
    };
    // Pieces that were read, for which the thread may hand over others.
    let owed = 0;
    const pay = () => {
      for (; owed > 0; owed--) thread.allow();
    };
    const begin = () =>
      new Readable({
        highWaterMark: 1024 * 1024,
        read: pay,
        destroy: (error, done) => void leave(error).finally(() => done(error)),
      });
    return new Promise((resolve, reject) => {
      let stream: Readable | undefined;
      const onPiece = (bytes: Uint8Array): void => {
        stream ??= begin();
        owed++;
        if (stream.push(bytes)) pay();
        resolve(stream);
      };
      thread.run(task, { onPiece }).then(
        () => {
          running = false;
          this.#giveBack(thread);
          if (stream) stream.push(null);
          else void leave(undefined).finally(() => resolve(undefined));
        },
        (error: Error) => {
          running = false;
          this.#giveBack(thread);
          if (stream) stream.destroy(error);
          else void leave(error).finally(() => reject(error));
        },
      );
    });
  }

  /** Runs a task that reads an archive. */
  async writeStream(task: TaskOf<'write-archive'>, archive: AsyncIterable<Uint8Array>): Promise<WriteArchiveResult> {
    await using _turn = await this.#streams.take();
    const thread = await this.#take();
    let over = false;
    let untaken = 0;
    let onTaken = () => {};
    const running = thread.run(task, {
      onTaken: () => {
        untaken--;
        onTaken();
      },
    });
    const stop = () => {
      over = true;
      onTaken();
    };
    running.then(stop, stop);
    try {
      for await (const bytes of archive) {
        if (over) break;
        thread.give(Uint8Array.from(bytes));
        if (++untaken < MAX_UNTAKEN) continue;
        await new Promise<void>((resolve) => {
          onTaken = resolve;
          if (over) resolve();
        });
      }
      thread.give(undefined);
      return (await running) as WriteArchiveResult;
    } finally {
      if (!over) await thread.end(new Error('the archive has no more'));
      this.#giveBack(thread);
    }
  }

  /** Stops the threads, also those at work: their tasks fail. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#idle.values()) clearTimeout(timer);
    await Promise.all([...this.#all].map((thread) => thread.end(closedError())));
  }

  async #take(): Promise<WorkerThread> {
    await prepareThreads();
    if (this.#closed) throw closedError();
    const last = [...this.#idle.keys()].at(-1);
    if (last) {
      clearTimeout(this.#idle.get(last));
      this.#idle.delete(last);
      return last;
    }
    const thread: WorkerThread = new WorkerThread(() => {
      this.#all.delete(thread);
      clearTimeout(this.#idle.get(thread));
      this.#idle.delete(thread);
    });
    this.#all.add(thread);
    return thread;
  }

  #giveBack(thread: WorkerThread): void {
    if (this.#closed || !this.#all.has(thread)) return;
    const timer = setTimeout(() => {
      this.#idle.delete(thread);
      void thread.end(closedError());
    }, IDLE_MS);
    this.#idle.set(thread, timer.unref());
  }
}

function closedError(): Error {
  return new Error('the images are closed');
}

import { stat } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { ServiceError } from '../../base/errors.ts';
import { openKernel } from '../../network/index.ts';
import { imageError } from './image-errors.ts';
import type { Task, TaskResults } from './tasks.ts';
import type { WorkerReply, WorkerRequest } from './worker-messages.ts';

/** Threads; the machine's processors are also needed for what comes over the network. */
const MAX_WORKERS = 2;
/** How long a thread without work is kept. Measured with the machine's clock: it is about memory, not about anybody's data. */
const IDLE_MS = 10_000;

const PROGRAM = new URL(import.meta.url.endsWith('.ts') ? './layer-worker.ts' : './layer-worker.js', import.meta.url);

interface Job {
  readonly task: Task;
  readonly onProgress: ((bytes: number) => void) | undefined;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

interface Thread {
  readonly worker: Worker;
  job: Job | undefined;
  idle: NodeJS.Timeout | undefined;
}

/** A small pool of threads that work on files of images. They are started when there is work, and end when there is none. */
export class LayerWorkers {
  readonly #threads = new Set<Thread>();
  readonly #waiting: Job[] = [];
  #next = 0;
  #closed = false;

  /** Runs a task on a thread. Rejects with a `ServiceError` when the archive or the disk is at fault. */
  run<K extends Task['kind']>(
    task: Extract<Task, { kind: K }>,
    onProgress?: (bytes: number) => void,
  ): Promise<TaskResults[K]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ task, onProgress, resolve: (result) => resolve(result as TaskResults[K]), reject });
      this.#assign().catch(reject);
    });
  }

  /** Stops the threads, also those at work: their tasks fail. */
  async close(): Promise<void> {
    this.#closed = true;
    const closed = new Error('the images are being closed');
    for (const job of this.#waiting.splice(0)) job.reject(closed);
    await Promise.all([...this.#threads].map((thread) => this.#end(thread, closed)));
  }

  async #assign(): Promise<void> {
    if (this.#closed) throw new Error('the images are closed');
    for (const thread of this.#threads) if (!thread.job) this.#give(thread);
    if (this.#waiting.length === 0 || this.#threads.size >= MAX_WORKERS) return;
    if (!openKernel()) {
      this.#waiting.splice(0);
      throw new ServiceError(
        'NotSupported',
        'images cannot be unpacked here: this needs Linux and Node 26.1 or newer',
        {
          status: 501,
        },
      );
    }
    // The library's own threads share the root directory of the thread that first needs them; that must be this one.
    await stat('/');
    if (this.#waiting.length > 0 && this.#threads.size < MAX_WORKERS && !this.#closed) this.#start();
  }

  #start(): void {
    const worker = new Worker(PROGRAM, { name: 'layers', stdout: false, stderr: false });
    const thread: Thread = { worker, job: undefined, idle: undefined };
    worker.unref();
    worker.on('message', (message: WorkerReply) => this.#take(thread, message));
    worker.on('error', (error) => void this.#end(thread, error));
    worker.on('exit', () => void this.#end(thread, new Error('a thread that unpacks layers has ended')));
    this.#threads.add(thread);
    this.#give(thread);
  }

  #give(thread: Thread): void {
    const job = this.#waiting.shift();
    clearTimeout(thread.idle);
    thread.job = job;
    if (job) {
      const request: WorkerRequest = { id: ++this.#next, task: job.task };
      thread.worker.ref();
      thread.worker.postMessage(request);
      return;
    }
    thread.worker.unref();
    thread.idle = setTimeout(() => void this.#end(thread, new Error('idle')), IDLE_MS).unref();
  }

  #take(thread: Thread, message: WorkerReply): void {
    const job = thread.job;
    if (!job) return;
    if (message.kind === 'progress') {
      job.onProgress?.(message.bytes);
      return;
    }
    thread.job = undefined;
    if (message.kind === 'done') job.resolve(message.result);
    else job.reject(imageError(message.error));
    this.#give(thread);
  }

  async #end(thread: Thread, error: unknown): Promise<void> {
    if (!this.#threads.delete(thread)) return;
    clearTimeout(thread.idle);
    await thread.worker.terminate();
    thread.job?.reject(error);
    thread.job = undefined;
    if (this.#waiting.length > 0 && !this.#closed) await this.#assign();
  }
}

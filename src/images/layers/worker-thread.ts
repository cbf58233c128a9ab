import { stat } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { ServiceError } from '../../base/errors.ts';
import { openKernel } from '../../network/kernel/index.ts';
import { imageError } from './image-errors.ts';
import type { Task } from './tasks.ts';
import type { WorkerReply, WorkerRequest } from './worker-messages.ts';

const PROGRAM = new URL(import.meta.url.endsWith('.ts') ? './layer-worker.ts' : './layer-worker.js', import.meta.url);

/** Pieces that a thread may have handed over that nobody has taken yet. */
const CREDIT = 8;

/** What is told of a task while it runs. */
export interface TaskListener {
  onProgress?(bytes: number): void;
  onTaken?(): void;
  onPiece?(bytes: Uint8Array): void;
}

interface Job extends TaskListener {
  readonly id: number;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** Makes sure that threads can be confined. Throws `NotSupported` where they cannot. */
export async function prepareThreads(): Promise<void> {
  if (!openKernel()) {
    const message = 'images cannot be unpacked here: this needs Linux and Node 26.1 or newer';
    throw new ServiceError('NotSupported', message, { status: 501 });
  }
  // The library's own threads share the root directory of the thread that first needs them; that must be this one.
  await stat('/');
}

/** One thread. It runs one task after the other. */
export class WorkerThread {
  readonly #worker: Worker;
  readonly #credit = new Int32Array(new SharedArrayBuffer(4));
  #job: Job | undefined;
  #last = 0;
  #ended: Promise<unknown> | undefined;

  /** `onEnd` is called when the thread has ended, by itself or not. */
  constructor(onEnd: () => void) {
    this.#worker = new Worker(PROGRAM, { name: 'layers', workerData: { credit: this.#credit.buffer } });
    this.#worker.unref();
    this.#worker.on('message', (message: WorkerReply) => this.#take(message));
    const lost = (error: unknown) => {
      this.#fail(error);
      onEnd();
    };
    this.#worker.on('error', lost);
    this.#worker.on('exit', () => lost(new Error('a thread that works on images has ended')));
  }

  run(task: Task, listener: TaskListener = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = ++this.#last;
      this.#job = { id, resolve, reject, ...listener };
      Atomics.store(this.#credit, 0, CREDIT);
      this.#worker.ref();
      this.#post({ id, kind: 'run', task });
    });
  }

  /** Hands a piece to the task that runs; none: there is no more. */
  give(bytes: Uint8Array | undefined): void {
    if (this.#job) this.#post({ id: this.#job.id, kind: 'piece', bytes });
  }

  /** Allows the task to hand over one piece more. */
  allow(): void {
    Atomics.add(this.#credit, 0, 1);
    Atomics.notify(this.#credit, 0);
  }

  /** Ends the thread, also in the middle of a task, which fails with `error`. */
  async end(error: unknown): Promise<void> {
    this.#ended ??= this.#worker.terminate();
    await this.#ended;
    this.#fail(error);
  }

  #post(request: WorkerRequest): void {
    this.#worker.postMessage(request);
  }

  #take(message: WorkerReply): void {
    const job = this.#job;
    if (!job || job.id !== message.id) return;
    switch (message.kind) {
      case 'progress':
        job.onProgress?.(message.bytes);
        return;
      case 'taken':
        job.onTaken?.();
        return;
      case 'piece':
        job.onPiece?.(message.bytes);
        return;
      case 'done':
        this.#finish();
        job.resolve(message.result);
        return;
      case 'failed':
        this.#finish();
        job.reject(imageError(message.error));
    }
  }

  #finish(): void {
    this.#job = undefined;
    this.#worker.unref();
  }

  #fail(error: unknown): void {
    const job = this.#job;
    this.#job = undefined;
    job?.reject(error);
  }
}

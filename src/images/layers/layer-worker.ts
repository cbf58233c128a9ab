/** A thread that works on the files of images, confined to one directory at a time. Started by `LayerWorkers`. */
import { parentPort, workerData } from 'node:worker_threads';
import { Confinement } from './confinement.ts';
import { runTask, type Task } from './tasks.ts';
import type { TaskChannel, WorkerReply, WorkerRequest } from './worker-messages.ts';

const port = parentPort!;
/** How many pieces may still be sent. The other thread adds to it; this one waits while it is 0. */
const credit = new Int32Array((workerData as { credit: SharedArrayBuffer }).credit);
const reply = (message: WorkerReply, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);
let confinement: Confinement | undefined;
let arrived: (Uint8Array | undefined)[] = [];
let wake: (() => void) | undefined;

port.on('message', (request: WorkerRequest) => {
  if (request.kind === 'piece') {
    arrived.push(request.bytes);
    wake?.();
  } else void run(request.id, request.task);
});

async function run(id: number, task: Task): Promise<void> {
  arrived = [];
  try {
    confinement ??= new Confinement();
    reply({ id, kind: 'done', result: await runTask(confinement, task, channelOf(id)) });
  } catch (error) {
    const { name, message, code, stack } = error as Error & { code?: string };
    reply({ id, kind: 'failed', error: { name, message, code, stack } });
  }
}

function channelOf(id: number): TaskChannel {
  return {
    progress: (bytes) => reply({ id, kind: 'progress', bytes }),
    send: (bytes) => {
      while (Atomics.load(credit, 0) <= 0) Atomics.wait(credit, 0, 0);
      Atomics.sub(credit, 0, 1);
      reply({ id, kind: 'piece', bytes }, [bytes.buffer]);
    },
    async *pieces() {
      for (;;) {
        while (arrived.length === 0) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        const bytes = arrived.shift();
        if (!bytes) return;
        yield bytes;
        reply({ id, kind: 'taken' });
      }
    },
  };
}

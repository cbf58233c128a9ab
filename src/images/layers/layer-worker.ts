/** A thread that works on the files of images, confined to one directory at a time. Started by `LayerWorkers`. */
import { parentPort } from 'node:worker_threads';
import { Confinement } from './confinement.ts';
import { runTask } from './tasks.ts';
import type { WorkerReply, WorkerRequest } from './worker-messages.ts';

const port = parentPort!;
const reply = (message: WorkerReply) => port.postMessage(message);
let confinement: Confinement | undefined;

port.on('message', async ({ id, task }: WorkerRequest) => {
  try {
    confinement ??= new Confinement();
    const result = await runTask(confinement, task, (bytes) => reply({ id, kind: 'progress', bytes }));
    reply({ id, kind: 'done', result });
  } catch (error) {
    const { name, message, code, stack } = error as Error & { code?: string };
    reply({ id, kind: 'failed', error: { name, message, code, stack } });
  }
});

import { PassThrough, type Writable } from 'node:stream';
import type { AttachedStreams, OutputChunk } from './engine.ts';
import type { LiveContainer } from './live-container.ts';
import type { EngineParts } from './parts.ts';
import { openStdin } from './runtime/attach-socket.ts';

export interface AttachOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly logs: boolean;
}

/** Connects to a container's process, which may be about to be started. */
export function attach(
  { kernel }: EngineParts,
  container: LiveContainer,
  options: AttachOptions,
  history: () => AsyncIterable<OutputChunk>,
): AttachedStreams {
  const { spec } = container.record;
  // Everything that came before is in the log: what is subscribed to begins after it.
  container.run?.spool.catchUp();
  const before = options.logs ? history() : undefined;
  const subscription = container.hub.subscribe(options);
  const stdin =
    options.stdin && spec.openStdin ? standardInput(() => openStdin(kernel, container.files.run.attach)) : undefined;
  let stopListening = () => {};
  const connect = () => {
    stopListening();
    stdin?.connect();
  };
  if (container.run) connect();
  else if (stdin) stopListening = container.listen({ running: connect });
  const detach = () => {
    stopListening();
    container.hub.unsubscribe(subscription);
    stdin?.stream.destroy();
  };
  return { stdin: stdin?.stream, output: outputOf(before, subscription.queue, detach), detach };
}

async function* outputOf(
  before: AsyncIterable<OutputChunk> | undefined,
  live: AsyncIterable<OutputChunk>,
  leave: () => void,
): AsyncGenerator<OutputChunk> {
  try {
    if (before) yield* before;
    yield* live;
  } finally {
    leave();
  }
}

/** Input that can be written before there is a process to read it. */
function standardInput(open: () => Writable): { readonly stream: Writable; connect(): void } {
  const stream = new PassThrough();
  stream.on('error', () => {});
  return {
    stream,
    connect: () => {
      if (stream.destroyed) return;
      let target: Writable;
      try {
        target = open();
      } catch {
        // It has ended already.
        stream.destroy();
        return;
      }
      stream.pipe(target);
      stream.once('close', () => {
        if (!stream.readableEnded) target.destroy();
      });
      target.once('close', () => stream.destroy());
    },
  };
}

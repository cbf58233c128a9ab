import type { Duplex, Writable } from 'node:stream';
import type { AttachedStreams } from '../../containers/index.ts';
import { DetachWatch } from './detach-keys.ts';
import { frame } from './multiplexed-stream.ts';
import { writeTo } from './raw-connection.ts';

export interface ServeOptions {
  /** One stream of bytes; else each chunk has a header that tells which stream it is of. */
  readonly raw: boolean;
  /** The keys that leave a terminal, where they are looked for. */
  readonly detachKeys: readonly number[] | undefined;
  /** Leave, whatever goes on. */
  readonly ending: AbortSignal;
}

/**
 * Connects a client with a process until its output ends, the client goes or types the detach keys. Each direction waits for its slow side.
 * A client that closes its half of the connection closes the process's standard input. Answers whether it detached.
 */
export async function serveStreams(
  streams: AttachedStreams,
  connection: Duplex,
  options: ServeOptions,
): Promise<boolean> {
  let detached = false;
  const leave = () => streams.detach();
  connection.once('close', leave);
  options.ending.addEventListener('abort', leave);
  if (options.ending.aborted || connection.destroyed) leave();
  const input =
    streams.stdin === undefined
      ? void connection.resume()
      : copyInput(connection, streams.stdin, options.detachKeys, () => {
          detached = true;
          leave();
        });
  try {
    for await (const chunk of streams.output) {
      if (!(await writeTo(connection, options.raw ? chunk.bytes : frame(chunk)))) break;
    }
  } finally {
    leave();
    connection.off('close', leave);
    options.ending.removeEventListener('abort', leave);
  }
  // Input that comes after the end has nobody to read it; its copying ends with the connection.
  void input;
  return detached;
}

async function copyInput(
  connection: Duplex,
  stdin: Writable,
  detachKeys: readonly number[] | undefined,
  detach: () => void,
): Promise<void> {
  const watch = detachKeys === undefined ? undefined : new DetachWatch(detachKeys);
  // A process that has closed its standard input is no error of the client's.
  stdin.on('error', () => {});
  try {
    for await (const chunk of connection.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      const { passed, detached } = watch?.take(chunk) ?? { passed: chunk, detached: false };
      if (passed.length > 0) await writeTo(stdin, passed);
      if (detached) {
        detach();
        return;
      }
    }
  } catch {
    // The connection broke: to the process that is the end, too.
  }
  if (stdin.writable) stdin.end();
}

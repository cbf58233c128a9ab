import { StringDecoder } from 'node:string_decoder';
import type { DockerClient } from '../../docker-client/client.ts';
import { type OutputChunk, outputChunks } from '../../docker-client/output-frames.ts';

export interface OutputLine {
  readonly text: string;
  readonly stream: OutputChunk['stream'];
  /** As the engine writes it; empty unless it was asked for. */
  readonly timestamp: string;
}

export interface LogOptions {
  readonly follow?: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly tail?: string;
  readonly timestamps?: boolean;
  readonly signal?: AbortSignal;
}

/** The lines of a container's log; with `follow` until it ends. */
export async function* containerLines(
  client: DockerClient,
  { id, tty }: { readonly id: string; readonly tty: boolean },
  { signal, timestamps = false, ...options }: LogOptions,
): AsyncGenerator<OutputLine> {
  const response = await client.open('GET', `/containers/${id}/logs`, {
    query: { stdout: true, stderr: true, timestamps, ...options },
    signal,
  });
  try {
    for await (const line of linesOf(outputChunks(response as AsyncIterable<Buffer>, tty))) {
      if (!timestamps) yield { ...line, timestamp: '' };
      else {
        const at = line.text.indexOf(' ');
        yield { stream: line.stream, text: line.text.slice(at + 1), timestamp: line.text.slice(0, Math.max(at, 0)) };
      }
    }
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
}

/** Whole lines of each stream; the last one may have no end. */
async function* linesOf(chunks: AsyncIterable<OutputChunk>): AsyncGenerator<Pick<OutputLine, 'text' | 'stream'>> {
  const open = new Map<OutputChunk['stream'], { readonly decoder: StringDecoder; rest: string }>();
  for await (const { stream, bytes } of chunks) {
    const state = open.get(stream) ?? { decoder: new StringDecoder('utf8'), rest: '' };
    open.set(stream, state);
    const lines = (state.rest + state.decoder.write(bytes)).split('\n');
    state.rest = lines.pop()!;
    for (const text of lines) yield { stream, text: text.replace(/\r$/, '') };
  }
  for (const [stream, { rest, decoder }] of open) {
    const text = rest + decoder.end();
    if (text !== '') yield { stream, text };
  }
}

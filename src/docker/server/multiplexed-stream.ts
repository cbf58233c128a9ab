import type { OutputChunk } from '../../containers/index.ts';

/** Media types of streams from 1.42 on; before that everything is called raw. Source: "Attach to a container", Stream format. */
export const RAW_STREAM = 'application/vnd.docker.raw-stream';
export const MULTIPLEXED_STREAM = 'application/vnd.docker.multiplexed-stream';

export function streamType(api: number, tty: boolean): string {
  return tty || api < 42 ? RAW_STREAM : MULTIPLEXED_STREAM;
}

const HEADER = 8;
const STREAMS = { stdout: 1, stderr: 2 } as const;

/** A chunk with its header: stream, three zeros, length as 32 bits, big end first. */
export function frame({ stream, bytes }: OutputChunk): Buffer {
  const framed = Buffer.allocUnsafe(HEADER + bytes.length);
  framed.fill(0, 0, HEADER);
  framed[0] = STREAMS[stream];
  framed.writeUInt32BE(bytes.length, 4);
  framed.set(bytes, HEADER);
  return framed;
}

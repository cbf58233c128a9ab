/** Output of a container's process. */
export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: Buffer;
}

const HEADER_BYTES = 8;

/**
 * Takes apart what a container without a terminal puts out: each chunk has a header of one byte for the stream and four for the length
 * (https://docs.docker.com/reference/api/engine/version/v1.48/#tag/Container/operation/ContainerAttach). With a terminal all is standard output.
 */
export async function* outputChunks(source: AsyncIterable<Buffer>, tty: boolean): AsyncGenerator<OutputChunk> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const bytes of source) {
    if (tty) {
      yield { stream: 'stdout', bytes };
      continue;
    }
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    while (rest.length >= HEADER_BYTES) {
      const length = rest.readUInt32BE(4);
      if (rest.length < HEADER_BYTES + length) break;
      const chunk = rest.subarray(HEADER_BYTES, HEADER_BYTES + length);
      yield { stream: rest[0] === 2 ? 'stderr' : 'stdout', bytes: chunk };
      rest = rest.subarray(HEADER_BYTES + length);
    }
  }
}

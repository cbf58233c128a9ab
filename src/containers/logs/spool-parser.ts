/** What a process wrote in one go, or the part of it that ends with a line. */
export interface SpoolEntry {
  readonly stream: 'stdout' | 'stderr';
  /** With the line's end if it is `complete`. Part of a buffer that is used again. */
  readonly bytes: Buffer;
  readonly complete: boolean;
  /** RFC 3339, UTC, with nanoseconds. */
  readonly time: string;
  /** Place of the entry in the file, and of the one after it. */
  readonly start: number;
  readonly end: number;
}

/** `2026-01-02T03:04:05.123456789+00:00 stdout F `: conmon writes local time, and runs with UTC. */
const TIME_LENGTH = 29;
const STREAM = 36;
const TAG = 43;
const TEXT = 45;
const NEWLINE = 0x0a;
const LETTER_F = 0x46;
/** The fourth letter of `stderr`; that of `stdout` is another. */
const STDERR_LETTER = 0x65;

/**
 * Reads entries of conmon's `k8s-file` format. `at` is the place of the chunk's first byte in the file. Answers how many bytes
 * were complete entries. Source: Kubernetes, "CRI log format"; `conmon(8)`.
 */
export function parseSpool(chunk: Buffer, at: number, entry: (entry: SpoolEntry) => void): number {
  let position = 0;
  for (;;) {
    const end = chunk.indexOf(NEWLINE, position);
    if (end < 0) return position;
    if (end - position >= TEXT) {
      const complete = chunk[position + TAG] === LETTER_F;
      entry({
        stream: chunk[position + STREAM + 3] === STDERR_LETTER ? 'stderr' : 'stdout',
        bytes: chunk.subarray(position + TEXT, complete ? end + 1 : end),
        complete,
        time: `${chunk.toString('latin1', position, position + TIME_LENGTH)}Z`,
        start: at + position,
        end: at + end + 1,
      });
    }
    position = end + 1;
  }
}

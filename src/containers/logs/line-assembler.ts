import type { SpoolEntry } from './spool-parser.ts';

/** A line of the log: with its newline, unless it is a part of a line that is too long or has not ended. */
export interface AssembledLine {
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: Buffer;
  readonly time: string;
}

/** Where an unfinished line begins: the entry's place in the spool, and how many of its bytes were written already. */
export interface PendingPlace {
  readonly start: number;
  readonly skip: number;
}

/** Docker's log drivers take at most so much as one line. Source: Docker's documentation, "JSON File logging driver"; observed. */
const LONGEST_LINE = 16 * 1024;

interface Pending {
  readonly parts: Buffer[];
  length: number;
  place: PendingPlace;
  time: string;
}

/** Puts what arrived in parts together to lines, each stream by itself. */
export class LineAssembler {
  readonly #line: (line: AssembledLine) => void;
  readonly #pending: { stdout: Pending | undefined; stderr: Pending | undefined } = {
    stdout: undefined,
    stderr: undefined,
  };

  constructor(line: (line: AssembledLine) => void) {
    this.#line = line;
  }

  /** `skip`: bytes of the entry that were written before a restart. */
  add(entry: SpoolEntry, skip = 0): void {
    const { stream, complete, time } = entry;
    const bytes = skip > 0 ? entry.bytes.subarray(skip) : entry.bytes;
    const pending = this.#pending[stream];
    if (!pending && complete && bytes.length <= LONGEST_LINE) {
      this.#line({ stream, bytes, time });
      return;
    }
    this.#collect(entry, bytes, skip);
    if (complete) this.#finish(stream, time);
  }

  /** The process has ended, or its output goes on elsewhere: what is there is a line without an end. */
  flush(): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      const pending = this.#pending[stream];
      if (pending) this.#finish(stream, pending.time);
    }
  }

  /** The unfinished line of a stream. */
  pendingPlace(stream: 'stdout' | 'stderr'): PendingPlace | undefined {
    return this.#pending[stream]?.place;
  }

  #collect({ stream, start, time }: SpoolEntry, bytes: Buffer, skip: number): void {
    const pending = this.#pending[stream] ?? { parts: [], length: 0, place: { start, skip }, time };
    this.#pending[stream] = pending;
    pending.time = time;
    let rest = bytes;
    let used = skip;
    while (pending.length + rest.length > LONGEST_LINE) {
      const take = LONGEST_LINE - pending.length;
      pending.parts.push(Buffer.from(rest.subarray(0, take)));
      rest = rest.subarray(take);
      used += take;
      this.#line({ stream, bytes: Buffer.concat(pending.parts), time });
      pending.parts.length = 0;
      pending.length = 0;
      pending.place = { start, skip: used };
    }
    if (rest.length > 0) {
      // The chunk that it came in is used again.
      pending.parts.push(Buffer.from(rest));
      pending.length += rest.length;
    }
  }

  #finish(stream: 'stdout' | 'stderr', time: string): void {
    const pending = this.#pending[stream];
    this.#pending[stream] = undefined;
    if (pending && pending.length > 0) this.#line({ stream, bytes: Buffer.concat(pending.parts), time });
  }
}

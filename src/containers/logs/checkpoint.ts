import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import type { JsonLogPlace } from './json-log.ts';
import type { PendingPlace } from './line-assembler.ts';

/** How far output has been taken over from the spool into the log. */
export interface LogCheckpoint {
  readonly spoolInode: number;
  readonly offset: number;
  readonly log: JsonLogPlace | undefined;
  readonly stdout: PendingPlace | undefined;
  readonly stderr: PendingPlace | undefined;
}

const LENGTH = 512;

/** A file that holds the checkpoint: always of one length within one page, so that a kill leaves the old one or the new one. */
export class CheckpointFile {
  readonly #fd: number;
  readonly #bytes = Buffer.alloc(LENGTH);

  constructor(path: string) {
    this.#fd = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
  }

  write(checkpoint: LogCheckpoint): void {
    this.#bytes.fill(0x20);
    this.#bytes.write(JSON.stringify(checkpoint), 'latin1');
    writeSync(this.#fd, this.#bytes, 0, LENGTH, 0);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** `undefined` when there is none, or none that can be read. */
export function readCheckpoint(path: string): LogCheckpoint | undefined {
  try {
    return JSON.parse(readFileSync(path, 'latin1'));
  } catch {
    return undefined;
  }
}

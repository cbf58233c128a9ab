import { closeSync, constants, openSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import type { Kernel } from '../../network/index.ts';

const IOCTL = { x64: 16, arm64: 29 } as const;
// Numbers of `asm-generic/ioctls.h`, `ioctl_tty(2)`.
const TIOCSWINSZ = 0x5414;
const TIOCGPTPEER = 0x5441;
const TIOCSPTLCK = 0x40045431;

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** A pseudo-terminal of which we have the near end: what the stream reads is what is written to the far end, and the other way round. */
export class Terminal {
  readonly stream: ReadStream;
  readonly #kernel: Kernel;
  readonly #near: number;
  #far: number | undefined;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#near = openSync('/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY);
    try {
      this.#control(TIOCSPTLCK, Buffer.alloc(4));
      this.#far = this.#control(TIOCGPTPEER, constants.O_RDWR | constants.O_NOCTTY);
    } catch (error) {
      closeSync(this.#near);
      throw error;
    }
    this.stream = new ReadStream(this.#near);
  }

  /** Descriptor of the far end, for a process that is started with it. */
  get far(): number {
    if (this.#far === undefined) throw new Error('the far end has been given away');
    return this.#far;
  }

  /** The process has its own descriptor: the stream ends when that is closed. */
  giveAway(): void {
    if (this.#far !== undefined) closeSync(this.#far);
    this.#far = undefined;
  }

  resize({ rows, columns }: TerminalSize): void {
    if (this.stream.destroyed) return;
    const size = Buffer.alloc(8);
    size.writeUInt16LE(rows, 0);
    size.writeUInt16LE(columns, 2);
    this.#control(TIOCSWINSZ, size);
  }

  close(): void {
    this.giveAway();
    this.stream.destroy();
  }

  #control(request: number, argument: number | Uint8Array): number {
    return this.#kernel.syscall('ioctl', IOCTL[process.arch as keyof typeof IOCTL], this.#near, request, argument);
  }
}

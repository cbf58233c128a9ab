import { closeSync, constants, openSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import type { Kernel } from '../../network/index.ts';
import type { TerminalSize } from '../container.ts';

const IOCTL = { x64: 16, arm64: 29 } as const;
// Numbers of `asm-generic/ioctls.h`, `ioctl_tty(2)`.
const TCGETS = 0x5401;
const TCSETS = 0x5402;
const TIOCSWINSZ = 0x5414;
const TIOCGPTPEER = 0x5441;
const TIOCSPTLCK = 0x40045431;

// Of `struct termios`, `asm-generic/termbits.h`.
const TERMIOS_BYTES = 36;
const OUTPUT_FLAGS = 4;
const ONLCR = 4;

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
      this.#leaveLineEnds();
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

  /** What is written comes as it is: {@link LineEnds} completes it. */
  #leaveLineEnds(): void {
    const attributes = Buffer.alloc(TERMIOS_BYTES);
    this.#control(TCGETS, attributes);
    attributes.writeUInt32LE(attributes.readUInt32LE(OUTPUT_FLAGS) & ~ONLCR, OUTPUT_FLAGS);
    this.#control(TCSETS, attributes);
  }

  close(): void {
    this.giveAway();
    this.stream.destroy();
  }

  #control(request: number, argument: number | Uint8Array): number {
    return this.#kernel.syscall('ioctl', IOCTL[process.arch as keyof typeof IOCTL], this.#near, request, argument);
  }
}

const [LINE_FEED, RETURN] = [10, 13];

/**
 * Puts a carriage return before each line feed that has none. The runtime stops the inner terminal from doing so when the process may have
 * written already, so that its lines begin with and go on without.
 */
export class LineEnds {
  #last = 0;

  complete(bytes: Buffer): Buffer {
    const parts: Buffer[] = [];
    let from = 0;
    for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) {
      if ((at === 0 ? this.#last : bytes[at - 1]) === RETURN) continue;
      parts.push(bytes.subarray(from, at), RETURN_BYTES);
      from = at;
    }
    this.#last = bytes.at(-1) ?? this.#last;
    return parts.length === 0 ? bytes : Buffer.concat([...parts, bytes.subarray(from)]);
  }
}

const RETURN_BYTES = Buffer.of(RETURN);

import { closeSync, fchownSync } from 'node:fs';
import { Socket } from 'node:net';
import { endianness } from 'node:os';
import type { Readable } from 'node:stream';
import type { Kernel } from '../../network/index.ts';
import type { UserNamespace } from './user-namespace.ts';

const O_CLOEXEC = 0o2000000;

/**
 * A real pipe for a command's output. Node's own are sockets, which a program cannot open again by name: on Lambda
 * `echo text > /dev/stderr` works, as many a shell script does it.
 */
export interface OutputPipe {
  readonly reader: Readable;
  /** For the command; to be closed here once it has it. */
  readonly writer: number;
}

export function createOutputPipe(kernel: Kernel, users: UserNamespace | undefined): OutputPipe {
  const pair = Buffer.alloc(8);
  kernel.call('pipe2', pair, O_CLOEXEC);
  const at = (offset: number) => (endianness() === 'LE' ? pair.readInt32LE(offset) : pair.readInt32BE(offset));
  const writer = at(4);
  const reader = new Socket({ fd: at(0), readable: true, writable: false });
  try {
    // Opening it by name asks for its owner's rights.
    if (users) fchownSync(writer, users.hostUser, users.hostGroup);
  } catch (error) {
    closeSync(writer);
    reader.destroy();
    throw error;
  }
  return { reader, writer };
}

import { closeSync, constants, openSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import { Writable } from 'node:stream';
import { type Kernel, O_PATH } from '../../network/index.ts';

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SHUTDOWN = { x64: 48, arm64: 210 } as const;
const SHUT_READ = 0;
/** conmon reads so much at once, and cuts off what a packet has beyond. */
const LONGEST_PACKET = 8 * 1024;

/**
 * Standard input of the process that conmon owns. Ending the stream ends what the process reads, unless conmon was told to keep
 * it open. Source: conmon's attach socket, where each packet is input.
 */
export function openStdin(kernel: Kernel, attachSocket: string): Writable {
  const socket = socketOf(connectPackets(kernel, attachSocket));
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => void writeParts(socket, chunk).then(() => done(), done),
    // Waits until the other side has seen the end: closing at once could overtake what was written.
    final: (done) => void socket.end(() => done()),
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  // The process has ended, or closed its input: what is written then is lost, as in a pipe.
  socket.on('error', () => stream.destroy());
  socket.on('close', () => stream.destroy());
  stream.on('error', () => {});
  return stream;
}

/** Each part is a packet of its own, so one is written when the one before has gone. */
async function writeParts(socket: Socket, chunk: Buffer): Promise<void> {
  for (let offset = 0; offset < chunk.length; offset += LONGEST_PACKET) {
    const part = chunk.subarray(offset, offset + LONGEST_PACKET);
    await new Promise<void>((resolve, reject) => socket.write(part, (error) => (error ? reject(error) : resolve())));
  }
}

function connectPackets(kernel: Kernel, path: string): number {
  const fd = kernel.call('socket', AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  // The path itself may be longer than an address can be.
  const directory = openSync(dirname(path), O_PATH | constants.O_DIRECTORY);
  try {
    const name = `/proc/self/fd/${directory}/${basename(path)}\0`;
    const address = Buffer.alloc(2 + name.length);
    address.writeUInt16LE(AF_UNIX, 0);
    address.write(name, 2, 'latin1');
    kernel.call('connect', fd, address, address.length);
    // Output is read elsewhere; conmon stops sending it here when it notices.
    const number = SHUTDOWN[process.arch as keyof typeof SHUTDOWN];
    if (number !== undefined) kernel.syscall('shutdown', number, fd, SHUT_READ);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  } finally {
    closeSync(directory);
  }
}

interface PipeHandle {
  open(fd: number): number;
}

/**
 * Node has no way of its own to a socket of packets: its pipes take any descriptor, but only their handle says so. Reading and writing it
 * keeps packets apart.
 */
function socketOf(fd: number): Socket {
  const probe = connect({ path: '/nowhere' }).on('error', () => {});
  const Pipe = (probe as unknown as { readonly _handle: { readonly constructor: new (kind: number) => PipeHandle } })
    ._handle.constructor;
  probe.destroy();
  const handle = new Pipe(0);
  handle.open(fd);
  const options: object = { handle, readable: false, writable: true };
  const socket = new Socket(options);
  socket.unref();
  return socket;
}

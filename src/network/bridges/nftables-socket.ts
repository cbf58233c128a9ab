import { closeSync } from 'node:fs';
import { type Kernel, KernelError } from '../kernel.ts';
import { type TransactionMessage, transaction } from './nftables-messages.ts';

// Numbers of `linux/netlink.h` and `asm/socket.h`.
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_NETFILTER = 12;
const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SO_SNDBUFFORCE = 32;
const NLMSG_ERROR = 2;
const HEADER = 16;
const SEND_BUFFER_BYTES = 8 * 1024 * 1024;

/** A conversation with nf_tables of the network namespace that the thread was in when it was opened. */
export class NftablesSocket {
  readonly #kernel: Kernel;
  readonly #socket: number;
  readonly #answer = Buffer.alloc(16 * 1024);

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#socket = kernel.call('socket', AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_NETFILTER);
    const size = Buffer.alloc(4);
    size.writeInt32LE(SEND_BUFFER_BYTES);
    try {
      kernel.call('setsockopt', this.#socket, SOL_SOCKET, SO_SNDBUFFORCE, size, size.length);
    } catch {
      // Then a very large transaction fails, and is made by the `nft` program.
    }
  }

  /** All or nothing; throws the kernel's error. */
  run(messages: readonly TransactionMessage[]): void {
    if (messages.length === 0) return;
    const batch = transaction(messages);
    this.#kernel.call('send', this.#socket, batch, BigInt(batch.length), 0);
    this.#readAnswer();
  }

  close(): void {
    closeSync(this.#socket);
  }

  /** The kernel has answered when `send` returns: an error for each message that failed, and our one receipt. */
  #readAnswer(): void {
    let answered = false;
    let failure: KernelError | undefined;
    for (;;) {
      let length: number;
      try {
        length = this.#kernel.call('recv', this.#socket, this.#answer, BigInt(this.#answer.length), MSG_DONTWAIT);
      } catch (error) {
        if ((error as KernelError).code !== 'EAGAIN') throw error;
        break;
      }
      for (let offset = 0; offset + HEADER + 4 <= length; ) {
        if (this.#answer.readUInt16LE(offset + 4) === NLMSG_ERROR) {
          answered = true;
          const errno = -this.#answer.readInt32LE(offset + HEADER);
          if (errno !== 0) failure ??= new KernelError('change rules', errno);
        }
        offset += (this.#answer.readUInt32LE(offset) + 3) & ~3;
      }
    }
    if (failure) throw failure;
    if (!answered) throw new Error('the kernel did not answer a change of rules');
  }
}

import { closeSync, openSync } from 'node:fs';
import type { Server } from 'node:http';
import { type AddressInfo, Socket } from 'node:net';
import { CLONE_NEWNET, type Kernel, KernelError } from '../../network/index.ts';
import type { Sandbox } from '../sandbox/index.ts';

/** Where Lambda's own Runtime API listens inside an environment. */
export const runtimeApiPort = 9001;
export const runtimeApiAddress = `127.0.0.1:${runtimeApiPort}`;

const AF_INET = 2;
const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const EINPROGRESS = 115;

function loopback(port: number): Buffer {
  const address = Buffer.alloc(16);
  address.writeUInt16LE(AF_INET, 0);
  address.writeUInt16BE(port, 2);
  address.set([127, 0, 0, 1], 4);
  return address;
}

/**
 * Makes `server` listen on 127.0.0.1:9001 of the sandbox's own network namespace: the socket is made there and stays
 * there, whichever process holds it, so nothing has to run inside and no other sandbox can reach it.
 */
export async function listenInside(kernel: Kernel, namespace: number, server: Server): Promise<void> {
  const socket = kernel.within(namespace, CLONE_NEWNET, () => {
    const made = kernel.call('socket', AF_INET, SOCK_STREAM_CLOEXEC, 0);
    try {
      const address = loopback(runtimeApiPort);
      kernel.call('bind', made, address, address.length);
      kernel.call('listen', made, 64);
      return made;
    } catch (error) {
      closeSync(made);
      throw error;
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ fd: socket }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** The network namespace of a sandbox that has just been started; to be closed by the caller. */
export function openNetwork(sandbox: Sandbox): number {
  return openSync(`/proc/${sandbox.pid}/ns/net`, 'r');
}

/**
 * A connection to a port of the sandbox's own loopback, made in its network namespace: it can lead nowhere else. It is
 * under way when this returns; a refusal comes as the socket's error.
 */
export function connectInside(kernel: Kernel, namespace: number, port: number): Socket {
  const fd = kernel.within(namespace, CLONE_NEWNET, () => {
    const made = kernel.call('socket', AF_INET, SOCK_STREAM_CLOEXEC | SOCK_NONBLOCK, 0);
    try {
      const address = loopback(port);
      kernel.call('connect', made, address, address.length);
    } catch (error) {
      if (!(error instanceof KernelError && error.errno === EINPROGRESS)) {
        closeSync(made);
        throw error;
      }
    }
    return made;
  });
  return new Socket({ fd, readable: true, writable: true });
}

/** For sandboxes without a network of their own: a free port of the machine's loopback. Returns `host:port`. */
export async function listenOnHost(server: Server): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: 0 }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

import { closeSync, openSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CLONE_NEWNET, type Kernel } from '../../network/index.ts';
import type { Sandbox } from '../sandbox/index.ts';

/** Where Lambda's own Runtime API listens inside an environment. */
export const runtimeApiPort = 9001;
export const runtimeApiAddress = `127.0.0.1:${runtimeApiPort}`;

const AF_INET = 2;
const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;

/**
 * Makes `server` listen on 127.0.0.1:9001 of the sandbox's own network namespace: the socket is made there and stays
 * there, whichever process holds it, so nothing has to run inside and no other sandbox can reach it.
 */
export async function listenInside(kernel: Kernel, sandbox: Sandbox, server: Server): Promise<void> {
  const namespace = openSync(`/proc/${sandbox.pid}/ns/net`, 'r');
  let socket: number;
  try {
    socket = kernel.within(namespace, CLONE_NEWNET, () => {
      const made = kernel.call('socket', AF_INET, SOCK_STREAM_CLOEXEC, 0);
      try {
        const address = Buffer.alloc(16);
        address.writeUInt16LE(AF_INET, 0);
        address.writeUInt16BE(runtimeApiPort, 2);
        address.set([127, 0, 0, 1], 4);
        kernel.call('bind', made, address, address.length);
        kernel.call('listen', made, 64);
        return made;
      } catch (error) {
        closeSync(made);
        throw error;
      }
    });
  } finally {
    closeSync(namespace);
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ fd: socket }, () => {
      server.off('error', reject);
      resolve();
    });
  });
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

import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Logger } from '../base/logger.ts';

/** Of one sandbox at a time: a function has 1,024 descriptors (Lambda Developer Guide, "Lambda quotas"). */
const MOST_CONNECTIONS = 1024;
const CONNECT_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_MS = 60_000;

export interface Outbound {
  readonly server: Server;
  /** Ends it with all its connections. */
  close(): void;
}

/**
 * Carries sandboxes' TCP connections to the outside, as a NAT gateway would, from a socket of this process. A
 * destination on this machine is refused. The sandbox sees its connection open before the other side answered: a
 * refusal reaches it as a reset.
 */
export function createOutbound(logger: Logger, isOutside: (address: string) => boolean): Outbound {
  const open = new Map<string, number>();
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (inside) => {
    inside.on('error', () => inside.destroy());
    const { localAddress: host, localPort: port, remoteAddress: from = '' } = inside;
    const others = open.get(from) ?? 0;
    if (host === undefined || port === undefined || !isOutside(host) || others >= MOST_CONNECTIONS) {
      logger.debug('refused a connection of a sandbox', { from, host, port });
      inside.resetAndDestroy();
      return;
    }
    open.set(from, others + 1);
    sockets.add(inside);
    // A sandbox that is killed cannot say goodbye.
    inside.setKeepAlive(true, KEEP_ALIVE_MS);
    inside.once('close', () => {
      sockets.delete(inside);
      const left = open.get(from)! - 1;
      if (left > 0) open.set(from, left);
      else open.delete(from);
    });
    const outside = connect({ host, port, allowHalfOpen: true, timeout: CONNECT_TIMEOUT_MS });
    outside.once('timeout', () => outside.destroy());
    outside.once('connect', () => {
      outside.setTimeout(0);
      outside.setNoDelay(true);
      inside.setNoDelay(true);
      join(inside, outside);
    });
    outside.on('error', () => outside.destroy());
    outside.once('close', (failed) => {
      if (failed || !inside.writableEnded) inside.resetAndDestroy();
    });
    inside.once('close', (failed) => {
      if (failed || !outside.writableEnded) outside.destroy();
    });
  });
  return {
    server,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function join(one: Socket, other: Socket): void {
  one.pipe(other);
  other.pipe(one);
}

import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Logger } from '../base/logger.ts';

const CONNECT_TIMEOUT_MS = 30_000;

/**
 * Carries sandboxes' TCP connections to the outside, as a NAT gateway would, from a socket of this process. A
 * destination on this machine is refused. The sandbox sees its connection open before the other side answered: a
 * refusal reaches it as a reset.
 */
export function createOutbound(logger: Logger, isOutside: (address: string) => boolean): Server {
  return createServer({ allowHalfOpen: true, pauseOnConnect: true }, (inside) => {
    inside.on('error', () => inside.destroy());
    const { localAddress: host, localPort: port } = inside;
    if (host === undefined || port === undefined || !isOutside(host)) {
      logger.debug('refused a connection of a sandbox', { host, port });
      inside.resetAndDestroy();
      return;
    }
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
}

function join(one: Socket, other: Socket): void {
  one.pipe(other);
  other.pipe(one);
}

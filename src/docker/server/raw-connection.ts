import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex, Writable } from 'node:stream';

/**
 * Takes the connection out of the hands of node:http after the request was read, for clients that do not ask for an upgrade and
 * simply go on with raw bytes after the answer's headers. What listens to the socket on the server's behalf is taken off; adding a reader
 * then makes Node stop feeding the parser. A client that has gone gives a connection that is destroyed. Source of the protocol:
 * "Attach to a container", Hijacking.
 */
export async function takeConnection(request: IncomingMessage, response: ServerResponse): Promise<Duplex> {
  const socket = request.socket;
  // What an operation does not want of a body must not become input. One without a length may never end.
  if (!request.complete && !request.closed && request.headers['content-length'] !== undefined) {
    request.resume();
    // A client that goes meanwhile is seen below.
    await once(request, 'close').catch(() => {});
  }
  // A request that was sent before the answer to the one before it has no connection to be given.
  if (response.socket === socket) response.detachSocket(socket);
  else socket.destroy();
  for (const event of ['data', 'end', 'drain', 'timeout', 'error']) socket.removeAllListeners(event);
  socket.setTimeout(0);
  // A peer that went away is seen by whoever reads or writes; without a listener it would end the process.
  socket.on('error', () => {});
  const stopFeeding = () => {};
  socket.on('readable', stopFeeding);
  socket.off('readable', stopFeeding);
  return socket;
}

/** The answer that opens a raw connection. */
export function openingOf(upgraded: boolean, contentType: string, headers: Readonly<Record<string, string>>): string {
  const first = upgraded ? 'HTTP/1.1 101 UPGRADED' : 'HTTP/1.1 200 OK';
  const connection = upgraded ? ['Connection: Upgrade', 'Upgrade: tcp'] : ['Connection: close'];
  return [first, `Content-Type: ${contentType}`, ...connection, ...headerLines(headers), '', ''].join('\r\n');
}

export function headerLines(headers: Readonly<Record<string, string>>): string[] {
  return Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
}

/** Writes with back-pressure. False when the other side has gone. */
export async function writeTo(connection: Writable, bytes: Uint8Array | string): Promise<boolean> {
  if (connection.destroyed || connection.writableEnded) return false;
  if (connection.write(bytes)) return true;
  return new Promise((resolve) => {
    const settle = (open: boolean) => () => {
      connection.off('drain', drained);
      connection.off('close', closed);
      resolve(open);
    };
    const [drained, closed] = [settle(true), settle(false)];
    connection.on('drain', drained);
    connection.on('close', closed);
  });
}

/** How long a client may go on sending after the end of what it is told. */
const LINGER_MS = 5000;

/**
 * Ends the connection once what was written has gone out; what the client still sends is dropped until it ends, too. The system
 * resets a connection that is closed while something of it is unread, and what the client has not read yet is lost with it.
 */
export function finish(connection: Duplex): void {
  if (connection.destroyed) return;
  connection.resume();
  connection.end(() => {
    const limit = setTimeout(() => connection.destroy(), LINGER_MS);
    connection.once('close', () => clearTimeout(limit));
    connection.once('end', () => connection.destroy());
    if (connection.readableEnded) connection.destroy();
  });
}

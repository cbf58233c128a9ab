import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Logger } from '../base/logger.ts';
import type { Reply } from './protocols/protocol.ts';

/** Bytes of a request body that are read and dropped, so that its client gets to see the answer. */
const maximumUnread = 64 * 1024 * 1024;

/**
 * Node sends headers and a text body in one write, but a body of bytes in a second one. So bodies up to this size are
 * given to it as text, one character a byte.
 */
const maximumJoined = 16 * 1024;

/** Sends a reply. Rejects when its headers are none; what goes wrong after them can only end the connection. */
export async function writeReply(
  response: ServerResponse,
  reply: Reply,
  options: { readonly date: string; readonly logger: Logger },
): Promise<void> {
  const { headers, body } = reply;
  const { req } = response;
  const bodiless = req.method === 'HEAD' || reply.status === 204 || reply.status === 304;
  headers.date = options.date;
  if (!req.complete) {
    if (unreadBytes(response) > maximumUnread) headers.connection = 'close';
    else req.resume();
  }
  if (body instanceof Readable) {
    try {
      response.writeHead(reply.status, headers);
    } catch (error) {
      body.destroy();
      throw error;
    }
    if (bodiless) {
      body.destroy();
      response.end();
      return;
    }
    try {
      await pipeline(body, response);
    } catch (error) {
      if (!response.destroyed || (error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') {
        options.logger.warn('a response stream failed', { error: String(error) });
      }
      response.destroy();
    }
    return;
  }
  if (!bodiless || req.method === 'HEAD') {
    headers['content-length'] ??= String(body === undefined ? 0 : Buffer.byteLength(body));
  }
  response.writeHead(reply.status, headers);
  if (bodiless || body === undefined) response.end();
  else if (typeof body === 'string' || body.length > maximumJoined) response.end(body);
  else response.end(Buffer.from(body.buffer, body.byteOffset, body.length).toString('latin1'), 'latin1');
}

function unreadBytes(response: ServerResponse): number {
  const { headers } = response.req;
  if (headers['transfer-encoding'] !== undefined) return Number.POSITIVE_INFINITY;
  return Number(headers['content-length'] ?? 0);
}

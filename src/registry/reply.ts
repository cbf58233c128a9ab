import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Logger } from '../base/logger.ts';

export interface Reply {
  readonly status: number;
  readonly headers?: OutgoingHttpHeaders;
  /** A stream's length is in the headers. */
  readonly body?: string | Uint8Array | Readable;
}

/** Bytes of a request body that are read and dropped, so that its client gets to see the answer. */
const MAX_UNREAD = 16 * 1024 * 1024;

export function json(value: unknown, headers: OutgoingHttpHeaders = {}, status = 200): Reply {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: `${JSON.stringify(value)}\n` };
}

/** Sends a reply; what goes wrong after its headers can only end the connection. */
export async function writeReply(response: ServerResponse, reply: Reply, logger: Logger): Promise<void> {
  const { req } = response;
  const { status, body } = reply;
  const headers: OutgoingHttpHeaders = { 'docker-distribution-api-version': 'registry/2.0', ...reply.headers };
  if (!req.complete) dropUnread(response);
  const empty = req.method === 'HEAD' || status === 204 || status === 304;
  if (!(body instanceof Readable)) {
    if (status !== 204 && status !== 304)
      headers['content-length'] ??= body === undefined ? 0 : Buffer.byteLength(body);
    response.writeHead(status, headers);
    response.end(empty ? undefined : body);
    return;
  }
  try {
    response.writeHead(status, headers);
    if (empty) {
      body.destroy();
      response.end();
    } else await pipeline(body, response);
  } catch (error) {
    body.destroy();
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') {
      logger.warn('a blob could not be sent', { error: String(error) });
    }
    response.destroy();
  }
}

function dropUnread({ req }: ServerResponse): void {
  let left = MAX_UNREAD;
  req.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) req.destroy();
  });
}

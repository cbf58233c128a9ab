import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { FileBody } from './file-bodies.ts';

export interface Reply {
  readonly status: number;
  readonly headers?: OutgoingHttpHeaders;
  /** A file's length is in the headers. */
  readonly body?: string | Uint8Array | FileBody;
}

/** Bytes of a request body that are read and dropped, so that its client gets to see the answer. */
const MAX_UNREAD = 16 * 1024 * 1024;

export function json(value: unknown, headers: OutgoingHttpHeaders = {}, status = 200): Reply {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: `${JSON.stringify(value)}\n` };
}

/** Sends a reply; what goes wrong after its headers can only end the connection. */
export async function writeReply(response: ServerResponse, reply: Reply): Promise<void> {
  const { req } = response;
  const { status, body } = reply;
  const headers: OutgoingHttpHeaders = { 'docker-distribution-api-version': 'registry/2.0', ...reply.headers };
  if (!req.complete) dropUnread(response);
  const isFile = typeof body === 'object' && 'send' in body;
  const bodiless = status === 204 || status === 304;
  if (!isFile && !bodiless) headers['content-length'] ??= body === undefined ? 0 : Buffer.byteLength(body);
  response.writeHead(status, headers);
  if (isFile) await body.send(response);
  else response.end(bodiless || req.method === 'HEAD' ? undefined : body);
}

function dropUnread({ req }: ServerResponse): void {
  let left = MAX_UNREAD;
  req.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) req.destroy();
  });
}

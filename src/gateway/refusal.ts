import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Answers for requests that reach no interface. The members are those that AWS's JSON errors have, so SDKs show them. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  /** The request's body is not wanted: the connection is closed after the answer. */
  readonly closes?: boolean;
}

export function foreignHost(host: string): Refusal {
  return {
    status: 403,
    code: 'ForbiddenHost',
    message: `"${host}" is not a name that Kobune answers to. Use 127.0.0.1 or localhost, or add the name to "hosts" in kobune.yaml (KOBUNE_HOSTS).`,
  };
}

export function foreignOrigin(origin: string | undefined): Refusal {
  return {
    status: 403,
    code: 'ForbiddenOrigin',
    message: `Web pages of ${origin ?? 'another site'} may not call Kobune. Add the origin to "origins" in kobune.yaml (KOBUNE_ORIGINS) to allow it.`,
  };
}

export const ADMIN_IS_LOCAL: Refusal = {
  status: 403,
  code: 'AccessDenied',
  message: 'The admin API answers programs of the machine that Kobune runs on, through its loopback address.',
};

export const INTERNAL_FAILURE: Refusal = {
  status: 500,
  code: 'InternalFailure',
  message: 'The request failed for a reason that is in the log of Kobune.',
};

export function bodyTooLarge(limit: number): Refusal {
  return {
    status: 413,
    code: 'RequestEntityTooLarge',
    message: `A request body may have at most ${limit} bytes.`,
    closes: true,
  };
}

export function notServed(what: string, interfaces: readonly string[]): Refusal {
  const served = [...interfaces, 'the admin API (/_kobune/)'].join(', ');
  return { status: 404, code: 'NotFound', message: `Nothing answers to ${what} here. Served: ${served}.` };
}

export function refuse(response: ServerResponse, { status, code, message, closes }: Refusal): void {
  const body = `${JSON.stringify({ code, message })}\n`;
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...(closes ? { connection: 'close' } : {}),
  });
  response.end(body);
}

/** Answers what is not HTTP, or too much of it, and closes the connection. */
export function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const { status, code, message } = malformed(error.code);
  const body = `${JSON.stringify({ code, message })}\n`;
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

function malformed(errorCode: string | undefined): { status: string; code: string; message: string } {
  if (errorCode === 'HPE_HEADER_OVERFLOW') {
    return {
      status: '431 Request Header Fields Too Large',
      code: 'RequestHeaderSectionTooLarge',
      message: 'The request line and headers together are too large.',
    };
  }
  if (errorCode === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return { status: '408 Request Timeout', code: 'RequestTimeout', message: 'The request did not arrive in time.' };
  }
  return { status: '400 Bad Request', code: 'BadRequest', message: 'This is not an HTTP/1.1 request.' };
}

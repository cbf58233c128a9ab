import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { headerLines, writeTo } from './raw-connection.ts';
import type { Answer, AnswerHeaders } from './route.ts';

type Written = Exclude<Answer, { readonly kind: 'raw' | 'websocket' }>;

/** Writes an answer as node:http does. Resolves when all was handed over, or the client has gone. */
export async function writeAnswer(response: ServerResponse, answer: Written, always: AnswerHeaders): Promise<void> {
  const headers = { ...always, ...answer.headers };
  if (answer.kind === 'stream') {
    response.writeHead(answer.status, headers);
    response.flushHeaders();
    await writeStream(response, answer.source);
    return;
  }
  const body = bodyOf(answer);
  response.writeHead(answer.status, { ...headers, ...body.headers });
  response.end(body.text);
}

/** Writes an answer that is none of the raw protocol to a connection that was to be upgraded; it ends with it. */
export async function writeInstead(connection: Duplex, answer: Written, always: AnswerHeaders): Promise<void> {
  const { status } = answer;
  const body = answer.kind === 'stream' ? { text: '', headers: {} } : bodyOf(answer);
  const lines = headerLines({ ...always, ...answer.headers, ...body.headers, Connection: 'close' });
  await writeTo(connection, [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, ...lines, '', body.text].join('\r\n'));
  if (answer.kind === 'stream') for await (const chunk of answer.source) if (!(await writeTo(connection, chunk))) break;
  connection.resume();
  connection.end(() => connection.destroy());
}

function bodyOf(answer: Exclude<Written, { kind: 'stream' }>): {
  readonly text: string;
  readonly headers: AnswerHeaders;
} {
  if (answer.kind === 'empty') {
    const bodyless = answer.status === 204 || answer.status === 304;
    return { text: '', headers: bodyless ? {} : { 'content-length': '0' } };
  }
  const text = answer.kind === 'json' ? `${JSON.stringify(answer.body)}\n` : answer.body;
  const type = answer.kind === 'json' ? 'application/json' : 'text/plain; charset=utf-8';
  return { text, headers: { 'content-type': type, 'content-length': String(Buffer.byteLength(text)) } };
}

async function writeStream(response: ServerResponse, source: AsyncIterable<Uint8Array | string>): Promise<void> {
  for await (const chunk of source) {
    if (response.destroyed) return;
    if (!response.write(chunk)) await drainedOrClosed(response);
  }
  response.end();
}

function drainedOrClosed(response: ServerResponse): Promise<void> {
  if (response.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const settle = () => {
      response.off('drain', settle);
      response.off('close', settle);
      resolve();
    };
    response.on('drain', settle);
    response.on('close', settle);
  });
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { ServiceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { FrontEnd } from '../front-end.ts';
import type { Metrics } from '../metrics.ts';
import type { ClockChange, Control, LogQuery, OutgoingKind, OutgoingQuery } from './control.ts';
import { ADMIN_HEADER } from './header.ts';

export interface AdminOptions {
  readonly control: Control;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

const MAX_BODY = 16 * 1024;
const WRONG_QUERY_MS = 100;

type Handler = (call: Call) => Promise<unknown> | unknown;

interface Call {
  readonly url: URL;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** `/_kobune/…`: health and metrics for monitoring, and what the command line needs of a running instance. */
export function createAdmin({ control, metrics, logger }: AdminOptions): FrontEnd {
  const routes: Readonly<Record<string, Handler>> = {
    'GET /_kobune/health': () => ({ status: 'ok' }),
    'GET /_kobune/metrics': ({ response }) => {
      const body = metrics.render();
      response.writeHead(200, {
        'content-type': 'text/plain; version=0.0.4; charset=utf-8',
        'content-length': Buffer.byteLength(body),
      });
      response.end(body);
    },
    'GET /_kobune/status': () => control.status(),
    'GET /_kobune/clock': () => control.clock(),
    'POST /_kobune/clock': async ({ request }) => control.adjustClock(clockChange(await readJson(request))),
    'POST /_kobune/reset': async ({ request }) => {
      await control.reset(optionalString(await readJson(request), 'service'));
      return {};
    },
    'GET /_kobune/certificates': () => control.certificates(),
    'GET /_kobune/logs': ({ url, response }) => streamLogs(control, logQuery(url), response),
    'GET /_kobune/outbox': ({ url, response }) => outbox(control, url, response),
    'DELETE /_kobune/outbox': async ({ url }) => ({ deleted: await control.outgoing.clear(outgoingQuery(url)) }),
    'POST /_kobune/shutdown': () => {
      control.shutdown();
      return {};
    },
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const handler = routes[`${request.method} ${url.pathname}`];
    if (!handler) throw notFound(request.method, url.pathname, Object.keys(routes));
    requireOwnTool(request);
    const result = await handler({ url, request, response });
    if (!response.headersSent) send(response, 200, result);
  };
  return {
    name: 'admin',
    // Services have addresses of their own below `/_kobune/NAME/`, which sandboxes may use, too.
    matches: ({ url }) => url !== undefined && /^\/_kobune(?:\/[^/]*)?(?:\?|$)/.test(url),
    handle: (request, response) => {
      answer(request, response).catch((error: unknown) => {
        if (response.headersSent) {
          response.destroy();
        } else if (error instanceof ServiceError) {
          send(response, error.status, { code: error.code, message: error.message });
        } else {
          logger.error('admin request failed', { error: error instanceof Error ? error.stack : String(error) });
          send(response, 500, { code: 'InternalFailure', message: 'The reason is in the log of Kobune.' });
        }
      });
    },
  };
}

function requireOwnTool({ method, headers }: IncomingMessage): void {
  if (headers.origin !== undefined) {
    throw new ServiceError('AccessDenied', 'The admin API does not answer web pages.', { status: 403 });
  }
  if (method !== 'GET' && headers[ADMIN_HEADER] === undefined) {
    throw new ServiceError('AccessDenied', `Requests that change something carry the header ${ADMIN_HEADER}: 1.`, {
      status: 403,
    });
  }
}

function notFound(method: string | undefined, path: string, routes: readonly string[]): ServiceError {
  const message = `The admin API has no ${method} ${path}. It has: ${routes.join(', ')}.`;
  return new ServiceError('NotFound', message, { status: 404 });
}

function send(response: ServerResponse, status: number, value: unknown): void {
  const body = `${JSON.stringify(value)}\n`;
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw invalid(`a body may have at most ${MAX_BODY} bytes`);
    chunks.push(chunk);
  }
  if (size === 0) return {};
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString());
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Said below, as for any other body that is no object.
  }
  throw invalid('the body is not a JSON object');
}

function clockChange(body: Record<string, unknown>): ClockChange {
  const { advanceMs, frozen, ...rest } = body;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw invalid(`"${unknown}" is not known; use "advanceMs" or "frozen"`);
  if (advanceMs !== undefined && !(Number.isSafeInteger(advanceMs) && (advanceMs as number) >= 0)) {
    throw invalid('"advanceMs" is a whole number of milliseconds; time only goes forward');
  }
  if (frozen !== undefined && typeof frozen !== 'boolean') throw invalid('"frozen" is true or false');
  return { advanceMs: advanceMs as number | undefined, frozen };
}

function optionalString(body: Record<string, unknown>, name: string): string | undefined {
  const value = body[name];
  if (value === undefined || typeof value === 'string') return value;
  throw invalid(`"${name}" is a string`);
}

function logQuery({ searchParams }: URL): LogQuery {
  const group = searchParams.get('group');
  if (!group) throw invalid('"group" names the log group');
  const since = searchParams.get('since');
  if (since !== null && !Number.isSafeInteger(Number(since))) throw invalid('"since" is epoch milliseconds');
  return {
    group,
    account: searchParams.get('account') ?? '000000000000',
    region: searchParams.get('region') ?? 'us-east-1',
    since: since === null ? undefined : Number(since),
    filter: searchParams.get('filter') ?? undefined,
    follow: searchParams.get('follow') === 'true',
  };
}

const OUTGOING_KINDS: readonly string[] = ['email', 'sms', 'push'] satisfies OutgoingKind[];
const MOST_OUTGOING = 10_000;

function outgoingQuery({ searchParams }: URL): OutgoingQuery {
  const kind = searchParams.get('kind') ?? undefined;
  if (kind !== undefined && !OUTGOING_KINDS.includes(kind)) {
    throw invalid(`"kind" is one of ${OUTGOING_KINDS.join(', ')}`);
  }
  return {
    account: searchParams.get('account') ?? '000000000000',
    region: searchParams.get('region') ?? undefined,
    kind: kind as OutgoingKind | undefined,
    to: searchParams.get('to') ?? undefined,
  };
}

/** The newest messages as one object, or with `follow=true` one a line, and then those that come. */
async function outbox(control: Control, url: URL, response: ServerResponse): Promise<unknown> {
  const query = outgoingQuery(url);
  const limit = Number(url.searchParams.get('limit') ?? 100);
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST_OUTGOING) {
    throw invalid(`"limit" is a number from 1 to ${MOST_OUTGOING}`);
  }
  if (url.searchParams.get('follow') !== 'true') return { messages: await control.outgoing.list(query, limit) };
  await stream((signal) => control.outgoing.follow(query, limit, signal), response);
  return undefined;
}

function streamLogs(control: Control, query: LogQuery, response: ServerResponse): Promise<void> {
  return stream((signal) => control.logs(query, signal), response);
}

/** One JSON object a line, as they come. A wrong query fails at once, before the answer begins. */
async function stream(
  follow: (signal: AbortSignal) => AsyncIterable<unknown>,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const entries = follow(gone.signal)[Symbol.asyncIterator]();
  let next = entries.next();
  await Promise.race([next, delay(WRONG_QUERY_MS)]);
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  // A log that is silent for long is followed, too: the client must know that it has been heard.
  response.flushHeaders();
  for (let entry = await next; !entry.done && !gone.signal.aborted; entry = await next) {
    if (!response.write(`${JSON.stringify(entry.value)}\n`)) await drained(response);
    next = entries.next();
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}

function invalid(message: string): ServiceError {
  return new ServiceError('ValidationException', `Invalid request: ${message}.`);
}

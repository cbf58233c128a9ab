import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Random } from '../../base/random.ts';
import type { FunctionSpec } from '../engine.ts';
import { maxResponseBytes } from '../frames.ts';
import { SubscriptionClosed } from '../telemetry/environment-telemetry.ts';
import { InvalidSubscription } from '../telemetry/subscription.ts';
import { ExtensionError, type Extensions } from './extensions.ts';

/** What the runtime itself asks for. Absent where a runtime of ours speaks frames and only extensions use the API. */
export interface RuntimeApiHandler {
  next(response: ServerResponse): void;
  response(requestId: string, request: IncomingMessage, response: ServerResponse): Promise<void>;
  invocationError(requestId: string, errorType: string | undefined, body: Buffer): ApiAnswer;
  initError(errorType: string | undefined, body: Buffer): ApiAnswer;
}

export interface ApiAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export const accepted: ApiAnswer = { status: 202, body: { status: 'OK' } };

export function refusal(status: number, errorType: string, errorMessage: string): ApiAnswer {
  return { status, body: { errorMessage, errorType } };
}

const maxErrorBytes = 512 * 1024;
const maxConnections = 128;
const headersTimeoutMs = 30_000;

/** A body over its limit. */
export class BodyTooLarge extends Error {}

/** Reads a body up to `limit` bytes. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let total = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    total += part.length;
    if (total > limit) throw new BodyTooLarge();
    parts.push(part);
  }
  return Buffer.concat(parts, total);
}

export function send(response: ServerResponse, answer: ApiAnswer): void {
  if (response.writableEnded || response.destroyed) return;
  const body = Buffer.from(JSON.stringify(answer.body));
  response.writeHead(answer.status, {
    'content-type': 'application/json',
    'content-length': body.length,
    ...answer.headers,
  });
  response.end(body);
}

/** Lets a client that still sends a body see the answer. */
export function refuseBody(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('connection', 'close');
  send(
    response,
    refusal(413, 'RequestEntityTooLarge', `Exceeded maximum allowed payload size (${maxResponseBytes} bytes).`),
  );
  request.resume();
}

export interface ApiServerOptions {
  readonly spec: FunctionSpec;
  readonly random: Random;
  readonly extensions: Extensions;
  readonly runtime: RuntimeApiHandler | undefined;
  /** Subscribes an extension to telemetry. Throws SubscriptionClosed, InvalidSubscription. */
  readonly subscribe: (extension: string, body: Buffer) => void;
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
}

/**
 * The HTTP interface of one environment: Runtime API and Extensions API. Sources: Lambda Developer Guide, "Using the
 * Lambda runtime API for custom runtimes" and "Using the Lambda Extensions API to create extensions".
 */
export function createApiServer(options: ApiServerOptions): Server {
  const server = createServer(
    { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: headersTimeoutMs },
    (request, response) => {
      response.on('error', () => {});
      route(options, request, response).catch((error: unknown) => {
        if (error instanceof ExtensionError) send(response, refusal(error.status, error.type, error.message));
        else if (error instanceof BodyTooLarge) refuseBody(request, response);
        else response.destroy();
      });
    },
  );
  server.maxConnections = maxConnections;
  server.on('clientError', (_error, socket) => socket.destroy());
  return server;
}

async function route(options: ApiServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? '').split('?')[0]!;
  const [, version, area, ...rest] = path.split('/');
  const operation = `${request.method} ${area}/${rest.join('/')}`;
  if (version === '2018-06-01' && area === 'runtime') return routeRuntime(options, operation, rest, request, response);
  if (version === '2020-01-01' && area === 'extension') return routeExtension(options, operation, request, response);
  if (version === '2022-07-01' && (operation === 'PUT telemetry/' || operation === 'PUT telemetry')) {
    return subscribe(options, request, response);
  }
  if (operation === 'PUT logs/') {
    // What Lambda's own Runtime Interface Emulator answers; extensions know it and go on without.
    request.resume();
    send(response, refusal(202, 'Logs.NotSupported', 'Logs API is not supported; subscribe to the Telemetry API'));
    return;
  }
  send(response, notFound(operation));
}

/** Source: Lambda Developer Guide, "Lambda Telemetry API reference"; the closed one's names as Lambda's emulator has them. */
async function subscribe(options: ApiServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const name = options.extensions.nameOf(header(request, 'lambda-extension-identifier'));
  const body = await readBody(request, maxErrorBytes);
  try {
    options.subscribe(name, body);
    send(response, { status: 200, body: 'OK' });
  } catch (error) {
    if (error instanceof InvalidSubscription) send(response, refusal(400, 'ValidationError', error.message));
    else if (error instanceof SubscriptionClosed) {
      send(response, refusal(403, 'Telemetry.SubscriptionClosed', 'Telemetry API subscription is closed already'));
    } else throw error;
  }
}

function notFound(operation: string): ApiAnswer {
  return refusal(404, 'NotFound', `${operation} is not part of the API that Kobune serves inside an environment.`);
}

async function routeRuntime(
  { runtime }: ApiServerOptions,
  operation: string,
  rest: readonly string[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!runtime) {
    send(
      response,
      refusal(403, 'InvalidStateTransition', 'The managed runtime does not take part in the Runtime API.'),
    );
    return;
  }
  const errorType = header(request, 'lambda-runtime-function-error-type');
  if (operation === 'GET runtime/invocation/next') {
    runtime.next(response);
  } else if (operation === 'POST runtime/init/error') {
    send(response, runtime.initError(errorType, await readBody(request, maxErrorBytes)));
  } else if (request.method === 'POST' && rest[0] === 'invocation' && rest[2] === 'response' && rest.length === 3) {
    await runtime.response(rest[1]!, request, response);
  } else if (request.method === 'POST' && rest[0] === 'invocation' && rest[2] === 'error' && rest.length === 3) {
    send(response, runtime.invocationError(rest[1]!, errorType, await readBody(request, maxErrorBytes)));
  } else {
    send(response, notFound(operation));
  }
}

async function routeExtension(
  { extensions, spec, random }: ApiServerOptions,
  operation: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const id = header(request, 'lambda-extension-identifier');
  switch (operation) {
    case 'POST extension/register': {
      const name = header(request, 'lambda-extension-name');
      if (!name) throw new ExtensionError('Extension.MissingHeader', 403, 'Missing Lambda-Extension-Name header');
      const identifier = extensions.register(name, requestedEvents(await readBody(request, maxErrorBytes)));
      const accountId = header(request, 'lambda-extension-accept-feature')?.includes('accountId');
      send(response, {
        status: 200,
        body: {
          functionName: spec.name,
          functionVersion: spec.version,
          handler: spec.handler,
          ...(accountId ? { accountId: spec.account } : {}),
        },
        headers: { 'Lambda-Extension-Identifier': identifier },
      });
      return;
    }
    case 'GET extension/event/next': {
      const stop = extensions.next(id, (event) =>
        send(response, {
          status: 200,
          body: event,
          headers: { 'Lambda-Extension-Event-Identifier': random.uuid() },
        }),
      );
      response.on('close', stop);
      return;
    }
    case 'POST extension/init/error':
    case 'POST extension/exit/error': {
      const body = await readBody(request, maxErrorBytes);
      const errorType = header(request, 'lambda-extension-function-error-type') ?? 'Extension.Unknown';
      extensions.fail(
        id,
        operation === 'POST extension/init/error' ? 'InitError' : 'ExitError',
        errorType,
        body.toString('utf8'),
      );
      send(response, accepted);
      return;
    }
    default:
      send(response, notFound(operation));
  }
}

function requestedEvents(body: Buffer): string[] {
  try {
    const { events } = JSON.parse(body.toString('utf8') || '{}') as { events?: unknown };
    if (events === undefined) return [];
    if (Array.isArray(events) && events.every((event) => typeof event === 'string')) return events;
  } catch {
    // Said below.
  }
  throw new ExtensionError('InvalidRequestFormat', 400, 'The body must be {"events": ["INVOKE", "SHUTDOWN"]}.');
}

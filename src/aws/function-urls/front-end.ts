import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../base/clock.ts';
import { ServiceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { FrontEnd } from '../../gateway/index.ts';
import type { Authorizer, CredentialLookup, Principal } from '../../services/index.ts';
import { corsHeaders, type FoundUrl, type FunctionUrls, type UrlAnswer } from '../../services/lambda/index.ts';
import { Access } from '../access.ts';
import { WireContext } from '../request-context.ts';
import { WireRequest } from '../routing/wire-request.ts';
import { readSignature, SignatureProblem } from '../sigv4/signature.ts';

export interface FunctionUrlFrontEndOptions {
  /** Asked for with the first request. */
  readonly urls: () => Promise<FunctionUrls>;
  readonly mode: 'open' | 'enforce';
  /** Needed in enforce mode. */
  readonly credentials?: CredentialLookup;
  readonly authorizer?: Authorizer;
  readonly clock: Clock;
  /** Epoch ms by the machine: signatures may be of its time, too, when the clock has been moved. */
  readonly machineTime?: () => number;
  readonly random: Random;
  readonly logger: Logger;
}

const HOST = /^([a-z0-9]{32})\.lambda-url\.([a-z0-9-]+)\.(?:on\.aws|localhost)(?::\d+)?$/i;
const ANY_URL_HOST = /\.lambda-url\./i;
const FORBIDDEN =
  'Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html';

/** Serves `<id>.lambda-url.<region>.on.aws` and `….localhost`. Source: Lambda Developer Guide, "Lambda function URLs". */
export function createFunctionUrlFrontEnd(options: FunctionUrlFrontEndOptions): FrontEnd {
  return new FunctionUrlFrontEnd(options);
}

class FunctionUrlFrontEnd implements FrontEnd {
  readonly name = 'function-urls';
  readonly #options: FunctionUrlFrontEndOptions;
  readonly #access: Access;

  constructor(options: FunctionUrlFrontEndOptions) {
    this.#options = options;
    this.#access = new Access({
      mode: options.mode,
      credentials: options.credentials,
      now: () => options.clock.now(),
      machineTime: options.machineTime,
    });
  }

  matches(request: IncomingMessage): boolean {
    return ANY_URL_HOST.test(request.headers.host ?? '');
  }

  handle(message: IncomingMessage, response: ServerResponse): void {
    const requestId = this.#options.random.uuid();
    this.#answer(message, response, requestId)
      .catch((error: unknown) => this.#refusal(error, requestId))
      .then((answer) => send(response, answer, requestId))
      .catch((error: unknown) => {
        this.#options.logger.debug('a function URL answer was cut off', { requestId, error: String(error) });
        response.destroy();
      });
  }

  async #answer(message: IncomingMessage, response: ServerResponse, requestId: string): Promise<UrlAnswer> {
    const request = new WireRequest(message);
    const match = HOST.exec(request.host);
    if (!match) return refusal(403, 'Forbidden');
    const urls = await this.#options.urls();
    const url = await urls.find(match[1]!.toLowerCase(), match[2]!.toLowerCase());
    if (!url) return refusal(403, 'Forbidden');
    // A function with CORS settings never sees a preflight.
    if (request.method === 'OPTIONS' && url.cors && request.header('access-control-request-method') !== undefined) {
      return { status: 200, headers: corsHeaders(url.cors, message.headers, true), body: new Uint8Array() };
    }
    const body = await readBody(message, urls.bodyLimit);
    const context = { request, response, requestId };
    const principal = await this.#authorize(url, context, body);
    const answer = await urls.answer(url, {
      method: request.method,
      path: request.path,
      rawQuery: request.rawQuery,
      headers: message.headers,
      body,
      sourceIp: addressOf(message),
      requestId,
      secure: (message.socket as TLSSocket).encrypted === true,
      principal: url.authType === 'AWS_IAM' ? principal : undefined,
    });
    const cors = corsHeaders(url.cors, message.headers, false);
    return Object.keys(cors).length === 0 ? answer : { ...answer, headers: { ...answer.headers, ...cors } };
  }

  /**
   * Lets the request in or throws. A URL of type AWS_IAM always wants a signature, though in open mode any will do; in
   * enforce mode a URL of type NONE is open to those whom the function's policy names.
   */
  async #authorize(
    url: FoundUrl,
    at: { request: WireRequest; response: ServerResponse; requestId: string },
    body: Buffer,
  ): Promise<Principal> {
    const signature = url.authType === 'AWS_IAM' ? readSignature(at.request) : undefined;
    if (url.authType === 'AWS_IAM' && signature === undefined) throw forbidden();
    const identity = await this.#access.identify(signature, 'restJson');
    if (this.#options.mode === 'open') return identity.principal;
    if (signature) {
      if (!identity.credential) throw forbidden();
      this.#access.verify(at.request, signature, identity.credential, body, 'restJson');
    }
    const { authorizer } = this.#options;
    const context = new WireContext(at.request, at.response, {
      service: 'lambda',
      operation: 'InvokeFunctionUrl',
      account: identity.principal.account,
      region: url.target.region,
      requestId: at.requestId,
      principal: identity.principal,
    });
    if (!authorizer) throw forbidden();
    await authorizer.authorize(identity.principal, [await (await this.#options.urls()).authorization(url)], context);
    return identity.principal;
  }

  #refusal(error: unknown, requestId: string): UrlAnswer {
    if (error instanceof ServiceError && error.status === 413) return refusal(413, error.message);
    if (error instanceof ServiceError || error instanceof SignatureProblem) return refusal(403, FORBIDDEN);
    this.#options.logger.error('a function URL request failed unexpectedly', { requestId, error });
    return refusal(502, 'Internal Server Error');
  }
}

const forbidden = (): ServiceError => new ServiceError('AccessDeniedException', FORBIDDEN, { status: 403 });

function refusal(status: number, message: string): UrlAnswer {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (status === 403) headers['x-amzn-errortype'] = 'AccessDeniedException';
  return {
    status,
    headers,
    body: Buffer.from(JSON.stringify({ Message: message })),
  };
}

/** The body as it was sent: also a compressed one reaches the function untouched. */
async function readBody(message: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  if (Number(message.headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw tooLarge(limit);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

const tooLarge = (limit: number): ServiceError =>
  new ServiceError('RequestTooLargeException', `Request must be smaller than ${limit} bytes`, { status: 413 });

function addressOf(message: IncomingMessage): string {
  const address = message.socket.remoteAddress ?? '127.0.0.1';
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

async function send(response: ServerResponse, answer: UrlAnswer, requestId: string): Promise<void> {
  response.statusCode = answer.status;
  for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value as string | string[]);
  response.setHeader('x-amzn-requestid', requestId);
  if (answer.body instanceof Uint8Array) {
    response.end(answer.body);
    return;
  }
  response.flushHeaders();
  for await (const chunk of answer.body) {
    if (response.destroyed) return;
    if (!response.write(chunk)) await drained(response);
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.once('drain', done);
    response.once('close', done);
  });
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../base/clock.ts';
import { ServiceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { FrontEnd, ObserveRequest } from '../gateway/index.ts';
import type { Authorizer, AwsService, CredentialLookup, RequestBody } from '../services/index.ts';
import { Access, type Identity } from './access.ts';
import { bodyChecks } from './body/body-checks.ts';
import { BodyTooLarge, readBody } from './body/buffered-body.ts';
import { StreamedBody } from './body/streamed-body.ts';
import { MalformedInput } from './codec/malformed.ts';
import { parseForm } from './codec/query-decoder.ts';
import type { Dialect, Protocol, Reply, ReplyContext, Route } from './protocols/protocol.ts';
import { writeReply } from './reply-writer.ts';
import { WireContext } from './request-context.ts';
import { readS3Address } from './routing/s3-address.ts';
import { detectProtocol, detectService, hasForm } from './routing/service-detector.ts';
import { WireRequest } from './routing/wire-request.ts';
import { type ReadyService, type ServiceEntry, ServiceRegistry } from './service-registry.ts';
import { type Signature, SignatureProblem, SignatureReader } from './sigv4/signature.ts';
import { inDialect, missingMembers, unknownOperation, wireError } from './wire-errors.ts';

export interface AwsFrontEndOptions {
  readonly services: Iterable<ServiceEntry>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** `open`: any credentials are accepted. `enforce`: signatures are verified and policies evaluated. */
  readonly mode: 'open' | 'enforce';
  readonly credentials?: CredentialLookup | undefined;
  readonly authorizer?: Authorizer | undefined;
  /** Region of requests that name none. */
  readonly defaultRegion?: string;
  /** Called once for each request answered. */
  readonly onRequest?: ObserveRequest | undefined;
}

/** The AWS APIs as one of the interfaces behind the front door. */
export interface AwsFrontEnd extends FrontEnd {
  /** Closes the services that were loaded. */
  close(): Promise<void>;
}

const defaultBodyLimit = 8 * 1024 * 1024;

/** Makes the front end that speaks every AWS protocol for the services given. */
export function createAwsFrontEnd(options: AwsFrontEndOptions): AwsFrontEnd {
  if (options.mode === 'enforce' && (!options.credentials || !options.authorizer)) {
    throw new TypeError('enforce mode needs a credential lookup and an authorizer');
  }
  return new WireFrontEnd(options);
}

/** A request as far as it has been understood: what is known when it fails decides how the failure is written. */
interface Progress {
  readonly request: WireRequest;
  readonly replyContext: { -readonly [K in keyof ReplyContext]: ReplyContext[K] };
  readonly started: number;
  service: ReadyService | undefined;
  protocol: Protocol | undefined;
  operation: string | undefined;
  context: WireContext | undefined;
}

class WireFrontEnd implements AwsFrontEnd {
  readonly name = 'aws';
  readonly #options: AwsFrontEndOptions;
  readonly #registry: ServiceRegistry;
  readonly #access: Access;
  readonly #signatures = new SignatureReader();
  readonly #defaultRegion: string;
  #dateSecond = 0;
  #date = '';

  constructor(options: AwsFrontEndOptions) {
    this.#options = options;
    this.#registry = new ServiceRegistry(options.services);
    this.#defaultRegion = options.defaultRegion ?? 'us-east-1';
    this.#access = new Access({
      mode: options.mode,
      credentials: options.credentials,
      now: () => options.clock.now(),
    });
  }

  matches(request: IncomingMessage): boolean {
    return !/\.lambda-url\./i.test(request.headers.host ?? '');
  }

  handle(message: IncomingMessage, response: ServerResponse): void {
    void this.#handle(message, response);
  }

  close(): Promise<void> {
    return this.#registry.close();
  }

  async #handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = new WireRequest(message);
    const progress: Progress = {
      request,
      replyContext: {
        requestId: this.#options.random.uuid(),
        hostId: '',
        resource: request.path,
        method: request.method,
      },
      started: performance.now(),
      service: undefined,
      protocol: undefined,
      operation: undefined,
      context: undefined,
    };
    let reply: Reply;
    try {
      reply = await this.#answer(progress, response);
    } catch (error) {
      reply = this.#failure(error, progress);
    }
    this.#addCommonHeaders(reply, progress);
    await writeReply(response, reply, { date: this.#httpDate(), logger: this.#options.logger });
    this.#options.onRequest?.({
      service: progress.service?.model.service.name ?? 'unknown',
      operation: progress.operation ?? 'Unknown',
      status: reply.status,
      durationMs: performance.now() - progress.started,
    });
  }

  async #answer(progress: Progress, response: ServerResponse): Promise<Reply> {
    const { request } = progress;
    const signature = this.#signatures.read(request);
    let form: Buffer | undefined;
    if (hasForm(request) && signature?.service !== 's3') {
      form = await readBody(request.message, defaultBodyLimit);
      request.form = parseForm(form);
    }
    const entry = this.#detect(progress, signature);
    const loading = this.#registry.ready(entry);
    const service = loading instanceof Promise ? await loading : loading;
    progress.service = service;
    const protocol = service.protocol(detectProtocol(entry.model.protocols, request));
    progress.protocol = protocol;
    if (request.method === 'OPTIONS') return this.#preflight(service.service, request);
    const identity = await this.#access.identify(signature, protocol.dialect);
    const route = protocol.route(request);
    if ('unknown' in route) throw unknownOperation(protocol.dialect, route.unknown, service.model);
    const { operation } = route;
    progress.operation = operation.name;
    const body = await this.#body(progress, route, signature, identity, form);
    this.#verify(request, signature, identity, body, service, operation.name, protocol.dialect);
    // Not before: what was signed are the headers as they were sent.
    if (isChunked(request)) removeChunkedFraming(request);
    return this.#run(progress, response, { service, protocol, route, signature, identity, body });
  }

  /** Finds the service; for S3 also the bucket and the path below it. */
  #detect(progress: Progress, signature: Signature | undefined): ServiceEntry {
    const { request } = progress;
    const detected = detectService(this.#registry, request, signature);
    if ('unserved' in detected) {
      throw new ServiceError('NotImplemented', `Kobune does not serve '${detected.unserved.slice(0, 64)}'.`, {
        status: 501,
      });
    }
    if (detected.entry.model.s3) {
      readS3Address(request, detected.host.bucket);
      const digits = (progress.replyContext.requestId + this.#options.random.uuid()).replaceAll('-', '');
      progress.replyContext.requestId = digits.slice(0, 16).toUpperCase();
      progress.replyContext.hostId = Buffer.from(digits, 'hex').toString('base64');
      progress.replyContext.resource =
        request.bucket === undefined || !detected.host.bucket ? request.path : `/${request.bucket}${request.path}`;
    }
    return detected.entry;
  }

  async #preflight(service: AwsService, request: WireRequest): Promise<Reply> {
    if (!service.preflight) {
      throw new ServiceError('AccessForbidden', 'CORSResponse: CORS is not enabled for this service.', { status: 403 });
    }
    const key =
      request.keyPath === undefined || request.keyPath === '/'
        ? undefined
        : decodeURIComponent(request.keyPath.slice(1));
    const { headers } = await service.preflight({ bucket: request.bucket, key, headers: request.headers });
    return { status: 200, headers: { ...headers }, body: undefined };
  }

  /** The body, read into memory or as a stream, with the checks that its headers ask for. */
  async #body(
    progress: Progress,
    route: Route,
    signature: Signature | undefined,
    identity: Identity,
    form: Buffer | undefined,
  ): Promise<Buffer | StreamedBody> {
    if (form) return form;
    const { request } = progress;
    const protocol = progress.protocol!;
    const service = progress.service!;
    const streams = protocol.streamsInput(route.operation);
    const { headers } = request;
    const hash = request.header('x-amz-content-sha256');
    const chunked = isChunked(request);
    const limit = service.model.service.maxBodySize ?? defaultBodyLimit;
    const checks = bodyChecks(headers, { checksums: streams || route.operation.traits.httpChecksum !== undefined });
    if (!streams && !chunked) return readBody(request.message, limit, checks);
    const contentLength = chunked ? decodedLength(request) : announcedLength(request);
    const verified = this.#options.mode === 'enforce' && signature && identity.credential;
    const signatures =
      verified && hash?.startsWith('STREAMING-AWS4-HMAC-SHA256')
        ? this.#access.chunkSignatures(signature, identity.credential, protocol.dialect)
        : undefined;
    const body = new StreamedBody(request.message, {
      contentLength,
      checks,
      chunked: chunked ? { signatures } : undefined,
    });
    return streams ? body : collect(body, limit);
  }

  #verify(
    request: WireRequest,
    signature: Signature | undefined,
    identity: Identity,
    body: Buffer | StreamedBody,
    service: ReadyService,
    operation: string,
    dialect: Dialect,
  ): void {
    if (this.#options.mode !== 'enforce') return;
    if (signature && identity.credential) {
      this.#access.verify(
        request,
        signature,
        identity.credential,
        body instanceof StreamedBody ? undefined : body,
        dialect,
      );
    } else if (dialect !== 's3' && !service.model.service.unsigned?.includes(operation)) {
      throw wireError(dialect, 'missingToken', 'Request is missing Authentication Token');
    }
  }

  async #run(
    progress: Progress,
    response: ServerResponse,
    call: {
      service: ReadyService;
      protocol: Protocol;
      route: Route;
      signature: Signature | undefined;
      identity: Identity;
      body: Buffer | StreamedBody;
    },
  ): Promise<Reply> {
    const { service, protocol, route, identity } = call;
    const { operation } = route;
    const input = protocol.decode(route, progress.request, call.body as Buffer | RequestBody);
    if (progress.request.bucket !== undefined) input.Bucket = progress.request.bucket;
    const missing = operation.input ? service.required.missing(operation.input, input) : [];
    if (missing.length > 0) throw missingMembers(protocol.dialect, service.model, missing);
    const run = Object.hasOwn(service.service.operations, operation.name)
      ? service.service.operations[operation.name]
      : undefined;
    if (!run) throw refusal(service, protocol.dialect, operation.name);
    const context = new WireContext(progress.request, response, {
      service: service.model.service.name,
      operation: operation.name,
      account: identity.principal.account,
      region: call.signature?.region ?? this.#defaultRegion,
      requestId: progress.replyContext.requestId,
      principal: identity.principal,
    });
    progress.context = context;
    // A key without a credential is the open mode's; an unsigned operation is open to everybody.
    if (this.#options.mode === 'enforce') await this.#authorize(service, operation.name, input, context);
    const output = await run(input as never, context);
    const reply = protocol.encode(operation, (output ?? {}) as Record<string, unknown>, progress.replyContext);
    if (service.model.service.s3) adjustS3Reply(reply, (output ?? {}) as Record<string, unknown>, operation.name);
    return reply;
  }

  async #authorize(service: ReadyService, operation: string, input: unknown, context: WireContext): Promise<void> {
    const { name, unsigned } = service.model.service;
    if (unsigned?.includes(operation)) return;
    const requests = (await service.service.authorization?.(operation, input as never, context)) ?? [
      { action: `${name}:${operation}`, resource: '*' },
    ];
    if (requests.length > 0) await this.#options.authorizer!.authorize(context.principal, requests, context);
  }

  #failure(error: unknown, progress: Progress): Reply {
    const dialect = progress.protocol?.dialect ?? guessDialect(progress.request);
    const serviceError = inDialect(dialect, this.#asServiceError(error, dialect, progress));
    const model = progress.service?.model.error(serviceError.code);
    const status = serviceError.status === 400 ? (model?.status ?? 400) : serviceError.status;
    const named =
      status === serviceError.status
        ? serviceError
        : new ServiceError(serviceError.code, serviceError.message, {
            status,
            members: serviceError.members,
            headers: serviceError.headers,
          });
    const reply = progress.protocol
      ? progress.protocol.encodeError(named, model, progress.replyContext)
      : plainError(dialect, named, progress.replyContext);
    Object.assign(reply.headers, serviceError.headers);
    return reply;
  }

  #asServiceError(error: unknown, dialect: Dialect, progress: Progress): ServiceError {
    if (error instanceof ServiceError) {
      if (error.detail !== undefined || error.status >= 500) {
        this.#options.logger.debug('a request was refused', {
          requestId: progress.replyContext.requestId,
          code: error.code,
          detail: error.detail,
        });
      }
      return error;
    }
    if (error instanceof MalformedInput) return wireError(dialect, 'malformed', error.message);
    if (error instanceof BodyTooLarge) {
      return wireError(
        dialect,
        'tooLarge',
        `Request must be smaller than ${error.limit} bytes for the ${progress.operation ?? 'operation'} operation`,
      );
    }
    if (error instanceof SignatureProblem) {
      const unsupported = error.kind === 'unsupported';
      if (unsupported && dialect === 's3') return new ServiceError('InvalidRequest', error.message);
      return wireError(dialect, unsupported ? 'notImplemented' : 'incompleteSignature', error.message);
    }
    this.#options.logger.error('a request failed unexpectedly', {
      requestId: progress.replyContext.requestId,
      service: progress.service?.model.service.name,
      operation: progress.operation,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    return wireError(dialect, 'internal', 'We encountered an internal error. Please try again.');
  }

  #addCommonHeaders(reply: Reply, progress: Progress): void {
    const { requestId, hostId } = progress.replyContext;
    if (hostId !== '') {
      reply.headers['x-amz-request-id'] = requestId;
      reply.headers['x-amz-id-2'] = hostId;
      reply.headers.server = 'AmazonS3';
    } else reply.headers['x-amzn-requestid'] = requestId;
    if (progress.context) Object.assign(reply.headers, progress.context.responseHeaders);
  }

  /** The `Date` header, by our own clock: clients set theirs by it when signatures are refused as skewed. */
  #httpDate(): string {
    const now = this.#options.clock.now();
    const second = Math.floor(now / 1000);
    if (second !== this.#dateSecond) {
      this.#dateSecond = second;
      this.#date = new Date(now).toUTCString();
    }
    return this.#date;
  }
}

/** An operation of the SDK that has no behaviour here: the service's own reason, or a general one. */
function refusal(service: ReadyService, dialect: Dialect, operation: string): ServiceError {
  const reason = Object.hasOwn(service.service.refused, operation) ? service.service.refused[operation] : undefined;
  const name = `${service.model.service.name}:${operation}`;
  return wireError(
    dialect,
    'notImplemented',
    reason ? `${name} is not supported: ${reason}` : `${name} is not supported yet.`,
  );
}

/** S3's statuses that depend on the answer, and lengths. */
function adjustS3Reply(reply: Reply, output: Readonly<Record<string, unknown>>, operation: string): void {
  if ((operation === 'GetObject' || operation === 'HeadObject') && output.ContentRange !== undefined)
    reply.status = 206;
  if (reply.headers['content-type'] === 'application/octet-stream' && output.ContentType === undefined) {
    reply.headers['content-type'] = 'binary/octet-stream';
  }
}

/** Before the service is known, the request's form tells what its client can read. */
function guessDialect(request: WireRequest): Dialect {
  if (request.headers['x-amz-target'] !== undefined) return 'awsJson';
  if (request.form !== undefined || hasForm(request)) return 'query';
  const scope = /\/([a-z0-9-]+)\/aws4_request/.exec(
    request.headers.authorization ?? request.rawQuery.replaceAll('%2F', '/'),
  )?.[1];
  return scope === undefined || scope === 's3' ? 's3' : 'restJson';
}

function plainError(dialect: Dialect, error: ServiceError, context: ReplyContext): Reply {
  const { status, code, message } = error;
  if (dialect === 's3' || dialect === 'query') {
    const quote = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
    const body = `<Error><Code>${code}</Code><Message>${quote(message)}</Message></Error><RequestId>${context.requestId}</RequestId>`;
    return {
      status,
      headers: { 'content-type': 'text/xml' },
      body:
        dialect === 's3'
          ? `<Error><Code>${code}</Code><Message>${quote(message)}</Message><RequestId>${context.requestId}</RequestId></Error>`
          : `<ErrorResponse>${body}</ErrorResponse>`,
    };
  }
  return {
    status,
    headers: { 'content-type': 'application/json', 'x-amzn-errortype': code },
    body: JSON.stringify({ __type: code, message }),
  };
}

function announcedLength(request: WireRequest): number | undefined {
  const length = request.header('content-length');
  if (length !== undefined) return Number(length);
  return request.headers['transfer-encoding'] === undefined ? 0 : undefined;
}

function isChunked(request: WireRequest): boolean {
  const { headers } = request;
  return (
    (headers['x-amz-content-sha256'] as string | undefined)?.startsWith('STREAMING-') === true ||
    headers['content-encoding']?.includes('aws-chunked') === true
  );
}

function decodedLength(request: WireRequest): number {
  const length = request.header('x-amz-decoded-content-length');
  if (length === undefined || !/^\d{1,15}$/.test(length)) {
    throw new ServiceError('MissingContentLength', 'You must provide the Content-Length HTTP header.', { status: 411 });
  }
  return Number(length);
}

/** What operations see of the headers: those of the body as it is once the framing is off. */
function removeChunkedFraming(request: WireRequest): void {
  const encodings = (request.header('content-encoding') ?? '')
    .split(',')
    .map((encoding) => encoding.trim())
    .filter((encoding) => encoding !== '' && encoding !== 'aws-chunked');
  if (encodings.length > 0) request.headers['content-encoding'] = encodings.join(',');
  else delete request.headers['content-encoding'];
  request.headers['content-length'] = request.headers['x-amz-decoded-content-length'] as string;
}

async function collect(body: StreamedBody, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw new BodyTooLarge(limit);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

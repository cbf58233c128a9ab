import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { ServiceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { FrontEnd, ObserveRequest } from '../gateway/index.ts';
import type { Authorizer, AwsService, CredentialLookup, RequestBody } from '../services/index.ts';
import { Access, type Identity } from './access.ts';
import { bodyChecks } from './body/body-checks.ts';
import { readBody } from './body/buffered-body.ts';
import { isChunked, removeChunkedFraming, requestBody } from './body/request-body.ts';
import { StreamedBody } from './body/streamed-body.ts';
import { parseForm } from './codec/query-decoder.ts';
import { failureReply } from './failure.ts';
import type { Dialect, Protocol, Reply, ReplyContext, Route } from './protocols/protocol.ts';
import { writeReply } from './reply-writer.ts';
import { WireContext } from './request-context.ts';
import { readS3Address } from './routing/s3-address.ts';
import { detectProtocol, detectService, hasForm } from './routing/service-detector.ts';
import { WireRequest } from './routing/wire-request.ts';
import type { ServiceModel } from './schema/model.ts';
import { type ReadyService, type ServiceEntry, ServiceRegistry } from './service-registry.ts';
import { type Signature, SignatureReader } from './sigv4/signature.ts';
import { missingMembers, unknownOperation, wireError } from './wire-errors.ts';

export interface AwsFrontEndOptions {
  readonly services: Iterable<ServiceEntry>;
  readonly clock: Clock;
  /** Epoch ms by the machine: signatures may be of its time, too, when the clock has been moved. */
  readonly machineTime?: () => number;
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
  body: StreamedBody | undefined;
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
      machineTime: options.machineTime,
    });
  }

  matches(request: IncomingMessage): boolean {
    return !/\.lambda-url\./i.test(request.headers.host ?? '');
  }

  handle(message: IncomingMessage, response: ServerResponse): void {
    this.#handle(message, response).catch((error: unknown) => {
      // The reply itself could not be sent, e.g. a header that an operation added by hand is not one.
      this.#options.logger.error('a reply could not be sent', { error: error instanceof Error ? error.stack : error });
      if (response.headersSent) response.destroy();
      else response.writeHead(500, { 'content-length': '0' }).end();
    });
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
      body: undefined,
    };
    let reply: Reply;
    try {
      reply = await this.#answer(progress, response);
    } catch (error) {
      reply = failureReply(error, { ...progress, model: progress.service?.model }, this.#options.logger);
    }
    this.#addCommonHeaders(reply, progress);
    // What an operation left unread is not kept; the connection goes on with the next request.
    if (progress.body && !progress.body.readableEnded && !(reply.body instanceof Readable)) progress.body.destroy();
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
    if (hasForm(request) && (signature ? signature.service !== 's3' : request.path === '/')) {
      form = await readBody(request.message, defaultBodyLimit, bodyChecks(request.headers, { checksums: false }));
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
    const body = form ?? (await this.#body(progress, route, signature, identity));
    if (body instanceof StreamedBody) progress.body = body;
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

  /** The body as the operation wants it; a form has been read already. */
  async #body(
    progress: Progress,
    route: Route,
    signature: Signature | undefined,
    identity: Identity,
  ): Promise<Buffer | StreamedBody> {
    const protocol = progress.protocol!;
    const streams = protocol.streamsInput(route.operation);
    const { credential } = identity;
    return requestBody(progress.request, {
      streams,
      checksums: streams || route.operation.traits.httpChecksum !== undefined,
      limit: progress.service!.model.service.maxBodySize ?? defaultBodyLimit,
      signatures: () =>
        this.#options.mode === 'enforce' && signature && credential
          ? this.#access.chunkSignatures(signature, credential, protocol.dialect)
          : undefined,
    });
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
    } else if (dialect !== 's3' && !isOpen(service.model.service, operation)) {
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
    const output = ((await run(input as never, context)) ?? {}) as Record<string, unknown>;
    try {
      const reply = protocol.encode(operation, output, progress.replyContext);
      if (service.model.service.s3) adjustS3Status(reply, output, operation.name);
      return reply;
    } catch (error) {
      // An open file must not stay open because its headers cannot be sent.
      for (const value of Object.values(output)) if (value instanceof Readable) value.destroy();
      throw error;
    }
  }

  async #authorize(service: ReadyService, operation: string, input: unknown, context: WireContext): Promise<void> {
    const { anonymous, name, unsigned } = service.model.service;
    if (unsigned?.includes(operation)) return;
    if (context.principal.type === 'Anonymous' && anonymous?.includes(operation)) return;
    const requests = (await service.service.authorization?.(operation, input as never, context)) ?? [
      { action: `${name}:${operation}`, resource: '*' },
    ];
    if (requests.length > 0) await this.#options.authorizer!.authorize(context.principal, requests, context);
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

/** It needs no signature. */
function isOpen({ anonymous, unsigned }: ServiceModel, operation: string): boolean {
  return unsigned?.includes(operation) === true || anonymous?.includes(operation) === true;
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

/** S3 answers with a part of an object under a status of its own. */
function adjustS3Status(reply: Reply, output: Readonly<Record<string, unknown>>, operation: string): void {
  if (output.ContentRange !== undefined && (operation === 'GetObject' || operation === 'HeadObject'))
    reply.status = 206;
}

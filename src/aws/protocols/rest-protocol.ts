import type { Readable } from 'node:stream';
import type { ServiceError } from '../../base/errors.ts';
import type { RequestBody } from '../../services/index.ts';
import { decodeHeader, encodeHeader, fitForHeader } from '../codec/header-value.ts';
import { setOwn } from '../codec/own.ts';
import { decodeText } from '../codec/text-value.ts';
import { UriRouter } from '../routing/uri-router.ts';
import { decodePathPart, type WireRequest } from '../routing/wire-request.ts';
import type { ErrorModel, LoadedModel, OperationModel } from '../schema/model.ts';
import type { Member, StructureShape } from '../schema/shape.ts';
import { type HttpBindings, readBindings } from './http-bindings.ts';
import type { Dialect, Protocol, Reply, ReplyContext, Route, UnknownRoute } from './protocol.ts';

interface RestOperation {
  readonly input: HttpBindings | undefined;
  readonly output: HttpBindings | undefined;
}

/** What restJson1 and restXml share: members in paths, queries and headers. Source: Smithy, "HTTP binding traits". */
export abstract class RestProtocol implements Protocol {
  abstract readonly dialect: Dialect;
  protected readonly model: LoadedModel;
  readonly #router: UriRouter;
  readonly #operations = new Map<OperationModel, RestOperation>();

  constructor(model: LoadedModel) {
    this.model = model;
    this.#router = new UriRouter(model);
  }

  protected abstract decodeBody(bindings: HttpBindings, body: Uint8Array, target: Record<string, unknown>): void;
  protected abstract decodePayload(member: Member, body: Uint8Array): unknown;
  protected abstract encodeBody(
    bindings: HttpBindings,
    operation: OperationModel,
    output: Readonly<Record<string, unknown>>,
  ): string;
  protected abstract encodePayload(member: Member, value: unknown): string;
  protected abstract encodeEvents(member: Member, events: AsyncIterable<unknown>): Readable;
  protected abstract decodeEvents(member: Member, body: RequestBody): AsyncIterable<unknown>;
  protected abstract readonly contentType: string;
  abstract encodeError(error: ServiceError, model: ErrorModel | undefined, context: ReplyContext): Reply;

  route(request: WireRequest): Route | UnknownRoute {
    const match = this.#router.match(request, request.keyPath ?? request.path);
    return match ?? { unknown: `${request.method} ${request.path}` };
  }

  streamsInput(operation: OperationModel): boolean {
    const kind = this.#operation(operation).input?.payloadKind;
    return kind === 'streamingBlob' || kind === 'eventStream';
  }

  decode(route: Route, request: WireRequest, body: Uint8Array | RequestBody): Record<string, unknown> {
    const input: Record<string, unknown> = {};
    const bindings = this.#operation(route.operation).input;
    if (!bindings) return input;
    for (let i = 0; i < bindings.labels.length; i++) {
      const member = bindings.labels[i]!;
      input[member.name] = decodeText(member.shape, decodePathPart(route.labels[i]!), 'date-time');
    }
    if (request.rawQuery !== '') decodeQuery(bindings, request, input);
    for (const { name, member } of bindings.headers) {
      const value = request.headers[name];
      if (value !== undefined)
        input[member.name] = decodeHeader(member, Array.isArray(value) ? value.join(', ') : value);
    }
    if (bindings.prefixHeaders) decodePrefixHeaders(bindings.prefixHeaders, request, input);
    this.#decodeContent(bindings, body, input);
    return input;
  }

  #decodeContent(bindings: HttpBindings, body: Uint8Array | RequestBody, input: Record<string, unknown>): void {
    const { payload } = bindings;
    if (!payload) {
      if (bindings.body.length > 0) this.decodeBody(bindings, body as Uint8Array, input);
      return;
    }
    switch (bindings.payloadKind) {
      case 'streamingBlob':
        input[payload.name] = body;
        break;
      case 'eventStream':
        input[payload.name] = this.decodeEvents(payload, body as RequestBody);
        break;
      case 'blob':
        if ((body as Uint8Array).length > 0) input[payload.name] = body;
        break;
      case 'text':
        if ((body as Uint8Array).length > 0) input[payload.name] = Buffer.from(body as Uint8Array).toString('utf8');
        break;
      default:
        if ((body as Uint8Array).length > 0) input[payload.name] = this.decodePayload(payload, body as Uint8Array);
    }
  }

  encode(operation: OperationModel, output: Readonly<Record<string, unknown>>, _context: ReplyContext): Reply {
    const bindings = this.#operation(operation).output;
    const reply: Reply = { status: operation.http?.status ?? 200, headers: {}, body: undefined };
    if (!bindings) return reply;
    encodeHeaders(bindings, output, reply.headers);
    const status = bindings.statusCode && output[bindings.statusCode.name];
    if (typeof status === 'number') reply.status = status;
    const { payload } = bindings;
    if (payload) this.#encodePayload(bindings, operation, payload, output[payload.name], reply);
    else if (bindings.body.length > 0 || this.#alwaysHasBody(reply.status)) {
      reply.body = this.encodeBody(bindings, operation, output);
      reply.headers['content-type'] ??= this.contentType;
    }
    return reply;
  }

  #alwaysHasBody(status: number): boolean {
    return this.dialect === 'restJson' && status !== 204;
  }

  #encodePayload(
    bindings: HttpBindings,
    operation: OperationModel,
    payload: Member,
    value: unknown,
    reply: Reply,
  ): void {
    if (value === undefined || value === null) return;
    switch (bindings.payloadKind) {
      case 'streamingBlob':
      case 'blob':
        reply.body = value as Uint8Array | Readable;
        reply.headers['content-type'] ??= this.#blobType(operation, payload);
        break;
      case 'text':
        reply.body = String(value);
        reply.headers['content-type'] ??= (payload.traits.mediaType as string | undefined) ?? 'text/plain';
        break;
      case 'eventStream':
        reply.body = this.encodeEvents(payload, value as AsyncIterable<unknown>);
        reply.headers['content-type'] = 'application/vnd.amazon.eventstream';
        break;
      default:
        reply.body = this.encodePayload(payload, value);
        reply.headers['content-type'] ??= this.contentType;
    }
  }

  #blobType(operation: OperationModel, payload: Member): string {
    const { contentTypes } = this.model.service;
    const declared = payload.traits.mediaType as string | undefined;
    return contentTypes?.[operation.name] ?? declared ?? contentTypes?.['*'] ?? 'application/octet-stream';
  }

  #operation(operation: OperationModel): RestOperation {
    let known = this.#operations.get(operation);
    if (!known) {
      known = {
        input: operation.input && readBindings(operation.input, operation, 'input'),
        output: operation.output && readBindings(operation.output, operation, 'output'),
      };
      this.#operations.set(operation, known);
    }
    return known;
  }

  /** Headers of an error that its shape binds, and the rest of its members. */
  protected splitError(
    shape: StructureShape,
    members: Readonly<Record<string, unknown>>,
  ): { readonly headers: Record<string, string>; readonly body: readonly Member[] } {
    const headers: Record<string, string> = {};
    const body: Member[] = [];
    for (const member of shape.members) {
      const value = members[member.name];
      if (typeof member.traits.httpHeader !== 'string') body.push(member);
      else if (value !== undefined && value !== null) {
        headers[member.traits.httpHeader.toLowerCase()] = encodeHeader(member, value);
      }
    }
    return { headers, body };
  }
}

function decodeQuery(bindings: HttpBindings, request: WireRequest, input: Record<string, unknown>): void {
  const { query } = request;
  for (const { name, member } of bindings.query) {
    const values = query.get(name);
    if (!values) continue;
    const { shape } = member;
    input[member.name] =
      shape.kind === 'list'
        ? values.map((value) => decodeText(shape.element.shape, value, 'date-time'))
        : decodeText(shape, values[0]!, 'date-time');
  }
  const rest = bindings.queryParams;
  if (rest?.shape.kind !== 'map') return;
  const bound = new Set([...bindings.query.map(({ name }) => name), ...bindings.literals]);
  const values: Record<string, unknown> = {};
  const list = rest.shape.value.shape.kind === 'list';
  for (const [name, given] of query) if (!bound.has(name)) setOwn(values, name, list ? [...given] : given[0]);
  if (Object.keys(values).length > 0) input[rest.name] = values;
}

function decodePrefixHeaders(
  { prefix, member }: NonNullable<HttpBindings['prefixHeaders']>,
  request: WireRequest,
  input: Record<string, unknown>,
): void {
  const values: Record<string, unknown> = {};
  let found = false;
  for (const name in request.headers) {
    if (!name.startsWith(prefix)) continue;
    setOwn(values, name.slice(prefix.length), request.header(name));
    found = true;
  }
  if (found) input[member.name] = values;
}

function encodeHeaders(
  bindings: HttpBindings,
  output: Readonly<Record<string, unknown>>,
  headers: Record<string, string>,
): void {
  for (const { name, member } of bindings.headers) {
    const value = output[member.name];
    if (value !== undefined && value !== null) headers[name] = encodeHeader(member, value);
  }
  if (!bindings.prefixHeaders) return;
  const { prefix, member } = bindings.prefixHeaders;
  const values = output[member.name] as Readonly<Record<string, unknown>> | undefined;
  for (const [name, value] of Object.entries(values ?? {})) {
    headers[prefix + name.toLowerCase()] = fitForHeader(String(value), prefix + name);
  }
}

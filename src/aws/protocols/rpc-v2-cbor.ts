import type { ServiceError } from '../../base/errors.ts';
import type { RequestBody } from '../../services/index.ts';
import { CborCodec } from '../codec/cbor.ts';
import { rpcPath } from '../routing/rpc-path.ts';
import type { WireRequest } from '../routing/wire-request.ts';
import { type ErrorModel, eventStreamMember, type LoadedModel, type OperationModel } from '../schema/model.ts';
import { jsonErrorMembers, queryErrorHeader, withoutMember } from './aws-json.ts';
import { decodeEventStream, type EventBodies, encodeEventStream } from './event-stream.ts';
import type { Protocol, Reply, ReplyContext, Route, UnknownRoute } from './protocol.ts';

const protocolHeaders = { 'content-type': 'application/cbor', 'smithy-protocol': 'rpc-v2-cbor' };

/** `smithy.protocols#rpcv2Cbor`. Source: Smithy specification, "Smithy RPC v2 CBOR protocol". */
export class RpcV2Cbor implements Protocol {
  readonly dialect = 'cbor';
  readonly #model: LoadedModel;
  readonly #codec = new CborCodec();
  readonly #events: EventBodies = {
    contentType: 'application/cbor',
    encode: (shape, value) => this.#codec.encode(shape, value),
    decode: (shape, body) => this.#codec.decode(shape, body),
  };

  constructor(model: LoadedModel) {
    this.#model = model;
  }

  route(request: WireRequest): Route | UnknownRoute {
    const name = rpcPath(request.path)?.operation ?? '';
    const operation = this.#model.operation(name);
    return operation ? { operation, labels: [] } : { unknown: name };
  }

  streamsInput(operation: OperationModel): boolean {
    return eventStreamMember(operation.input) !== undefined;
  }

  decode(route: Route, _request: WireRequest, body: Uint8Array | RequestBody): Record<string, unknown> {
    const { input } = route.operation;
    if (!input) return {};
    const events = eventStreamMember(input);
    if (events) return { [events.name]: decodeEventStream(events.shape, body as RequestBody, this.#events) };
    return this.#codec.decode(input, body as Uint8Array) as Record<string, unknown>;
  }

  encode(operation: OperationModel, output: Readonly<Record<string, unknown>>, _context: ReplyContext): Reply {
    const shape = operation.output;
    if (!shape) return { status: 200, headers: { 'smithy-protocol': 'rpc-v2-cbor' }, body: undefined };
    const events = eventStreamMember(shape);
    if (!events) return { status: 200, headers: { ...protocolHeaders }, body: this.#codec.encode(shape, output) };
    const { [events.name]: stream, ...initial } = output;
    return {
      status: 200,
      headers: { ...protocolHeaders, 'content-type': 'application/vnd.amazon.eventstream' },
      body: encodeEventStream(events.shape, stream as AsyncIterable<unknown>, this.#events, {
        shape: withoutMember(shape, events.name),
        value: initial,
      }),
    };
  }

  encodeError(error: ServiceError, model: ErrorModel | undefined, _context: ReplyContext): Reply {
    const headers: Record<string, string> = { ...protocolHeaders };
    if (this.#model.service.queryCompatible) headers['x-amzn-query-error'] = queryErrorHeader(error, model);
    const type = model ? `${model.shape.namespace}#${model.shape.name}` : error.code;
    const body = model
      ? this.#codec.encodeTyped(type, model.shape, jsonErrorMembers(error, model))
      : this.#codec.encodePlain({ __type: type, message: error.message });
    return { status: error.status, headers, body };
  }
}

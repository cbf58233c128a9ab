import type { ServiceError } from '../../base/errors.ts';
import type { RequestBody } from '../../services/index.ts';
import { JsonCodec, type Values } from '../codec/json.ts';
import type { WireRequest } from '../routing/wire-request.ts';
import { type ErrorModel, eventStreamMember, type LoadedModel, type OperationModel } from '../schema/model.ts';
import type { StructureShape } from '../schema/shape.ts';
import { decodeEventStream, type EventBodies, encodeEventStream } from './event-stream.ts';
import type { Protocol, Reply, ReplyContext, Route, UnknownRoute } from './protocol.ts';

/** `aws.protocols#awsJson1_0` and `#awsJson1_1`. Source: Smithy specification, "AWS JSON 1.0 protocol". */
export class AwsJson implements Protocol {
  readonly dialect = 'awsJson';
  readonly #model: LoadedModel;
  readonly #contentType: string;
  readonly #codec = new JsonCodec({ jsonNames: false });
  readonly #events: EventBodies = {
    contentType: 'application/json',
    encode: (shape, value) => this.#codec.encode(shape, value),
    decode: (shape, body) => this.#codec.decode(shape, body),
  };

  constructor(model: LoadedModel, version: '1.0' | '1.1') {
    this.#model = model;
    this.#contentType = `application/x-amz-json-${version}`;
  }

  route(request: WireRequest): Route | UnknownRoute {
    const target = request.header('x-amz-target') ?? '';
    const name = target.slice(target.lastIndexOf('.') + 1);
    const operation = this.#model.operation(name);
    return operation ? { operation, labels: [] } : { unknown: name };
  }

  streamsInput(operation: OperationModel): boolean {
    return eventStreamMember(operation.input) !== undefined;
  }

  decode(route: Route, _request: WireRequest, body: Uint8Array | RequestBody): Values {
    const { input } = route.operation;
    if (!input) return {};
    const events = eventStreamMember(input);
    if (events) return { [events.name]: decodeEventStream(events.shape, body as RequestBody, this.#events) };
    return this.#codec.decode(input, body as Uint8Array) as Values;
  }

  encode(operation: OperationModel, output: Values, _context: ReplyContext): Reply {
    const shape = operation.output;
    const events = eventStreamMember(shape);
    if (shape && events) {
      const { [events.name]: stream, ...initial } = output;
      return {
        status: 200,
        headers: { 'content-type': 'application/vnd.amazon.eventstream' },
        body: encodeEventStream(events.shape, stream as AsyncIterable<unknown>, this.#events, {
          shape: withoutMember(shape, events.name),
          value: initial,
        }),
      };
    }
    return {
      status: 200,
      headers: { 'content-type': this.#contentType },
      body: shape ? this.#codec.encode(shape, output) : '{}',
    };
  }

  encodeError(error: ServiceError, model: ErrorModel | undefined, _context: ReplyContext): Reply {
    const name = model?.shape.name ?? error.code;
    const namespace = model?.shape.namespace;
    const body: Values = {
      __type: namespace ? `${namespace}#${name}` : name,
      message: error.message,
      ...(model && (this.#codec.encoder(model.shape)(jsonErrorMembers(error, model)) as Values)),
    };
    const headers: Record<string, string> = { 'content-type': this.#contentType };
    if (this.#model.service.queryCompatible) headers['x-amzn-query-error'] = queryErrorHeader(error, model);
    return { status: error.status, headers, body: JSON.stringify(body) };
  }
}

/** An error's members with the message under the name that the shape gives it. */
export function jsonErrorMembers(error: ServiceError, model: ErrorModel): Values {
  const named = model.shape.members.find(({ name }) => /^message$/i.test(name));
  return { ...error.members, [named?.name ?? 'message']: error.message };
}

/** `x-amzn-query-error`, for clients that know a service by the codes of its former query protocol. */
export function queryErrorHeader(error: ServiceError, model: ErrorModel | undefined): string {
  return `${model?.queryCode ?? error.code};${error.status >= 500 ? 'Receiver' : 'Sender'}`;
}

/** The structure without one of its members: what an initial response carries. */
export function withoutMember(shape: StructureShape, name: string): StructureShape {
  const members = shape.members.filter((member) => member.name !== name);
  return { ...shape, members, byName: new Map(members.map((member) => [member.name, member])) };
}

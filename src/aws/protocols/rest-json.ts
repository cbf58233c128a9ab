import type { Readable } from 'node:stream';
import type { ServiceError } from '../../base/errors.ts';
import type { RequestBody } from '../../services/index.ts';
import { JsonCodec, parseJson, type Values } from '../codec/json.ts';
import type { ErrorModel, OperationModel } from '../schema/model.ts';
import type { Member, StructureShape } from '../schema/shape.ts';
import { jsonErrorMembers } from './aws-json.ts';
import { decodeEventStream, type EventBodies, encodeEventStream } from './event-stream.ts';
import type { HttpBindings } from './http-bindings.ts';
import type { Reply, ReplyContext } from './protocol.ts';
import { RestProtocol } from './rest-protocol.ts';

/** `aws.protocols#restJson1`. Source: Smithy specification, "AWS restJson1 protocol". */
export class RestJson extends RestProtocol {
  readonly dialect = 'restJson';
  protected readonly contentType = 'application/json';
  readonly #codec = new JsonCodec({ jsonNames: true });
  readonly #decoders = new Map<HttpBindings, (value: unknown, depth: number, target: Values) => void>();
  readonly #encoders = new Map<HttpBindings, (value: Values) => Values>();
  readonly #events: EventBodies = {
    contentType: this.contentType,
    encode: (shape, value) => this.#codec.encode(shape, value),
    decode: (shape, body) => this.#codec.decode(shape, body),
  };

  protected decodeBody(bindings: HttpBindings, body: Uint8Array, target: Values): void {
    let decode = this.#decoders.get(bindings);
    if (!decode) {
      decode = this.#codec.membersDecoder(bindings.body);
      this.#decoders.set(bindings, decode);
    }
    decode(parseJson(body), 0, target);
  }

  protected decodePayload(member: Member, body: Uint8Array): unknown {
    return this.#codec.decode(member.shape, body);
  }

  protected encodeBody(bindings: HttpBindings, _operation: OperationModel, output: Values): string {
    let encode = this.#encoders.get(bindings);
    if (!encode) {
      encode = this.#codec.membersEncoder(bindings.body);
      this.#encoders.set(bindings, encode);
    }
    return JSON.stringify(encode(output));
  }

  protected encodePayload(member: Member, value: unknown): string {
    return this.#codec.encode(member.shape, value);
  }

  protected encodeEvents(member: Member, events: AsyncIterable<unknown>): Readable {
    return encodeEventStream(member.shape as StructureShape, events, this.#events);
  }

  protected decodeEvents(member: Member, body: RequestBody): AsyncIterable<unknown> {
    return decodeEventStream(member.shape as StructureShape, body, this.#events);
  }

  encodeError(error: ServiceError, model: ErrorModel | undefined, _context: ReplyContext): Reply {
    const code = model?.shape.name ?? error.code;
    const headers: Record<string, string> = { 'x-amzn-errortype': code, 'content-type': this.contentType };
    if (!model) return { status: error.status, headers, body: JSON.stringify({ message: error.message }) };
    const members = jsonErrorMembers(error, model);
    const split = this.splitError(model.shape, members);
    const body = this.#codec.membersEncoder(split.body)(members);
    return { status: error.status, headers: { ...headers, ...split.headers }, body: JSON.stringify(body) };
  }
}

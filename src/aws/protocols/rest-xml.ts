import type { Readable } from 'node:stream';
import type { ServiceError } from '../../base/errors.ts';
import type { RequestBody } from '../../services/index.ts';
import { MalformedInput } from '../codec/malformed.ts';
import { XmlDecoder } from '../codec/xml-decoder.ts';
import { escapeText, XmlEncoder } from '../codec/xml-encoder.ts';
import { parseXml } from '../codec/xml-parser.ts';
import type { ErrorModel, LoadedModel, OperationModel } from '../schema/model.ts';
import type { Member, Shape, StructureShape } from '../schema/shape.ts';
import { malformedXml } from '../wire-errors.ts';
import { decodeEventStream, type EventBodies, encodeEventStream } from './event-stream.ts';
import type { HttpBindings } from './http-bindings.ts';
import type { Reply, ReplyContext } from './protocol.ts';
import { RestProtocol } from './rest-protocol.ts';

const declaration = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** `aws.protocols#restXml`, with S3's own forms. Source: Smithy specification, "AWS restXml protocol". */
export class RestXml extends RestProtocol {
  readonly dialect: 's3' | 'restJson';
  protected readonly contentType = 'application/xml';
  readonly #decoder = new XmlDecoder();
  readonly #encoder = new XmlEncoder();
  readonly #namespace: string;
  readonly #events: EventBodies = {
    contentType: 'text/xml',
    encode: (shape, value) => this.#encoder.element(shape, shape.name, value),
    decode: (shape, body) => this.#decoder.decode(shape, parseXml(body)),
  };

  constructor(model: LoadedModel) {
    super(model);
    this.dialect = model.service.s3 ? 's3' : 'restJson';
    const { xmlNamespace } = model.service;
    this.#namespace = xmlNamespace ? ` xmlns="${xmlNamespace}"` : '';
  }

  protected decodeBody(bindings: HttpBindings, body: Uint8Array, target: Record<string, unknown>): void {
    if (body.length === 0) return;
    this.#asMalformed(() =>
      Object.assign(target, this.#decoder.decodeMembers(bindings.shape, bindings.body, parseXml(body))),
    );
  }

  protected decodePayload(member: Member, body: Uint8Array): unknown {
    return this.#asMalformed(() => {
      const root = parseXml(body);
      const expected = rootName(member);
      if (root.name !== expected) throw new MalformedInput(`Expected root element '${expected}'`);
      return this.#decoder.decode(member.shape, root);
    });
  }

  /** S3 has one error for every document that it cannot read. */
  #asMalformed<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (error instanceof MalformedInput && this.model.service.s3) throw malformedXml(error.message);
      throw error;
    }
  }

  protected encodeBody(
    bindings: HttpBindings,
    operation: OperationModel,
    output: Readonly<Record<string, unknown>>,
  ): string {
    const { shape } = bindings;
    const name = (shape.traits.xmlName as string | undefined) ?? shape.name;
    if (this.model.service.s3 && operation.name === 'GetBucketLocation') {
      const location = output.LocationConstraint as string | undefined;
      const element = `<LocationConstraint${this.#namespace}`;
      return `${declaration}${location ? `${element}>${escapeText(location)}</LocationConstraint>` : `${element}/>`}`;
    }
    return `${declaration}<${name}${this.#namespace}>${this.#encoder.members(bindings.body, output)}</${name}>`;
  }

  protected encodePayload(member: Member, value: unknown): string {
    const namespace = member.traits.xmlNamespace === undefined ? this.#namespace : '';
    return declaration + this.#encoder.element(member.shape, rootName(member), value, namespace);
  }

  protected encodeEvents(member: Member, events: AsyncIterable<unknown>): Readable {
    return encodeEventStream(member.shape as StructureShape, events, this.#events);
  }

  protected decodeEvents(member: Member, body: RequestBody): AsyncIterable<unknown> {
    return decodeEventStream(member.shape as StructureShape, body, this.#events);
  }

  encodeError(error: ServiceError, model: ErrorModel | undefined, context: ReplyContext): Reply {
    const code = escapeText(model?.shape.name ?? error.code);
    const { headers, body } = model ? this.splitError(model.shape, error.members) : { headers: {}, body: undefined };
    const reply: Reply = { status: error.status, headers, body: undefined };
    // S3 answers HEAD and 304 with headers only.
    if (context.method === 'HEAD' || error.status === 304 || error.status === 204) return reply;
    reply.headers['content-type'] = 'application/xml';
    const message = `<Code>${code}</Code><Message>${escapeText(error.message)}</Message>`;
    if (!this.model.service.s3) {
      const type = error.status >= 500 ? 'Receiver' : 'Sender';
      const members = body ? this.#encoder.members(body, error.members) : '';
      reply.body = `${declaration}<ErrorResponse${this.#namespace}><Error><Type>${type}</Type>${message}${members}</Error><RequestId>${context.requestId}</RequestId></ErrorResponse>`;
      return reply;
    }
    const members = Object.entries(error.members)
      .filter(([name, value]) => value !== undefined && value !== null && name !== 'Resource')
      .map(([name, value]) => `<${name}>${escapeText(String(value))}</${name}>`)
      .join('');
    const resource = escapeText(String(error.members.Resource ?? context.resource));
    reply.body =
      `${declaration}<Error>${message}${members}<Resource>${resource}</Resource>` +
      `<RequestId>${context.requestId}</RequestId><HostId>${escapeText(context.hostId)}</HostId></Error>`;
    return reply;
  }
}

/** Name of the root element when a member is the whole body. */
function rootName(member: Member): string {
  const { shape }: { shape: Shape } = member;
  return (member.own.xmlName ?? shape.traits.xmlName ?? shape.name) as string;
}

import type { ServiceError } from '../../base/errors.ts';
import { QueryDecoder } from '../codec/query-decoder.ts';
import { escapeText, XmlEncoder } from '../codec/xml-encoder.ts';
import type { WireRequest } from '../routing/wire-request.ts';
import type { ErrorModel, LoadedModel, OperationModel } from '../schema/model.ts';
import { jsonErrorMembers } from './aws-json.ts';
import type { Dialect, Protocol, Reply, ReplyContext, Route, UnknownRoute } from './protocol.ts';

/** `aws.protocols#awsQuery` and `#ec2Query`. Source: Smithy specification, "AWS query protocol". */
export class Query implements Protocol {
  readonly dialect: Dialect;
  readonly #ec2: boolean;
  readonly #model: LoadedModel;
  readonly #decoder: QueryDecoder;
  readonly #encoder = new XmlEncoder();

  constructor(model: LoadedModel, options: { readonly ec2: boolean }) {
    this.#model = model;
    this.#ec2 = options.ec2;
    this.dialect = options.ec2 ? 'ec2' : 'query';
    this.#decoder = new QueryDecoder(options);
  }

  route(request: WireRequest): Route | UnknownRoute {
    const name = request.field('Action') ?? '';
    const operation = this.#model.operation(name);
    return operation ? { operation, labels: [] } : { unknown: name };
  }

  streamsInput(): boolean {
    return false;
  }

  decode(route: Route, request: WireRequest): Record<string, unknown> {
    const { input } = route.operation;
    if (!input) return {};
    const fromQuery: [string, string][] = [];
    for (const [name, values] of request.query) {
      if (!name.startsWith('X-Amz-')) for (const value of values) fromQuery.push([name, value]);
    }
    return this.#decoder.decode(
      input,
      fromQuery.length === 0 ? (request.form ?? []) : [...fromQuery, ...(request.form ?? [])],
    );
  }

  encode(operation: OperationModel, output: Readonly<Record<string, unknown>>, context: ReplyContext): Reply {
    const namespace = this.#model.service.xmlNamespace ?? '';
    const { name } = operation;
    const members = operation.output ? this.#encoder.members(operation.output.members, output) : '';
    const content = this.#ec2
      ? `<requestId>${context.requestId}</requestId>${members}`
      : `${operation.output ? `<${name}Result>${members}</${name}Result>` : ''}` +
        `<ResponseMetadata><RequestId>${context.requestId}</RequestId></ResponseMetadata>`;
    return {
      status: 200,
      headers: { 'content-type': 'text/xml' },
      body: `${declaration(this.#ec2)}<${name}Response xmlns="${namespace}">${content}</${name}Response>`,
    };
  }

  encodeError(error: ServiceError, model: ErrorModel | undefined, context: ReplyContext): Reply {
    const code = escapeText(model?.queryCode ?? model?.shape.name ?? error.code);
    const message = escapeText(error.message);
    const headers = { 'content-type': 'text/xml' };
    if (this.#ec2) {
      return {
        status: error.status,
        headers,
        body:
          `${declaration(true)}<Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors>` +
          `<RequestID>${context.requestId}</RequestID></Response>`,
      };
    }
    const extra = model
      ? this.#encoder.members(
          model.shape.members.filter(({ name }) => !/^(?:message|code|type)$/i.test(name)),
          jsonErrorMembers(error, model),
        )
      : '';
    const type = error.status >= 500 ? 'Receiver' : 'Sender';
    return {
      status: error.status,
      headers,
      body:
        `<ErrorResponse xmlns="${this.#model.service.xmlNamespace ?? ''}">` +
        `<Error><Type>${type}</Type><Code>${code}</Code><Message>${message}</Message>${extra}</Error>` +
        `<RequestId>${context.requestId}</RequestId></ErrorResponse>`,
    };
  }
}

function declaration(wanted: boolean): string {
  return wanted ? '<?xml version="1.0" encoding="UTF-8"?>\n' : '';
}

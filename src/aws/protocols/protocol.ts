import type { Readable } from 'node:stream';
import type { ServiceError } from '../../base/errors.ts';
import type { RequestBody } from '../../services/index.ts';
import type { WireRequest } from '../routing/wire-request.ts';
import type { ErrorModel, OperationModel } from '../schema/model.ts';

/** What is sent back. */
export interface Reply {
  status: number;
  /** Lower-case names. */
  headers: Record<string, string>;
  body: Uint8Array | string | Readable | undefined;
}

/** An operation that a request was found to mean. */
export interface Route {
  readonly operation: OperationModel;
  /** Values of the path's labels, still percent-encoded, in the template's order. */
  readonly labels: readonly string[];
}

/** The operation that a request asks for is not one of the service's: `name` as far as the request tells. */
export interface UnknownRoute {
  readonly unknown: string;
}

/** What an answer tells about the request it answers. */
export interface ReplyContext {
  readonly requestId: string;
  /** Second identifier, of S3. */
  readonly hostId: string;
  /** S3 error bodies name the resource. */
  readonly resource: string;
  readonly method: string;
}

/** How wrong credentials and the like are called. */
export type Dialect = 's3' | 'query' | 'ec2' | 'awsJson' | 'restJson' | 'cbor';

/** One wire protocol of one service: finds the operation, reads its input, writes its output and errors. */
export interface Protocol {
  readonly dialect: Dialect;
  route(request: WireRequest): Route | UnknownRoute;
  /** Whether the operation's body is passed on as a stream instead of being read first. */
  streamsInput(operation: OperationModel): boolean;
  decode(route: Route, request: WireRequest, body: Uint8Array | RequestBody): Record<string, unknown>;
  encode(operation: OperationModel, output: Readonly<Record<string, unknown>>, context: ReplyContext): Reply;
  /** `model`: the error as the service's schemas have it, if they do. */
  encodeError(error: ServiceError, model: ErrorModel | undefined, context: ReplyContext): Reply;
}

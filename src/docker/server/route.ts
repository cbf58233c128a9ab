import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Shape } from '../shapes/shape.ts';
import type { Query } from './query.ts';
import type { DockerHost } from './rooms.ts';

/** One request, as an operation sees it. */
export interface Call {
  readonly host: DockerHost;
  /** The API's minor version that the client speaks: 41 for 1.41. */
  readonly api: number;
  /** What stands at the names of the route's path. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: Query;
  /** For headers, and to stream the body. */
  readonly request: IncomingMessage;
  /** The client asks for another protocol, which these connections can be given. */
  readonly upgraded: boolean;
  /** The client has gone, or was given up. */
  readonly gone: AbortSignal;
  /** Kobune stops: what would never end by itself ends now. Aborted together with `gone`. */
  readonly ending: AbortSignal;
  /** Reads and checks the body. Throws what dockerd answers to a body that is none. */
  json<T>(shape: Shape<T>): Promise<T>;
  /** The same; `undefined` when there is no body. */
  optionalJson<T>(shape: Shape<T>): Promise<T | undefined>;
}

/** What an operation answers. */
export type Answer =
  | { readonly kind: 'json'; readonly status: number; readonly body: unknown; readonly headers?: AnswerHeaders }
  | { readonly kind: 'empty'; readonly status: number; readonly headers?: AnswerHeaders }
  | { readonly kind: 'text'; readonly status: number; readonly body: string; readonly headers?: AnswerHeaders }
  | {
      readonly kind: 'stream';
      readonly status: number;
      readonly headers: AnswerHeaders;
      /** Headers are sent at once; a source that fails cuts the connection, so that nobody takes half for whole. */
      readonly source: AsyncIterable<Uint8Array | string>;
    }
  | {
      /** The connection itself, after a `101 UPGRADED` or, for clients that do not ask for it, a `200 OK`. */
      readonly kind: 'raw';
      readonly contentType: string;
      readonly run: (connection: Duplex) => Promise<void>;
    }
  | { readonly kind: 'websocket'; readonly run: (connection: Duplex) => Promise<void> };

export type AnswerHeaders = Readonly<Record<string, string>>;

/** One operation of the API. */
export interface Route {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** `/containers/{id}/json`; `{name...}` takes slashes, too. */
  readonly path: string;
  /** The name that the API's description gives it. */
  readonly operation: string;
  /** First and last minor version that has it. */
  readonly since?: number;
  readonly until?: number;
  readonly handle: (call: Call) => Promise<Answer>;
  /** Set where the operation is refused: the reason, for the compatibility page. */
  readonly refused?: string;
  /** What works otherwise than with dockerd, for the compatibility page. */
  readonly note?: string;
}

export const json = (
  body: unknown,
  status = 200,
  headers?: AnswerHeaders,
): Extract<Answer, { readonly kind: 'json' }> =>
  headers === undefined ? { kind: 'json', status, body } : { kind: 'json', status, body, headers };

export const empty = (status = 204, headers?: AnswerHeaders): Answer =>
  headers === undefined ? { kind: 'empty', status } : { kind: 'empty', status, headers };

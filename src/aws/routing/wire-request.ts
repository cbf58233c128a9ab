import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { MalformedInput } from '../codec/malformed.ts';
import { parseForm } from '../codec/query-decoder.ts';

/** Query parameters, decoded, each with its values in order. A parameter without `=` has the value ''. */
export type Query = ReadonlyMap<string, readonly string[]>;

/** A request as the wire looks at it, before its body is read. */
export class WireRequest {
  readonly message: IncomingMessage;
  readonly method: string;
  /** As sent, percent-encoded, without the query. */
  readonly path: string;
  /** As sent, without the `?`. */
  readonly rawQuery: string;
  readonly headers: IncomingHttpHeaders;
  /** As sent, with the port if it has one; lower case. */
  readonly host: string;
  /** The fields of a form body, once it has been read. */
  form: readonly (readonly [string, string])[] | undefined;
  /** For S3: the bucket, decoded, and the path below it. Set when the service is found to be S3. */
  bucket: string | undefined;
  keyPath: string | undefined;
  #query: Query | undefined;

  constructor(message: IncomingMessage) {
    this.message = message;
    this.method = message.method ?? 'GET';
    this.headers = message.headers;
    this.host = (message.headers.host ?? '').toLowerCase();
    let target = message.url ?? '/';
    // An absolute target, as sent to a proxy.
    if (!target.startsWith('/')) target = target.replace(/^[a-z]+:\/\/[^/?]*/i, '') || '/';
    const mark = target.indexOf('?');
    this.path = mark < 0 ? target : target.slice(0, mark) || '/';
    this.rawQuery = mark < 0 ? '' : target.slice(mark + 1);
  }

  get query(): Query {
    this.#query ??= parseQuery(this.rawQuery);
    return this.#query;
  }

  header(name: string): string | undefined {
    const value = this.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  /** The field of the form body, else of the query: where the query protocols look. */
  field(name: string): string | undefined {
    return this.form?.find(([key]) => key === name)?.[1] ?? this.query.get(name)?.[0];
  }
}

const emptyQuery: Query = new Map();

function parseQuery(raw: string): Query {
  if (raw === '') return emptyQuery;
  const query = new Map<string, string[]>();
  for (const [name, value] of parseForm(Buffer.from(raw))) {
    const values = query.get(name);
    if (values) values.push(value);
    else query.set(name, [value]);
  }
  return query;
}

/** Decodes a percent-encoded part of a path. */
export function decodePathPart(part: string): string {
  if (!part.includes('%')) return part;
  try {
    return decodeURIComponent(part);
  } catch {
    throw new MalformedInput('The path is not correctly percent-encoded');
  }
}

import type { IncomingHttpHeaders } from 'node:http';
import type { Principal } from '../service.ts';

/** A request to a function URL. */
export interface UrlRequest {
  readonly method: string;
  /** As sent, without the query. */
  readonly path: string;
  /** As sent, without the `?`. */
  readonly rawQuery: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly sourceIp: string;
  readonly requestId: string;
  readonly secure: boolean;
  /** Who signed it; `undefined` for URLs of type NONE. */
  readonly principal: Principal | undefined;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const TEXT = /^(text\/|application\/(json|javascript|xml|x-www-form-urlencoded|graphql))|\+(json|xml)\b/i;

/**
 * The event that a function behind a URL gets: payload format 2.0. Source: Lambda Developer Guide, "Invoking Lambda function
 * URLs", "Request payload format".
 */
export function urlEvent(request: UrlRequest, urlId: string, traceId: string, now: number): object {
  const { cookie, ...headers } = request.headers;
  const domainName = String(request.headers.host ?? '').replace(/:\d+$/, '');
  const shown: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) shown[name] = Array.isArray(value) ? value.join(',') : value;
  }
  shown['x-amzn-trace-id'] = traceId;
  shown['x-forwarded-for'] = request.sourceIp;
  shown['x-forwarded-proto'] = request.secure ? 'https' : 'http';
  shown['x-forwarded-port'] ??=
    /:(\d+)$/.exec(String(request.headers.host ?? ''))?.[1] ?? (request.secure ? '443' : '80');
  const text = request.body.length === 0 || isText(request.headers);
  const query = queryParameters(request.rawQuery);
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: decoded(request.path),
    rawQueryString: request.rawQuery,
    ...(cookie === undefined ? {} : { cookies: cookie.split(/;\s*/) }),
    headers: shown,
    ...(query === undefined ? {} : { queryStringParameters: query }),
    requestContext: {
      accountId: request.principal === undefined ? 'anonymous' : request.principal.account,
      apiId: urlId,
      ...(request.principal === undefined ? {} : { authorizer: { iam: identity(request.principal) } }),
      domainName,
      domainPrefix: urlId,
      http: {
        method: request.method,
        path: decoded(request.path),
        protocol: 'HTTP/1.1',
        sourceIp: request.sourceIp,
        userAgent: request.headers['user-agent'] ?? '',
      },
      requestId: request.requestId,
      routeKey: '$default',
      stage: '$default',
      time: clfTime(now),
      timeEpoch: now,
    },
    ...(request.body.length === 0 ? {} : { body: request.body.toString(text ? 'utf8' : 'base64') }),
    isBase64Encoded: !text,
  };
}

function isText(headers: IncomingHttpHeaders): boolean {
  const encoding = headers['content-encoding'];
  return (encoding === undefined || encoding === 'identity') && TEXT.test(headers['content-type'] ?? '');
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** Values of a repeated parameter are joined with commas. */
function queryParameters(raw: string): Record<string, string> | undefined {
  if (raw === '') return undefined;
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(raw)) {
    const before = parameters.get(name);
    parameters.set(name, before === undefined ? value : `${before},${value}`);
  }
  return Object.fromEntries(parameters);
}

function identity(principal: Principal): object {
  return {
    accessKey: principal.accessKeyId ?? null,
    accountId: principal.account,
    callerId: principal.userId,
    cognitoIdentity: null,
    principalOrgId: null,
    userArn: principal.arn,
    userId: principal.userId,
  };
}

/** `12/Mar/2020:19:03:58 +0000` */
function clfTime(now: number): string {
  const date = new Date(now);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}`;
  return `${day}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
}

export interface UrlAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: Uint8Array | AsyncIterable<Uint8Array>;
}

const BAD_GATEWAY: UrlAnswer = plain(502, 'Internal Server Error');

export function plain(status: number, message: string): UrlAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify({ Message: message })),
  };
}

/**
 * What a buffered function's answer becomes. An object with `statusCode` is the response; anything else is the body of a 200.
 * Source: the same page, "Response payload format".
 */
export function urlAnswer(payload: Uint8Array, functionError: string | undefined): UrlAnswer {
  if (functionError !== undefined) return BAD_GATEWAY;
  let value: unknown;
  try {
    value = payload.length === 0 ? null : JSON.parse(Buffer.from(payload).toString());
  } catch {
    return { status: 200, headers: { 'content-type': 'application/octet-stream' }, body: payload };
  }
  if (typeof value !== 'object' || value === null || !('statusCode' in value)) {
    return { status: 200, headers: { 'content-type': 'application/json' }, body: payload };
  }
  return structuredAnswer(value as Record<string, unknown>);
}

function structuredAnswer(value: Record<string, unknown>): UrlAnswer {
  const status = Number(value.statusCode);
  if (!Number.isInteger(status) || status < 100 || status > 599) return BAD_GATEWAY;
  const headers = answerHeaders(value.headers, value.cookies);
  if (headers === undefined) return BAD_GATEWAY;
  headers['content-type'] ??= 'application/json';
  const { body } = value;
  const text = body === undefined || body === null ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  return { status, headers, body: Buffer.from(text, value.isBase64Encoded === true ? 'base64' : 'utf8') };
}

/** Headers that may be sent; `undefined` when the function's are not headers. */
export function answerHeaders(headers: unknown, cookies: unknown): Record<string, string | string[]> | undefined {
  const result: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries((headers ?? {}) as Record<string, unknown>)) {
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name) || /[\r\n\0]/.test(String(value))) return undefined;
    const lower = name.toLowerCase();
    // These belong to the connection, not to the function.
    if (['connection', 'transfer-encoding', 'content-length', 'keep-alive', 'upgrade'].includes(lower)) continue;
    result[lower] = String(value);
  }
  if (Array.isArray(cookies) && cookies.length > 0) {
    const values = cookies.map(String);
    if (values.some((cookie) => /[\r\n\0]/.test(cookie))) return undefined;
    result['set-cookie'] = values;
  }
  return result;
}

import type { ConnectionHttpParameters, HttpParameters } from '@aws-sdk/client-eventbridge';
import { type DeliveryOutcome, httpTarget, type PendingDelivery } from '../../../events/index.ts';
import { isObject } from '../envelope.ts';
import type { Credentials, DestinationRecord } from './records.ts';

/** Source: EventBridge User Guide, "API destinations": the endpoint answers within 5 seconds. */
const TIMEOUT_MS = 5000;
/** Statuses that are tried again besides 5xx. Source: the same page, "API destination error codes". */
const RETRIED = [401, 407, 409, 429];

export interface HttpRequest {
  readonly url: string;
  readonly method: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** It may go to this machine. */
  readonly local: boolean;
}

const target = httpTarget();

/** Makes one request. */
export async function send(
  request: HttpRequest,
  delivery: PendingDelivery,
  signal: AbortSignal,
): Promise<DeliveryOutcome> {
  const { body, headers, local, method, url } = request;
  const http = { method, headers, local, retried: RETRIED, timeoutMs: TIMEOUT_MS };
  return target.deliver!({ ...delivery, targetArn: url, payload: body, parameters: { http } }, signal);
}

/**
 * The request by which an API destination is invoked. Where the target and the connection both have a parameter, the
 * connection's counts. `authorization`: the value of that header, when there is one.
 * Source: API Reference, "ConnectionHttpParameters"; EventBridge User Guide, "API destinations".
 */
export function invocationRequest(
  destination: DestinationRecord,
  given: HttpParameters,
  credentials: Credentials,
  authorization: string | undefined,
  payload: Uint8Array,
): HttpRequest {
  const { ApiKeyAuthParameters: apiKey, InvocationHttpParameters: connection } = credentials;
  const url = new URL(withPath(destination.endpoint, given.PathParameterValues ?? []));
  addQuery(url, given.QueryStringParameters ?? {});
  addQuery(url, recordOf(connection?.QueryStringParameters));
  const headers: Record<string, string> = {
    'content-type': 'application/json; charset=utf-8',
    'user-agent': 'Amazon/EventBridge/ApiDestinations',
    range: 'bytes=0-1048575',
    ...lowerCased(given.HeaderParameters ?? {}),
    ...lowerCased(recordOf(connection?.HeaderParameters)),
    ...(apiKey ? lowerCased({ [apiKey.ApiKeyName!]: apiKey.ApiKeyValue! }) : {}),
    ...(authorization === undefined ? {} : { authorization }),
  };
  return {
    url: url.href,
    method: destination.method,
    headers,
    body: withBody(payload, connection),
    local: destination.local,
  };
}

/** The request for a token. Source: RFC 6749, 4.4.2, with the client's credentials in the body as 2.3.1 has them. */
export function tokenRequest({ OAuthParameters: oauth }: Credentials, local: boolean): HttpRequest {
  const { AuthorizationEndpoint, ClientParameters, HttpMethod, OAuthHttpParameters: more } = oauth!;
  const url = new URL(AuthorizationEndpoint!);
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: ClientParameters!.ClientID!,
    client_secret: ClientParameters!.ClientSecret!,
    ...recordOf(more?.BodyParameters),
  });
  addQuery(url, recordOf(more?.QueryStringParameters));
  if (HttpMethod === 'GET') for (const [key, value] of form) url.searchParams.set(key, value);
  return {
    url: url.href,
    method: HttpMethod!,
    headers: {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      'user-agent': 'Amazon/EventBridge/ApiDestinations',
      ...lowerCased(recordOf(more?.HeaderParameters)),
    },
    body: HttpMethod === 'GET' ? new Uint8Array() : Buffer.from(form.toString()),
    local,
  };
}

/** Each `*` of the endpoint is the next of the values. */
function withPath(endpoint: string, values: readonly string[]): string {
  let next = 0;
  return endpoint.replaceAll('*', () => encodeURIComponent(values[next++] ?? ''));
}

function addQuery(url: URL, parameters: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(parameters)) url.searchParams.set(key, value);
}

/** Body parameters become members of a body that is an object. */
function withBody(payload: Uint8Array, connection: ConnectionHttpParameters | undefined): Uint8Array {
  const added = recordOf(connection?.BodyParameters);
  if (Object.keys(added).length === 0) return payload;
  try {
    const body: unknown = JSON.parse(Buffer.from(payload).toString());
    return isObject(body) ? Buffer.from(JSON.stringify({ ...body, ...added })) : payload;
  } catch {
    return payload;
  }
}

function recordOf(
  parameters: readonly { Key?: string | undefined; Value?: string | undefined }[] | undefined,
): Record<string, string> {
  return Object.fromEntries((parameters ?? []).map(({ Key, Value }) => [Key ?? '', Value ?? '']));
}

/** What says how a request is sent is not the sender's to say. Source: EventBridge User Guide, "API destinations". */
const RESERVED = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Line breaks would end a header: a value that came with an event loses them. Reserved names are left out. */
function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => !RESERVED.has(name.toLowerCase()))
      // Nor does a header have other characters than bytes.
      .map(([name, value]) => [name.toLowerCase(), value.replace(/[^\t\x20-\x7e\x80-\xff]+/g, ' ')]),
  );
}

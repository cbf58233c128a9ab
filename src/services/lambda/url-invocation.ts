import type { IncomingHttpHeaders } from 'node:http';
import { ServiceError } from '../../base/errors.ts';
import type { AuthorizationRequest } from '../service.ts';
import { type CorsRecord, keys, type PolicyRecord, type UrlIndexRecord, type UrlRecord } from './model.ts';
import { type FunctionName, functionArn } from './names.ts';
import { policyDocument } from './permissions.ts';
import { ResponseChannel } from './response-channel.ts';
import type { Room } from './room.ts';
import { resolveActive, runOnce, traceIdOf } from './run.ts';
import { answerHeaders, plain, type UrlAnswer, type UrlRequest, urlAnswer, urlEvent } from './url-event.ts';

/** A function URL that exists. */
export interface FoundUrl {
  readonly id: string;
  readonly target: FunctionName;
  readonly authType: 'AWS_IAM' | 'NONE';
  readonly invokeMode: 'BUFFERED' | 'RESPONSE_STREAM';
  readonly cors: CorsRecord | undefined;
}

/** What the front end of function URLs needs. */
export class FunctionUrls {
  readonly #room: Room;

  constructor(room: Room) {
    this.#room = room;
  }

  /** Largest request body, bytes. */
  get bodyLimit(): number {
    return this.#room.limits.syncPayload;
  }

  /** The URL of this id in this region. */
  async find(id: string, region: string): Promise<FoundUrl | undefined> {
    const index = (await this.#room.store.get<UrlIndexRecord>(keys.urlIndex(id)))?.value;
    if (index?.region !== region) return undefined;
    const { qualifier, ...rest } = index;
    const record = (await this.#room.store.get<UrlRecord>(keys.url(index, index.name, qualifier)))?.value;
    if (!record) return undefined;
    const target: FunctionName = { ...rest, qualifier: qualifier === '' ? undefined : qualifier };
    return { id, target, authType: record.authType, invokeMode: record.invokeMode, cors: record.cors };
  }

  /** What must be allowed, also for nobody in particular. Source: Developer Guide, "Control access to Lambda function URLs". */
  async authorization(url: FoundUrl): Promise<AuthorizationRequest> {
    const { target } = url;
    const policy = await this.#room.store.get<PolicyRecord>(keys.policy(target, target.name, target.qualifier ?? ''));
    return {
      action: 'lambda:InvokeFunctionUrl',
      resource: functionArn(target, target.name, target.qualifier),
      conditions: { 'lambda:FunctionUrlAuthType': [url.authType] },
      resourcePolicy: policy === undefined ? undefined : policyDocument(policy.value),
      resourceAccount: target.account,
    };
  }

  /** Runs the function for a request and maps its answer. Never rejects. */
  async answer(url: FoundUrl, request: UrlRequest): Promise<UrlAnswer> {
    const room = this.#room;
    const traceId = traceIdOf(room, request);
    try {
      const target = await resolveActive(room, url.target);
      const event = urlEvent(request, url.id, traceId, room.clock.now());
      const invocation = {
        requestId: request.requestId,
        payload: Buffer.from(JSON.stringify(event)),
        invokedArn: target.invokedArn,
        traceId,
      };
      if (url.invokeMode === 'BUFFERED') {
        const result = await runOnce(room, target, invocation);
        return urlAnswer(result.payload, result.functionError);
      }
      const slot = await room.concurrency.acquire(target);
      const channel = new ResponseChannel({ rawPrelude: false });
      room.engine
        .invokeStreaming(slot.spec, invocation, channel)
        .then(
          (result) => channel.end(result),
          (error: unknown) => channel.fail(error),
        )
        .finally(() => slot.release());
      return await streamedAnswer(channel);
    } catch (error) {
      if (!(error instanceof ServiceError)) {
        room.logger.error('a function URL request failed', { url: url.id, error });
        return plain(502, 'Internal Server Error');
      }
      if (error.status === 429) return plain(429, 'Too Many Requests');
      if (error.status === 404 || error.status === 403) return plain(403, 'Forbidden');
      room.logger.warn('a function URL request could not be run', { url: url.id, error: error.message });
      return plain(502, 'Internal Server Error');
    }
  }
}

async function streamedAnswer(channel: ResponseChannel): Promise<UrlAnswer> {
  const started = await channel.started;
  if (started === undefined) {
    const result = channel.result!;
    return urlAnswer(result.payload, result.functionError);
  }
  const { prelude, contentType } = started;
  const headers = answerHeaders(prelude?.headers, prelude?.cookies);
  const status = prelude?.statusCode ?? 200;
  if (headers === undefined || !Number.isInteger(status) || status < 100 || status > 599) {
    void abandon(channel);
    return plain(502, 'Internal Server Error');
  }
  headers['content-type'] ??= prelude === undefined && contentType === '' ? 'application/octet-stream' : contentType;
  return { status, headers, body: channel };
}

/** Nobody reads the rest, but the invocation runs to its end. */
async function abandon(channel: ResponseChannel): Promise<void> {
  for await (const _ of channel) return;
}

/** The headers that answer a preflight, or go with an actual answer; empty when this origin is not allowed. */
export function corsHeaders(
  cors: CorsRecord | undefined,
  headers: IncomingHttpHeaders,
  preflight: boolean,
): Record<string, string> {
  const origin = headers.origin;
  if (cors === undefined || origin === undefined) return {};
  const origins = cors.AllowOrigins ?? [];
  const any = origins.includes('*');
  if (!any && !origins.includes(origin)) return {};
  const common = {
    'access-control-allow-origin': any && cors.AllowCredentials !== true ? '*' : origin,
    ...(any && cors.AllowCredentials !== true ? {} : { vary: 'Origin' }),
    ...(cors.AllowCredentials === true ? { 'access-control-allow-credentials': 'true' } : {}),
  };
  if (!preflight) {
    const exposed = cors.ExposeHeaders ?? [];
    return { ...common, ...(exposed.length === 0 ? {} : { 'access-control-expose-headers': exposed.join(',') }) };
  }
  const methods = cors.AllowMethods ?? [];
  const asked = headers['access-control-request-method'] ?? '';
  if (!methods.includes('*') && !methods.includes(asked as 'GET')) return {};
  return {
    ...common,
    'access-control-allow-methods': methods.includes('*') ? asked : methods.join(','),
    ...(cors.AllowHeaders === undefined || cors.AllowHeaders.length === 0
      ? {}
      : {
          'access-control-allow-headers': cors.AllowHeaders.includes('*')
            ? (headers['access-control-request-headers'] ?? '*')
            : cors.AllowHeaders.join(','),
        }),
    ...(cors.MaxAge === undefined ? {} : { 'access-control-max-age': String(cors.MaxAge) }),
  };
}

import { ServiceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { BodyTooLarge } from './body/buffered-body.ts';
import { MalformedInput } from './codec/malformed.ts';
import { escapeText } from './codec/xml-encoder.ts';
import type { Dialect, Protocol, Reply, ReplyContext } from './protocols/protocol.ts';
import { hasForm } from './routing/service-detector.ts';
import type { WireRequest } from './routing/wire-request.ts';
import type { LoadedModel } from './schema/model.ts';
import { SignatureProblem } from './sigv4/signature.ts';
import { inDialect, wireError } from './wire-errors.ts';

/** What is known about a request when it fails. */
export interface FailedRequest {
  readonly request: WireRequest;
  readonly replyContext: ReplyContext;
  readonly operation: string | undefined;
  readonly model: LoadedModel | undefined;
  readonly protocol: Protocol | undefined;
}

/** The reply to a request that failed, whatever was thrown; details of what was unexpected go to the log only. */
export function failureReply(error: unknown, failed: FailedRequest, logger: Logger): Reply {
  const dialect = failed.protocol?.dialect ?? guessDialect(failed.request);
  const general = asServiceError(error, dialect, failed, logger);
  const model = failed.model?.error(general.code);
  // 400 is what an error has that was thrown without a status: then the model's counts.
  const status = general.status === 400 ? (model?.status ?? 400) : general.status;
  const named = inDialect(
    dialect,
    status === general.status ? general : withStatus(general, status),
    failed.model?.service.accessDenied,
  );
  const reply = failed.protocol
    ? failed.protocol.encodeError(named, failed.model?.error(named.code), failed.replyContext)
    : plainError(dialect, named, failed.replyContext);
  Object.assign(reply.headers, named.headers);
  return reply;
}

function asServiceError(error: unknown, dialect: Dialect, failed: FailedRequest, logger: Logger): ServiceError {
  const about = {
    requestId: failed.replyContext.requestId,
    service: failed.model?.service.name,
    operation: failed.operation,
  };
  if (error instanceof ServiceError) {
    if (error.detail !== undefined)
      logger.debug('a request was refused', { ...about, code: error.code, detail: error.detail });
    return error;
  }
  if (error instanceof MalformedInput) return wireError(dialect, 'malformed', error.message);
  if (error instanceof BodyTooLarge) {
    const what = failed.operation === undefined ? 'this' : `the ${failed.operation}`;
    return wireError(dialect, 'tooLarge', `Request must be smaller than ${error.limit} bytes for ${what} operation`);
  }
  if (error instanceof SignatureProblem) {
    const unsupported = error.kind === 'unsupported';
    if (unsupported && dialect === 's3') return new ServiceError('InvalidRequest', error.message);
    return wireError(dialect, unsupported ? 'notImplemented' : 'incompleteSignature', error.message);
  }
  logger.error('a request failed unexpectedly', {
    ...about,
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  });
  return wireError(dialect, 'internal', 'We encountered an internal error. Please try again.');
}

function withStatus(error: ServiceError, status: number): ServiceError {
  const { code, message, members, headers } = error;
  return new ServiceError(code, message, { status, members, headers });
}

/** Before the service is known, the request's own form tells what its client can read. */
function guessDialect(request: WireRequest): Dialect {
  if (request.headers['x-amz-target'] !== undefined) return 'awsJson';
  if (request.form !== undefined || hasForm(request)) return 'query';
  const credential = request.headers.authorization ?? request.rawQuery.replaceAll('%2F', '/');
  const scope = /\/([a-z0-9-]+)\/aws4_request/.exec(credential)?.[1];
  return scope === undefined || scope === 's3' ? 's3' : 'restJson';
}

/** An error of a service that is not known, in the simplest form that its kind of client reads. */
function plainError(dialect: Dialect, { status, code, message }: ServiceError, { requestId }: ReplyContext): Reply {
  if (dialect !== 's3' && dialect !== 'query') {
    const headers = { 'content-type': 'application/json', 'x-amzn-errortype': code };
    return { status, headers, body: JSON.stringify({ __type: code, message }) };
  }
  const text = `<Code>${escapeText(code)}</Code><Message>${escapeText(message)}</Message>`;
  const id = `<RequestId>${requestId}</RequestId>`;
  const body =
    dialect === 's3' ? `<Error>${text}${id}</Error>` : `<ErrorResponse><Error>${text}</Error>${id}</ErrorResponse>`;
  return { status, headers: { 'content-type': 'text/xml' }, body };
}

import type { IncomingMessage } from 'node:http';
import { ServiceError } from '../../base/errors.ts';
import { familiarName, familiarRepository, type Reference } from '../references/reference.ts';
import { BodyTooLargeError, readBody } from './http-connection.ts';

/** An answer of a registry that is an error. Source: OCI Distribution Specification 1.1, "Error Codes". */
export class RegistryAnswerError extends Error {
  readonly status: number;
  /** `MANIFEST_UNKNOWN`, …; empty when the registry tells none. */
  readonly code: string;
  readonly retryAfter: string | undefined;
  constructor(status: number, code: string, message: string, retryAfter: string | undefined) {
    super(message);
    this.name = 'RegistryAnswerError';
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/** An answer that keeps to no specification; to ask again would not help. */
export function protocolError(message: string): RegistryAnswerError {
  return new RegistryAnswerError(0, '', message, undefined);
}

const MAX_ERROR_SIZE = 64 * 1024;

/** Reads the error that an answer tells. */
export async function answerError(response: IncomingMessage, what: string): Promise<RegistryAnswerError> {
  const status = response.statusCode ?? 0;
  const retryAfter = response.headers['retry-after'];
  const body = await readBody(response, MAX_ERROR_SIZE).catch(() => Buffer.alloc(0));
  let code = '';
  let message = '';
  try {
    const first = (JSON.parse(body.toString('utf8')) as { errors?: { code?: unknown; message?: unknown }[] })
      .errors?.[0];
    if (typeof first?.code === 'string') code = first.code;
    if (typeof first?.message === 'string') message = first.message.slice(0, 1000);
  } catch {
    // Not every server in between speaks so.
  }
  const text = code === '' ? `unexpected status ${status} from ${what}` : `${spoken(code)}: ${message || spoken(code)}`;
  return new RegistryAnswerError(status, code, text, retryAfter);
}

function spoken(code: string): string {
  return code.toLowerCase().replaceAll('_', ' ');
}

/** The error of a pull or push as a user of Docker knows it. */
export function transferError(error: unknown, reference: Reference): unknown {
  if (!(error instanceof RegistryAnswerError)) return connectionError(error, reference);
  const { status, code, message } = error;
  if (code === 'MANIFEST_UNKNOWN' || (status === 404 && code === '')) {
    return new ServiceError('NoSuchManifest', `manifest for ${familiarName(reference)} not found: ${message}`, {
      status: 404,
      cause: error,
    });
  }
  if (code === 'NAME_UNKNOWN') {
    return new ServiceError('NoSuchManifest', `repository ${familiarRepository(reference)} not found: ${message}`, {
      status: 404,
      cause: error,
    });
  }
  if (code === 'DENIED' || status === 403) {
    const what = `access denied for ${familiarRepository(reference)}, repository does not exist or may require 'docker login'`;
    return new ServiceError('AccessDenied', `${what}: ${message}`, { status: 403, cause: error });
  }
  if (status === 401) {
    // An answer to HEAD has no words.
    const text = code === '' ? 'unauthorized: authentication required' : message;
    return new ServiceError('Unauthorized', text, { status: 401, cause: error });
  }
  return new ServiceError('RegistryError', message, { status: 502, cause: error });
}

/** Codes of failures to reach a registry. */
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
  'EPROTO',
]);

function connectionError(error: unknown, { domain }: Reference): unknown {
  if (error instanceof BodyTooLargeError) {
    return new ServiceError('RegistryError', error.message, { status: 502, cause: error });
  }
  if (error instanceof ServiceError || !(error instanceof Error)) return error;
  const code = String((error as NodeJS.ErrnoException).code ?? '');
  const isTls = code.startsWith('ERR_TLS') || code.startsWith('ERR_SSL') || /CERT|SIGNATURE/.test(code);
  if (!UNREACHABLE.has(code) && !isTls && error.message !== 'the registry does not answer') return error;
  return new ServiceError('RegistryError', `cannot talk to the registry ${domain}: ${error.message}`, {
    status: 502,
    cause: error,
  });
}

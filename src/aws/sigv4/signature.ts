import { ServiceError } from '../../base/errors.ts';
import type { WireRequest } from '../routing/wire-request.ts';

/** A request's Signature Version 4, as sent. Source: IAM User Guide, "AWS Signature Version 4 for API requests". */
export interface Signature {
  readonly accessKeyId: string;
  /** `YYYYMMDD` of the credential scope. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  readonly sessionToken: string | undefined;
  /** `YYYYMMDDTHHMMSSZ` */
  readonly timestamp: string;
  /** In the query: how long it is good for, seconds. */
  readonly expires: number | undefined;
}

/** What is wrong with a request's signature, in terms that each dialect has its own error for. */
export class SignatureProblem extends Error {
  readonly kind: 'incomplete' | 'unsupported';
  constructor(kind: 'incomplete' | 'unsupported', message: string) {
    super(message);
    this.name = 'SignatureProblem';
    this.kind = kind;
  }
}

const header = /^AWS4-HMAC-SHA256\s+(.*)$/s;
const maximumExpiry = 604_800;

const maximumRemembered = 1000;

/**
 * Reads signatures. A client's `Authorization` headers differ in their last part only, the signature itself, so what
 * comes before is parsed once and remembered.
 */
export class SignatureReader {
  readonly #remembered = new Map<string, HeaderParts>();

  /** From the `Authorization` header or the query; `undefined` when the request has none. */
  read(request: WireRequest): Signature | undefined {
    const authorization = request.headers.authorization;
    if (authorization !== undefined && authorization !== '') {
      return readHeader(request, authorization, (text) => this.#parts(text));
    }
    if (request.rawQuery.includes('X-Amz-')) return readQuery(request);
    // Older clients presign with version 2, which must not be taken for a request of nobody.
    if (/(^|&)AWSAccessKeyId=/.test(request.rawQuery) && /(^|&)Signature=/.test(request.rawQuery)) throw version2();
    return undefined;
  }

  #parts(text: string): HeaderParts {
    const start = text.lastIndexOf('Signature=') + 'Signature='.length;
    if (text.length - start !== 64 || !hexadecimal.test(text.slice(start))) return readParts(text);
    const before = text.slice(0, start);
    const known = this.#remembered.get(before);
    if (known) return { ...known, signature: text.slice(start) };
    const parts = readParts(text);
    if (this.#remembered.size >= maximumRemembered) this.#remembered.clear();
    if (before.length <= 1024) this.#remembered.set(before, parts);
    return parts;
  }
}

/** The signature of one request, nothing remembered. */
export function readSignature(request: WireRequest): Signature | undefined {
  return new SignatureReader().read(request);
}

function version2(): SignatureProblem {
  return new SignatureProblem(
    'unsupported',
    'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
  );
}

const hexadecimal = /^[0-9a-f]+$/;

function readHeader(
  request: WireRequest,
  authorization: string,
  read: (text: string) => HeaderParts,
): Signature | undefined {
  const match = header.exec(authorization);
  if (!match) {
    if (/^AWS4-ECDSA-/.test(authorization)) {
      throw new SignatureProblem('unsupported', 'Signature Version 4A (AWS4-ECDSA-P256-SHA256) is not supported.');
    }
    if (/^AWS[0-9]?\b/.test(authorization)) throw version2();
    return undefined;
  }
  const { credential, signedHeaders, signature } = read(match[1]!);
  const amzDate = request.header('x-amz-date');
  const date = request.header('date');
  const timestamp = amzDate ?? (date === undefined ? undefined : compactDate(date));
  if (timestamp === undefined || !/^\d{8}T\d{6}Z$/.test(timestamp)) {
    throw new SignatureProblem(
      'incomplete',
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    );
  }
  return {
    ...credential,
    signedHeaders,
    signature,
    sessionToken: request.header('x-amz-security-token'),
    timestamp,
    expires: undefined,
  };
}

interface HeaderParts {
  readonly credential: ReturnType<typeof readCredential>;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

function readParts(text: string): HeaderParts {
  const parts = new Map<string, string>();
  for (const part of text.split(',')) {
    const equals = part.indexOf('=');
    if (equals > 0) parts.set(part.slice(0, equals).trim(), part.slice(equals + 1).trim());
  }
  for (const name of ['Credential', 'Signature', 'SignedHeaders']) {
    if (!parts.get(name)) {
      throw new SignatureProblem('incomplete', `Authorization header requires '${name}' parameter.`);
    }
  }
  return {
    credential: readCredential(parts.get('Credential')!),
    signedHeaders: parts.get('SignedHeaders')!.toLowerCase().split(';'),
    signature: parts.get('Signature')!,
  };
}

function readQuery(request: WireRequest): Signature | undefined {
  const { query } = request;
  const algorithm = query.get('X-Amz-Algorithm')?.[0];
  if (algorithm === undefined) return undefined;
  if (algorithm !== 'AWS4-HMAC-SHA256') {
    throw new SignatureProblem('unsupported', `The signature algorithm '${algorithm.slice(0, 64)}' is not supported.`);
  }
  const value = (name: string): string => {
    const found = query.get(name)?.[0];
    if (found) return found;
    throw new SignatureProblem('incomplete', `Query-string authentication requires the parameter ${name}.`);
  };
  const expires = Number(query.get('X-Amz-Expires')?.[0] ?? 900);
  if (!Number.isInteger(expires) || expires < 0 || expires > maximumExpiry) {
    throw new SignatureProblem('incomplete', 'X-Amz-Expires must be between 0 and 604800 seconds.');
  }
  const timestamp = value('X-Amz-Date');
  if (!/^\d{8}T\d{6}Z$/.test(timestamp))
    throw new SignatureProblem('incomplete', 'X-Amz-Date must be like 20260131T235959Z.');
  return {
    ...readCredential(value('X-Amz-Credential')),
    signedHeaders: value('X-Amz-SignedHeaders').toLowerCase().split(';'),
    signature: value('X-Amz-Signature'),
    sessionToken: query.get('X-Amz-Security-Token')?.[0],
    timestamp,
    expires,
  };
}

function readCredential(text: string): Pick<Signature, 'accessKeyId' | 'date' | 'region' | 'service'> {
  const parts = text.split('/');
  const [accessKeyId, date, region, service, terminal] = parts.slice(-5);
  if (
    parts.length < 5 ||
    terminal !== 'aws4_request' ||
    !/^\d{8}$/.test(date!) ||
    !accessKeyId ||
    !region ||
    !service
  ) {
    throw new SignatureProblem(
      'incomplete',
      'Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/aws4_request.',
    );
  }
  return { accessKeyId: parts.length === 5 ? accessKeyId : parts.slice(0, -4).join('/'), date: date!, region, service };
}

function compactDate(text: string): string | undefined {
  if (/^\d{8}T\d{6}Z$/.test(text)) return text;
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : new Date(time).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

/** Epoch ms of a compact timestamp. */
export function timestampTime(timestamp: string): number {
  const t = timestamp;
  return Date.UTC(
    +t.slice(0, 4),
    +t.slice(4, 6) - 1,
    +t.slice(6, 8),
    +t.slice(9, 11),
    +t.slice(11, 13),
    +t.slice(13, 15),
  );
}

/** Presigned requests are refused once they have expired, whether signatures are verified or not. */
export function checkExpiry(signature: Signature, now: number): void {
  if (signature.expires === undefined) return;
  const end = timestampTime(signature.timestamp) + signature.expires * 1000;
  if (now <= end) return;
  throw new ServiceError('AccessDenied', 'Request has expired', {
    status: 403,
    members: {
      'X-Amz-Expires': signature.expires,
      Expires: new Date(end).toISOString(),
      ServerTime: new Date(now).toISOString(),
    },
  });
}

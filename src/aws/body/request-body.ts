import { ServiceError } from '../../base/errors.ts';
import type { WireRequest } from '../routing/wire-request.ts';
import type { ChunkSignatures } from './aws-chunked.ts';
import { bodyChecks } from './body-checks.ts';
import { BodyTooLarge, readBody } from './buffered-body.ts';
import { StreamedBody } from './streamed-body.ts';

export interface RequestBodyOptions {
  /** Pass it on as a stream instead of reading it first. */
  readonly streams: boolean;
  /** Whether `x-amz-checksum-…` headers are about the body. */
  readonly checksums: boolean;
  /** Most bytes of a body that is read first. */
  readonly limit: number;
  /** For bodies whose chunks are signed, when signatures are verified. */
  readonly signatures: () => ChunkSignatures | undefined;
}

/** A request's body, in memory or as a stream, with the checks that its headers ask for. */
export async function requestBody(request: WireRequest, options: RequestBodyOptions): Promise<Buffer | StreamedBody> {
  const chunked = isChunked(request);
  const checks = bodyChecks(request.headers, options);
  if (!options.streams && !chunked) return readBody(request.message, options.limit, checks);
  const signed = request.header('x-amz-content-sha256')?.startsWith('STREAMING-AWS4-HMAC-SHA256') === true;
  const body = new StreamedBody(request.message, {
    contentLength: chunked ? decodedLength(request) : announcedLength(request),
    checks,
    chunked: chunked ? { signatures: signed ? options.signatures() : undefined } : undefined,
  });
  return options.streams ? body : collect(body, options.limit);
}

/** Not `STREAMING-…-EVENTS`: those are event streams, framed in their own way. */
const chunkedPayload = /^STREAMING-(?:AWS4-HMAC-SHA256|UNSIGNED)-PAYLOAD/;

/** Whether the body is framed as `aws-chunked`. */
export function isChunked(request: WireRequest): boolean {
  const { headers } = request;
  return (
    chunkedPayload.test((headers['x-amz-content-sha256'] as string | undefined) ?? '') ||
    headers['content-encoding']?.includes('aws-chunked') === true
  );
}

/** Makes the headers of an `aws-chunked` request those of the body without its framing: what operations should see. */
export function removeChunkedFraming(request: WireRequest): void {
  const encodings = (request.header('content-encoding') ?? '')
    .split(',')
    .map((encoding) => encoding.trim())
    .filter((encoding) => encoding !== '' && encoding !== 'aws-chunked');
  if (encodings.length > 0) request.headers['content-encoding'] = encodings.join(',');
  else delete request.headers['content-encoding'];
  request.headers['content-length'] = request.header('x-amz-decoded-content-length') ?? '0';
}

function announcedLength(request: WireRequest): number | undefined {
  const length = request.header('content-length');
  if (length !== undefined) return Number(length);
  return request.headers['transfer-encoding'] === undefined ? 0 : undefined;
}

function decodedLength(request: WireRequest): number {
  const length = request.header('x-amz-decoded-content-length');
  if (length === undefined || !/^\d{1,15}$/.test(length)) {
    throw new ServiceError('MissingContentLength', 'You must provide the Content-Length HTTP header.', { status: 411 });
  }
  return Number(length);
}

async function collect(body: StreamedBody, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw new BodyTooLarge(limit);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

import type { IncomingMessage } from 'node:http';
import { ServiceError } from '../../base/errors.ts';
import type { Shape } from '../shapes/shape.ts';
import { invalid } from '../shapes/shape.ts';

/** The largest JSON body, in bytes: a container with tens of thousands of labels has far less. */
export const LARGEST_JSON = 4 * 1024 * 1024;

/**
 * Reads the body as JSON. `undefined` when there is none. Throws what dockerd answers to another media type, to no JSON and to too
 * much. Source: httputils.ReadJSON and CheckForJSON of the Docker Engine.
 */
export async function readJsonBody<T>(request: IncomingMessage, shape: Shape<T>): Promise<T | undefined> {
  const bytes = await readBounded(request, LARGEST_JSON);
  if (bytes.length === 0) return undefined;
  checkMediaType(request.headers['content-type']);
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw invalid(`invalid JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  return shape(value, '');
}

/** Clients of an engine that needs no body send none: then any media type goes. */
function checkMediaType(header: string | undefined): void {
  const type = header?.split(';')[0]?.trim().toLowerCase();
  if (type === 'application/json') return;
  throw invalid(
    header === undefined || type === ''
      ? `malformed Content-Type header (${header ?? ''}): mime: no media type`
      : `unsupported Content-Type header (${header}): must be 'application/json'`,
  );
}

/** The whole body, of at most so many bytes; 413 past that. */
export async function readBounded(request: IncomingMessage, most: number): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > most) throw tooLarge(most);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of piecesOf(request)) {
    size += chunk.length;
    if (size > most) throw tooLarge(most);
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size);
}

/** The body as it comes. Who stops reading leaves the connection open, so that the client can be told why. */
export function piecesOf(request: IncomingMessage): AsyncIterable<Buffer> {
  return request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
}

function tooLarge(most: number): ServiceError {
  return new ServiceError('TooLarge', `the request's body is larger than ${most} bytes`, { status: 413 });
}

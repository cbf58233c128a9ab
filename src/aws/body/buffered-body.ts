import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { ServiceError } from '../../base/errors.ts';
import { MalformedInput } from '../codec/malformed.ts';
import type { BodyCheck } from './body-checks.ts';

const empty = Buffer.alloc(0);
const unzip = promisify(gunzip);

/** The body is larger than the service takes. Each dialect has its own name for it. */
export class BodyTooLarge extends Error {
  readonly limit: number;
  constructor(limit: number) {
    super(`the request body is larger than ${limit} bytes`);
    this.name = 'BodyTooLarge';
    this.limit = limit;
  }
}

/** Reads a body into memory, up to `limit` bytes; checks it as it was sent, then takes gzip off. */
export async function readBody(
  message: IncomingMessage,
  limit: number,
  checks: readonly BodyCheck[] = [],
): Promise<Buffer> {
  const body = hasBody(message) ? await collect(message, limit) : empty;
  for (const check of checks) {
    check.update(body);
    check.finish({});
  }
  if (message.headers['content-encoding'] !== 'gzip' || body.length === 0) return body;
  try {
    return await unzip(body, { maxOutputLength: limit });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw new BodyTooLarge(limit);
    throw new MalformedInput('The body is not valid gzip');
  }
}

function hasBody(message: IncomingMessage): boolean {
  const { headers } = message;
  const length = headers['content-length'];
  return length === undefined ? headers['transfer-encoding'] !== undefined : length !== '0';
}

function collect(message: IncomingMessage, limit: number): Promise<Buffer> {
  if (Number(message.headers['content-length'] ?? 0) > limit) throw new BodyTooLarge(limit);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    message.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) {
        message.removeAllListeners('data');
        message.pause();
        reject(new BodyTooLarge(limit));
        return;
      }
      chunks.push(chunk);
    });
    message.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)));
    const gone = (): void =>
      reject(new ServiceError('RequestTimeout', 'The connection closed before the whole request arrived.'));
    message.on('error', gone);
    message.on('close', () => {
      if (!message.complete) gone();
    });
  });
}

import { ServiceError } from '../../base/errors.ts';

/** Bytes `start`..`end`, inclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Reads a Range header for an object of `size` bytes. `undefined`: send the whole object, as S3 does for a header
 * that is malformed or asks for several ranges. Throws `InvalidRange` (416) when no byte lies in it.
 * Source: RFC 7233; S3 API Reference, "GetObject".
 */
export function parseRange(header: string | undefined, size: number): ByteRange | undefined {
  if (header === undefined) return undefined;
  const match = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header);
  if (!match) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const suffix = Number(last);
    if (suffix === 0 || size === 0) throw invalidRange(header, size);
    return { start: Math.max(size - suffix, 0), end: size - 1 };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return undefined;
  if (start >= size) throw invalidRange(header, size);
  return { start, end: last === '' ? size - 1 : Math.min(Number(last), size - 1) };
}

/** Reads an `x-amz-copy-source-range`, which must name both ends and lie within the source. */
export function parseCopyRange(header: string | undefined, size: number): ByteRange | undefined {
  if (header === undefined) return undefined;
  const match = /^bytes=(\d+)-(\d+)$/.exec(header);
  if (!match) {
    throw new ServiceError(
      'InvalidArgument',
      'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy',
      { members: { ArgumentName: 'x-amz-copy-source-range', ArgumentValue: header } },
    );
  }
  const range = { start: Number(match[1]), end: Number(match[2]) };
  if (range.start > range.end || range.end >= size) {
    throw new ServiceError('InvalidArgument', `Range specified is not valid for source object of size: ${size}`, {
      members: { ArgumentName: 'x-amz-copy-source-range', ArgumentValue: header },
    });
  }
  return range;
}

function invalidRange(requested: string, size: number): ServiceError {
  return new ServiceError('InvalidRange', 'The requested range is not satisfiable', {
    status: 416,
    members: { RangeRequested: requested, ActualObjectSize: String(size) },
    headers: { 'content-range': `bytes */${size}` },
  });
}

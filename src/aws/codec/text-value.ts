import type { Shape, TimestampFormat } from '../schema/shape.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { MalformedInput } from './malformed.ts';
import { formatTimestamp, parseTimestamp } from './timestamp.ts';

/** Simple values as text: in headers, queries, labels, XML elements and form fields. */

/** `place` is the timestamp format of that place in a message where the shape does not say. */
export function decodeText(shape: Shape, text: string, place: TimestampFormat): unknown {
  switch (shape.kind) {
    case 'string':
    case 'document':
      return text;
    case 'number':
      return parseNumber(text);
    case 'bigDecimal':
      return parseNumber(text);
    case 'bigInteger':
      if (!/^[+-]?\d{1,400}$/.test(text.trim())) throw new MalformedInput(`'${text.slice(0, 40)}' is not an integer`);
      return BigInt(text.trim());
    case 'boolean': {
      const trimmed = text.trim();
      if (trimmed === 'true' || trimmed === 'True' || trimmed === 'TRUE') return true;
      if (trimmed === 'false' || trimmed === 'False' || trimmed === 'FALSE') return false;
      throw new MalformedInput(`'${text.slice(0, 40)}' is not a boolean`);
    }
    case 'blob':
      return decodeBase64(text.replaceAll(/\s/g, ''));
    case 'timestamp':
      return parseTimestamp(text, shape.format ?? place);
    default:
      throw new MalformedInput(`Found text where a ${shape.kind} was expected`);
  }
}

export function encodeText(shape: Shape, value: unknown, place: TimestampFormat): string {
  switch (shape.kind) {
    case 'blob':
      return encodeBase64(value as Uint8Array);
    case 'timestamp':
      return formatTimestamp(value as Date, shape.format ?? place);
    default:
      return String(value);
  }
}

function parseNumber(text: string): number {
  const trimmed = text.trim();
  if (/^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i.test(trimmed)) return Number(trimmed);
  if (trimmed === 'NaN') return Number.NaN;
  if (trimmed === 'Infinity') return Number.POSITIVE_INFINITY;
  if (trimmed === '-Infinity') return Number.NEGATIVE_INFINITY;
  throw new MalformedInput(`'${text.slice(0, 40)}' is not a number`);
}

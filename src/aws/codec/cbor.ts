import { cbor, dateToTag } from '@smithy/core/cbor';
import type { Shape, StructureShape } from '../schema/shape.ts';
import { MalformedInput, maximumDepth } from './malformed.ts';
import { setOwn } from './own.ts';
import { timestampFromSeconds } from './timestamp.ts';

/** CBOR as rpcv2Cbor has it: timestamps are tag 1, blobs are byte strings. The bytes are read by `@smithy/core/cbor`. */
export class CborCodec {
  decode(shape: Shape, body: Uint8Array): unknown {
    if (body.length === 0) return {};
    let value: unknown;
    try {
      value = cbor.deserialize(body);
    } catch {
      throw new MalformedInput('The request body is not valid CBOR');
    }
    return decodeValue(shape, value, 0);
  }

  encode(shape: Shape, value: unknown): Uint8Array {
    return this.encodePlain(encodeValue(shape, value));
  }

  encodeTyped(type: string, shape: StructureShape, value: unknown): Uint8Array {
    return this.encodePlain({ __type: type, ...(encodeValue(shape, value) as object) });
  }

  encodePlain(value: unknown): Uint8Array {
    return cbor.serialize(value);
  }
}

function decodeValue(shape: Shape, value: unknown, depth: number): unknown {
  if (depth > maximumDepth) throw new MalformedInput('The message is nested too deeply');
  switch (shape.kind) {
    case 'string':
      return expect(value, typeof value === 'string', shape);
    case 'number':
      return expect(typeof value === 'bigint' ? Number(value) : value, isNumber(value), shape);
    case 'bigInteger':
      return BigInt(expect(value, isNumber(value), shape) as number);
    case 'boolean':
      return expect(value, typeof value === 'boolean', shape);
    case 'blob':
      return expect(value, value instanceof Uint8Array, shape);
    case 'bigDecimal':
    case 'document':
      return value;
    case 'timestamp':
      if (value instanceof Date) return value;
      if (isTag(value) && value.tag === 1 && isNumber(value.value)) return timestampFromSeconds(Number(value.value));
      return expect(value, false, shape);
    case 'list': {
      const sparse = shape.traits.sparse !== undefined;
      const items = expect(value, Array.isArray(value), shape) as unknown[];
      if (!sparse && items.includes(null)) throw new MalformedInput('A list may not contain null');
      return items.map((item) => (item === null ? null : decodeValue(shape.element.shape, item, depth + 1)));
    }
    case 'map': {
      const result: Record<string, unknown> = {};
      for (const [key, item] of Object.entries(expect(value, isObject(value), shape) as object)) {
        if (item !== null) setOwn(result, key, decodeValue(shape.value.shape, item, depth + 1));
        else if (shape.traits.sparse !== undefined) setOwn(result, key, null);
      }
      return result;
    }
    default: {
      const result: Record<string, unknown> = {};
      const values = expect(value, isObject(value), shape) as Record<string, unknown>;
      for (const member of shape.members) {
        const item = Object.hasOwn(values, member.name) ? values[member.name] : undefined;
        if (item !== undefined && item !== null) result[member.name] = decodeValue(member.shape, item, depth + 1);
      }
      if (shape.kind === 'union' && Object.keys(result).length !== 1) {
        throw new MalformedInput('A union must have exactly one member set');
      }
      return result;
    }
  }
}

function encodeValue(shape: Shape, value: unknown): unknown {
  switch (shape.kind) {
    case 'timestamp':
      return dateToTag(value as Date);
    case 'list':
      return (value as unknown[])
        .filter((item) => item !== undefined && (item !== null || shape.traits.sparse !== undefined))
        .map((item) => (item === null ? null : encodeValue(shape.element.shape, item)));
    case 'map': {
      const result: Record<string, unknown> = {};
      for (const [key, item] of Object.entries(value as object)) {
        if (item !== undefined && item !== null) setOwn(result, key, encodeValue(shape.value.shape, item));
        else if (shape.traits.sparse !== undefined) setOwn(result, key, null);
      }
      return result;
    }
    case 'structure':
    case 'union': {
      const result: Record<string, unknown> = {};
      for (const member of shape.members) {
        const item = (value as Record<string, unknown>)[member.name];
        if (item !== undefined && item !== null) result[member.name] = encodeValue(member.shape, item);
      }
      return result;
    }
    default:
      return value;
  }
}

function expect(value: unknown, right: boolean, shape: Shape): unknown {
  if (right) return value;
  const found = Array.isArray(value) ? 'a list' : value === null ? 'null' : `a ${typeof value}`;
  throw new MalformedInput(`Found ${found} where a ${shape.kind} was expected`);
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

function isTag(value: unknown): value is { readonly tag: number; readonly value: unknown } {
  return typeof value === 'object' && value !== null && 'tag' in value;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

import type { ListShape, MapShape, Member, Shape, StructureShape } from '../schema/shape.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { MalformedInput, maximumDepth } from './malformed.ts';
import { setOwn } from './own.ts';
import { formatTimestamp, parseTimestamp, timestampFromSeconds, timestampToSeconds } from './timestamp.ts';

/**
 * JSON as awsJson and restJson1 have it. Each shape is compiled once to a function that reads and checks a parsed
 * value, and one that makes a value fit for `JSON.stringify`.
 */
export class JsonCodec {
  readonly #jsonNames: boolean;
  readonly #decoders = new Map<Shape, Decoder>();
  readonly #encoders = new Map<Shape, Encoder>();

  /** `jsonNames`: whether `jsonName` traits count (restJson1 only). */
  constructor(options: { readonly jsonNames: boolean }) {
    this.#jsonNames = options.jsonNames;
  }

  /** Reads a body; an empty one is an empty structure. */
  decode(shape: Shape, body: Uint8Array): unknown {
    return this.decoder(shape)(parseJson(body), 0);
  }

  encode(shape: Shape, value: unknown): string {
    return JSON.stringify(this.encoder(shape)(value)) ?? 'null';
  }

  decoder(shape: Shape): Decoder {
    return memoize(this.#decoders, shape, () => this.#compileDecoder(shape));
  }

  encoder(shape: Shape): Encoder {
    return memoize(this.#encoders, shape, () => this.#compileEncoder(shape));
  }

  /** Reads those `members` of a structure that are in the body, into `target`. */
  membersDecoder(members: readonly Member[], union = false): (value: unknown, depth: number, target: Values) => void {
    const fields = new Map(members.map((member) => [this.#wireName(member), this.#field(member)]));
    return (value, depth, target) => {
      if (!isObject(value)) throw unexpected(value, 'a structure');
      if (depth > maximumDepth) throw new MalformedInput('The message is nested too deeply');
      let set = 0;
      for (const key in value) {
        const item = value[key];
        if (item === null || item === undefined) continue;
        const field = fields.get(key);
        if (field) {
          target[field.name] = field.decode(item, depth + 1);
          set++;
        } else if (union && key !== '__type') {
          throw new MalformedInput(`Unknown union member '${key.slice(0, 64)}'`);
        }
      }
      if (union && set !== 1) throw new MalformedInput('A union must have exactly one member set');
    };
  }

  #field(member: Member): { readonly name: string; readonly decode: Decoder } {
    let decode: Decoder | undefined;
    // Compiled at first use: most members of most shapes are never sent.
    return {
      name: member.name,
      decode: (value, depth) => {
        decode ??= this.decoder(member.shape);
        return decode(value, depth);
      },
    };
  }

  /** Writes those `members` of a structure that are in the body. */
  membersEncoder(members: readonly Member[]): (value: Values) => Values {
    const fields = members.map((member) => ({
      name: member.name,
      wireName: this.#wireName(member),
      shape: member.shape,
      encode: undefined as Encoder | undefined,
    }));
    return (value) => {
      const result: Values = {};
      for (const field of fields) {
        const item = value[field.name];
        if (item === undefined || item === null) continue;
        field.encode ??= this.encoder(field.shape);
        result[field.wireName] = field.encode(item);
      }
      return result;
    };
  }

  #wireName(member: Member): string {
    return (this.#jsonNames ? (member.traits.jsonName as string | undefined) : undefined) ?? member.name;
  }

  #compileDecoder(shape: Shape): Decoder {
    switch (shape.kind) {
      case 'string':
        return decodeString;
      case 'number':
        return decodeNumber;
      case 'boolean':
        return decodeBoolean;
      case 'bigInteger':
        return (value) => {
          if (typeof value !== 'number' || !Number.isInteger(value)) throw unexpected(value, 'an integer');
          return BigInt(value);
        };
      case 'bigDecimal':
        return decodeNumber;
      case 'blob':
        return (value) => {
          if (typeof value !== 'string') throw unexpected(value, 'a base64 string');
          return decodeBase64(value);
        };
      case 'document':
        return (value) => value;
      case 'timestamp': {
        const format = shape.format ?? 'epoch-seconds';
        return (value) => {
          if (typeof value === 'number') return timestampFromSeconds(value);
          if (typeof value === 'string') return parseTimestamp(value, format);
          throw unexpected(value, 'a timestamp');
        };
      }
      case 'list':
        return this.#listDecoder(shape);
      case 'map':
        return this.#mapDecoder(shape);
      default: {
        const members = this.membersDecoder(shape.members, shape.kind === 'union');
        return (value, depth) => {
          const target: Values = {};
          members(value, depth, target);
          return target;
        };
      }
    }
  }

  #listDecoder(shape: ListShape): Decoder {
    const sparse = shape.traits.sparse !== undefined;
    const { decode } = this.#field(shape.element);
    return (value, depth) => {
      if (!Array.isArray(value)) throw unexpected(value, 'a list');
      if (depth > maximumDepth) throw new MalformedInput('The message is nested too deeply');
      return value.map((item) => {
        if (item !== null) return decode(item, depth + 1);
        if (!sparse) throw new MalformedInput('A list may not contain null');
        return null;
      });
    };
  }

  #mapDecoder(shape: MapShape): Decoder {
    const sparse = shape.traits.sparse !== undefined;
    const { decode } = this.#field(shape.value);
    return (value, depth) => {
      if (!isObject(value)) throw unexpected(value, 'a map');
      if (depth > maximumDepth) throw new MalformedInput('The message is nested too deeply');
      const result: Values = {};
      for (const key of Object.keys(value)) {
        const item = value[key];
        if (item !== null) setOwn(result, key, decode(item, depth + 1));
        else if (sparse) setOwn(result, key, null);
      }
      return result;
    };
  }

  #compileEncoder(shape: Shape): Encoder {
    switch (shape.kind) {
      case 'string':
        return (value) => String(value);
      case 'number':
        return (value) => (Number.isFinite(value) ? value : String(value));
      case 'boolean':
      case 'document':
        return (value) => value;
      case 'bigInteger':
      case 'bigDecimal':
        return (value) => rawJson(String(value));
      case 'blob':
        return (value) => encodeBase64(value as Uint8Array);
      case 'timestamp': {
        const format = shape.format ?? 'epoch-seconds';
        if (format === 'epoch-seconds') return (value) => timestampToSeconds(value as Date);
        return (value) => formatTimestamp(value as Date, format);
      }
      case 'list': {
        let element: Encoder | undefined;
        const sparse = shape.traits.sparse !== undefined;
        return (value) => {
          element ??= this.encoder(shape.element.shape);
          const result: unknown[] = [];
          for (const item of value as unknown[]) {
            if (item !== null && item !== undefined) result.push(element(item));
            else if (sparse) result.push(null);
          }
          return result;
        };
      }
      case 'map': {
        let encode: Encoder | undefined;
        const sparse = shape.traits.sparse !== undefined;
        return (value) => {
          encode ??= this.encoder(shape.value.shape);
          const result: Values = {};
          for (const [key, item] of Object.entries(value as Values)) {
            if (item !== null && item !== undefined) setOwn(result, key, encode(item));
            else if (sparse) setOwn(result, key, null);
          }
          return result;
        };
      }
      default: {
        const members = this.membersEncoder((shape as StructureShape).members);
        return (value) => members(value as Values);
      }
    }
  }
}

export type Decoder = (value: unknown, depth: number) => unknown;
export type Encoder = (value: unknown) => unknown;
export type Values = Record<string, unknown>;

/** A number of any size as JSON text (not yet in TypeScript's own declarations). */
function rawJson(text: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(text);
}

/** Parses a JSON body; an empty one counts as `{}`. */
export function parseJson(body: Uint8Array): unknown {
  if (body.length === 0) return {};
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
  } catch {
    throw new MalformedInput('The request body is not valid JSON');
  }
}

function decodeString(value: unknown): string {
  if (typeof value !== 'string') throw unexpected(value, 'a string');
  return value;
}

function decodeNumber(value: unknown): number {
  if (typeof value === 'number') return value;
  if (value === 'NaN') return Number.NaN;
  if (value === 'Infinity') return Number.POSITIVE_INFINITY;
  if (value === '-Infinity') return Number.NEGATIVE_INFINITY;
  throw unexpected(value, 'a number');
}

function decodeBoolean(value: unknown): boolean {
  if (typeof value !== 'boolean') throw unexpected(value, 'a boolean');
  return value;
}

function isObject(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unexpected(value: unknown, wanted: string): MalformedInput {
  const found = Array.isArray(value)
    ? 'a list'
    : value === null
      ? 'null'
      : isObject(value)
        ? 'a structure'
        : `a ${typeof value}`;
  return new MalformedInput(`Found ${found} where ${wanted} was expected`);
}

function memoize<K, V>(cache: Map<K, V>, key: K, make: () => V): V {
  let value = cache.get(key);
  if (value === undefined) {
    value = make();
    cache.set(key, value);
  }
  return value;
}

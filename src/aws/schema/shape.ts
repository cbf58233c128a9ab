/**
 * The SDK's schemas, read once into a form that codecs can be compiled from. A schema is an array that starts with a
 * number for its kind (`@smithy/core/schema`, static schemas); members may be functions, so that shapes can refer to
 * each other; numbers stand for simple types.
 */

export type Traits = Readonly<Record<string, unknown>>;

export type SimpleKind = 'string' | 'number' | 'boolean' | 'bigInteger' | 'bigDecimal' | 'blob' | 'document';
export type TimestampFormat = 'date-time' | 'http-date' | 'epoch-seconds';

export interface SimpleShape {
  readonly kind: SimpleKind;
  readonly name: string;
  readonly traits: Traits;
}

export interface TimestampShape {
  readonly kind: 'timestamp';
  readonly name: string;
  readonly traits: Traits;
  /** `undefined`: what the protocol or the place in the message says. */
  readonly format: TimestampFormat | undefined;
}

export interface ListShape {
  readonly kind: 'list';
  readonly name: string;
  readonly traits: Traits;
  readonly element: Member;
}

export interface MapShape {
  readonly kind: 'map';
  readonly name: string;
  readonly traits: Traits;
  readonly key: Member;
  readonly value: Member;
}

/** A structure, a union (exactly one member set) or an error. */
export interface StructureShape {
  readonly kind: 'structure' | 'union';
  readonly name: string;
  readonly namespace: string;
  readonly traits: Traits;
  readonly members: readonly Member[];
  readonly byName: ReadonlyMap<string, Member>;
}

export type Shape = SimpleShape | TimestampShape | ListShape | MapShape | StructureShape;

export interface Member {
  readonly name: string;
  readonly shape: Shape;
  /** Those on the member itself. */
  readonly own: Traits;
  /** The target shape's, overridden by the member's own. */
  readonly traits: Traits;
  readonly required: boolean;
}

/** Order of the bits in a numeric trait set. */
const traitBits = [
  'httpLabel',
  'idempotent',
  'idempotencyToken',
  'sensitive',
  'httpPayload',
  'httpResponseCode',
  'httpQueryParams',
] as const;

const none: Traits = Object.freeze({});

/** Traits are an object, or a number whose bits stand for the common ones. */
export function readTraits(traits: unknown): Traits {
  if (typeof traits === 'object' && traits !== null) return traits as Traits;
  if (!traits) return none;
  const result: Record<string, unknown> = {};
  for (const [bit, name] of traitBits.entries()) if ((Number(traits) >> bit) & 1) result[name] = 1;
  return result;
}

const simpleKinds: Readonly<Record<number, SimpleKind>> = {
  0: 'string',
  1: 'number',
  2: 'boolean',
  15: 'document',
  17: 'bigInteger',
  19: 'bigDecimal',
  21: 'blob',
  42: 'blob',
};

const timestampFormats: Readonly<Record<number, TimestampFormat | undefined>> = {
  4: undefined,
  5: 'date-time',
  6: 'http-date',
  7: 'epoch-seconds',
};

const LIST_OF = 0b0100_0000;
const MAP_OF = 0b1000_0000;
const STREAMING_BLOB = 42;

/** Reads schemas into shapes; each schema array becomes one shape, so recursive ones close on themselves. */
export class ShapeReader {
  readonly #shapes = new Map<unknown, Shape>();

  /** The shape of a schema; `undefined` for Unit. */
  read(schema: unknown): Shape | undefined {
    const target = dereference(schema);
    return target === 'unit' ? undefined : this.#shape(target);
  }

  #shape(schema: unknown): Shape {
    const known = this.#shapes.get(schema);
    if (known) return known;
    if (typeof schema === 'number') return this.#numeric(schema);
    if (schema === 'unit') return this.#remember(schema, structure('structure', 'Unit', '', none));
    if (!Array.isArray(schema)) throw new TypeError(`not a schema: ${String(schema)}`);
    const [kind, namespace, name, rawTraits] = schema as [number, string, string, unknown];
    const traits = readTraits(rawTraits);
    switch (kind) {
      case 0: {
        const simple = this.#shape(dereference(schema[4])) as SimpleShape | TimestampShape;
        return this.#remember(schema, { ...simple, name, traits: { ...simple.traits, ...traits } });
      }
      case 1: {
        const list: { -readonly [K in keyof ListShape]: ListShape[K] } = blank('list', name, traits);
        this.#shapes.set(schema, list);
        list.element = this.#member(schema[4], 'member', false);
        return list;
      }
      case 2: {
        const map: { -readonly [K in keyof MapShape]: MapShape[K] } = blank('map', name, traits);
        this.#shapes.set(schema, map);
        map.key = this.#member(schema[4], 'key', false);
        map.value = this.#member(schema[5], 'value', false);
        return map;
      }
      case 3:
      case 4:
      case -3: {
        const result = structure(kind === 4 ? 'union' : 'structure', name, namespace, traits);
        this.#shapes.set(schema, result);
        const [names, schemas, required] = [schema[4] as string[], schema[5] as unknown[], (schema[6] as number) ?? 0];
        for (const [index, memberName] of names.entries()) {
          const member = this.#member(schemas[index], memberName, index < required);
          result.members.push(member);
          result.byName.set(memberName, member);
        }
        return result;
      }
      default:
        throw new TypeError(`unknown kind of schema: ${kind}`);
    }
  }

  #numeric(schema: number): Shape {
    const name = String(schema);
    if (schema & MAP_OF || schema & LIST_OF) {
      const target: unknown = schema & 0b0011_1111;
      return this.#remember(
        schema,
        schema & MAP_OF
          ? {
              kind: 'map',
              name,
              traits: none,
              key: this.#member(0, 'key', false),
              value: this.#member(target, 'value', false),
            }
          : { kind: 'list', name, traits: none, element: this.#member(target, 'member', false) },
      );
    }
    if (schema in timestampFormats) {
      return this.#remember(schema, { kind: 'timestamp', name, traits: none, format: timestampFormats[schema] });
    }
    const kind = simpleKinds[schema];
    if (!kind) throw new TypeError(`unknown simple schema: ${schema}`);
    return this.#remember(schema, { kind, name, traits: schema === STREAMING_BLOB ? { streaming: 1 } : none });
  }

  #member(reference: unknown, name: string, required: boolean): Member {
    let own = none;
    let target = dereference(reference);
    while (Array.isArray(target) && target.length === 2) {
      own = { ...readTraits(target[1]), ...own };
      target = dereference(target[0]);
    }
    const shape = this.#shape(target);
    return { name, shape, own, traits: { ...shape.traits, ...own }, required };
  }

  #remember<S extends Shape>(schema: unknown, shape: S): S {
    this.#shapes.set(schema, shape);
    return shape;
  }
}

function dereference(schema: unknown): unknown {
  return typeof schema === 'function' ? dereference(schema()) : schema;
}

function blank<K extends 'list' | 'map'>(kind: K, name: string, traits: Traits): never {
  return { kind, name, traits } as never;
}

function structure(kind: 'structure' | 'union', name: string, namespace: string, traits: Traits) {
  return { kind, name, namespace, traits, members: [] as Member[], byName: new Map<string, Member>() };
}

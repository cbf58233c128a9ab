import type { OperationModel } from '../schema/model.ts';
import type { Member, Shape, StructureShape } from '../schema/shape.ts';

/** Where a value goes: each place can carry different text. */
type Place = 'body' | 'header' | 'label' | 'query' | 'hostLabel';

/** How a sample is filled. */
export type Filling = 'required' | 'full' | 'edge';

const deepest = 5;

/**
 * Makes inputs and outputs from schemas. Predictable: the same call gives the same sample. Unions take a different
 * member each time, so that a few samples of an operation cover them.
 */
export class SampleValues {
  readonly #filling: Filling;
  readonly #omit: ReadonlySet<string>;
  readonly #fixed: Readonly<Record<string, unknown>>;
  /** Whether empty lists and maps survive the protocol. */
  readonly #keepsEmpty: boolean;
  #count = 0;

  constructor(
    filling: Filling,
    options: {
      readonly omit: ReadonlySet<string>;
      readonly fixed: Readonly<Record<string, unknown>>;
      readonly keepsEmpty: boolean;
    },
  ) {
    this.#filling = filling;
    this.#omit = options.omit;
    this.#fixed = options.fixed;
    this.#keepsEmpty = options.keepsEmpty;
  }

  input(operation: OperationModel): Record<string, unknown> {
    return operation.input ? this.#top(operation.input, true) : {};
  }

  output(operation: OperationModel): Record<string, unknown> {
    return operation.output ? this.#top(operation.output, false) : {};
  }

  members(shape: StructureShape): Record<string, unknown> {
    return this.#structure(shape, 0);
  }

  #top(shape: StructureShape, request: boolean): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    for (const member of shape.members) {
      const { traits } = member;
      if (this.#omit.has(member.name)) continue;
      if (Object.hasOwn(this.#fixed, member.name)) {
        result[member.name] = this.#fixed[member.name];
        continue;
      }
      const needed = member.required || alwaysThere(member, request);
      if (!needed && this.#filling === 'required') continue;
      if (traits.httpResponseCode !== undefined) result[member.name] = 202;
      else if (traits.httpQueryParams !== undefined) result[member.name] = this.#parameters(member.shape);
      else if (traits.httpPrefixHeaders !== undefined) result[member.name] = { 'one-key': 'one value', two: '2' };
      else result[member.name] = this.#value(member.shape, place(member, request), 0, member);
    }
    return result;
  }

  #parameters(shape: Shape): unknown {
    const list = shape.kind === 'map' && shape.value.shape.kind === 'list';
    return { 'extra one': list ? ['a', 'b c'] : 'a', ext2: list ? ['é&='] : 'é&=' };
  }

  #value(shape: Shape, where: Place, depth: number, member?: Member): unknown {
    switch (shape.kind) {
      case 'string':
        return this.#string(where, member);
      case 'number':
        return this.#pick([0, 1, -7, 2 ** 31, 1.5, Number.MAX_SAFE_INTEGER, 1e21, 0.000001]);
      case 'bigInteger':
        return BigInt(this.#pick([0, 12345, -2]));
      case 'bigDecimal':
        return this.#pick([1.25, -3]);
      case 'boolean':
        return this.#pick([true, false]);
      case 'blob':
        return this.#blob();
      case 'document':
        return { text: 'é', list: [1, null, true, { deep: 'x' }], number: -1.5 };
      case 'timestamp':
        return this.#timestamp(shape.format === 'http-date' || (where === 'header' && shape.format === undefined));
      case 'list':
        return this.#list(shape, where, depth);
      case 'map':
        return this.#map(shape, depth);
      default:
        return this.#structure(shape, depth);
    }
  }

  #string(where: Place, member: Member | undefined): string {
    const n = this.#next();
    const token = member?.traits.idempotencyToken !== undefined;
    if (token || where === 'hostLabel') return `token${n}`;
    if (where === 'label') return this.#pick(['plain', 'a b+c', 'é/✓?#%41', 'x:y@z,;=&', "q!'()*~"]);
    if (where === 'header') return this.#pick(['plain', 'two words', 'a=b;c', 'semi"quote', 'com,ma']);
    if (this.#filling === 'edge') {
      return this.#pick(['', '<&>"\'', 'é ✓ 𝄞', ' padded ', 'line\nbreak\ttab', 'a+b%20c&d=e', '__proto__', `${n}`]);
    }
    return `text ${n}`;
  }

  #blob(): Uint8Array {
    if (this.#filling === 'edge') return Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    return Buffer.from(`bytes ${this.#next()}`);
  }

  #timestamp(wholeSeconds: boolean): Date {
    const base = 1_700_000_000_000 + this.#next() * 86_400_000;
    return new Date(wholeSeconds ? base : base + 125);
  }

  #list(shape: Extract<Shape, { kind: 'list' }>, where: Place, depth: number): unknown[] {
    if (depth > (this.#keepsEmpty ? deepest : 2 * deepest)) return [];
    const empty = this.#filling === 'edge' && this.#keepsEmpty && where === 'body' && this.#next() % 4 === 0;
    if (empty) return [];
    const items = [
      this.#value(shape.element.shape, where, depth + 1),
      this.#value(shape.element.shape, where, depth + 1),
    ];
    return this.#filling === 'edge' && shape.traits.sparse !== undefined && this.#keepsEmpty
      ? [items[0], null, items[1]]
      : items;
  }

  #map(shape: Extract<Shape, { kind: 'map' }>, depth: number): Record<string, unknown> {
    if (depth > deepest) return {};
    const keys = this.#filling === 'edge' ? ['key one', 'é<&>', 'constructor'] : ['one', 'two'];
    return Object.fromEntries(keys.map((key) => [key, this.#value(shape.value.shape, 'body', depth + 1)]));
  }

  #structure(shape: StructureShape, depth: number): Record<string, unknown> {
    if (shape.kind === 'union') {
      const candidates = this.#alternatives(shape, depth);
      const member = candidates[this.#next() % candidates.length]!;
      return { [member.name]: this.#value(member.shape, 'body', depth + 1, member) };
    }
    const result: Record<string, unknown> = {};
    for (const member of shape.members) {
      const needed = member.required || member.traits.eventPayload !== undefined;
      if (!needed && (this.#filling === 'required' || depth > deepest)) continue;
      if (depth > deepest && isContainer(member.shape) && !member.required) continue;
      const where = member.own.xmlAttribute === undefined ? 'body' : 'header';
      result[member.name] = this.#value(member.shape, where, depth + 1, member);
    }
    if (Object.keys(result).length === 0 && !this.#keepsEmpty && depth < 2 * deepest) {
      const member = shape.members.find((candidate) => !isContainer(candidate.shape)) ?? shape.members[0];
      if (member) result[member.name] = this.#value(member.shape, 'body', depth + 1, member);
    }
    return result;
  }

  /** Members of a union that a sample may set: no exceptions in event streams, nothing that the protocol would lose. */
  #alternatives(shape: StructureShape, depth: number): readonly Member[] {
    const possible = shape.members.filter(
      (member) =>
        member.shape.traits.error === undefined &&
        (this.#keepsEmpty ||
          member.shape.kind !== 'structure' ||
          member.shape.members.length > 0 ||
          shape.traits.streaming !== undefined),
    );
    const shallow = possible.filter((member) => member.shape.kind !== 'structure');
    return depth > deepest && shallow.length > 0 ? shallow : possible;
  }

  #pick<T>(values: readonly T[]): T {
    return values[this.#next() % values.length]!;
  }

  #next(): number {
    this.#count += 1;
    return this.#count;
  }
}

/** Members that one side fills in when the other leaves them out. */
function alwaysThere(member: Member, request: boolean): boolean {
  const { traits } = member;
  if (traits.httpHeader === 'Content-Type') return true;
  if (request)
    return traits.httpLabel !== undefined || traits.idempotencyToken !== undefined || traits.httpPayload !== undefined;
  return (
    traits.httpResponseCode !== undefined ||
    traits.httpPayload !== undefined ||
    traits.httpPrefixHeaders !== undefined ||
    (member.shape.kind === 'union' && traits.streaming !== undefined)
  );
}

function isContainer(shape: Shape): boolean {
  return shape.kind === 'structure' || shape.kind === 'union' || shape.kind === 'list' || shape.kind === 'map';
}

function place(member: Member, request: boolean): Place {
  const { traits } = member;
  if (traits.hostLabel !== undefined) return 'hostLabel';
  if (request && traits.httpLabel !== undefined) return 'label';
  if (typeof traits.httpHeader === 'string') return 'header';
  return request && typeof traits.httpQuery === 'string' ? 'query' : 'body';
}

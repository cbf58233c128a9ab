import type { Member, Shape, StructureShape } from '../schema/shape.ts';
import { MalformedInput, maximumDepth } from './malformed.ts';
import { setOwn } from './own.ts';
import { decodeText } from './text-value.ts';

/** Form fields with dotted names, as a tree. */
interface FieldNode {
  value: string | undefined;
  children: Map<string, FieldNode> | undefined;
}

const maximumFields = 50_000;

/** Splits a form body into its fields, in order. */
export function parseForm(body: Uint8Array): [string, string][] {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  const fields: [string, string][] = [];
  if (text === '') return fields;
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    if (fields.length >= maximumFields) throw new MalformedInput('Too many parameters');
    const equals = pair.indexOf('=');
    const name = equals < 0 ? pair : pair.slice(0, equals);
    fields.push([decodeFormText(name), equals < 0 ? '' : decodeFormText(pair.slice(equals + 1))]);
  }
  return fields;
}

function decodeFormText(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    throw new MalformedInput('A parameter is not correctly percent-encoded');
  }
}

/** Reads the fields of awsQuery and ec2Query. Source: Smithy specification, "AWS query protocol", "AWS EC2 query protocol". */
export class QueryDecoder {
  readonly #ec2: boolean;
  readonly #members = new Map<StructureShape, ReadonlyMap<string, Member>>();

  constructor(options: { readonly ec2: boolean }) {
    this.#ec2 = options.ec2;
  }

  decode(shape: StructureShape, fields: readonly (readonly [string, string])[]): Record<string, unknown> {
    const root: FieldNode = { value: undefined, children: undefined };
    for (const [name, value] of fields) {
      const path = name.split('.');
      if (path.length > maximumDepth) throw new MalformedInput('A parameter name is nested too deeply');
      let node = root;
      for (const part of path) {
        node.children ??= new Map();
        let child = node.children.get(part);
        if (!child) {
          child = { value: undefined, children: undefined };
          node.children.set(part, child);
        }
        node = child;
      }
      node.value = value;
    }
    return this.#structure(shape, root);
  }

  #value(shape: Shape, node: FieldNode, flattened: boolean): unknown {
    switch (shape.kind) {
      case 'structure':
      case 'union':
        return this.#structure(shape, node);
      case 'list':
        return this.#list(shape, node, flattened);
      case 'map':
        return this.#map(shape, node, flattened);
      default:
        if (node.value === undefined) throw new MalformedInput(`Expected a single value for a ${shape.kind}`);
        return decodeText(shape, node.value, 'date-time');
    }
  }

  #structure(shape: StructureShape, node: FieldNode): Record<string, unknown> {
    const members = this.#membersByName(shape);
    const result: Record<string, unknown> = {};
    for (const [name, child] of node.children ?? []) {
      const member = members.get(name);
      if (member) result[member.name] = this.#value(member.shape, child, member.traits.xmlFlattened !== undefined);
    }
    return result;
  }

  /** Items are under `member.N` (or the item's own name) unless flattened; order is by N, gaps are closed. */
  #list(shape: Extract<Shape, { kind: 'list' }>, node: FieldNode, flattened: boolean): unknown[] {
    const itemName = (shape.element.traits.xmlName as string | undefined) ?? 'member';
    const holder =
      flattened || this.#ec2 ? node : (node.children?.get(itemName) ?? node.children?.get('member') ?? node);
    return numbered(holder).map((item) => this.#value(shape.element.shape, item, false));
  }

  #map(shape: Extract<Shape, { kind: 'map' }>, node: FieldNode, flattened: boolean): Record<string, unknown> {
    const keyName = (shape.key.traits.xmlName as string | undefined) ?? 'key';
    const valueName = (shape.value.traits.xmlName as string | undefined) ?? 'value';
    const result: Record<string, unknown> = {};
    for (const entry of numbered(flattened ? node : (node.children?.get('entry') ?? node))) {
      const key = entry.children?.get(keyName)?.value;
      const value = entry.children?.get(valueName);
      if (key === undefined || !value)
        throw new MalformedInput(`A map entry must have '${keyName}' and '${valueName}'`);
      setOwn(result, key, this.#value(shape.value.shape, value, false));
    }
    return result;
  }

  #membersByName(shape: StructureShape): ReadonlyMap<string, Member> {
    let members = this.#members.get(shape);
    if (!members) {
      // Where two members share a name (SQS ReceiveMessage's old and new attribute lists), the older one gets it.
      members = new Map(shape.members.toReversed().map((member) => [this.#wireName(member), member]));
      this.#members.set(shape, members);
    }
    return members;
  }

  #wireName(member: Member): string {
    if (!this.#ec2) return (member.own.xmlName as string | undefined) ?? member.name;
    if (typeof member.own.ec2QueryName === 'string') return member.own.ec2QueryName;
    const name = (member.own.xmlName as string | undefined) ?? member.name;
    return name.charAt(0).toUpperCase() + name.slice(1);
  }
}

function numbered(node: FieldNode): FieldNode[] {
  const items: [number, FieldNode][] = [];
  for (const [name, child] of node.children ?? []) {
    if (/^\d{1,6}$/.test(name)) items.push([Number(name), child]);
  }
  return items.sort((a, b) => a[0] - b[0]).map(([, item]) => item);
}

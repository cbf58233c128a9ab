import type { Member, Shape, StructureShape } from '../schema/shape.ts';
import { encodeText } from './text-value.ts';
import { xmlName } from './xml-decoder.ts';

type ElementEncoder = (name: string, value: unknown) => string;

/** Writes values as XML by shape. Source: Smithy specification, "XML bindings". */
export class XmlEncoder {
  readonly #encoders = new Map<Shape, ElementEncoder>();
  readonly #members = new Map<readonly Member[], (value: Record<string, unknown>) => string>();

  /** One element. `attributes` (with a leading space) go before the shape's own. */
  element(shape: Shape, name: string, value: unknown, attributes = ''): string {
    if (shape.kind === 'structure' || shape.kind === 'union') {
      return `<${name}${attributes}${this.#attributes(shape, value)}>${this.members(shape.members, value)}</${name}>`;
    }
    return this.#encoder(shape)(name + attributes, value).replace(`</${name}${attributes}>`, `</${name}>`);
  }

  /** The elements of those `members` that are set, without the element around them. */
  members(members: readonly Member[], value: unknown): string {
    let encode = this.#members.get(members);
    if (!encode) {
      encode = this.#compileMembers(members);
      this.#members.set(members, encode);
    }
    return encode(value as Record<string, unknown>);
  }

  #encoder(shape: Shape): ElementEncoder {
    let encoder = this.#encoders.get(shape);
    if (!encoder) {
      encoder = this.#compile(shape);
      this.#encoders.set(shape, encoder);
    }
    return encoder;
  }

  #compile(shape: Shape): ElementEncoder {
    switch (shape.kind) {
      case 'structure':
      case 'union':
        return (name, value) => this.element(shape, name, value);
      case 'list': {
        const itemName = (shape.element.own.xmlName as string | undefined) ?? 'member';
        return (name, value) => `<${name}>${this.#items(shape.element, itemName, value as unknown[])}</${name}>`;
      }
      case 'map':
        return (name, value) => `<${name}>${this.#entries(shape, 'entry', value)}</${name}>`;
      default:
        return (name, value) => `<${name}>${escapeText(encodeText(shape, value, 'date-time'))}</${name}>`;
    }
  }

  #items(element: Member, name: string, values: readonly unknown[]): string {
    const encode = this.#encoder(element.shape);
    let result = '';
    for (const value of values) if (value !== undefined && value !== null) result += encode(name, value);
    return result;
  }

  #entries(shape: Extract<Shape, { kind: 'map' }>, name: string, value: unknown): string {
    const keyName = (shape.key.traits.xmlName as string | undefined) ?? 'key';
    const valueName = (shape.value.traits.xmlName as string | undefined) ?? 'value';
    const encode = this.#encoder(shape.value.shape);
    let result = '';
    for (const [key, item] of Object.entries(value as Record<string, unknown>)) {
      if (item === undefined || item === null) continue;
      result += `<${name}><${keyName}>${escapeText(key)}</${keyName}>${encode(valueName, item)}</${name}>`;
    }
    return result;
  }

  #compileMembers(members: readonly Member[]): (value: Record<string, unknown>) => string {
    const encoders = members
      .filter((member) => member.own.xmlAttribute === undefined)
      .map((member) => ({ name: member.name, encode: this.#compileMember(member) }));
    return (value) => {
      let result = '';
      for (const member of encoders) {
        const item = value[member.name];
        if (item !== undefined && item !== null) result += member.encode(item);
      }
      return result;
    };
  }

  #compileMember(member: Member): (value: unknown) => string {
    const { shape } = member;
    const name = xmlName(member);
    if (member.traits.xmlFlattened !== undefined) {
      if (shape.kind === 'list') return (value) => this.#items(shape.element, name, value as unknown[]);
      if (shape.kind === 'map') return (value) => this.#entries(shape, name, value);
    }
    const namespace = namespaceAttribute(member.own.xmlNamespace);
    if (namespace !== '') return (value) => this.element(shape, name, value, namespace);
    return (value) => this.#encoder(shape)(name, value);
  }

  #attributes(shape: StructureShape, value: unknown): string {
    let result = namespaceAttribute(shape.traits.xmlNamespace);
    for (const member of shape.members) {
      if (member.own.xmlAttribute === undefined) continue;
      const item = (value as Record<string, unknown>)[member.name];
      if (item === undefined || item === null) continue;
      result += ` ${xmlName(member)}="${escapeAttribute(encodeText(member.shape, item, 'date-time'))}"`;
    }
    return result;
  }
}

function namespaceAttribute(trait: unknown): string {
  if (!Array.isArray(trait)) return '';
  const [prefix, uri] = trait as [string | undefined, string];
  return ` xmlns${prefix ? `:${prefix}` : ''}="${escapeAttribute(uri)}"`;
}

/** Characters that need escaping in text: markup, carriage returns (parsers drop them) and control characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unsafeText = /[&<>\r\u0000-\u0008\u000b\u000c\u000e-\u001f\u0085\u2028\ufffe\uffff]/g;

/** Escapes text between tags. */
export function escapeText(text: string): string {
  return text.replace(unsafeText, escapeCharacter);
}

function escapeAttribute(text: string): string {
  return escapeText(text).replaceAll('"', '&quot;').replaceAll('\n', '&#xA;').replaceAll('\t', '&#x9;');
}

function escapeCharacter(character: string): string {
  switch (character) {
    case '&':
      return '&amp;';
    case '<':
      return '&lt;';
    case '>':
      return '&gt;';
    default:
      return `&#x${character.charCodeAt(0).toString(16).toUpperCase()};`;
  }
}

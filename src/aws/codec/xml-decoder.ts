import type { Member, Shape, StructureShape } from '../schema/shape.ts';
import { MalformedInput } from './malformed.ts';
import { setOwn } from './own.ts';
import { decodeText } from './text-value.ts';
import type { XmlElement } from './xml-parser.ts';

type ElementDecoder = (element: XmlElement) => unknown;

/** Reads XML elements into values by shape. Source: Smithy specification, "XML bindings". */
export class XmlDecoder {
  readonly #decoders = new Map<Shape, ElementDecoder>();
  readonly #structures = new Map<StructureShape, (element: XmlElement) => Record<string, unknown>>();

  decode(shape: Shape, element: XmlElement): unknown {
    return this.#decoder(shape)(element);
  }

  /** Reads those members of `shape` that `members` lists. */
  decodeMembers(shape: StructureShape, members: readonly Member[], element: XmlElement): Record<string, unknown> {
    let decoder = this.#structures.get(shape);
    if (!decoder) {
      decoder = this.#compileMembers(members, shape.kind === 'union');
      this.#structures.set(shape, decoder);
    }
    return decoder(element);
  }

  #decoder(shape: Shape): ElementDecoder {
    let decoder = this.#decoders.get(shape);
    if (!decoder) {
      decoder = this.#compile(shape);
      this.#decoders.set(shape, decoder);
    }
    return decoder;
  }

  #compile(shape: Shape): ElementDecoder {
    switch (shape.kind) {
      case 'structure':
      case 'union':
        return this.#compileMembers(shape.members, shape.kind === 'union');
      case 'list': {
        const { element } = shape;
        return ({ children }) => children.map((child) => this.decode(element.shape, child));
      }
      case 'map':
        return (element) => {
          const result: Record<string, unknown> = {};
          for (const entry of element.children) this.#mapEntry(shape, entry, result);
          return result;
        };
      default:
        return (element) => {
          if (element.children.length > 0) {
            throw new MalformedInput(`Element '${element.name}' must hold text only`);
          }
          return decodeText(shape, element.text, 'date-time');
        };
    }
  }

  #mapEntry(shape: Extract<Shape, { kind: 'map' }>, entry: XmlElement, result: Record<string, unknown>): void {
    const keyName = (shape.key.traits.xmlName as string | undefined) ?? 'key';
    const valueName = (shape.value.traits.xmlName as string | undefined) ?? 'value';
    const key = entry.children.find((child) => child.name === keyName);
    const value = entry.children.find((child) => child.name === valueName);
    if (!key || !value) throw new MalformedInput(`A map entry must have '${keyName}' and '${valueName}'`);
    setOwn(result, key.text, this.decode(shape.value.shape, value));
  }

  #compileMembers(members: readonly Member[], union: boolean): (element: XmlElement) => Record<string, unknown> {
    const elements = new Map<string, Member>();
    const attributes: Member[] = [];
    for (const member of members) {
      if (member.own.xmlAttribute !== undefined) attributes.push(member);
      else elements.set(xmlName(member), member);
    }
    return (element) => {
      const result: Record<string, unknown> = {};
      for (const member of attributes) {
        const value = element.attributes[(member.own.xmlName as string | undefined) ?? member.name];
        if (value !== undefined) result[member.name] = decodeText(member.shape, value, 'date-time');
      }
      for (const child of element.children) {
        const member = elements.get(child.name);
        if (member) this.#memberValue(member, child, result);
      }
      if (union && Object.keys(result).length !== 1) {
        throw new MalformedInput(`Element '${element.name}' must hold exactly one of its alternatives`);
      }
      return result;
    };
  }

  #memberValue(member: Member, child: XmlElement, result: Record<string, unknown>): void {
    const { shape } = member;
    if (member.traits.xmlFlattened === undefined) {
      result[member.name] = this.decode(shape, child);
    } else if (shape.kind === 'list') {
      result[member.name] ??= [];
      (result[member.name] as unknown[]).push(this.decode(shape.element.shape, child));
    } else if (shape.kind === 'map') {
      result[member.name] ??= {};
      this.#mapEntry(shape, child, result[member.name] as Record<string, unknown>);
    }
  }
}

/** Name of the element of a structure's member. */
export function xmlName(member: Member): string {
  return (member.own.xmlName as string | undefined) ?? member.name;
}

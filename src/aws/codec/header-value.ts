import type { Member, Shape } from '../schema/shape.ts';
import { MalformedInput } from './malformed.ts';
import { decodeText, encodeText } from './text-value.ts';

/** Values in HTTP headers: lists are separated by commas, items with commas or quotes are quoted. */

export function decodeHeader(member: Member, text: string): unknown {
  const { shape } = member;
  if (shape.kind === 'list') {
    const item = shape.element.shape;
    return splitHeader(text, item).map((part) => decodeText(item, part, 'http-date'));
  }
  if (shape.kind === 'string' && isJson(member)) return Buffer.from(text, 'base64').toString('utf8');
  return decodeText(shape, text, 'http-date');
}

export function encodeHeader(member: Member, value: unknown): string {
  const { shape } = member;
  if (shape.kind === 'list') {
    const item = shape.element.shape;
    const quote = item.kind === 'string';
    return (value as unknown[])
      .map((part) => encodeText(item, part, 'http-date'))
      .map((part) => (quote && /[",]/.test(part) ? `"${part.replaceAll(/(["\\])/g, '\\$1')}"` : part))
      .join(', ');
  }
  if (shape.kind === 'string' && isJson(member)) return Buffer.from(String(value)).toString('base64');
  return encodeText(shape, value, 'http-date');
}

function isJson(member: Member): boolean {
  const mediaType = member.traits.mediaType;
  return typeof mediaType === 'string' && (mediaType === 'application/json' || mediaType.endsWith('+json'));
}

function splitHeader(text: string, item: Shape): string[] {
  if (item.kind === 'timestamp' && (item.format ?? 'http-date') === 'http-date') {
    // HTTP dates contain one comma each.
    const parts = text.split(',');
    const dates: string[] = [];
    for (let i = 0; i + 1 < parts.length; i += 2) dates.push(`${parts[i]!.trim()}, ${parts[i + 1]!.trim()}`);
    return dates;
  }
  const items: string[] = [];
  let rest = text.trim();
  while (rest !== '') {
    if (rest.startsWith('"')) {
      const quoted = /^"((?:[^"\\]|\\.)*)"\s*(?:,|$)/.exec(rest);
      if (!quoted) throw new MalformedInput('A header has an unclosed quotation');
      items.push(quoted[1]!.replaceAll(/\\(.)/g, '$1'));
      rest = rest.slice(quoted[0].length).trim();
    } else {
      const comma = rest.indexOf(',');
      items.push((comma < 0 ? rest : rest.slice(0, comma)).trim());
      rest = comma < 0 ? '' : rest.slice(comma + 1).trim();
    }
  }
  return items;
}

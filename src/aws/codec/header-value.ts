import { ServiceError } from '../../base/errors.ts';
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

/** Characters that a header cannot carry: controls, and whatever is beyond Latin-1. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unfit = /[\u0000-\u0008\u000a-\u001f\u007f\u0100-\uffff]/;

/** Refuses what a header cannot carry: a value may come from a client, e.g. S3's `response-content-disposition`. */
export function fitForHeader(text: string, name: string): string {
  if (!unfit.test(text)) return text;
  throw new ServiceError('InvalidArgument', 'Header value cannot be represented using ISO-8859-1.', {
    members: { ArgumentName: name },
  });
}

export function encodeHeader(member: Member, value: unknown): string {
  return fitForHeader(headerText(member, value), member.name);
}

function headerText(member: Member, value: unknown): string {
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

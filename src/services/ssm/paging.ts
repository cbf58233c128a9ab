import { ServiceError } from '../../base/errors.ts';
import { constraint } from './errors.ts';

/** How many results a page has. Throws ValidationException. */
export function pageSize(asked: number | undefined, fallback: number, maximum: number): number {
  const size = asked ?? fallback;
  if (size < 1) throw constraint(size, 'maxResults', 'Member must have value greater than or equal to 1');
  if (size > maximum) {
    throw constraint(size, 'maxResults', `Member must have value less than or equal to ${maximum}`);
  }
  return size;
}

/** An opaque paging token. */
export function writeToken(content: string | number): string {
  return Buffer.from(JSON.stringify(content)).toString('base64url');
}

/** What `writeToken` was given; `undefined` without a token. Throws InvalidNextToken for anything else. */
export function readToken<T extends string | number>(
  token: string | undefined,
  isContent: (content: unknown) => content is T,
): T | undefined {
  if (token === undefined) return undefined;
  try {
    const content: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
    if (isContent(content)) return content;
  } catch {
    // Not JSON: as wrong as any other token that was not given out.
  }
  throw new ServiceError('InvalidNextToken', 'The specified token is not valid.');
}

export const isText = (content: unknown): content is string => typeof content === 'string';

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

/** An opaque paging token: how many results there were before. */
export function writeToken(position: number): string {
  return Buffer.from(`position=${position}`).toString('base64url');
}

/** What `writeToken` was given; 0 without a token. Throws InvalidNextTokenException for anything else. */
export function readToken(token: string | undefined): number {
  if (token === undefined) return 0;
  const position = /^position=(\d{1,9})$/.exec(Buffer.from(token, 'base64url').toString('utf8'))?.[1];
  if (position === undefined) throw new ServiceError('InvalidNextTokenException', 'The NextToken value is invalid.');
  return Number(position);
}

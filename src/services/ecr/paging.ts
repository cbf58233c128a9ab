import { constraint, invalidParameter } from './errors.ts';

/** How many results a page has: at most, and unless told. */
interface PageSize {
  readonly most: number;
  readonly usual: number;
}

interface Asked {
  readonly nextToken?: string | undefined;
  readonly maxResults?: number | undefined;
}

/** Throws InvalidParameterException for pages of what is asked for by name, which comes as a whole. */
export function refusePaging({ nextToken, maxResults }: Asked, named: string): void {
  if (nextToken !== undefined) throw constraint('nextToken', `cannot be used with ${named}`);
  if (maxResults !== undefined) throw constraint('maxResults', `cannot be used with ${named}`);
}

/**
 * A page of a list that is at hand as a whole, in a lasting order; the token names the last entry of the page before.
 * Throws InvalidParameterException.
 */
export function page<T>(
  all: readonly T[],
  nameOf: (item: T) => string,
  { nextToken, maxResults }: Asked,
  { most, usual }: PageSize = { most: 1000, usual: 100 },
): { readonly items: readonly T[]; readonly nextToken: string | undefined } {
  const size = maxResults ?? usual;
  if (!Number.isInteger(size) || size < 1 || size > most) {
    throw constraint('maxResults', `must have value between 1 and ${most}`);
  }
  const after = readToken(nextToken);
  const rest = after === undefined ? all : all.filter((item) => nameOf(item) > after);
  const items = rest.slice(0, size);
  return { items, nextToken: rest.length > size ? writeToken(nameOf(items.at(-1)!)) : undefined };
}

export function writeToken(content: string): string {
  return Buffer.from(JSON.stringify([content])).toString('base64url');
}

export function readToken(token: string | undefined): string | undefined {
  if (token === undefined) return undefined;
  try {
    const content: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
    if (Array.isArray(content) && typeof content[0] === 'string') return content[0];
  } catch {
    // Not JSON: as wrong as any other token that was not given out.
  }
  throw invalidParameter("Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid token'");
}

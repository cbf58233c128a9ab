import { constraint, invalidParameter } from './errors.ts';

/** How many results a page has. Throws InvalidParameterException. */
export function pageSize(asked: number | undefined, fallback = 100): number {
  if (asked === undefined) return fallback;
  if (!Number.isInteger(asked) || asked < 1 || asked > 1000) {
    throw constraint('maxResults', 'must have value between 1 and 1000');
  }
  return asked;
}

/** A page of a list that is at hand as a whole, in a lasting order; the token names the last entry of the page before. */
export function page<T>(
  all: readonly T[],
  nameOf: (item: T) => string,
  { nextToken, maxResults }: { readonly nextToken?: string | undefined; readonly maxResults?: number | undefined },
): { readonly items: readonly T[]; readonly nextToken: string | undefined } {
  const size = pageSize(maxResults);
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

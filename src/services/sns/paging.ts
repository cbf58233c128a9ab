import type { Entry, Key, Store } from '../../store/index.ts';
import { invalidParameter } from './errors.ts';

/** Entries of a page. Source: API Reference, "ListTopics", "ListSubscriptions" …: up to 100. */
const PAGE = 100;

/** A page of what is below a key, after the token of the page before. Throws InvalidParameter for a token that is none. */
export async function page<V>(
  store: Store,
  prefix: Key,
  token: string | undefined,
): Promise<{ readonly entries: readonly Entry<V>[]; readonly nextToken: string | undefined }> {
  const after = token === undefined || token === '' ? undefined : [...prefix, ...readToken(token)];
  const found = await store.range<V>({ prefix, ...(after ? { after } : {}), limit: PAGE + 1 });
  const entries = found.slice(0, PAGE);
  const last = found.length > PAGE ? entries.at(-1)!.key.slice(prefix.length) : undefined;
  return { entries, nextToken: last && Buffer.from(JSON.stringify(last)).toString('base64url') };
}

const isKey = (value: unknown): value is (string | number)[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((part) => typeof part === 'string' || typeof part === 'number');

function readToken(token: string): readonly (string | number)[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(token, 'base64url').toString());
    if (isKey(parts)) return parts;
  } catch {
    // Said below, as for any other text.
  }
  throw invalidParameter('NextToken');
}

import type { Entry, Key, Store } from '../../store/index.ts';
import { Constraints } from './constraints.ts';
import { invalid } from './errors.ts';

/** What a List operation is asked for. */
export interface PageRequest {
  readonly NamePrefix?: string | undefined;
  readonly NextToken?: string | undefined;
  readonly Limit?: number | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly NextToken?: string;
}

const MOST = 100;
const BATCH = 200;

/** One page of records in order of their names, which are the last part of their keys. */
export async function listPage<T>(
  store: Store,
  prefix: Key,
  request: PageRequest,
  accept: (record: T) => boolean = () => true,
): Promise<Page<T>> {
  new Constraints().range('limit', request.Limit, 1, MOST).length('nextToken', request.NextToken, 1, 2048).check();
  const limit = request.Limit ?? MOST;
  const { NamePrefix: start = '' } = request;
  let after = request.NextToken === undefined ? undefined : readToken(request.NextToken);
  const found: { readonly name: string; readonly record: T }[] = [];
  for (;;) {
    const page: Entry<T>[] = await store.range<T>({
      prefix,
      limit: BATCH,
      ...(after !== undefined ? { after: [...prefix, after] } : start === '' ? {} : { from: [...prefix, start] }),
    });
    for (const { key, value } of page) {
      const name = key.at(-1) as string;
      if (!name.startsWith(start)) {
        if (name > start) return pageOf(found, limit);
        continue;
      }
      if (accept(value)) found.push({ name, record: value });
      if (found.length > limit) return pageOf(found, limit);
    }
    if (page.length < BATCH) return pageOf(found, limit);
    after = page.at(-1)!.key.at(-1) as string;
  }
}

/** Names after which a page begins, as an opaque token. */
export function writeToken(name: string): string {
  return Buffer.from(JSON.stringify([name])).toString('base64url');
}

export function readToken(token: string): string {
  try {
    const content: unknown = JSON.parse(Buffer.from(token, 'base64url').toString());
    if (Array.isArray(content) && content.length === 1 && typeof content[0] === 'string') return content[0];
  } catch {
    // Falls through: not a token of ours.
  }
  throw invalid('The provided NextToken is invalid.');
}

function pageOf<T>(found: readonly { readonly name: string; readonly record: T }[], limit: number): Page<T> {
  const items = found.slice(0, limit).map(({ record }) => record);
  return found.length > limit ? { items, NextToken: writeToken(found[limit - 1]!.name) } : { items };
}

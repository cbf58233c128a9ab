import { ServiceError } from '../../base/errors.ts';
import type { Key, Store } from '../../store/index.ts';
import { checkRange } from './errors.ts';

export interface PageInput {
  readonly Limit?: number | undefined;
  readonly Marker?: string | undefined;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Members of the answer. */
  readonly more: { readonly Truncated: boolean; readonly NextMarker?: string };
}

/** Items by default and at most. */
export interface PageLimits {
  readonly byDefault: number;
  readonly most: number;
}

/** What is kept under a prefix, page by page. Throws InvalidMarkerException for a marker that was not given out. */
export async function storedPage<Value>(
  store: Store,
  prefix: Key,
  input: PageInput,
  limits: PageLimits,
  accept: (value: Value) => boolean = () => true,
): Promise<Page<Value>> {
  const limit = pageLimit(input, limits);
  const found: { readonly key: Key; readonly value: Value }[] = [];
  let after = input.Marker === undefined ? undefined : [...prefix, ...readMarker(input.Marker, prefix)];
  for (;;) {
    const entries = await store.range<Value>({ prefix, limit: limit + 1, ...(after === undefined ? {} : { after }) });
    for (const { key, value } of entries) {
      if (accept(value)) found.push({ key, value });
    }
    if (found.length > limit || entries.length <= limit) break;
    after = [...entries.at(-1)!.key];
  }
  if (found.length <= limit) return { items: found.map(({ value }) => value), more: { Truncated: false } };
  const last = found[limit - 1]!.key.slice(prefix.length);
  return {
    items: found.slice(0, limit).map(({ value }) => value),
    more: { Truncated: true, NextMarker: Buffer.from(JSON.stringify(last)).toString('base64url') },
  };
}

/** The same of a list in memory. */
export function listPage<Item>(items: readonly Item[], input: PageInput, limits: PageLimits): Page<Item> {
  const limit = pageLimit(input, limits);
  const start = input.Marker === undefined ? 0 : Number(readMarker(input.Marker, [])[0]);
  if (!Number.isInteger(start) || start < 0 || start > items.length) throw invalidMarker();
  const end = start + limit;
  if (end >= items.length) return { items: items.slice(start), more: { Truncated: false } };
  return {
    items: items.slice(start, end),
    more: { Truncated: true, NextMarker: Buffer.from(JSON.stringify([String(end)])).toString('base64url') },
  };
}

function pageLimit({ Limit }: PageInput, { byDefault, most }: PageLimits): number {
  if (Limit !== undefined) checkRange('limit', Limit, 1, 1000);
  return Math.min(Limit ?? byDefault, most);
}

function readMarker(marker: string, prefix: Key): readonly string[] {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(marker, 'base64url').toString());
  } catch {
    throw invalidMarker();
  }
  if (!Array.isArray(parts) || parts.length === 0 || parts.length + prefix.length > 8) throw invalidMarker();
  if (!parts.every((part) => typeof part === 'string')) throw invalidMarker();
  return parts;
}

const invalidMarker = (): ServiceError => new ServiceError('InvalidMarkerException', 'Invalid marker.');

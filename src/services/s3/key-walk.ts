import type { Entry, Key, Store } from '../../store/index.ts';

/** Where the name of the object is in the store's keys of objects, versions and uploads. */
const namePart = 3;
const pageSize = 1000;
/** With a delimiter most of a page may be rolled up and thrown away. */
const delimitedPageSize = 200;

export interface WalkOptions {
  /** `['s3', <kind>, <bucket>]` */
  readonly space: Key;
  readonly prefix: string;
  readonly delimiter: string;
  readonly start: WalkStart;
  /** Most items, entries and common prefixes together. */
  readonly limit: number;
}

/** Where to go on: strictly after a store key, after everything of one name, or after all names with a prefix. */
export type WalkStart =
  | { readonly after: 'nothing' }
  | { readonly after: 'entry'; readonly key: Key }
  | { readonly after: 'name'; readonly name: string }
  | { readonly after: 'common-prefix'; readonly commonPrefix: string };

export type WalkItem<V> =
  | { readonly type: 'entry'; readonly name: string; readonly entry: Entry<V> }
  | { readonly type: 'common-prefix'; readonly commonPrefix: string };

export interface WalkResult<V> {
  readonly items: readonly WalkItem<V>[];
  readonly truncated: boolean;
}

/**
 * Walks names in UTF-8 order as S3 lists them: those with `prefix`, names that have `delimiter` after it rolled up
 * into common prefixes, which are jumped over rather than read through. `accept` leaves entries out (delete markers).
 */
export async function walkKeys<V>(
  store: Pick<Store, 'range'>,
  options: WalkOptions,
  accept: (entry: Entry<V>) => boolean = () => true,
): Promise<WalkResult<V>> {
  const { prefix, delimiter, limit, space } = options;
  const items: WalkItem<V>[] = [];
  if (limit === 0) return { items, truncated: false };
  const size = Math.min(delimiter === '' ? pageSize : delimitedPageSize, limit + 1);
  let skipped = options.start.after === 'common-prefix' ? options.start.commonPrefix : undefined;
  let position = firstPosition(options);
  for (;;) {
    const page = await store.range<V>({ prefix: space, ...position, limit: size });
    const lastName = page.at(-1)?.key[namePart] as string | undefined;
    let jumped = false;
    for (const entry of page) {
      const name = entry.key[namePart] as string;
      if (!name.startsWith(prefix)) {
        if (sortsAfter(name, prefix)) return { items, truncated: false };
        continue;
      }
      if (skipped !== undefined && name.startsWith(skipped)) continue;
      if (!accept(entry)) continue;
      if (items.length === limit) return { items, truncated: true };
      const end = delimiter === '' ? -1 : name.indexOf(delimiter, prefix.length);
      if (end < 0) {
        items.push({ type: 'entry', name, entry });
        continue;
      }
      skipped = name.slice(0, end + delimiter.length);
      items.push({ type: 'common-prefix', commonPrefix: skipped });
      if (lastName?.startsWith(skipped)) {
        position = afterPrefix(space, skipped);
        jumped = true;
        break;
      }
    }
    if (jumped) continue;
    if (page.length < size) return { items, truncated: false };
    position = { after: page.at(-1)!.key };
  }
}

type Position = { readonly from: Key } | { readonly after: Key };

function firstPosition({ space, prefix, start }: WalkOptions): Position {
  switch (start.after) {
    case 'nothing':
      return { from: [...space, prefix] };
    case 'common-prefix':
      return afterPrefix(space, start.commonPrefix);
    case 'name':
      return sortsAfter(prefix, start.name)
        ? { from: [...space, prefix] }
        : { from: [...space, `${start.name}\u0000`] };
    case 'entry':
      return { after: start.key };
  }
}

/** The highest code point: no name in use sorts between it and the end of the prefix's names. */
function afterPrefix(space: Key, prefix: string): Position {
  return { from: [...space, `${prefix}\u{10ffff}`] };
}

/** In the order of UTF-8 bytes, which is not that of JavaScript's strings. */
function sortsAfter(name: string, other: string): boolean {
  return Buffer.compare(Buffer.from(name), Buffer.from(other)) > 0;
}

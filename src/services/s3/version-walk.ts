import type { Store } from '../../store/index.ts';
import { type WalkStart, walkKeys } from './key-walk.ts';
import { currentKey } from './keys.ts';
import type { VersionRecord } from './records.ts';
import { nullVersion } from './versions.ts';

export interface ListedVersion {
  readonly type: 'version';
  readonly name: string;
  readonly record: VersionRecord;
  readonly latest: boolean;
}

export type ListedVersionItem = ListedVersion | { readonly type: 'common-prefix'; readonly commonPrefix: string };

export interface VersionWalkOptions {
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter: string;
  readonly keyMarker: string;
  /** Empty: start after all versions of the key marker. */
  readonly versionIdMarker: string;
  readonly limit: number;
}

/** Walks all versions: by key in UTF-8 order, each key's newest first. */
export async function walkVersions(
  store: Pick<Store, 'get' | 'range'>,
  options: VersionWalkOptions,
): Promise<{ readonly items: readonly ListedVersionItem[]; readonly truncated: boolean }> {
  const { bucket, prefix, delimiter, keyMarker, limit } = options;
  const items: ListedVersionItem[] = [];
  if (limit === 0) return { items, truncated: false };
  // One more than asked tells whether there is more.
  const full = (): boolean => items.length > limit;
  const end = () => ({ items: items.slice(0, limit), truncated: full() });
  if (options.versionIdMarker !== '') {
    await rest(store, bucket, keyMarker, options.versionIdMarker, limit + 1, items);
    if (full()) return end();
  }
  const rolledUp = delimiter !== '' && keyMarker.endsWith(delimiter) && options.versionIdMarker === '';
  const start: WalkStart =
    keyMarker === ''
      ? { after: 'nothing' }
      : rolledUp
        ? { after: 'common-prefix', commonPrefix: keyMarker }
        : { after: 'name', name: keyMarker };
  const names = await walkKeys<VersionRecord>(store, {
    space: ['s3', 'current', bucket],
    prefix,
    delimiter,
    start,
    limit: limit + 1 - items.length,
  });
  for (const item of names.items) {
    if (item.type === 'common-prefix') items.push(item);
    else {
      items.push({ type: 'version', name: item.name, record: item.entry.value, latest: true });
      if (!full()) await noncurrent(store, bucket, item.name, undefined, limit + 1 - items.length, items);
    }
    if (full()) break;
  }
  return end();
}

/** The versions of the marker's key that are older than the marker. */
async function rest(
  store: Pick<Store, 'get' | 'range'>,
  bucket: string,
  key: string,
  versionId: string,
  limit: number,
  items: ListedVersionItem[],
): Promise<void> {
  const current = (await store.get<VersionRecord>(currentKey(bucket, key)))?.value;
  if (!current) return;
  if (current.versionId === versionId) return noncurrent(store, bucket, key, undefined, limit, items);
  const order = versionId === nullVersion ? current.nullOrder : versionId;
  return noncurrent(store, bucket, key, order, limit, items);
}

async function noncurrent(
  store: Pick<Store, 'range'>,
  bucket: string,
  key: string,
  afterOrder: string | undefined,
  limit: number,
  items: ListedVersionItem[],
): Promise<void> {
  const prefix = ['s3', 'noncurrent', bucket, key];
  const found = await store.range<VersionRecord>({
    prefix,
    ...(afterOrder === undefined ? {} : { after: [...prefix, afterOrder] }),
    limit,
  });
  for (const { value } of found) items.push({ type: 'version', name: key, record: value, latest: false });
}

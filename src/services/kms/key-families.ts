import type { Transaction } from '../../store/index.ts';
import { type KeyPlace, type KeyRecord, keyKey } from './records.ts';
import { type KmsState, readKey } from './state.ts';

/** Where a key is: in one region, or for a multi-Region key in several. The primary first. */
export function familyPlaces(record: KeyRecord): readonly KeyPlace[] {
  const { account, id, multiRegion } = record;
  if (multiRegion === undefined) return [{ account, id, region: record.region }];
  return [multiRegion.primary, ...multiRegion.replicas].map((region) => ({ account, id, region }));
}

/**
 * Changes a key and its relatives in other regions, in one transaction: what they share stays the same. Returns the
 * record of the place that was asked for.
 */
export async function changeFamily(
  state: KmsState,
  place: KeyPlace,
  change: (record: KeyRecord, all: readonly KeyRecord[], transaction: Transaction) => KeyRecord | undefined,
): Promise<KeyRecord | undefined> {
  const written = await state.store.transact(async (transaction) => {
    const own = await readKey(transaction, place);
    const all = await Promise.all(familyPlaces(own).map((relative) => readKey(transaction, relative)));
    return all.map((record) => {
      const next = change(record, all, transaction);
      if (next === undefined) transaction.delete(keyKey(record));
      else if (next !== record) transaction.put(keyKey(next), next);
      return { place: record, next };
    });
  });
  for (const { place: relative, next } of written) {
    state.ring.changed(relative);
    if (next) state.dueDates.consider(next);
  }
  return written.find((one) => one.place.region === place.region)?.next;
}

/** True when the key is a replica of a primary in another region. */
export function isReplica({ multiRegion, region }: KeyRecord): boolean {
  return multiRegion !== undefined && multiRegion.primary !== region;
}

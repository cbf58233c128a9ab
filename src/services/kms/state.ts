import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Delivery } from '../../events/index.ts';
import type { Store, Transaction } from '../../store/index.ts';
import type { RequestContext } from '../service.ts';
import type { DueDates } from './due-dates.ts';
import { keyNotFound } from './errors.ts';
import type { KeyRing } from './key-ring.ts';
import type { KeyUsageLog } from './key-usage.ts';
import { type KeyPlace, type KeyRecord, keyArn, keyKey } from './records.ts';
import type { RootKey } from './root-key.ts';

/** What the operations work on. */
export interface KmsState {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly delivery: Pick<Delivery, 'enqueue'>;
  readonly root: RootKey;
  readonly ring: KeyRing;
  readonly dueDates: DueDates;
  readonly usage: KeyUsageLog;
}

/** From where a key is named. */
export type Where = Pick<RequestContext, 'account' | 'region'>;

/**
 * Changes a key's record in a transaction and returns it. `change` may run again. Throws NotFoundException when the key
 * is gone.
 */
export async function changeKey(
  state: KmsState,
  place: KeyPlace,
  change: (record: KeyRecord, transaction: Transaction) => Promise<KeyRecord> | KeyRecord,
): Promise<KeyRecord> {
  const changed = await state.store.transact(async (transaction) => {
    const record = await readKey(transaction, place);
    const next = await change(record, transaction);
    if (next !== record) transaction.put(keyKey(place), next);
    return next;
  });
  state.ring.changed(place);
  state.dueDates.consider(changed);
  return changed;
}

/** A key's record within a transaction. Throws NotFoundException. */
export async function readKey(transaction: Transaction, place: KeyPlace): Promise<KeyRecord> {
  const entry = await transaction.get<KeyRecord>(keyKey(place));
  if (!entry) throw keyNotFound(keyArn(place));
  return entry.value;
}

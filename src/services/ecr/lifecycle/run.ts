import { ServiceError } from '../../../base/errors.ts';
import type { Transaction } from '../../../store/index.ts';
import { completeName } from '../names.ts';
import { type RepositoryId, type RepositoryRecord, repositoryKey } from '../records.ts';
import { type EcrState, findRepository } from '../state.ts';
import { evaluate } from './evaluate.ts';
import { readLifecyclePolicy } from './policy.ts';

/**
 * How long after a push, or after a policy was set, images that are too many go. AWS says "within 24 hours"; the parts of an image
 * for several platforms are pushed one by one, and must not go before the index that lists them has come.
 */
export const SETTLE_MS = 3_600_000;

const itemOf = ({ account, region, name }: RepositoryId) => [account, region, name] as const;

/** Has a repository's policy be carried out at a time; an earlier one that is planned already stays. */
export function plan(
  { lifecycle }: Pick<EcrState, 'lifecycle'>,
  transaction: Transaction,
  id: RepositoryId,
  record: RepositoryRecord,
  time: number | undefined,
): RepositoryRecord {
  lifecycle.move(transaction, itemOf(id), record.due, time);
  const planned = { ...record, due: time };
  transaction.put(repositoryKey(id), planned satisfies RepositoryRecord);
  return planned;
}

/** Something was pushed. */
export async function planAfterPush(state: EcrState, transaction: Transaction, id: RepositoryId): Promise<void> {
  const record = await findRepository(transaction, id);
  if (record?.lifecycle === undefined) return;
  const time = state.clock.now() + SETTLE_MS;
  if (record.due === undefined || record.due > time) plan(state, transaction, id, record, time);
}

/** Deletes what a repository's policy says, and plans the next time. */
export async function carryOut(state: EcrState, item: readonly string[], due: number): Promise<void> {
  const [account, region, name] = item as [string, string, string];
  const id: RepositoryId = { account, region, name };
  const { store, clock, repositories, lifecycle } = state;
  const record = await findRepository(store, id);
  if (record?.lifecycle === undefined) {
    await store.transact(async (transaction) => lifecycle.move(transaction, item, due, undefined));
    return;
  }
  const rules = readLifecyclePolicy(record.lifecycle);
  const started = clock.now();
  const { expiring } = evaluate(rules, await repositories.listManifests(completeName(id)), started);
  for (const { digest, pushedAt } of expiring) {
    try {
      // What got a tag meanwhile has become another image than the one that was judged.
      await repositories.deleteManifest(completeName(id), digest, { ifNotPushedSince: pushedAt });
    } catch (error) {
      // It has gone meanwhile, or has become a part of something.
      if (!(error instanceof ServiceError) || (error.status !== 404 && error.status !== 405)) throw error;
    }
  }
  const left = evaluate(rules, await repositories.listManifests(completeName(id)), started);
  // What could not go with the others, such as what a deleted index had listed, is looked at again.
  const again = left.expiring.length > 0 ? started + SETTLE_MS : undefined;
  await store.transact(async (transaction) => {
    const current = await findRepository(transaction, id);
    if (!current) return lifecycle.move(transaction, item, due, undefined);
    const next = [again, left.next].filter((time) => time !== undefined);
    // Moved meanwhile, by a push or a new policy: that stays.
    if (current.due !== due) {
      lifecycle.move(transaction, item, due, undefined);
      transaction.put(repositoryKey(id), { ...current, evaluatedAt: started } satisfies RepositoryRecord);
    } else {
      plan(
        state,
        transaction,
        id,
        { ...current, evaluatedAt: started },
        next.length > 0 ? Math.min(...next) : undefined,
      );
    }
  });
}

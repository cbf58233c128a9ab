import type { RepositoryEvent } from '../../../images/index.ts';
import type { Transaction } from '../../../store/index.ts';
import { type RegistryId, type ReplicationRecord, type RepositoryId, replicationKey } from '../records.ts';
import { type EcrState, getRegistry } from '../state.ts';

/** An image was pushed: it is copied to where the rules of its registry say. */
export async function planReplication(
  state: EcrState,
  transaction: Transaction,
  id: RepositoryId,
  { digest, tag }: RepositoryEvent,
): Promise<void> {
  const { replication: rules = [] } = await getRegistry(transaction, id);
  const destinations = rules
    .filter(({ prefixes }) => prefixes.length === 0 || prefixes.some((prefix) => id.name.startsWith(prefix)))
    .flatMap((rule) => rule.destinations);
  const now = state.clock.now();
  for (const to of unique(destinations)) {
    transaction.put(replicationKey(id, digest, to), { status: 'IN_PROGRESS' } satisfies ReplicationRecord);
    const item = [to.account, to.region, id.account, id.region, id.name, digest, tag ?? ''];
    state.replication.move(transaction, item, undefined, now);
  }
}

function unique(destinations: readonly RegistryId[]): readonly RegistryId[] {
  return [...new Map(destinations.map((to) => [`${to.account} ${to.region}`, to])).values()];
}

import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Store, Transaction } from '../../store/index.ts';
import type { ContentStore } from '../content.ts';
import { nameInvalid, nameUnknown } from './errors.ts';
import { isRepositoryName } from './grammar.ts';
import { doomedKey, type RepositoryRecord, repositoryKey } from './records.ts';
import type { RepositoryEvent, RepositoryPolicy } from './repositories.ts';

/** What the parts of the registry work on. */
export interface RegistryState {
  readonly content: ContentStore;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** The policy of a repository, by its name. */
  policy(repository: string): Promise<RepositoryPolicy | undefined>;
  /** Tells the listeners, after the commit. */
  tell(event: RepositoryEvent): void;
  /** Something may have become garbage. */
  collectLater(): void;
}

type Reader = Pick<Transaction, 'get'>;

export async function findRepository(reader: Reader, name: string): Promise<RepositoryRecord | undefined> {
  if (!isRepositoryName(name)) throw nameInvalid(name);
  return (await reader.get<RepositoryRecord>(repositoryKey(name)))?.value;
}

/** Throws `NAME_INVALID`, `NAME_UNKNOWN`. */
export async function getRepository(reader: Reader, name: string): Promise<RepositoryRecord> {
  const record = await findRepository(reader, name);
  if (!record) throw nameUnknown(name);
  return record;
}

/** Told again only after a while, so that a push costs no further write. */
const NOTE_MS = 3_600_000;

/** The repository that something is pushed to; a push makes it unless the policy is against that. */
export async function repositoryForPush(state: RegistryState, name: string): Promise<RepositoryRecord> {
  const { clock, random, store } = state;
  const found = await findRepository(store, name);
  if (found && (found.pushedTo === undefined || clock.now() - found.pushedTo < NOTE_MS)) return found;
  if (!found) {
    const policy = await state.policy(name);
    if (policy?.mayCreate && !(await policy.mayCreate(name))) throw nameUnknown(name);
  }
  return store.transact(async (transaction) => {
    const current = await findRepository(transaction, name);
    if (current && current.pushedTo === undefined) return current;
    const now = clock.now();
    const record = { ...(current ?? { id: random.hex(16), createdAt: now }), pushedTo: now };
    transaction.put(repositoryKey(name), record satisfies RepositoryRecord);
    return record;
  });
}

/** Makes a repository that stays although nothing is in it. */
export async function createRepository(
  { clock, random }: Pick<RegistryState, 'clock' | 'random'>,
  transaction: Transaction,
  name: string,
): Promise<void> {
  const found = await findRepository(transaction, name);
  const { id, createdAt } = found ?? { id: random.hex(16), createdAt: clock.now() };
  transaction.put(repositoryKey(name), { id, createdAt } satisfies RepositoryRecord);
}

/** What it held is erased by the next collection. */
export async function removeRepository(transaction: Transaction, name: string): Promise<void> {
  const { id } = await getRepository(transaction, name);
  transaction.delete(repositoryKey(name));
  transaction.put(doomedKey(id), name);
}

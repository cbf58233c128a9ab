import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Delivery } from '../../events/index.ts';
import type { Repositories } from '../../images/index.ts';
import type { Store, Transaction } from '../../store/index.ts';
import type { Agenda } from '../agenda.ts';
import type { Authorizer } from '../authorization.ts';
import type { RequestContext } from '../service.ts';
import { repositoryNotFound } from './errors.ts';
import { completeName, repositoryOf } from './names.ts';
import type { Upstreams } from './pull-through/upstream.ts';
import {
  checkedPrefix,
  previewKey,
  type RegistryId,
  type RegistryRecord,
  type RepositoryId,
  type RepositoryRecord,
  type RepositorySettings,
  registryKey,
  replicationPrefix,
  repositoryKey,
} from './records.ts';

/** What the operations work on. */
export interface EcrState {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly delivery: Delivery;
  readonly authorizer: Authorizer;
  /** Policies decide (`--iam enforce`). */
  readonly enforce: boolean;
  /** Where the images are. */
  readonly repositories: Repositories;
  readonly upstreams: Upstreams;
  /** When lifecycle policies are carried out. */
  readonly lifecycle: Agenda;
  /** What is to be copied to other registries. */
  readonly replication: Agenda;
}

type Reader = Pick<Transaction, 'get'>;
type Named = { readonly registryId?: string | undefined; readonly repositoryName: string | undefined };

export async function findRepository(reader: Reader, id: RepositoryId): Promise<RepositoryRecord | undefined> {
  return (await reader.get<RepositoryRecord>(repositoryKey(id)))?.value;
}

/** Throws RepositoryNotFoundException. */
export async function getRepository(reader: Reader, id: RepositoryId): Promise<RepositoryRecord> {
  const record = await findRepository(reader, id);
  if (!record) throw repositoryNotFound(id);
  return record;
}

/** The repository that a request names. Throws RepositoryNotFoundException. */
export async function existing(
  reader: Reader,
  input: Named,
  context: Pick<RequestContext, 'account' | 'region'>,
): Promise<{ readonly id: RepositoryId; readonly record: RepositoryRecord }> {
  const id = repositoryOf(input, context);
  return { id, record: await getRepository(reader, id) };
}

export async function getRegistry(reader: Reader, id: RegistryId): Promise<RegistryRecord> {
  return (await reader.get<RegistryRecord>(registryKey(id)))?.value ?? {};
}

/** Changes what is set for a registry; answers what it was before. */
export async function changeRegistry(
  { store }: Pick<EcrState, 'store'>,
  id: RegistryId,
  change: (record: RegistryRecord) => RegistryRecord,
): Promise<RegistryRecord> {
  return store.transact(async (transaction) => {
    const before = await getRegistry(transaction, id);
    transaction.put(registryKey(id), change(before));
    return before;
  });
}

/** Changes a repository that is there; answers what it is then. */
export async function changeRepository(
  { store }: Pick<EcrState, 'store'>,
  id: RepositoryId,
  change: (record: RepositoryRecord) => RepositoryRecord,
): Promise<RepositoryRecord> {
  return store.transact(async (transaction) => {
    const changed = change(await getRepository(transaction, id));
    transaction.put(repositoryKey(id), changed);
    return changed;
  });
}

/** Makes a repository, with the place for its images. */
export async function addRepository(
  { clock, repositories }: Pick<EcrState, 'clock' | 'repositories'>,
  transaction: Transaction,
  id: RepositoryId,
  settings: RepositorySettings,
): Promise<RepositoryRecord> {
  const record: RepositoryRecord = { ...settings, createdAt: clock.now() };
  transaction.put(repositoryKey(id), record);
  await repositories.create(completeName(id), transaction);
  return record;
}

/** Deletes a repository, its images and what is kept about them. */
export async function removeRepository(
  state: Pick<EcrState, 'repositories' | 'lifecycle'>,
  transaction: Transaction,
  id: RepositoryId,
  record: RepositoryRecord,
): Promise<void> {
  state.lifecycle.move(transaction, [id.account, id.region, id.name], record.due, undefined);
  transaction.delete(repositoryKey(id));
  transaction.delete(previewKey(id));
  for (const prefix of [checkedPrefix(id), replicationPrefix(id)]) {
    for (const { key } of await transaction.range({ prefix })) transaction.delete(key);
  }
  await state.repositories.delete(completeName(id), transaction);
}

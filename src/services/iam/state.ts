import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { Store, Transaction } from '../../store/index.ts';
import type { RequestContext } from '../service.ts';
import { noSuchEntity } from './errors.ts';
import { awsManagedPolicy } from './managed-policies/index.ts';
import { type EntityKind, type EntityOf, entityKey, entityPrefix, type PolicyRecord, policyKey } from './records.ts';

/** What the operations work on. */
export interface IamState {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  /** Forgets compiled policies of an account: called after each change. */
  readonly changed: (account: string) => void;
}

/** A store, or the view inside a transaction. */
export interface Reader {
  get<V>(key: Parameters<Store['get']>[0]): Promise<{ readonly value: V } | undefined>;
}

/** Runs `body` as one transaction; compiled policies of the account are forgotten when it has committed. */
export async function change<T>(
  state: IamState,
  { account }: Pick<RequestContext, 'account'>,
  body: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  const result = await state.store.transact(body);
  state.changed(account);
  return result;
}

const LABEL: Readonly<Record<EntityKind, string>> = { user: 'user', group: 'group', role: 'role' };

/** A user, group or role by its exact name. Throws NoSuchEntity. */
export async function findEntity<K extends EntityKind>(
  reader: Reader,
  account: string,
  kind: K,
  name: string,
): Promise<EntityOf[K]> {
  const entity = (await reader.get<EntityOf[K]>(entityKey(account, kind, name)))?.value;
  if (entity?.name !== name) throw noSuchEntity(`The ${LABEL[kind]} with name ${name} cannot be found.`);
  return entity;
}

export async function listEntities<K extends EntityKind>(
  reader: Pick<Transaction, 'range'>,
  account: string,
  kind: K,
): Promise<EntityOf[K][]> {
  return (await reader.range<EntityOf[K]>({ prefix: entityPrefix(account, kind) })).map(({ value }) => value);
}

/** A managed policy by ARN, the customer's or AWS's own; `undefined` when there is none. */
export async function findPolicy(reader: Reader, account: string, arn: string): Promise<PolicyRecord | undefined> {
  const own = /^arn:aws:iam::(\d{12}):policy(\/.*?)?\/([^/]+)$/.exec(arn);
  if (!own) return awsManagedPolicy(arn);
  if (own[1] !== account) return undefined;
  const policy = (await reader.get<PolicyRecord>(policyKey(account, own[3]!)))?.value;
  return policy?.arn === arn ? policy : undefined;
}

/** The document of a managed policy's default version. */
export function defaultDocument(policy: PolicyRecord): string {
  return policy.versions.find(({ id }) => id === policy.defaultVersion)!.document;
}

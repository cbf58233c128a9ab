import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Store, Transaction } from '../../store/index.ts';
import type { Agenda } from '../agenda.ts';
import type { Authorizer } from '../authorization.ts';
import type { Encryption } from '../encryption.ts';
import type { FunctionInvoker } from '../function-invoker.ts';
import { invalidRequest, markedForDeletion, secretNotFound } from './errors.ts';
import { candidates } from './names.ts';
import { type SecretPlace, type SecretRecord, secretKey, valuePrefix } from './records.ts';

/** What the operations work on. */
export interface SecretsState {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly encryption: Encryption;
  readonly functions: FunctionInvoker;
  /** Decides on each secret of a batch; there is none while policies are not enforced. */
  readonly authorizer: Authorizer | undefined;
  /** When secrets go, and when they are rotated. */
  readonly agenda: Agenda;
}

export interface FoundSecret {
  readonly place: SecretPlace;
  readonly secret: SecretRecord;
}

type Reader = Pick<Transaction, 'get'>;

/** By name, ARN or partial ARN; `undefined` when it is not there. */
export async function lookUp(
  reader: Reader,
  secretId: string,
  where: Omit<SecretPlace, 'name'>,
): Promise<FoundSecret | undefined> {
  for (const { arn, ...place } of candidates(secretId, where) ?? []) {
    const secret = (await reader.get<SecretRecord>(secretKey(place)))?.value;
    if (secret && (arn === undefined || secret.arn === arn)) return { place, secret };
  }
  return undefined;
}

/** Throws ResourceNotFoundException. A secret that is marked for deletion is found, too. */
export async function findSecret(
  reader: Reader,
  secretId: string,
  where: Omit<SecretPlace, 'name'>,
): Promise<FoundSecret> {
  const found = await lookUp(reader, secretId, where);
  if (!found) throw secretNotFound();
  return found;
}

/** Throws ResourceNotFoundException; InvalidRequestException for one that is marked for deletion. */
export async function findActive(
  reader: Reader,
  secretId: string,
  where: Omit<SecretPlace, 'name'>,
): Promise<FoundSecret> {
  const found = await findSecret(reader, secretId, where);
  if (found.secret.deletion) throw markedForDeletion();
  return found;
}

/** The same for one that is to be changed: a replica follows its primary only. */
export async function findWritable(
  reader: Reader,
  secretId: string,
  where: Omit<SecretPlace, 'name'>,
): Promise<FoundSecret> {
  const found = await findActive(reader, secretId, where);
  requirePrimary(found.secret);
  return found;
}

export function requirePrimary({ replicaOf }: SecretRecord): void {
  if (replicaOf === undefined) return;
  throw invalidRequest("Operation not permitted on a replica secret. Call must be made in primary secret's region.");
}

/** The same secret again, in a transaction: it may have gone, or been replaced, meanwhile. */
export async function reread(transaction: Transaction, { place, secret }: FoundSecret): Promise<SecretRecord> {
  const again = (await transaction.get<SecretRecord>(secretKey(place)))?.value;
  if (again?.arn !== secret.arn) throw secretNotFound();
  if (again.deletion) throw markedForDeletion();
  return again;
}

function dueOf({ deletion, rotation, job }: SecretRecord): number | undefined {
  if (deletion) return deletion.at;
  const times = [
    job?.next,
    rotation?.enabled && !job?.running && job?.next === undefined ? rotation.window?.start : undefined,
  ].filter((time) => time !== undefined);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Writes the record and when there is something to do for it. Returns that time, for `agenda.changed`. */
export function saveSecret(
  { agenda }: SecretsState,
  transaction: Transaction,
  place: SecretPlace,
  secret: SecretRecord,
  previous: SecretRecord | undefined,
): number | undefined {
  const due = dueOf(secret);
  agenda.move(transaction, [place.account, place.region, place.name], previous?.due, due);
  transaction.put(secretKey(place), { ...secret, due } satisfies SecretRecord);
  return due;
}

/** Deletes a secret with all of its values. */
export async function eraseSecret(
  { agenda }: SecretsState,
  transaction: Transaction,
  { place, secret }: FoundSecret,
): Promise<void> {
  agenda.move(transaction, [place.account, place.region, place.name], secret.due, undefined);
  for (const { key } of await transaction.range({ prefix: valuePrefix(secret.arn) })) transaction.delete(key);
  transaction.delete(secretKey(place));
}

/** Rewrites a secret in a transaction of its own; it must still be there and not be marked for deletion. */
export async function changeSecret(
  state: SecretsState,
  found: FoundSecret,
  change: (secret: SecretRecord, transaction: Transaction) => SecretRecord | Promise<SecretRecord>,
): Promise<SecretRecord> {
  let due: number | undefined;
  const changed = await state.store.transact(async (transaction) => {
    const before = await reread(transaction, found);
    const after = await change(before, transaction);
    due = saveSecret(state, transaction, found.place, after, before);
    return after;
  });
  state.agenda.changed(due);
  return changed;
}

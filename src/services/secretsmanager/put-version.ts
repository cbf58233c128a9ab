import { ServiceError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { constraint } from './errors.ts';
import { type SecretRecord, valueKey } from './records.ts';
import { rescheduled } from './rotation/schedule.ts';
import { changeSecret, type FoundSecret, findActive, type SecretsState } from './state.ts';
import { type Content, readValue, sameContent, seal, type ValueUser } from './values.ts';
import { CURRENT, emptyVersion, moveStages, tidy } from './versions.ts';

/** The id of a new version: the caller's token, which makes a request that comes twice count once. */
export function versionIdOf(token: string | undefined, random: Random): string {
  if (token === undefined) return random.uuid();
  return checkVersionId(token, 'clientRequestToken');
}

/** Throws ValidationException for what cannot be the id of a version. */
export function checkVersionId(id: string, member: string): string {
  if (id.length < 32) throw constraint(id, member, 'Member must have length greater than or equal to 32');
  if (id.length > 64) throw constraint(id, member, 'Member must have length less than or equal to 64');
  return id;
}

export interface NewVersion {
  readonly versionId: string;
  readonly content: Content;
  readonly stages: readonly string[];
  /** Further changes of the secret that go with it. */
  readonly change?: (secret: SecretRecord) => SecretRecord;
}

/**
 * Adds a version, or fills one that a rotation made, and moves its labels to it. A version that is there with the same
 * value stays as it is. Throws ResourceExistsException when the value is another one. Source: API Reference,
 * "PutSecretValue".
 */
export async function putVersion(
  state: SecretsState,
  found: FoundSecret,
  { versionId, content, stages, change }: NewVersion,
  user: ValueUser,
): Promise<SecretRecord> {
  const there = await readValue(state, found.secret, versionId, user);
  if (there) {
    if (!sameContent(there, content)) throw tokenInUse(versionId, found.secret);
    if (change) return changeSecret(state, found, change);
    return (await findActive(state.store, found.secret.arn, found.place)).secret;
  }
  const taken = tokenInUse(versionId, found.secret);
  const { value, keyArn } = await seal(state, change?.(found.secret) ?? found.secret, versionId, content, user);
  const changed = changeSecret(state, found, (before, transaction) => {
    const secret = change?.(before) ?? before;
    if (secret.versions[versionId]?.keyArn !== undefined) throw taken;
    const now = state.clock.now();
    const version = { ...(secret.versions[versionId] ?? emptyVersion(now)), keyArn };
    const isFirst = !Object.values(secret.versions).some((each) => each.keyArn !== undefined);
    const labels = isFirst && !stages.includes(CURRENT) ? [...stages, CURRENT] : stages;
    const { kept, gone } = tidy(moveStages({ ...secret.versions, [versionId]: version }, versionId, labels), now);
    transaction.put(valueKey(secret.arn, versionId), value);
    for (const id of gone) transaction.delete(valueKey(secret.arn, id));
    const changed = { ...secret, versions: kept, changed: now };
    return labels.includes(CURRENT) ? rescheduled(changed, now) : changed;
  });
  // The same token at the same time: the other request was first, so that its value is the one to compare with.
  return changed.catch((error: unknown) => {
    if (error !== taken) throw error;
    return putVersion(state, found, { versionId, content, stages, ...(change ? { change } : {}) }, user);
  });
}

function tokenInUse(versionId: string, { arn }: SecretRecord): ServiceError {
  return new ServiceError(
    'ResourceExistsException',
    `You can't use ClientRequestToken ${versionId} because that value is already in use for a version of secret ${arn}.`,
  );
}

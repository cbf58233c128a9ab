import type { Random } from '../../../base/random.ts';
import type { Transaction } from '../../../store/index.ts';
import { type RotationJob, type SecretRecord, valueKey } from '../records.ts';
import { CURRENT, detach, emptyVersion, moveStages, PENDING, versionWith } from '../versions.ts';
import { scheduled } from './schedule.ts';

/** Delays before a rotation is tried again; after that it waits for the next window, or for a call of RotateSecret. */
const RETRY_DELAYS_MS = [60_000, 300_000, 900_000, 1_800_000];

/** A version that an earlier rotation left with `AWSPENDING`: it has to be completed before another can begin. */
export function unfinishedVersion({ versions }: SecretRecord): string | undefined {
  const pending = versionWith(versions, PENDING);
  return pending === versionWith(versions, CURRENT) ? undefined : pending;
}

/** The secret with a rotation that begins now: the version that it is to fill is there, with `AWSPENDING`, but empty. */
export function beginJob(
  secret: SecretRecord,
  job: Pick<RotationJob, 'kind' | 'token'>,
  now: number,
  random: Pick<Random, 'uuid'>,
): SecretRecord {
  const versions = { [job.token]: emptyVersion(now), ...secret.versions };
  return {
    ...secret,
    versions: moveStages(versions, job.token, [PENDING]),
    job: { ...job, rotationToken: random.uuid(), failures: 0, next: now, running: false },
  };
}

/** The rotation for a window that has opened: the one that was given up, or else a new one. */
export function beginScheduled(secret: SecretRecord, now: number, random: Pick<Random, 'uuid'>): SecretRecord {
  const token = unfinishedVersion(secret) ?? random.uuid();
  return beginJob(secret, { kind: 'rotate', token }, now, random);
}

/**
 * What a rotation that went through its steps leaves; `undefined` when it is not complete. Complete: `AWSPENDING` is at no
 * version, or at the one with `AWSCURRENT`. Source: Secrets Manager User Guide, "Lambda rotation functions".
 */
export function completed(secret: SecretRecord, transaction: Transaction, now: number): SecretRecord | undefined {
  const { rotation, job } = secret;
  if (!rotation || !job || unfinishedVersion(secret) !== undefined) return undefined;
  const cleaned = withoutEmpty(secret, job.token, transaction);
  return scheduled({ ...cleaned, job: undefined, changed: now, rotation: { ...rotation, last: now } }, now);
}

/** What a trial of the configuration leaves: nothing. */
export function tried(secret: SecretRecord, transaction: Transaction): SecretRecord {
  const { token } = secret.job!;
  const versions = secret.versions[token] ? detach(secret.versions, PENDING, token) : secret.versions;
  return { ...withoutEmpty({ ...secret, versions }, token, transaction), job: undefined };
}

function withoutEmpty(secret: SecretRecord, token: string, transaction: Transaction): SecretRecord {
  const version = secret.versions[token];
  if (!version || version.keyArn !== undefined || version.stages.length > 0) return secret;
  const { [token]: _, ...versions } = secret.versions;
  transaction.delete(valueKey(secret.arn, token));
  return { ...secret, versions };
}

/** The secret when a try of its rotation has failed. */
export function failed(secret: SecretRecord, now: number): SecretRecord {
  const job = secret.job!;
  const delay = RETRY_DELAYS_MS[job.failures];
  const after = { ...job, failures: job.failures + 1, running: false };
  if (delay !== undefined) return { ...secret, job: { ...after, next: now + delay } };
  return scheduled({ ...secret, job: { ...after, next: undefined } }, now);
}

/** The same rotation from its first try. */
export function reattempted(secret: SecretRecord, now: number, random: Pick<Random, 'uuid'>): SecretRecord {
  if (secret.job?.running || secret.job?.next !== undefined) return secret;
  return secret.rotation?.enabled ? beginScheduled(secret, now, random) : secret;
}

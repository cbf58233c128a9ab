import type {
  DeleteSecretCommandInput,
  DeleteSecretCommandOutput,
  RestoreSecretCommandInput,
  RestoreSecretCommandOutput,
} from '@aws-sdk/client-secrets-manager';
import type { RequestContext } from '../../service.ts';
import { invalidParameter, invalidRequest, secretNotFound } from '../errors.ts';
import { scheduled } from '../rotation/schedule.ts';
import { eraseSecret, findSecret, lookUp, requirePrimary, type SecretsState, saveSecret } from '../state.ts';

const DAY_MS = 86_400_000;
const MIN_DAYS = 7;
const MAX_DAYS = 30;

/** API Reference, "DeleteSecret": after 7 to 30 days by the clock, or at once. */
export async function deleteSecret(
  state: SecretsState,
  input: DeleteSecretCommandInput,
  context: RequestContext,
): Promise<Omit<DeleteSecretCommandOutput, '$metadata'>> {
  const force = input.ForceDeleteWithoutRecovery ?? false;
  const days = daysOf(input, force);
  let due: number | undefined;
  const output = await state.store.transact(async (transaction) => {
    const now = state.clock.now();
    const found = await lookUp(transaction, input.SecretId!, context);
    if (!found) {
      // A forced deletion of what is not there is no error: it has the effect that was asked for.
      if (force) return { ...absent(input.SecretId!, context), DeletionDate: new Date(now) };
      throw secretNotFound();
    }
    const { place, secret } = found;
    requirePrimary(secret);
    if (secret.replicas.length > 0) {
      const regions = secret.replicas.map(({ region }) => region).join(', ');
      throw invalidRequest(`You can't delete secret ${place.name} that still has replica regions [${regions}]`);
    }
    const answer = { ARN: secret.arn, Name: place.name };
    if (force) {
      await eraseSecret(state, transaction, found);
      return { ...answer, DeletionDate: new Date(now) };
    }
    if (secret.deletion) {
      throw invalidRequest(
        "You can't perform this operation on the secret because it was already scheduled for deletion.",
      );
    }
    const at = now + days * DAY_MS;
    due = saveSecret(state, transaction, place, { ...secret, deletion: { at }, job: undefined, changed: now }, secret);
    return { ...answer, DeletionDate: new Date(at) };
  });
  state.agenda.changed(due);
  return output;
}

function daysOf({ RecoveryWindowInDays: days }: DeleteSecretCommandInput, force: boolean): number {
  if (force && days !== undefined) {
    throw invalidParameter("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.");
  }
  if (days === undefined) return MAX_DAYS;
  if (Number.isInteger(days) && days >= MIN_DAYS && days <= MAX_DAYS) return days;
  throw invalidParameter(
    `The RecoveryWindowInDays value must be between ${MIN_DAYS} and ${MAX_DAYS} days (inclusive).`,
  );
}

function absent(secretId: string, { account, region }: RequestContext) {
  const isArn = secretId.startsWith('arn:');
  const name = isArn ? secretId.split(':').slice(6).join(':') : secretId;
  return { ARN: isArn ? secretId : `arn:aws:secretsmanager:${region}:${account}:secret:${name}`, Name: name };
}

/** API Reference, "RestoreSecret". */
export async function restoreSecret(
  state: SecretsState,
  input: RestoreSecretCommandInput,
  context: RequestContext,
): Promise<Omit<RestoreSecretCommandOutput, '$metadata'>> {
  let due: number | undefined;
  const output = await state.store.transact(async (transaction) => {
    const { place, secret } = await findSecret(transaction, input.SecretId!, context);
    requirePrimary(secret);
    if (secret.deletion) {
      const now = state.clock.now();
      const restored = scheduled({ ...secret, deletion: undefined, changed: now }, now);
      due = saveSecret(state, transaction, place, restored, secret);
    }
    return { ARN: secret.arn, Name: place.name };
  });
  state.agenda.changed(due);
  return output;
}

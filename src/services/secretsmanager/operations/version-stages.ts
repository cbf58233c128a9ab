import type {
  UpdateSecretVersionStageCommandInput,
  UpdateSecretVersionStageCommandOutput,
} from '@aws-sdk/client-secrets-manager';
import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { invalidParameter, invalidRequest } from '../errors.ts';
import type { SecretRecord } from '../records.ts';
import { replicate } from '../replication.ts';
import { rescheduled } from '../rotation/schedule.ts';
import { changeSecret, findWritable, type SecretsState } from '../state.ts';
import { userOf } from '../values.ts';
import { CURRENT, checkStages, detach, moveStages, versionWith } from '../versions.ts';

/** API Reference, "UpdateSecretVersionStage". */
export async function updateSecretVersionStage(
  state: SecretsState,
  input: UpdateSecretVersionStageCommandInput,
  context: RequestContext,
): Promise<Omit<UpdateSecretVersionStageCommandOutput, '$metadata'>> {
  const [stage] = checkStages([input.VersionStage!]) as [string];
  const { MoveToVersionId: to, RemoveFromVersionId: from } = input;
  if (to === undefined && from === undefined) {
    throw invalidParameter('You must provide MoveToVersionId, RemoveFromVersionId or both.');
  }
  const found = await findWritable(state.store, input.SecretId!, context);
  await changeSecret(state, found, (secret) => {
    const now = state.clock.now();
    const versions = moved(secret, stage, to, from);
    const changed = { ...secret, versions, changed: now };
    return stage === CURRENT ? rescheduled(changed, now) : changed;
  });
  await replicate(state, found.place, userOf(context));
  return { ARN: found.secret.arn, Name: found.place.name };
}

function moved({ versions }: SecretRecord, stage: string, to: string | undefined, from: string | undefined) {
  for (const id of [to, from]) if (id !== undefined && !Object.hasOwn(versions, id)) throw versionNotFound(id);
  const owner = versionWith(versions, stage);
  if (from !== undefined && owner !== from) {
    throw invalidParameter(`Staging label ${stage} is not currently attached to version ${from}.`);
  }
  if (to === undefined) {
    if (stage === CURRENT) {
      throw invalidParameter(
        `You can only move staging label ${CURRENT} to a different secret version. It can’t be completely removed.`,
      );
    }
    return detach(versions, stage, from!);
  }
  if (owner !== undefined && owner !== to && from === undefined) {
    throw invalidParameter(
      `The parameter RemoveFromVersionId can't be empty. Staging label ${stage} is currently attached to version ${owner}, so you must explicitly reference that version in RemoveFromVersionId.`,
    );
  }
  if (stage === CURRENT && versions[to]!.keyArn === undefined) {
    throw invalidRequest(`You can't move staging label ${CURRENT} to version ${to}: it has no secret value.`);
  }
  return moveStages(versions, to, [stage]);
}

function versionNotFound(id: string): ServiceError {
  return new ServiceError(
    'ResourceNotFoundException',
    `Secrets Manager can't find the specified secret version: ${id}`,
  );
}

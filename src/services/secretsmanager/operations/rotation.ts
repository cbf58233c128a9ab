import type {
  CancelRotateSecretCommandInput,
  CancelRotateSecretCommandOutput,
  RotateSecretCommandInput,
  RotateSecretCommandOutput,
} from '@aws-sdk/client-secrets-manager';
import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { constraint, invalidRequest, refused } from '../errors.ts';
import { versionIdOf } from '../put-version.ts';
import type { SecretRecord } from '../records.ts';
import { beginJob, reattempted, unfinishedVersion } from '../rotation/job.ts';
import { readRules, scheduled } from '../rotation/schedule.ts';
import { changeSecret, type FoundSecret, findWritable, type SecretsState } from '../state.ts';

/** API Reference, "RotateSecret": configures rotation, and begins one unless it is to wait for its window. */
export async function rotateSecret(
  state: SecretsState,
  input: RotateSecretCommandInput,
  context: RequestContext,
): Promise<Omit<RotateSecretCommandOutput, '$metadata'>> {
  if (input.ExternalSecretRotationMetadata !== undefined || input.ExternalSecretRotationRoleArn !== undefined) {
    throw refused('ExternalSecretRotation', 'Secrets are not managed with partners; rotate by a function.');
  }
  const { RotationLambdaARN: asked } = input;
  if (asked !== undefined && asked.length > 2048) {
    throw constraint(asked, 'rotationLambdaARN', 'Member must have length less than or equal to 2048');
  }
  const found = await findWritable(state.store, input.SecretId!, context);
  const functionArn = asked || found.secret.rotation?.functionArn;
  if (!functionArn) throw invalidRequest('No Lambda rotation function ARN is associated with this secret.');
  const token = versionIdOf(input.ClientRequestToken, state.random);
  const now = state.clock.now();
  const rules = input.RotationRules && readRules(input.RotationRules, now);
  const immediately = input.RotateImmediately ?? true;
  const answer = { ARN: found.secret.arn, Name: found.place.name, ...(immediately ? { VersionId: token } : {}) };
  // The same request again: its version is there already.
  if (found.secret.versions[token]) return answer;
  await requireComplete(state, found);
  await requireInvocable(state, found, functionArn);
  await changeSecret(state, found, (secret) => {
    if (unfinishedVersion(secret) !== undefined) throw notComplete();
    const rotation = {
      ...secret.rotation,
      enabled: true,
      functionArn,
      rules: rules ?? secret.rotation?.rules,
    };
    const configured = scheduled({ ...secret, rotation, changed: now }, now);
    return beginJob(configured, { kind: immediately ? 'rotate' : 'test', token }, now, state.random);
  });
  return answer;
}

/** A rotation that was given up is begun again, as the error says. */
async function requireComplete(state: SecretsState, found: FoundSecret): Promise<void> {
  if (unfinishedVersion(found.secret) === undefined) return;
  await changeSecret(state, found, (secret) => reattempted(secret, state.clock.now(), state.random));
  throw notComplete();
}

function notComplete(): ServiceError {
  return invalidRequest("A previous rotation isn't complete. That rotation will be reattempted.");
}

async function requireInvocable(
  { functions }: SecretsState,
  { place, secret }: FoundSecret,
  functionArn: string,
): Promise<void> {
  const service = 'secretsmanager.amazonaws.com';
  if (await functions.permits(functionArn, { service, sourceArn: secret.arn, sourceAccount: place.account })) return;
  throw new ServiceError(
    'AccessDeniedException',
    `Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal ${service}.`,
  );
}

/** API Reference, "CancelRotateSecret": the version that a rotation has begun stays, with `AWSPENDING`. */
export async function cancelRotateSecret(
  state: SecretsState,
  input: CancelRotateSecretCommandInput,
  context: RequestContext,
): Promise<Omit<CancelRotateSecretCommandOutput, '$metadata'>> {
  const found = await findWritable(state.store, input.SecretId!, context);
  let begun: string | undefined;
  await changeSecret(state, found, (secret): SecretRecord => {
    const { rotation } = secret;
    if (!rotation) throw invalidRequest("You can't cancel rotation of a secret that has no rotation configured.");
    begun = unfinishedVersion(secret);
    return {
      ...secret,
      job: undefined,
      rotation: { ...rotation, enabled: false, window: undefined },
      changed: state.clock.now(),
    };
  });
  return { ARN: found.secret.arn, Name: found.place.name, ...(begun === undefined ? {} : { VersionId: begun }) };
}

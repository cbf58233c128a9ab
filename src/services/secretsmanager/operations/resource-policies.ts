import type {
  DeleteResourcePolicyCommandInput,
  DeleteResourcePolicyCommandOutput,
  GetResourcePolicyCommandInput,
  GetResourcePolicyCommandOutput,
  PutResourcePolicyCommandInput,
  PutResourcePolicyCommandOutput,
  ValidateResourcePolicyCommandInput,
  ValidateResourcePolicyCommandOutput,
} from '@aws-sdk/client-secrets-manager';
import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { replicate } from '../replication.ts';
import { grantsBroadAccess, policyProblem } from '../resource-policy.ts';
import { changeSecret, type FoundSecret, findActive, findWritable, type SecretsState } from '../state.ts';
import { userOf } from '../values.ts';

const BROAD = 'This resource policy grants broad access to your secret.';

const named = ({ place, secret }: FoundSecret) => ({ ARN: secret.arn, Name: place.name });

/** API Reference, "PutResourcePolicy". */
export async function putResourcePolicy(
  state: SecretsState,
  input: PutResourcePolicyCommandInput,
  context: RequestContext,
): Promise<Omit<PutResourcePolicyCommandOutput, '$metadata'>> {
  const policy = input.ResourcePolicy!;
  const found = await findWritable(state.store, input.SecretId!, context);
  const problem = policyProblem(policy);
  if (problem !== undefined) throw new ServiceError('MalformedPolicyDocumentException', problem);
  if (input.BlockPublicPolicy && grantsBroadAccess(policy)) throw new ServiceError('PublicPolicyException', BROAD);
  await change(state, found, policy, context);
  return named(found);
}

/** API Reference, "GetResourcePolicy". */
export async function getResourcePolicy(
  state: SecretsState,
  input: GetResourcePolicyCommandInput,
  context: RequestContext,
): Promise<Omit<GetResourcePolicyCommandOutput, '$metadata'>> {
  const found = await findActive(state.store, input.SecretId!, context);
  return { ...named(found), ResourcePolicy: found.secret.policy };
}

/** API Reference, "DeleteResourcePolicy". */
export async function deleteResourcePolicy(
  state: SecretsState,
  input: DeleteResourcePolicyCommandInput,
  context: RequestContext,
): Promise<Omit<DeleteResourcePolicyCommandOutput, '$metadata'>> {
  const found = await findWritable(state.store, input.SecretId!, context);
  await change(state, found, undefined, context);
  return named(found);
}

/** API Reference, "ValidateResourcePolicy". */
export async function validateResourcePolicy(
  state: SecretsState,
  input: ValidateResourcePolicyCommandInput,
  context: RequestContext,
): Promise<Omit<ValidateResourcePolicyCommandOutput, '$metadata'>> {
  if (input.SecretId !== undefined) await findActive(state.store, input.SecretId, context);
  const policy = input.ResourcePolicy!;
  const problem = policyProblem(policy);
  if (problem !== undefined) throw new ServiceError('MalformedPolicyDocumentException', problem);
  const errors = grantsBroadAccess(policy) ? [{ CheckName: 'BlockPublicPolicy', ErrorMessage: BROAD }] : [];
  return { PolicyValidationPassed: errors.length === 0, ValidationErrors: errors };
}

async function change(
  state: SecretsState,
  found: FoundSecret,
  policy: string | undefined,
  context: RequestContext,
): Promise<void> {
  await changeSecret(state, found, (secret) => ({ ...secret, policy, changed: state.clock.now() }));
  await replicate(state, found.place, userOf(context));
}

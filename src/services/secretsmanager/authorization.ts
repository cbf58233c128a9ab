import { parseArn } from '../../base/arn.ts';
import type { AuthorizationRequest, RequestContext } from '../service.ts';
import type { SecretRecord } from './records.ts';
import { lookUp, type SecretsState } from './state.ts';
import { CURRENT } from './versions.ts';

interface SecretInput {
  readonly SecretId?: string;
  readonly Name?: string;
  readonly Description?: string;
  readonly KmsKeyId?: string;
  readonly VersionId?: string;
  readonly VersionStage?: string;
  readonly Tags?: { readonly Key?: string; readonly Value?: string }[];
  readonly TagKeys?: readonly string[];
  readonly ForceDeleteWithoutRecovery?: boolean;
  readonly RecoveryWindowInDays?: number;
  readonly RotationLambdaARN?: string;
  readonly RotateImmediately?: boolean;
  readonly BlockPublicPolicy?: boolean;
  readonly ForceOverwriteReplicaSecret?: boolean;
  readonly AddReplicaRegions?: readonly { readonly Region?: string }[];
}

type Conditions = Record<string, readonly string[]>;

/** Service Authorization Reference, "Actions, resources, and condition keys for AWS Secrets Manager". */
export async function secretsAuthorization(
  state: SecretsState,
  operation: string,
  input: SecretInput,
  context: RequestContext,
): Promise<readonly AuthorizationRequest[]> {
  const action = `secretsmanager:${operation}`;
  if (input.SecretId !== undefined) {
    return [await onSecret(state, action, input.SecretId, input, context), ...invoking(operation, input, context)];
  }
  if (input.Name === undefined) return [{ action, resource: '*', conditions: requested(operation, input) }];
  const { account, region } = context;
  // The six characters are not known yet; policies are written with `-??????` or `*` there.
  const resource = `arn:aws:secretsmanager:${region}:${account}:secret:${input.Name}-??????`;
  const create = {
    action,
    resource,
    conditions: { 'secretsmanager:Name': [input.Name], ...requested(operation, input) },
  };
  return input.Tags?.length ? [create, { ...create, action: 'secretsmanager:TagResource' }] : [create];
}

/**
 * Who names a function has Secrets Manager call it, so must be allowed to call it. A function of another account says
 * itself whom it lets in. Source: API Reference, "RotateSecret", the required permissions.
 */
function invoking(operation: string, { RotationLambdaARN: arn }: SecretInput, { account }: RequestContext) {
  if (operation !== 'RotateSecret' || arn === undefined || parseArn(arn)?.account !== account) return [];
  return [{ action: 'lambda:InvokeFunction', resource: arn }];
}

/** What is asked about one secret. */
export async function onSecret(
  state: SecretsState,
  action: string,
  secretId: string,
  input: SecretInput,
  context: RequestContext,
): Promise<AuthorizationRequest> {
  const found = await lookUp(state.store, secretId, context);
  const operation = action.slice(action.indexOf(':') + 1);
  const { account, region } = context;
  const owner = found?.place.account ?? parseArn(secretId)?.account ?? account;
  return {
    action,
    resource:
      found?.secret.arn ??
      (secretId.startsWith('arn:') ? secretId : `arn:aws:secretsmanager:${region}:${account}:secret:${secretId}`),
    conditions: {
      'secretsmanager:SecretId': [secretId],
      ...(found ? ofSecret(found.secret, found.place.region) : {}),
      ...requested(operation, input),
    },
    resourcePolicy: found?.secret.policy,
    resourceAccount: owner,
  };
}

function ofSecret({ tags, rotation, replicaOf }: SecretRecord, region: string): Conditions {
  return {
    'secretsmanager:SecretPrimaryRegion': [replicaOf ?? region],
    ...(rotation ? { 'secretsmanager:resource/AllowRotationLambdaArn': [rotation.functionArn] } : {}),
    ...Object.fromEntries(
      Object.entries(tags).flatMap(([key, value]) => [
        [`aws:ResourceTag/${key}`, [value]],
        [`secretsmanager:ResourceTag/${key}`, [value]],
      ]),
    ),
  };
}

/** Condition keys that are members of the request. */
function requested(operation: string, input: SecretInput): Conditions {
  const conditions: Conditions = {};
  const put = (key: string, value: unknown) => {
    if (value !== undefined) conditions[`secretsmanager:${key}`] = [String(value)];
  };
  put('Description', input.Description);
  put('KmsKeyId', input.KmsKeyId);
  put('VersionId', input.VersionId);
  put('VersionStage', input.VersionStage);
  if (operation === 'GetSecretValue' && input.VersionId === undefined)
    put('VersionStage', input.VersionStage ?? CURRENT);
  put('ForceDeleteWithoutRecovery', input.ForceDeleteWithoutRecovery);
  put('RecoveryWindowInDays', input.RecoveryWindowInDays);
  put('RotationLambdaARN', input.RotationLambdaARN);
  put('ModifyRotationRules', operation === 'RotateSecret' ? 'RotationRules' in input : undefined);
  put('RotateImmediately', operation === 'RotateSecret' ? (input.RotateImmediately ?? true) : undefined);
  put('BlockPublicPolicy', operation === 'PutResourcePolicy' ? (input.BlockPublicPolicy ?? false) : undefined);
  put('ForceOverwriteReplicaSecret', input.ForceOverwriteReplicaSecret);
  if (input.AddReplicaRegions) {
    conditions['secretsmanager:AddReplicaRegions'] = input.AddReplicaRegions.map(({ Region: region = '' }) => region);
  }
  const tags = input.Tags ?? [];
  const keys = [...tags.map(({ Key: key = '' }) => key), ...(input.TagKeys ?? [])];
  if (keys.length > 0) conditions['aws:TagKeys'] = keys;
  for (const { Key: key = '', Value: value = '' } of tags) conditions[`aws:RequestTag/${key}`] = [value];
  return conditions;
}

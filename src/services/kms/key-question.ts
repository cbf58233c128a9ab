import type { AuthorizationRequest } from '../service.ts';
import type { EncryptionContext } from './encryption-context.ts';
import { type GrantUser, grantsFor, policyWithGrants } from './grants.ts';
import type { LoadedKey } from './key-ring.ts';
import type { KmsState } from './state.ts';

export type Conditions = Readonly<Record<string, readonly string[]>>;

export interface KeyUse {
  /** Without `kms:`. */
  readonly action: string;
  readonly user: GrantUser;
  readonly encryptionContext?: EncryptionContext | undefined;
  readonly conditions?: Conditions;
}

/**
 * The IAM question of using a key. Unlike elsewhere the key's policy must allow it, by naming the caller or by leaving it
 * to the account; grants add to it. Source: KMS Developer Guide, "Key policies in AWS KMS".
 */
export async function keyQuestion(state: KmsState, key: LoadedKey, use: KeyUse): Promise<AuthorizationRequest> {
  const { record, arn } = key;
  const grants = await grantsFor(state, record, use.action, use.user, use.encryptionContext);
  const action = `kms:${use.action}`;
  return {
    action,
    resource: arn,
    resourcePolicy: policyWithGrants(record.policy, grants, action),
    resourcePolicyDecides: true,
    resourceAccount: record.account,
    conditions: {
      'kms:CallerAccount': [use.user.account],
      'kms:KeySpec': [record.spec],
      'kms:KeyUsage': [record.usage],
      'kms:KeyOrigin': [record.origin],
      'kms:MultiRegion': [String(record.multiRegion !== undefined)],
      ...(record.multiRegion === undefined
        ? {}
        : { 'kms:MultiRegionKeyType': [record.multiRegion.primary === record.region ? 'PRIMARY' : 'REPLICA'] }),
      ...Object.fromEntries(Object.entries(record.tags).map(([tag, value]) => [`aws:ResourceTag/${tag}`, [value]])),
      ...contextConditions(use.encryptionContext),
      ...use.conditions,
    },
  };
}

function contextConditions(context: EncryptionContext | undefined): Conditions {
  if (context === undefined || Object.keys(context).length === 0) return {};
  return {
    ...Object.fromEntries(Object.entries(context).map(([key, value]) => [`kms:EncryptionContext:${key}`, [value]])),
    'kms:EncryptionContextKeys': Object.keys(context),
  };
}

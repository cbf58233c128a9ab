import type { Tag } from '@aws-sdk/client-kms';
import type { EncryptionContext } from './encryption-context.ts';
import type { Conditions } from './key-question.ts';

/** Members of the operations' inputs that decide who may run them. */
export interface QuestionedInput {
  readonly AliasName?: string;
  readonly BypassPolicyLockoutSafetyCheck?: boolean;
  readonly CiphertextBlob?: Uint8Array;
  readonly Constraints?: { readonly EncryptionContextEquals?: unknown; readonly EncryptionContextSubset?: unknown };
  readonly DestinationEncryptionContext?: EncryptionContext;
  readonly DestinationKeyId?: string;
  readonly EncryptionAlgorithm?: string;
  readonly EncryptionContext?: EncryptionContext;
  readonly ExpirationModel?: string;
  readonly GrantId?: string;
  readonly GrantToken?: string;
  readonly GranteePrincipal?: string;
  readonly KeyAgreementAlgorithm?: string;
  readonly KeyId?: string;
  readonly KeyPairSpec?: string;
  readonly KeySpec?: string;
  readonly CustomerMasterKeySpec?: string;
  readonly KeyUsage?: string;
  readonly MacAlgorithm?: string;
  readonly MessageType?: string;
  readonly MultiRegion?: boolean;
  readonly Operations?: readonly string[];
  readonly Origin?: string;
  readonly PendingWindowInDays?: number;
  readonly PrimaryRegion?: string;
  readonly ReplicaRegion?: string;
  readonly RetiringPrincipal?: string;
  readonly RotationPeriodInDays?: number;
  readonly SigningAlgorithm?: string;
  readonly SourceEncryptionContext?: EncryptionContext;
  readonly SourceKeyId?: string;
  readonly TagKeys?: readonly string[];
  readonly Tags?: readonly Tag[];
  readonly TargetKeyId?: string;
  readonly ValidTo?: Date;
  readonly WrappingAlgorithm?: string;
  readonly WrappingKeySpec?: string;
}

/** The condition keys that a request's input has values for. Source: KMS Developer Guide, "AWS KMS condition keys". */
export function inputConditions(operation: string, input: QuestionedInput): Conditions {
  const creates = operation === 'CreateKey';
  const usesMessages = input.SigningAlgorithm !== undefined;
  const takesPolicy = ['CreateKey', 'PutKeyPolicy', 'ReplicateKey'].includes(operation);
  const { EncryptionContextEquals, EncryptionContextSubset } = input.Constraints ?? {};
  const constraint = [
    ...(EncryptionContextEquals === undefined ? [] : ['EncryptionContextEquals']),
    ...(EncryptionContextSubset === undefined ? [] : ['EncryptionContextSubset']),
  ];
  const tagKeys = input.TagKeys ?? input.Tags?.map(({ TagKey = '' }) => TagKey) ?? [];
  return {
    ...single({
      'kms:BypassPolicyLockoutSafetyCheck': takesPolicy ? (input.BypassPolicyLockoutSafetyCheck ?? false) : undefined,
      'kms:DataKeyPairSpec': input.KeyPairSpec,
      'kms:EncryptionAlgorithm': input.EncryptionAlgorithm,
      'kms:ExpirationModel': input.ExpirationModel,
      'kms:GranteePrincipal': input.GranteePrincipal,
      'kms:KeyAgreementAlgorithm': input.KeyAgreementAlgorithm,
      'kms:MacAlgorithm': input.MacAlgorithm,
      'kms:MessageType': usesMessages ? (input.MessageType ?? 'RAW') : undefined,
      'kms:PrimaryRegion': input.PrimaryRegion,
      'kms:ReplicaRegion': input.ReplicaRegion,
      'kms:RetiringPrincipal': input.RetiringPrincipal,
      'kms:RotationPeriodInDays': operation === 'EnableKeyRotation' ? (input.RotationPeriodInDays ?? 365) : undefined,
      'kms:ScheduleKeyDeletionPendingWindowInDays':
        operation === 'ScheduleKeyDeletion' ? (input.PendingWindowInDays ?? 30) : undefined,
      'kms:SigningAlgorithm': input.SigningAlgorithm,
      'kms:ValidTo': input.ValidTo?.toISOString(),
      'kms:WrappingAlgorithm': input.WrappingAlgorithm,
      'kms:WrappingKeySpec': input.WrappingKeySpec,
      ...(creates
        ? {
            'kms:KeySpec': input.KeySpec ?? input.CustomerMasterKeySpec ?? 'SYMMETRIC_DEFAULT',
            'kms:KeyUsage': input.KeyUsage ?? 'ENCRYPT_DECRYPT',
            'kms:KeyOrigin': input.Origin ?? 'AWS_KMS',
            'kms:MultiRegion': input.MultiRegion ?? false,
          }
        : {}),
      ...Object.fromEntries((input.Tags ?? []).map(({ TagKey, TagValue }) => [`aws:RequestTag/${TagKey}`, TagValue])),
    }),
    ...(constraint.length === 0 ? {} : { 'kms:GrantConstraintType': constraint }),
    ...(operation === 'CreateGrant' ? { 'kms:GrantOperations': input.Operations ?? [] } : {}),
    ...(tagKeys.length === 0 ? {} : { 'aws:TagKeys': tagKeys }),
  };
}

function single(values: Readonly<Record<string, string | number | boolean | undefined>>): Conditions {
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, [String(value)]]])),
  );
}

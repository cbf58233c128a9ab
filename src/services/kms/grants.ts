import type { Principal } from '../service.ts';
import type { EncryptionContext } from './encryption-context.ts';
import { specInfo } from './key-specs.ts';
import type { Grantee, GrantRecord, KeyPlace, KeyRecord } from './records.ts';
import { grantPrefix } from './records.ts';
import type { KmsState } from './state.ts';

/** How a principal is named as a grantee. */
export type GrantUser = Pick<Principal, 'type' | 'account' | 'arn' | 'roleArn' | 'service'> & {
  /** The resource for which a service acts. */
  readonly sourceArn?: string | undefined;
};

/** The grants that let a principal do something with a key. Source: KMS Developer Guide, "Grants in AWS KMS". */
export async function grantsFor(
  state: KmsState,
  place: KeyPlace,
  operation: string,
  user: GrantUser,
  context: EncryptionContext | undefined,
): Promise<readonly GrantRecord[]> {
  const entries = await state.store.range<GrantRecord>({ prefix: grantPrefix(place) });
  return entries
    .map(({ value }) => value)
    .filter(
      (grant) =>
        grant.operations.includes(operation) &&
        isGrantee(grant.grantee, user) &&
        (grant.sourceArn === undefined || grant.sourceArn === user.sourceArn) &&
        fitsContext(grant, operation, context),
    );
}

/** True when the grantee is this principal: the user, the session, the session's role, the service. */
export function isGrantee(grantee: Grantee | undefined, user: GrantUser): boolean {
  if (grantee === undefined) return false;
  if ('service' in grantee) return user.type === 'Service' && user.service === grantee.service;
  return grantee.arn === user.arn || grantee.arn === user.roleArn;
}

/** Operations that an encryption context goes with; constraints on it concern only these. */
const WITH_CONTEXT = new Set([
  'Decrypt',
  'Encrypt',
  'GenerateDataKey',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'GenerateDataKeyWithoutPlaintext',
  'ReEncryptFrom',
  'ReEncryptTo',
]);

function fitsContext(grant: GrantRecord, operation: string, context: EncryptionContext | undefined): boolean {
  if (!WITH_CONTEXT.has(operation)) return true;
  const given = context ?? {};
  const includes = (wanted: EncryptionContext) =>
    Object.entries(wanted).every(([key, value]) => Object.hasOwn(given, key) && given[key] === value);
  if (grant.contextSubset !== undefined && !includes(grant.contextSubset)) return false;
  if (grant.contextEquals === undefined) return true;
  return includes(grant.contextEquals) && Object.keys(given).length === Object.keys(grant.contextEquals).length;
}

/** A key policy with what grants add to it, as statements: a deny anywhere still wins. */
export function policyWithGrants(policy: string, grants: readonly GrantRecord[], action: string): string {
  if (grants.length === 0) return policy;
  const document = JSON.parse(policy) as { readonly Statement?: unknown };
  const statements = Array.isArray(document.Statement) ? document.Statement : [document.Statement];
  const granted = grants.map(({ grantee }) => ({
    Effect: 'Allow',
    Principal: 'arn' in grantee ? { AWS: grantee.arn } : { Service: grantee.service },
    Action: action,
    Resource: '*',
  }));
  return JSON.stringify({ ...document, Statement: [...statements, ...granted] });
}

/** The operations that a grant for a key can allow. Source: KMS Developer Guide, "Grant operations". */
export function grantableOperations({ spec, usage }: Pick<KeyRecord, 'spec' | 'usage'>): readonly string[] {
  const always = ['CreateGrant', 'DescribeKey', 'RetireGrant'];
  const isSecret = specInfo(spec).material.kind === 'secret';
  const byUsage = {
    ENCRYPT_DECRYPT: ['Decrypt', 'Encrypt', 'ReEncryptFrom', 'ReEncryptTo'],
    SIGN_VERIFY: ['Sign', 'Verify'],
    GENERATE_VERIFY_MAC: ['GenerateMac', 'VerifyMac'],
    KEY_AGREEMENT: ['DeriveSharedSecret'],
    ENCAPSULATE_DECAPSULATE: ['Decapsulate', 'Encapsulate'],
  }[usage];
  const dataKeys = [...WITH_CONTEXT].filter((operation) => operation.startsWith('GenerateDataKey'));
  return [
    ...always,
    ...byUsage,
    ...(isSecret ? [] : ['GetPublicKey']),
    ...(spec === 'SYMMETRIC_DEFAULT' ? dataKeys : []),
  ];
}

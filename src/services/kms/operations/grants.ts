import type {
  CreateGrantCommandInput,
  GrantListEntry,
  ListGrantsCommandInput,
  ListRetirableGrantsCommandInput,
  RetireGrantCommandInput,
  RevokeGrantCommandInput,
} from '@aws-sdk/client-kms';
import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { checkOptions, endDryRun } from '../dry-run.ts';
import { checkContext } from '../encryption-context.ts';
import { checkEnum, checkLength, constraint, invalidArn, validation } from '../errors.ts';
import { makeGrantToken, readGrantToken } from '../grant-tokens.ts';
import { grantableOperations } from '../grants.ts';
import { findNamedKey } from '../key-access.ts';
import { checkState } from '../key-use.ts';
import { storedPage } from '../paging.ts';
import {
  accountGrants,
  type Grantee,
  type GrantRecord,
  grantKey,
  grantPrefix,
  type KeyPlace,
  keyArn,
} from '../records.ts';
import type { KmsState } from '../state.ts';

const PAGE = { byDefault: 50, most: 100 };

export async function createGrant(state: KmsState, input: CreateGrantCommandInput, context: RequestContext) {
  checkOptions(state, input);
  const key = await findNamedKey(state, input.KeyId, context);
  checkState(key, ['Enabled']);
  const wanted = grantFrom(input, context);
  const possible = grantableOperations(key.record);
  for (const operation of wanted.operations) checkEnum('operations', operation, possible);
  if (key.record.spec !== 'SYMMETRIC_DEFAULT' && (wanted.contextEquals ?? wanted.contextSubset) !== undefined) {
    throw validation('Encryption context constraints go with symmetric encryption keys only.');
  }
  endDryRun(input);
  const fresh: GrantRecord = {
    ...wanted,
    id: state.random.hex(64),
    keyId: key.record.id,
    creationDate: state.clock.now(),
  };
  const id = await state.store.transact(async (transaction) => {
    const same = wanted.name === undefined ? undefined : await sameGrant(wanted);
    if (same) return same.id;
    transaction.put(grantKey(key.record, fresh.id), fresh);
    return fresh.id;

    /** A request with the name and everything else of an earlier one makes no other grant. */
    async function sameGrant(grant: WantedGrant): Promise<GrantRecord | undefined> {
      const all = await transaction.range<GrantRecord>({ prefix: grantPrefix(key.record) });
      return all.map(({ value }) => value).find((known) => describe(known) === describe(grant));
    }
  });
  const { account, region, id: keyId } = key.record;
  return { GrantId: id, GrantToken: makeGrantToken(state, { key: { account, region, id: keyId }, grantId: id }) };
}

export async function listGrants(state: KmsState, input: ListGrantsCommandInput, context: RequestContext) {
  const { record, arn } = await findNamedKey(state, input.KeyId, context);
  const { GrantId, GranteePrincipal, GranteeServicePrincipal } = input;
  const prefix = grantPrefix(record);
  if (GrantId !== undefined && !(await state.store.get(grantKey(record, GrantId)))) throw invalidGrantId();
  const { items, more } = await storedPage<GrantRecord>(
    state.store,
    prefix,
    input,
    PAGE,
    (grant) =>
      (GrantId === undefined || grant.id === GrantId) &&
      (GranteePrincipal === undefined || isNamed(grant.grantee, GranteePrincipal)) &&
      (GranteeServicePrincipal === undefined || isNamed(grant.grantee, GranteeServicePrincipal)),
  );
  return { Grants: items.map((grant) => grantEntry(grant, arn)), ...more };
}

export async function listRetirableGrants(
  state: KmsState,
  input: ListRetirableGrantsCommandInput,
  context: RequestContext,
) {
  const retiring = input.RetiringPrincipal ?? input.RetiringServicePrincipal;
  if (retiring === undefined) throw constraint('retiringPrincipal', 'Member must not be null', 'null ');
  const { account, region } = context;
  const { items, more } = await storedPage<GrantRecord>(
    state.store,
    accountGrants(account, region),
    input,
    PAGE,
    (grant) => isNamed(grant.retiring, retiring),
  );
  return { Grants: items.map((grant) => grantEntry(grant, keyArn({ account, region, id: grant.keyId }))), ...more };
}

export async function retireGrant(state: KmsState, input: RetireGrantCommandInput, context: RequestContext) {
  const { key, grantId } = await namedGrant(state, input, context);
  return removeGrant(state, key, grantId, input);
}

export async function revokeGrant(state: KmsState, input: RevokeGrantCommandInput, context: RequestContext) {
  const { record } = await findNamedKey(state, input.KeyId, context);
  return removeGrant(state, record, input.GrantId ?? '', input);
}

/** The grant of a RetireGrant: by its token, or by key and id. */
export async function namedGrant(
  state: KmsState,
  { GrantId, GrantToken, KeyId }: RetireGrantCommandInput,
  context: RequestContext,
): Promise<{ readonly key: KeyPlace; readonly grantId: string }> {
  if (GrantToken !== undefined) {
    if (KeyId !== undefined || GrantId !== undefined) {
      throw validation('Only either grant token or key ID and grant ID can be specified');
    }
    return readGrantToken(state, GrantToken);
  }
  if (KeyId === undefined || GrantId === undefined) {
    throw validation('Either grant token or both key ID and grant ID must be specified');
  }
  return { key: (await findNamedKey(state, KeyId, context)).record, grantId: GrantId };
}

async function removeGrant(state: KmsState, key: KeyPlace, grantId: string, input: { DryRun?: boolean | undefined }) {
  checkLength('grantId', grantId.length, 1, 128);
  const where = grantKey(key, grantId);
  if (!(await state.store.get(where))) throw invalidGrantId();
  endDryRun(input);
  await state.store.delete(where);
  return {};
}

type WantedGrant = Omit<GrantRecord, 'id' | 'keyId' | 'creationDate'>;

function grantFrom(input: CreateGrantCommandInput, { account }: RequestContext): WantedGrant {
  const { Constraints, Name, Operations = [] } = input;
  const grantee = granteeOf('granteePrincipal', input.GranteePrincipal, input.GranteeServicePrincipal);
  if (grantee === undefined) throw constraint('granteePrincipal', 'Member must not be null', 'null ');
  checkLength('operations', Operations.length, 1, 100);
  if (Name !== undefined && !/^[a-zA-Z0-9:/_-]{1,256}$/.test(Name)) {
    throw constraint('name', 'Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$', `'${Name}' `);
  }
  checkContext('constraints.encryptionContextEquals', Constraints?.EncryptionContextEquals);
  checkContext('constraints.encryptionContextSubset', Constraints?.EncryptionContextSubset);
  if (Constraints?.SourceArn !== undefined && !('service' in grantee)) {
    throw validation('SourceArn constrains grants of service principals only.');
  }
  const retiring = granteeOf('retiringPrincipal', input.RetiringPrincipal, input.RetiringServicePrincipal);
  return {
    ...(Name === undefined ? {} : { name: Name }),
    issuingAccount: `arn:aws:iam::${account}:root`,
    grantee,
    ...(retiring === undefined ? {} : { retiring }),
    operations: [...new Set(Operations)],
    ...(Constraints?.EncryptionContextEquals === undefined
      ? {}
      : { contextEquals: Constraints.EncryptionContextEquals }),
    ...(Constraints?.EncryptionContextSubset === undefined
      ? {}
      : { contextSubset: Constraints.EncryptionContextSubset }),
    ...(Constraints?.SourceArn === undefined ? {} : { sourceArn: Constraints.SourceArn }),
  };
}

function granteeOf(member: string, arn: string | undefined, service: string | undefined): Grantee | undefined {
  if (arn !== undefined && service !== undefined) {
    throw validation(`Specify ${member} or its service principal, not both.`);
  }
  if (service !== undefined) return { service };
  if (arn === undefined) return undefined;
  checkLength(member, arn.length, 1, 256);
  if (arn.endsWith('.amazonaws.com')) return { service: arn };
  if (!/^arn:aws:(?:iam|sts)::\d{12}:\S+$/.test(arn))
    throw invalidArn(`ARN does not refer to a valid principal: ${arn}`);
  return { arn };
}

function isNamed(grantee: Grantee | undefined, name: string): boolean {
  if (grantee === undefined) return false;
  return ('arn' in grantee ? grantee.arn : grantee.service) === name;
}

/** Two grants with the same text are the same to CreateGrant. */
function describe(grant: WantedGrant): string {
  const { contextEquals, contextSubset, grantee, issuingAccount, name, operations, retiring, sourceArn } = grant;
  const sorted = (pairs: Readonly<Record<string, string>> | undefined) =>
    pairs === undefined ? null : Object.entries(pairs).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([
    name,
    grantee,
    retiring ?? null,
    issuingAccount,
    [...operations].sort(),
    sorted(contextEquals),
    sorted(contextSubset),
    sourceArn ?? null,
  ]);
}

function grantEntry(grant: GrantRecord, arn: string): GrantListEntry {
  const { contextEquals, contextSubset, grantee, retiring, sourceArn } = grant;
  const constrained = contextEquals !== undefined || contextSubset !== undefined || sourceArn !== undefined;
  return {
    KeyId: arn,
    GrantId: grant.id,
    // Empty, as AWS lists grants without one.
    Name: grant.name ?? '',
    CreationDate: new Date(grant.creationDate),
    ...('arn' in grantee
      ? { GranteePrincipal: grantee.arn }
      : { GranteePrincipal: grantee.service, GranteeServicePrincipal: grantee.service }),
    ...(retiring === undefined
      ? {}
      : 'arn' in retiring
        ? { RetiringPrincipal: retiring.arn }
        : { RetiringPrincipal: retiring.service, RetiringServicePrincipal: retiring.service }),
    IssuingAccount: grant.issuingAccount,
    Operations: [...grant.operations] as never,
    ...(constrained
      ? {
          Constraints: {
            ...(contextEquals === undefined ? {} : { EncryptionContextEquals: contextEquals }),
            ...(contextSubset === undefined ? {} : { EncryptionContextSubset: contextSubset }),
            ...(sourceArn === undefined ? {} : { SourceArn: sourceArn }),
          },
        }
      : {}),
  };
}

const invalidGrantId = (): ServiceError => new ServiceError('InvalidGrantIdException', 'The grant ID is not valid.');

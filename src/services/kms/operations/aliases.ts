import type {
  CreateAliasCommandInput,
  DeleteAliasCommandInput,
  ListAliasesCommandInput,
  UpdateAliasCommandInput,
} from '@aws-sdk/client-kms';
import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { checkLength, constraint, limitExceeded, notFound, validation } from '../errors.ts';
import { findCustomerKey, findOwnKey } from '../key-access.ts';
import { findKey, parseKeyId } from '../key-identifier.ts';
import { specInfo } from '../key-specs.ts';
import { checkState } from '../key-use.ts';
import { storedPage } from '../paging.ts';
import { type AliasRecord, aliasArn, aliasKey, aliasPrefix, type KeyRecord } from '../records.ts';
import type { KmsState } from '../state.ts';

/** Source: KMS Developer Guide, "Resource quotas". */
const ALIASES_A_KEY = 50;

export async function createAlias(state: KmsState, input: CreateAliasCommandInput, context: RequestContext) {
  const name = checkedName(input.AliasName);
  const key = await aliasTarget(state, input.TargetKeyId, context);
  const { account, region } = context;
  const now = state.clock.now();
  await state.store.transact(async (transaction) => {
    if (await transaction.get(aliasKey(account, region, name))) {
      const arn = aliasArn(account, region, name);
      throw new ServiceError('AlreadyExistsException', `An alias with the name ${arn} already exists`);
    }
    const all = await transaction.range<AliasRecord>({ prefix: aliasPrefix(account, region) });
    if (all.filter(({ value }) => value.keyId === key.id).length >= ALIASES_A_KEY) {
      throw limitExceeded(`A key cannot have more than ${ALIASES_A_KEY} aliases.`);
    }
    const alias: AliasRecord = { name, keyId: key.id, creationDate: now, lastUpdatedDate: now };
    transaction.put(aliasKey(account, region, name), alias);
  });
  return {};
}

export async function updateAlias(state: KmsState, input: UpdateAliasCommandInput, context: RequestContext) {
  const name = checkedName(input.AliasName);
  const { account, region } = context;
  const known = await state.store.get<AliasRecord>(aliasKey(account, region, name));
  if (!known) throw aliasNotFound(context, name);
  const key = await aliasTarget(state, input.TargetKeyId, context);
  const { record: old } = await findKey(state, known.value.keyId, context);
  if (kindOf(old) !== kindOf(key) || old.usage !== key.usage) {
    throw validation(
      `The alias ${name} cannot be moved: both keys must be symmetric, asymmetric or HMAC keys, and have the same key usage.`,
    );
  }
  const now = state.clock.now();
  await state.store.transact(async (transaction) => {
    const alias = await transaction.get<AliasRecord>(aliasKey(account, region, name));
    if (!alias) throw aliasNotFound(context, name);
    transaction.put(aliasKey(account, region, name), { ...alias.value, keyId: key.id, lastUpdatedDate: now });
  });
  return {};
}

export async function deleteAlias(state: KmsState, input: DeleteAliasCommandInput, context: RequestContext) {
  const name = checkedName(input.AliasName);
  const key = aliasKey(context.account, context.region, name);
  await state.store.transact(async (transaction) => {
    if (!(await transaction.get(key))) throw aliasNotFound(context, name);
    transaction.delete(key);
  });
  return {};
}

export async function listAliases(state: KmsState, input: ListAliasesCommandInput, context: RequestContext) {
  if (state.dueDates.isDue) await state.dueDates.settle();
  const { account, region } = context;
  const of = input.KeyId === undefined ? undefined : (await findOwnKey(state, input.KeyId, context)).record.id;
  const { items, more } = await storedPage<AliasRecord>(
    state.store,
    aliasPrefix(account, region),
    input,
    { byDefault: 50, most: 100 },
    ({ keyId }) => of === undefined || keyId === of,
  );
  return {
    Aliases: items.map(({ name, keyId, creationDate, lastUpdatedDate }) => ({
      AliasName: name,
      AliasArn: aliasArn(account, region, name),
      TargetKeyId: keyId,
      CreationDate: new Date(creationDate),
      LastUpdatedDate: new Date(lastUpdatedDate),
    })),
    ...more,
  };
}

/** Source: API reference, CreateAlias. */
function checkedName(name = ''): string {
  checkLength('aliasName', name.length, 1, 256);
  if (!/^[a-zA-Z0-9:/_-]+$/.test(name)) {
    throw constraint('aliasName', 'Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$', `'${name}' `);
  }
  if (!name.startsWith('alias/')) {
    throw new ServiceError('InvalidAliasNameException', 'Alias must start with the prefix "alias/".');
  }
  if (name === 'alias/' || name.includes(':')) {
    throw new ServiceError('InvalidAliasNameException', `Alias ${name} contains invalid characters for an alias`);
  }
  if (name.startsWith('alias/aws/')) throw new ServiceError('NotAuthorizedException', '');
  return name;
}

async function aliasTarget(state: KmsState, keyId: string | undefined, context: RequestContext): Promise<KeyRecord> {
  if ('alias' in parseKeyId(keyId ?? '', context, 'targetKeyId')) {
    throw validation('Aliases must refer to keys. Not aliases');
  }
  const key = await findCustomerKey(state, keyId, context);
  checkState(key, ['Enabled', 'Disabled', 'PendingImport']);
  return key.record;
}

function kindOf({ spec }: KeyRecord): 'symmetric' | 'asymmetric' | 'HMAC' {
  if (spec === 'SYMMETRIC_DEFAULT') return 'symmetric';
  return specInfo(spec).material.kind === 'secret' ? 'HMAC' : 'asymmetric';
}

function aliasNotFound({ account, region }: RequestContext, name: string): ServiceError {
  return notFound(`Alias ${aliasArn(account, region, name)} is not found.`);
}

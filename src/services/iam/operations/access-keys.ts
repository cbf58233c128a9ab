import type * as Sdk from '@aws-sdk/client-iam';
import type { Random } from '../../../base/random.ts';
import { createAccessKeyId } from '../../access-key-id.ts';
import type { RequestContext } from '../../service.ts';
import { limitExceeded, noSuchEntity, validationError } from '../errors.ts';
import { pageOf } from '../input.ts';
import {
  type AccessKeyRecord,
  accessKeyKey,
  type LastUsed,
  lastUsedKey,
  userAccessKeyKey,
  userAccessKeyPrefix,
} from '../records.ts';
import { change, findEntity, type IamState, type Reader } from '../state.ts';
import { userNameOf } from './users.ts';

/** IAM User Guide, "IAM and AWS STS quotas". */
const KEYS_PER_USER = 2;
const SECRET_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

export function newAccessKey(account: string, user: string | undefined, random: Random, now: number): AccessKeyRecord {
  return {
    accessKeyId: createAccessKeyId('AKIA', account, random),
    secretAccessKey: random.from(SECRET_ALPHABET, 40),
    account,
    user,
    status: 'Active',
    created: now,
  };
}

export async function createAccessKey(
  state: IamState,
  input: Sdk.CreateAccessKeyCommandInput,
  context: RequestContext,
) {
  const userName = userNameOf(input, context);
  const { account } = context;
  const key = await change(state, context, async (transaction) => {
    await findEntity(transaction, account, 'user', userName);
    const existing = await transaction.range({ prefix: userAccessKeyPrefix(account, userName) });
    if (existing.length >= KEYS_PER_USER)
      throw limitExceeded(`Cannot exceed quota for AccessKeysPerUser: ${KEYS_PER_USER}`);
    const record = newAccessKey(account, userName, state.random, state.clock.now());
    transaction.put(accessKeyKey(record.accessKeyId), record);
    transaction.put(userAccessKeyKey(account, userName, record.accessKeyId), record.accessKeyId);
    return record;
  });
  return {
    AccessKey: {
      UserName: userName,
      AccessKeyId: key.accessKeyId,
      Status: key.status,
      SecretAccessKey: key.secretAccessKey,
      CreateDate: new Date(key.created),
    },
  };
}

export async function listAccessKeys(state: IamState, input: Sdk.ListAccessKeysCommandInput, context: RequestContext) {
  const userName = userNameOf(input, context);
  const keys = await keysOfUser(state, context.account, userName);
  const { items, paging } = pageOf(keys, input, (key) => key.accessKeyId);
  return {
    AccessKeyMetadata: items.map((key) => ({
      UserName: userName,
      AccessKeyId: key.accessKeyId,
      Status: key.status,
      CreateDate: new Date(key.created),
    })),
    ...paging,
  };
}

export async function updateAccessKey(
  state: IamState,
  input: Sdk.UpdateAccessKeyCommandInput,
  context: RequestContext,
) {
  const status = input.Status!;
  if (status !== 'Active' && status !== 'Inactive') throw validationError(`Invalid status: ${status}`);
  await change(state, context, async (transaction) => {
    const key = await findKey(transaction, context.account, userNameOf(input, context), input.AccessKeyId!);
    transaction.put(accessKeyKey(key.accessKeyId), { ...key, status });
  });
  return {};
}

export async function deleteAccessKey(
  state: IamState,
  input: Sdk.DeleteAccessKeyCommandInput,
  context: RequestContext,
) {
  const userName = userNameOf(input, context);
  await change(state, context, async (transaction) => {
    const key = await findKey(transaction, context.account, userName, input.AccessKeyId!);
    transaction.delete(accessKeyKey(key.accessKeyId));
    transaction.delete(userAccessKeyKey(context.account, userName, key.accessKeyId));
    transaction.delete(lastUsedKey(key.accessKeyId));
  });
  return {};
}

export async function getAccessKeyLastUsed(
  state: IamState,
  input: Sdk.GetAccessKeyLastUsedCommandInput,
  { account }: RequestContext,
) {
  const key = (await state.store.get<AccessKeyRecord>(accessKeyKey(input.AccessKeyId!)))?.value;
  if (key?.account !== account) {
    throw noSuchEntity(`The Access Key with id ${input.AccessKeyId} cannot be found.`);
  }
  const used = (await state.store.get<LastUsed>(lastUsedKey(key.accessKeyId)))?.value;
  return {
    ...(key.user === undefined ? {} : { UserName: key.user }),
    AccessKeyLastUsed: {
      ...(used ? { LastUsedDate: new Date(used.time) } : {}),
      ServiceName: used?.service ?? 'N/A',
      Region: used?.region ?? 'N/A',
    },
  };
}

async function findKey(
  reader: Reader,
  account: string,
  userName: string,
  accessKeyId: string,
): Promise<AccessKeyRecord> {
  await findEntity(reader, account, 'user', userName);
  const key = (await reader.get<AccessKeyRecord>(accessKeyKey(accessKeyId)))?.value;
  if (key?.account !== account || key.user !== userName) {
    throw noSuchEntity(`The Access Key with id ${accessKeyId} cannot be found.`);
  }
  return key;
}

async function keysOfUser(state: IamState, account: string, userName: string): Promise<AccessKeyRecord[]> {
  await findEntity(state.store, account, 'user', userName);
  const ids = await state.store.range<string>({ prefix: userAccessKeyPrefix(account, userName) });
  const keys = await Promise.all(ids.map(({ value }) => state.store.get<AccessKeyRecord>(accessKeyKey(value))));
  return keys.flatMap((entry) => (entry ? [entry.value] : []));
}

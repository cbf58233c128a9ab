import type * as Sdk from '@aws-sdk/client-iam';
import type { RequestContext } from '../../service.ts';
import { alreadyExists, deleteConflict, noSuchEntity, validationError } from '../errors.ts';
import { addTags, checkName, checkPath, pageOf, sdkTags } from '../input.ts';
import {
  accessKeyKey,
  entityKey,
  iamArn,
  lastUsedKey,
  newId,
  type UserRecord,
  userAccessKeyKey,
  userAccessKeyPrefix,
} from '../records.ts';
import { change, findEntity, findPolicy, type IamState, listEntities } from '../state.ts';

export function sdkUser(user: UserRecord): Sdk.User {
  return {
    Path: user.path,
    UserName: user.name,
    UserId: user.id,
    Arn: user.arn,
    CreateDate: new Date(user.created),
    ...boundaryOf(user),
  };
}

export function boundaryOf(entity: { readonly boundary?: string | undefined }): {
  PermissionsBoundary?: Sdk.AttachedPermissionsBoundary;
} {
  if (entity.boundary === undefined) return {};
  return {
    PermissionsBoundary: {
      PermissionsBoundaryType: 'Policy' as Sdk.PermissionsBoundaryAttachmentType,
      PermissionsBoundaryArn: entity.boundary,
    },
  };
}

/** The user an operation is about: the one named, else the caller. */
export function userNameOf(input: { readonly UserName?: string | undefined }, { principal }: RequestContext): string {
  if (input.UserName !== undefined) return input.UserName;
  if (principal.type === 'User') return principal.arn.slice(principal.arn.lastIndexOf('/') + 1);
  throw validationError('Must specify userName when calling with non-User credentials');
}

export async function createUser(state: IamState, input: Sdk.CreateUserCommandInput, context: RequestContext) {
  const name = checkName(input.UserName!, 'userName', 64);
  const path = checkPath(input.Path);
  const tags = addTags({}, input.Tags);
  const user = await change(state, context, async (transaction) => {
    const key = entityKey(context.account, 'user', name);
    if (await transaction.get(key)) throw alreadyExists(`User with name ${name} already exists.`);
    if (
      input.PermissionsBoundary !== undefined &&
      !(await findPolicy(transaction, context.account, input.PermissionsBoundary))
    ) {
      throw noSuchEntity(`Scope ARN: ${input.PermissionsBoundary} does not exist or is not attachable.`);
    }
    const record: UserRecord = {
      name,
      path,
      id: newId('AIDA', state.random),
      arn: iamArn(context.account, 'user', path, name),
      created: state.clock.now(),
      tags,
      inline: {},
      attached: [],
      groups: [],
      boundary: input.PermissionsBoundary,
    };
    transaction.put(key, record);
    return record;
  });
  return { User: { ...sdkUser(user), ...(input.Tags?.length ? { Tags: sdkTags(tags) } : {}) } };
}

export async function getUser(state: IamState, input: Sdk.GetUserCommandInput, context: RequestContext) {
  if (input.UserName === undefined && context.principal.type === 'Root') {
    const account = context.principal.account;
    return {
      User: {
        Path: '/',
        UserName: 'root',
        UserId: account,
        Arn: `arn:aws:iam::${account}:root`,
        CreateDate: new Date(0),
      },
    };
  }
  const user = await findEntity(state.store, context.account, 'user', userNameOf(input, context));
  const tags = sdkTags(user.tags);
  return { User: { ...sdkUser(user), ...(tags.length > 0 ? { Tags: tags } : {}) } };
}

export async function listUsers(state: IamState, input: Sdk.ListUsersCommandInput, { account }: RequestContext) {
  const users = (await listEntities(state.store, account, 'user')).filter((user) =>
    user.path.startsWith(input.PathPrefix ?? '/'),
  );
  const { items, paging } = pageOf(users, input, (user) => user.name);
  return { Users: items.map(sdkUser), ...paging };
}

export async function updateUser(state: IamState, input: Sdk.UpdateUserCommandInput, context: RequestContext) {
  const name = input.UserName!;
  const newName = checkName(input.NewUserName ?? name, 'newUserName', 64);
  await change(state, context, async (transaction) => {
    const user = await findEntity(transaction, context.account, 'user', name);
    const path = input.NewPath === undefined ? user.path : checkPath(input.NewPath);
    const oldKey = entityKey(context.account, 'user', name);
    const newKey = entityKey(context.account, 'user', newName);
    if (newName.toLowerCase() !== name.toLowerCase()) {
      if (await transaction.get(newKey)) throw alreadyExists(`User with name ${newName} already exists.`);
      transaction.delete(oldKey);
    }
    for (const { key, value } of await transaction.range<string>({
      prefix: userAccessKeyPrefix(context.account, name),
    })) {
      const record = await transaction.get<object>(accessKeyKey(value));
      transaction.delete(key);
      transaction.put(userAccessKeyKey(context.account, newName, value), value);
      if (record) transaction.put(accessKeyKey(value), { ...record.value, user: newName });
    }
    transaction.put(newKey, { ...user, name: newName, path, arn: iamArn(context.account, 'user', path, newName) });
  });
  return {};
}

export async function deleteUser(state: IamState, input: Sdk.DeleteUserCommandInput, context: RequestContext) {
  const name = input.UserName!;
  await change(state, context, async (transaction) => {
    const user = await findEntity(transaction, context.account, 'user', name);
    if (user.attached.length > 0) throw deleteConflict('Cannot delete entity, must detach all policies first.');
    if (Object.keys(user.inline).length > 0) throw deleteConflict('Cannot delete entity, must delete policies first.');
    if (user.groups.length > 0) throw deleteConflict('Cannot delete entity, must remove user from all groups first.');
    const keys = await transaction.range({ prefix: userAccessKeyPrefix(context.account, name), limit: 1 });
    if (keys.length > 0) throw deleteConflict('Cannot delete entity, must delete access keys first.');
    transaction.delete(entityKey(context.account, 'user', name));
    transaction.delete(lastUsedKey(user.arn));
  });
  return {};
}

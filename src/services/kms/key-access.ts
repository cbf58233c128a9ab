import type { RequestContext } from '../service.ts';
import { accessDenied, invalidArn, notFound } from './errors.ts';
import { findKey, parseKeyId } from './key-identifier.ts';
import type { LoadedKey } from './key-ring.ts';
import type { KmsState } from './state.ts';

/**
 * A key of the caller's own account, for operations that cannot be used across accounts. Throws NotFoundException, or
 * AccessDeniedException for another account's.
 */
export async function findOwnKey(
  state: KmsState,
  keyId: string | undefined,
  context: RequestContext,
): Promise<LoadedKey> {
  const key = await findNamedKey(state, keyId, context);
  if (key.record.account !== context.account) throw denied(key, context);
  return key;
}

/** A key of the caller's own account by its id or ARN: management operations do not take aliases. */
export async function findNamedKey(
  state: KmsState,
  keyId: string | undefined,
  context: RequestContext,
): Promise<LoadedKey> {
  if ('alias' in parseKeyId(keyId ?? '', context)) {
    throw keyId!.startsWith('arn:') ? invalidArn(`Invalid arn ${keyId}`) : notFound(`Invalid keyId '${keyId}'`);
  }
  return findKey(state, keyId ?? '', context);
}

/** A key that the caller manages. Throws AccessDeniedException for AWS managed keys, which nobody but AWS changes. */
export async function findCustomerKey(
  state: KmsState,
  keyId: string | undefined,
  context: RequestContext,
): Promise<LoadedKey> {
  const key = await findOwnKey(state, keyId, context);
  if (key.record.manager === 'AWS') throw denied(key, context);
  return key;
}

function denied(key: LoadedKey, context: RequestContext) {
  const { operation, principal } = context;
  return accessDenied(`User: ${principal.arn} is not authorized to perform: kms:${operation} on resource: ${key.arn}`);
}

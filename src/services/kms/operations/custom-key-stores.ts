import type { DescribeCustomKeyStoresCommandInput } from '@aws-sdk/client-kms';
import { ServiceError } from '../../../base/errors.ts';
import type { KmsState } from '../state.ts';

/** There are none, and none can be made. */
export async function describeCustomKeyStores(_state: KmsState, input: DescribeCustomKeyStoresCommandInput) {
  const named = input.CustomKeyStoreId ?? input.CustomKeyStoreName;
  if (named !== undefined) {
    throw new ServiceError('CustomKeyStoreNotFoundException', `Custom key store ${named} does not exist.`);
  }
  return { CustomKeyStores: [], Truncated: false };
}

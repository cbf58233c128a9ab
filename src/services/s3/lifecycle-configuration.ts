import type {
  DeleteBucketLifecycleCommandInput,
  GetBucketLifecycleConfigurationCommandInput,
  GetBucketLifecycleConfigurationCommandOutput,
  PutBucketLifecycleConfigurationCommandInput,
  PutBucketLifecycleConfigurationCommandOutput,
} from '@aws-sdk/client-s3';
import { ServiceError } from '../../base/errors.ts';
import type { RequestContext } from '../service.ts';
import { bucketInTransaction, requireBucket } from './bucket-access.ts';
import { notImplemented } from './errors.ts';
import { bucketKey, configKey } from './keys.ts';
import { formatRule, parseRules, type StoredRule } from './lifecycle-rules.ts';
import type { S3State } from './state.ts';

type Output<T> = Omit<T, '$metadata'>;

/** It matters to transitions only, which are refused; so the default is the one value that can be meant. */
const minimumSize = 'all_storage_classes_128K' as const;

/** Source: S3 API Reference, "PutBucketLifecycleConfiguration". Replaces all rules. */
export async function putBucketLifecycleConfiguration(
  s3: S3State,
  input: PutBucketLifecycleConfigurationCommandInput,
  context: RequestContext,
): Promise<Output<PutBucketLifecycleConfigurationCommandOutput>> {
  const { name } = await requireBucket(s3, input, context);
  const asked = input.TransitionDefaultMinimumObjectSize;
  if (asked !== undefined && asked !== minimumSize) {
    throw notImplemented(`The minimum object size ${asked} for transitions`, 'there are no transitions');
  }
  const rules = parseRules(input.LifecycleConfiguration?.Rules ?? [], s3.random);
  await s3.store.transact(async (transaction) => {
    const bucket = await bucketInTransaction(transaction, name);
    transaction.put(bucketKey(name), { ...bucket, hasLifecycle: true });
    transaction.put(configKey('lifecycle', name), rules);
  });
  s3.lifecycleChanged();
  return { TransitionDefaultMinimumObjectSize: minimumSize };
}

/** Source: S3 API Reference, "GetBucketLifecycleConfiguration". */
export async function getBucketLifecycleConfiguration(
  s3: S3State,
  input: GetBucketLifecycleConfigurationCommandInput,
  context: RequestContext,
): Promise<Output<GetBucketLifecycleConfigurationCommandOutput>> {
  const { name } = await requireBucket(s3, input, context);
  const entry = await s3.store.get<readonly StoredRule[]>(configKey('lifecycle', name));
  if (!entry) {
    throw new ServiceError('NoSuchLifecycleConfiguration', 'The lifecycle configuration does not exist', {
      status: 404,
      members: { BucketName: name },
    });
  }
  return { Rules: entry.value.map(formatRule), TransitionDefaultMinimumObjectSize: minimumSize };
}

/** Source: S3 API Reference, "DeleteBucketLifecycle". */
export async function deleteBucketLifecycle(
  s3: S3State,
  input: DeleteBucketLifecycleCommandInput,
  context: RequestContext,
): Promise<Record<string, never>> {
  const { name } = await requireBucket(s3, input, context);
  await s3.store.transact(async (transaction) => {
    const { hasLifecycle: _, ...bucket } = await bucketInTransaction(transaction, name);
    transaction.put(bucketKey(name), bucket);
    transaction.delete(configKey('lifecycle', name));
  });
  return {};
}

import type { Readable } from 'node:stream';
import type { Random } from '../../base/random.ts';
import type { RequestContext } from '../service.ts';
import { putObject } from './put-object.ts';
import { getObject } from './read-object.ts';
import type { S3State } from './state.ts';

/** S3's objects for other services of the same program, on behalf of an account. Throws S3's own ServiceErrors. */
export interface S3Objects {
  read(
    account: string,
    bucket: string,
    key: string,
    versionId?: string,
  ): Promise<{ readonly body: Readable | Uint8Array; readonly etag: string; readonly size: number }>;
  write(
    account: string,
    bucket: string,
    key: string,
    body: Uint8Array,
    options?: { readonly contentType?: string },
  ): Promise<{ readonly etag: string }>;
}

/** Reads and writes with the rights of the account's root: when policies count, in that account's buckets only. */
export function createS3Objects(s3: S3State): S3Objects {
  const owner = (account: string): string | undefined => (s3.enforcing ? account : undefined);
  return {
    async read(account, bucket, key, versionId) {
      const context = internalContext(s3.random, 'GetObject', account);
      const output = await getObject(
        s3,
        { Bucket: bucket, Key: key, VersionId: versionId, ExpectedBucketOwner: owner(account) },
        context,
      );
      return {
        body: output.Body as Readable | Uint8Array,
        etag: (output.ETag ?? '').replaceAll('"', ''),
        size: output.ContentLength ?? 0,
      };
    },
    async write(account, bucket, key, body, options = {}) {
      const context = internalContext(s3.random, 'PutObject', account);
      const output = await putObject(
        s3,
        { Bucket: bucket, Key: key, Body: body, ContentType: options.contentType, ExpectedBucketOwner: owner(account) },
        context,
      );
      return { etag: (output.ETag ?? '').replaceAll('"', '') };
    },
  };
}

function internalContext(random: Random, operation: string, account: string): RequestContext {
  return {
    service: 's3',
    operation,
    account,
    region: 'us-east-1',
    requestId: random.hex(16).toUpperCase(),
    principal: {
      type: 'Root',
      account,
      arn: `arn:aws:iam::${account}:root`,
      userId: account,
      accessKeyId: undefined,
    },
    sourceIp: '127.0.0.1',
    userAgent: 'kobune',
    secure: true,
    headers: {},
    host: 's3.amazonaws.com',
    signal: new AbortController().signal,
    responseHeaders: {},
  };
}

import { Readable } from 'node:stream';
import type { Random } from './base/random.ts';
import type { RequestBody, RequestContext } from './services/index.ts';
import type { ObjectAccess, ObjectLocation } from './services/lambda/index.ts';
import type { S3Service } from './services/s3/index.ts';

/** Lambda's way to S3: its own operations, called as the service that Lambda is. */
export function objectAccess(s3: () => Promise<S3Service>, random: Random): ObjectAccess {
  return {
    read: async (location) => {
      const { operations } = await s3();
      const { bucket, key, versionId } = location;
      const input = { Bucket: bucket, Key: key, VersionId: versionId };
      const answer = await operations.GetObject(input, contextFor('GetObject', location, random));
      const body = answer.Body as unknown;
      return {
        body: body instanceof Readable ? body : Readable.from([body as Uint8Array]),
        size: answer.ContentLength ?? 0,
      };
    },
    write: async (location, content, { contentType }) => {
      const { operations } = await s3();
      const body = Object.assign(Readable.from([content]), { contentLength: content.length, trailers: {} });
      const input = {
        Bucket: location.bucket,
        Key: location.key,
        Body: body as unknown as RequestBody & never,
        ContentType: contentType,
      };
      await operations.PutObject(input, contextFor('PutObject', location, random));
    },
  };
}

function contextFor(operation: string, { account, region }: ObjectLocation, random: Random): RequestContext {
  return {
    service: 's3',
    operation,
    account,
    region,
    requestId: random.uuid(),
    principal: {
      type: 'Service',
      account,
      arn: 'lambda.amazonaws.com',
      userId: account,
      accessKeyId: undefined,
      service: 'lambda.amazonaws.com',
    },
    sourceIp: 'lambda.amazonaws.com',
    userAgent: 'lambda.amazonaws.com',
    secure: true,
    headers: {},
    host: 'localhost',
    signal: new AbortController().signal,
    responseHeaders: {},
  };
}

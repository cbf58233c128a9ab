import { decodePathPart, type WireRequest } from './wire-request.ts';

/** Object Lambda's answers go here, whatever the host; it is no bucket's name, as those are lower case. */
const objectLambdaPath = '/WriteGetObjectResponse';

/**
 * Splits a request to S3 into bucket and key, whether the bucket is in the host (`hostBucket`) or first in the path.
 * Source: Amazon S3 User Guide, "Virtual hosting of general purpose buckets".
 */
export function readS3Address(request: WireRequest, hostBucket: string | undefined): void {
  if (hostBucket !== undefined && !isObjectLambda(request)) {
    request.bucket = hostBucket;
    request.keyPath = request.path;
    return;
  }
  const slash = request.path.indexOf('/', 1);
  const first = request.path.slice(1, slash < 0 ? undefined : slash);
  if (first === '' || isObjectLambda(request)) {
    request.keyPath = request.path;
    return;
  }
  request.bucket = decodePathPart(first);
  request.keyPath = slash < 0 ? '/' : request.path.slice(slash);
}

function isObjectLambda(request: WireRequest): boolean {
  return request.path === objectLambdaPath && request.headers['x-amz-request-token'] !== undefined;
}

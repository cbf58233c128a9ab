import { decodePathPart, type WireRequest } from './wire-request.ts';

/** A path below S3's root that is no bucket: Object Lambda's answers. */
const notBuckets: ReadonlySet<string> = new Set(['WriteGetObjectResponse']);

/**
 * Splits a request to S3 into bucket and key, whether the bucket is in the host (`hostBucket`) or first in the path.
 * Source: Amazon S3 User Guide, "Virtual hosting of general purpose buckets".
 */
export function readS3Address(request: WireRequest, hostBucket: string | undefined): void {
  if (hostBucket !== undefined) {
    request.bucket = hostBucket;
    request.keyPath = request.path;
    return;
  }
  const slash = request.path.indexOf('/', 1);
  const first = request.path.slice(1, slash < 0 ? undefined : slash);
  if (first === '' || notBuckets.has(first)) {
    request.keyPath = request.path;
    return;
  }
  request.bucket = decodePathPart(first);
  request.keyPath = slash < 0 ? '/' : request.path.slice(slash);
}

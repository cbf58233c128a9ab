import { ServiceError } from '../../base/errors.ts';
import { decodePathPart, type WireRequest } from './wire-request.ts';

/** Object Lambda's answers go here, whatever the host; it is no bucket's name, as those are lower case. */
const objectLambdaPath = '/WriteGetObjectResponse';

/**
 * Splits a request to S3 into bucket and key, whether the bucket is in the host (`hostBucket`) or first in the path.
 * Source: Amazon S3 User Guide, "Virtual hosting of general purpose buckets".
 */
export function readS3Address(request: WireRequest, hostBucket: string | undefined): void {
  refuseForm(request);
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

/** A browser's form is no operation of the SDK: without this it would be read as one that is. */
function refuseForm(request: WireRequest): void {
  if (request.method !== 'POST' || !request.headers['content-type']?.startsWith('multipart/form-data')) return;
  throw new ServiceError(
    'NotImplemented',
    'Uploads by browser forms (POST Object) are not supported: use a presigned address and PUT.',
    { status: 501 },
  );
}

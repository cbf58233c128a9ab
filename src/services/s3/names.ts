import { ServiceError } from '../../base/errors.ts';

const ipAddress = /^\d{1,3}(\.\d{1,3}){3}$/;
const reservedPrefixes = ['xn--', 'sthree-', 'amzn-s3-demo-'];
const reservedSuffixes = ['-s3alias', '--ol-s3', '.mrap', '--x-s3', '--table-s3', '-an'];

/**
 * Throws `InvalidBucketName` unless `name` may be given to a general purpose bucket.
 * Source: S3 User Guide, "General purpose bucket naming rules".
 */
export function checkBucketName(name: string): void {
  const valid =
    name.length >= 3 &&
    name.length <= 63 &&
    /^[a-z0-9][a-z0-9.-]*[a-z0-9]$/.test(name) &&
    !name.includes('..') &&
    !ipAddress.test(name) &&
    !reservedPrefixes.some((prefix) => name.startsWith(prefix)) &&
    !reservedSuffixes.some((suffix) => name.endsWith(suffix));
  if (!valid) {
    throw new ServiceError('InvalidBucketName', 'The specified bucket is not valid.', {
      members: { BucketName: name },
    });
  }
}

/** Most bytes of UTF-8 in an object key. Source: S3 User Guide, "Naming Amazon S3 objects". */
export const maxKeyBytes = 1024;

/** Throws `KeyTooLongError` when `key` has more than 1,024 bytes of UTF-8. */
export function checkKey(key: string): void {
  if (key.length === 0) throw new ServiceError('InvalidArgument', 'Object key must not be empty.');
  // One UTF-16 unit is at most three bytes of UTF-8, so most keys need no counting.
  if (key.length * 3 <= maxKeyBytes) return;
  const size = Buffer.byteLength(key);
  if (size > maxKeyBytes) {
    throw new ServiceError('KeyTooLongError', 'Your key is too long', {
      members: { Size: String(size), MaxSizeAllowed: String(maxKeyBytes) },
    });
  }
}

/** Metadata and headers in bytes together. Source: S3 User Guide, "Working with object metadata". */
const maxMetadataBytes = 2048;

/** Throws `MetadataTooLarge` when names and values of user metadata have more than 2 KB together. */
export function checkMetadata(metadata: Record<string, string> | undefined): void {
  if (!metadata) return;
  let size = 0;
  for (const [name, value] of Object.entries(metadata)) size += Buffer.byteLength(name) + Buffer.byteLength(value);
  if (size > maxMetadataBytes) {
    throw new ServiceError('MetadataTooLarge', 'Your metadata headers exceed the maximum allowed metadata size', {
      members: { Size: String(size), MaxSizeAllowed: String(maxMetadataBytes) },
    });
  }
}

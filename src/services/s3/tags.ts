import { ServiceError } from '../../base/errors.ts';
import { invalidArgument } from './errors.ts';
import type { TagList } from './records.ts';

const maxObjectTags = 10;
const maxBucketTags = 50;
const maxKeyLength = 128;
const maxValueLength = 256;
/** Source: S3 User Guide, "Categorizing your objects using tags". */
const allowed = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

interface TagInput {
  readonly Key?: string | undefined;
  readonly Value?: string | undefined;
}

/** Checks an object's tags: at most 10, unique keys, sizes and characters. Throws `InvalidTag` or `BadRequest`. */
export function checkObjectTags(tags: readonly TagInput[]): TagList {
  if (tags.length > maxObjectTags) {
    throw new ServiceError('BadRequest', 'Object tags cannot be greater than 10');
  }
  return checkTags(tags);
}

/** Checks a bucket's tags: at most 50. */
export function checkBucketTags(tags: readonly TagInput[]): TagList {
  if (tags.length > maxBucketTags) {
    throw new ServiceError('BadRequest', 'Bucket tag count cannot be greater than 50');
  }
  return checkTags(tags);
}

function checkTags(tags: readonly TagInput[]): TagList {
  const seen = new Set<string>();
  return tags.map(({ Key: key = '', Value: value = '' }) => {
    if (seen.has(key)) {
      throw new ServiceError('InvalidTag', 'Cannot provide multiple Tags with the same key', {
        members: { TagKey: key },
      });
    }
    seen.add(key);
    if (key.length === 0 || key.length > maxKeyLength || !allowed.test(key)) {
      throw new ServiceError('InvalidTag', 'The TagKey you have provided is invalid', { members: { TagKey: key } });
    }
    if (value.length > maxValueLength || !allowed.test(value)) {
      throw new ServiceError('InvalidTag', 'The TagValue you have provided is invalid', {
        members: { TagKey: key, TagValue: value },
      });
    }
    if (key.toLowerCase().startsWith('aws:')) {
      throw new ServiceError('InvalidTag', 'System tags cannot be added/updated by requester', {
        members: { TagKey: key },
      });
    }
    return [key, value] as const;
  });
}

/** Reads the `x-amz-tagging` header: URL query parameters. */
export function parseTaggingHeader(header: string | undefined): TagList | undefined {
  if (header === undefined || header === '') return undefined;
  const tags: TagInput[] = [];
  for (const pair of header.split('&')) {
    const equals = pair.indexOf('=');
    const [key, value] = equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
    try {
      tags.push({ Key: decode(key), Value: decode(value) });
    } catch {
      throw invalidTagging();
    }
  }
  if (tags.length > maxObjectTags) throw invalidTagging();
  return checkObjectTags(tags);
}

function decode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '));
}

function invalidTagging(): ServiceError {
  return invalidArgument(
    "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
    'x-amz-tagging',
  );
}

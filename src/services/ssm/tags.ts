import type { Tag } from '@aws-sdk/client-ssm';
import { ServiceError } from '../../base/errors.ts';
import { validation } from './errors.ts';

const MAX_TAGS = 50;

/** Tags as a record, checked. Throws ValidationException. */
export function readTags(tags: readonly Tag[]): Record<string, string> {
  const read: Record<string, string> = {};
  for (const { Key: key = '', Value: value = '' } of tags) {
    if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u.test(key) || key.toLowerCase().startsWith('aws:')) {
      throw validation(`The tag key is not valid: ${key}`);
    }
    if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,256}$/u.test(value)) throw validation(`The tag value is not valid: ${value}`);
    if (Object.hasOwn(read, key)) throw validation(`The tag key is given twice: ${key}`);
    read[key] = value;
  }
  return limitTags(read);
}

export function limitTags(tags: Record<string, string>): Record<string, string> {
  if (Object.keys(tags).length <= MAX_TAGS) return tags;
  throw new ServiceError('TooManyTagsError', `A parameter can have at most ${MAX_TAGS} tags.`);
}

export function tagList(tags: Readonly<Record<string, string>>): Tag[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

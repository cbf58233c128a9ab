import type { Tag } from '@aws-sdk/client-secrets-manager';
import { invalidParameter } from './errors.ts';

const MAX_TAGS = 50;

/** Tags as a record, checked. Throws InvalidParameterException. */
export function readTags(tags: readonly Tag[]): Record<string, string> {
  const read: Record<string, string> = {};
  for (const { Key: key = '', Value: value = '' } of tags) {
    if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u.test(key) || key.toLowerCase().startsWith('aws:')) {
      throw invalidParameter(`The tag key is not valid: ${key}`);
    }
    if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u.test(value))
      throw invalidParameter(`The tag value is not valid: ${value}`);
    if (Object.hasOwn(read, key)) throw invalidParameter(`The tag key is given twice: ${key}`);
    read[key] = value;
  }
  return limitTags(read);
}

export function limitTags(tags: Record<string, string>): Record<string, string> {
  if (Object.keys(tags).length <= MAX_TAGS) return tags;
  throw invalidParameter(`A secret can have at most ${MAX_TAGS} tags.`);
}

export function tagList(tags: Readonly<Record<string, string>>): Tag[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

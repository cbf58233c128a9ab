import type { Tag } from '@aws-sdk/client-ecr';
import { ServiceError } from '../../base/errors.ts';

const MAX_TAGS = 50;
const KEY = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u;
const VALUE = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u;

/** Tags as a record, checked. Source: Amazon ECR User Guide, "Tagging a private repository". */
export function readTags(tags: readonly Tag[] | undefined): Record<string, string> {
  const read: Record<string, string> = {};
  for (const { Key: key = '', Value: value = '' } of tags ?? []) {
    if (!KEY.test(key) || key.toLowerCase().startsWith('aws:')) throw invalidTag(`The tag key '${key}' is not valid.`);
    if (!VALUE.test(value)) throw invalidTag(`The value of the tag '${key}' is not valid.`);
    if (Object.hasOwn(read, key)) throw invalidTag(`The tag key '${key}' is given twice.`);
    read[key] = value;
  }
  return limitTags(read);
}

export function limitTags(tags: Record<string, string>): Record<string, string> {
  if (Object.keys(tags).length <= MAX_TAGS) return tags;
  throw new ServiceError('TooManyTagsException', `A repository can have at most ${MAX_TAGS} tags.`);
}

export function tagList(tags: Readonly<Record<string, string>>): Tag[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

const invalidTag = (message: string): ServiceError => new ServiceError('InvalidTagParameterException', message);

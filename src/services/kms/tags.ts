import type { Tag } from '@aws-sdk/client-kms';
import { ServiceError } from '../../base/errors.ts';
import { checkLength } from './errors.ts';

export type Tags = Readonly<Record<string, string>>;

/** Source: KMS Developer Guide, "Tags in AWS KMS". */
const MAXIMUM_TAGS = 50;

const tagError = (message: string): ServiceError => new ServiceError('TagException', message);

/** The tags with more of them. Throws TagException, or ValidationException for texts of the wrong length. */
export function withTags(tags: Tags, added: readonly Tag[] = []): Tags {
  const keys = new Set<string>();
  for (const { TagKey = '', TagValue = '' } of added) {
    checkLength('tags.member.tagKey', TagKey.length, 1, 128);
    checkLength('tags.member.tagValue', TagValue.length, 0, 256);
    if (/^aws:/i.test(TagKey)) throw tagError('Tags beginning with aws: are reserved');
    if (keys.has(TagKey)) throw tagError('Duplicate tag keys');
    keys.add(TagKey);
  }
  const all = { ...tags, ...Object.fromEntries(added.map(({ TagKey = '', TagValue = '' }) => [TagKey, TagValue])) };
  if (Object.keys(all).length > MAXIMUM_TAGS) throw tagError('Too many tags');
  return all;
}

export function tagList(tags: Tags): Tag[] {
  return Object.entries(tags).map(([TagKey, TagValue]) => ({ TagKey, TagValue }));
}

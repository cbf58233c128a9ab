import type { Tag } from '@aws-sdk/client-sns';
import { invalidParameter, limitExceeded } from './errors.ts';

/** Source: API Reference, "TagResource". */
const MAXIMUM_TAGS = 50;

/** Throws InvalidParameter or TagLimitExceeded. */
export function readTags(given: readonly Tag[] | undefined): Record<string, string> {
  const tags = given ?? [];
  if (new Set(tags.map(({ Key }) => Key)).size < tags.length) {
    throw invalidParameter('Duplicated keys are not allowed.');
  }
  for (const { Key = '', Value = '' } of tags) {
    if (Key.length < 1 || Key.length > 128) throw invalidParameter(`Tag key ${Key}`);
    if (Value.length > 256) throw invalidParameter(`Tag value ${Value.slice(0, 50)}`);
    if (/^aws:/i.test(Key)) throw invalidParameter('Tag keys cannot begin with aws:');
  }
  return checkCount(Object.fromEntries(tags.map(({ Key = '', Value = '' }) => [Key, Value])));
}

/** Throws TagLimitExceeded. */
export function checkCount(tags: Record<string, string>): Record<string, string> {
  if (Object.keys(tags).length > MAXIMUM_TAGS) {
    throw limitExceeded('TagLimitExceeded', "Can't add more than 50 tags to a topic.");
  }
  return tags;
}

export const tagList = (tags: Readonly<Record<string, string>>): Tag[] =>
  Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));

/** Condition keys of what a request says about tags, and of those that there are. */
export function tagConditions(
  given: readonly Tag[] | undefined,
  keys: readonly string[] | undefined,
  present: Readonly<Record<string, string>>,
): Record<string, readonly string[]> {
  const names = keys ?? (given ?? []).map(({ Key = '' }) => Key);
  return {
    ...Object.fromEntries(Object.entries(present).map(([key, value]) => [`aws:ResourceTag/${key}`, [value]])),
    ...Object.fromEntries((given ?? []).map(({ Key, Value = '' }) => [`aws:RequestTag/${Key}`, [Value]])),
    ...(names.length === 0 ? {} : { 'aws:TagKeys': names }),
  };
}

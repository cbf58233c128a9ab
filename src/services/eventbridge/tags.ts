import type { Tag } from '@aws-sdk/client-eventbridge';
import { Constraints } from './constraints.ts';
import { invalid, limitExceeded } from './errors.ts';

/** Source: API Reference, "TagResource". */
const MAXIMUM_TAGS = 50;

/** A request's tags as a record. Throws ValidationException. */
export function tagsOf(tags: readonly Tag[] | undefined): Readonly<Record<string, string>> {
  const constraints = new Constraints();
  for (const [index, { Key, Value }] of (tags ?? []).entries()) {
    constraints.length(`tags.${index + 1}.member.key`, Key, 1, 128);
    constraints.length(`tags.${index + 1}.member.value`, Value, 0, 256);
  }
  constraints.check();
  for (const { Key } of tags ?? []) {
    if (/^aws:/i.test(Key!)) throw invalid('User defined tag keys cannot start with "aws:".');
  }
  return checkTagCount(Object.fromEntries((tags ?? []).map(({ Key, Value }) => [Key!, Value!])));
}

export function checkTagCount(tags: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (Object.keys(tags).length > MAXIMUM_TAGS) throw limitExceeded();
  return tags;
}

import { parseArn } from '../../base/arn.ts';
import { invalid, violates } from './errors.ts';
import { groupArn, type Place } from './records.ts';

export const DEFAULT_GROUP = 'default';

/** 1–64 of `0-9a-zA-Z-_.`: names of schedules and groups. Source: API Reference, "CreateSchedule". */
export function checkName(name: string, member: string): string {
  if (name.length < 1 || name.length > 64) throw violates(member, name, 'have length between 1 and 64');
  if (!/^[0-9a-zA-Z._-]+$/.test(name)) {
    throw violates(member, name, 'satisfy regular expression pattern: [0-9a-zA-Z-_.]+');
  }
  return name;
}

export function checkClientToken(token: string | undefined): string | undefined {
  if (token === undefined || /^[a-zA-Z0-9_-]{1,64}$/.test(token)) return token;
  throw violates('clientToken', token, 'satisfy regular expression pattern: [a-zA-Z0-9-_]+ and have length at most 64');
}

export function checkLength(text: string | undefined, member: string, least: number, most: number): void {
  if (text === undefined || (text.length >= least && text.length <= most)) return;
  throw violates(
    member,
    text.length > 200 ? `${text.slice(0, 200)}…` : text,
    `have length between ${least} and ${most}`,
  );
}

export function checkInteger(value: number | undefined, member: string, least: number, most: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return;
  throw violates(member, value, `have value between ${least} and ${most}`);
}

export function checkOneOf<T extends string>(value: string | undefined, member: string, values: readonly T[]): T {
  if ((values as readonly (string | undefined)[]).includes(value)) return value as T;
  throw violates(member, value, `satisfy enum value set: [${values.join(', ')}]`);
}

/** The group's name in the ARN of a group in the caller's account and region; only groups have tags. */
export function groupOfArn(text: string, place: Place): string {
  const name = /^schedule-group\/([0-9a-zA-Z._-]{1,64})$/.exec(parseArn(text)?.resource ?? '')?.[1];
  if (name === undefined || text !== groupArn(place, name)) {
    throw invalid(`${text} is not the ARN of a schedule group of this account and Region.`);
  }
  return name;
}

/** At most 50 tags, keys 1–128, values to 256 characters. Source: API Reference, "Tag". */
export function checkTags(tags: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const [key, value] of Object.entries(tags)) {
    checkLength(key, 'tags.key', 1, 128);
    checkLength(value, 'tags.value', 0, 256);
    if (/^aws:/i.test(key)) throw invalid(`The tag key ${key} begins with aws:, which is reserved.`);
  }
  if (Object.keys(tags).length > 50) throw invalid('A schedule group can have at most 50 tags.');
  return tags;
}

const isNames = (content: unknown): content is readonly string[] =>
  Array.isArray(content) && content.every((part) => typeof part === 'string');

/** The names after which a page begins, as an opaque token. */
export function writeToken(names: readonly string[]): string {
  return Buffer.from(JSON.stringify(names)).toString('base64url');
}

/** What `writeToken` was given. Throws ValidationException for anything else. */
export function readToken(token: string, length: number): readonly string[] {
  try {
    const names: unknown = JSON.parse(Buffer.from(token, 'base64url').toString());
    if (isNames(names) && names.length === length) return names;
  } catch {
    // Falls through: not a token of ours.
  }
  throw invalid('Invalid NextToken.');
}

import { invalidInput, limitExceeded, validationError } from './errors.ts';

/** A name as IAM allows it. The limits differ: users, roles and groups 64 or 128 characters, policies and profiles 128. */
export function checkName(name: string, member: string, maximum: number): string {
  if (/^[\w+=,.@-]+$/.test(name) && name.length <= maximum) return name;
  throw validationError(
    name.length > maximum
      ? `1 validation error detected: Value '${name}' at '${member}' failed to satisfy constraint: Member must have length less than or equal to ${maximum}`
      : `The specified value for ${member} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-`,
  );
}

/** `/` or `/division/team/`. */
export function checkPath(path: string | undefined): string {
  const value = path ?? '/';
  if (/^\/([\x21-\x7e]+\/)?$/.test(value) && value.length <= 512) return value;
  throw validationError(
    'The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.',
  );
}

export interface SdkTag {
  readonly Key?: string | undefined;
  readonly Value?: string | undefined;
}

/** Tags added to those that are there: at most 50, keys do not distinguish case. */
export function addTags(
  existing: Readonly<Record<string, string>>,
  tags: readonly SdkTag[] | undefined,
): Readonly<Record<string, string>> {
  const result = new Map(Object.entries(existing));
  const seen = new Set<string>();
  for (const { Key: key = '', Value: value = '' } of tags ?? []) {
    if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u.test(key) || /^aws:/i.test(key)) {
      throw validationError(`Invalid tag key: ${key}`);
    }
    if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u.test(value)) throw validationError(`Invalid value of tag ${key}`);
    if (seen.has(key.toLowerCase())) {
      throw invalidInput('Duplicate tag keys found. Please note that Tag keys are case insensitive.');
    }
    seen.add(key.toLowerCase());
    for (const other of result.keys()) if (other.toLowerCase() === key.toLowerCase()) result.delete(other);
    result.set(key, value);
  }
  if (result.size > 50) throw limitExceeded('The number of tags has reached the maximum limit of 50.');
  return Object.fromEntries(result);
}

export function removeTags(
  existing: Readonly<Record<string, string>>,
  keys: readonly string[] | undefined,
): Readonly<Record<string, string>> {
  const gone = new Set(keys?.map((key) => key.toLowerCase()));
  return Object.fromEntries(Object.entries(existing).filter(([key]) => !gone.has(key.toLowerCase())));
}

export function sdkTags(tags: Readonly<Record<string, string>>): { Key: string; Value: string }[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

/** Documents are given back percent-encoded (RFC 3986), as the API Reference says of each of them. */
export function encodeDocument(document: string): string {
  return encodeURIComponent(document);
}

export interface PageInput {
  readonly Marker?: string | undefined;
  readonly MaxItems?: number | undefined;
}

export interface Page<T> {
  readonly items: T[];
  readonly paging: { readonly IsTruncated: boolean; readonly Marker?: string };
}

/** One page of items that are sorted by a unique text. Throws ValidationError for a marker of another kind. */
export function pageOf<T>(items: readonly T[], input: PageInput, keyOf: (item: T) => string): Page<T> {
  const limit = input.MaxItems ?? 100;
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw validationError(
      `1 validation error detected: Value '${limit}' at 'maxItems' failed to satisfy constraint: Member must have value between 1 and 1000`,
    );
  }
  const sorted = items
    .map((item) => ({ item, key: keyOf(item) }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  const after = input.Marker === undefined ? undefined : readMarker(input.Marker);
  const rest = after === undefined ? sorted : sorted.filter(({ key }) => key > after);
  const page = rest.slice(0, limit);
  const more = rest.length > limit;
  return {
    items: page.map(({ item }) => item),
    paging: { IsTruncated: more, ...(more ? { Marker: writeMarker(page.at(-1)!.key) } : {}) },
  };
}

function writeMarker(key: string): string {
  return Buffer.from(`1:${key}`).toString('base64url');
}

function readMarker(marker: string): string {
  const text = Buffer.from(marker, 'base64url').toString('utf8');
  if (!text.startsWith('1:')) throw validationError('Invalid Marker.');
  return text.slice(2);
}

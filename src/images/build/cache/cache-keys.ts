import { hash } from 'node:crypto';

/** Plain data that a key is made of. */
export type KeyValue =
  | string
  | number
  | boolean
  | null
  | readonly KeyValue[]
  | { readonly [name: string]: KeyValue | undefined };

/** What the result of a step depends on, by name, so that a miss can be explained. */
export type KeyParts = { readonly [name: string]: KeyValue | undefined };

/** A SHA-256 in hexadecimal digits of the data, whatever the order of its members. */
export function keyOf(value: KeyValue): string {
  return hash('sha256', canonical(value), 'hex');
}

function canonical(value: KeyValue): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonical).join(',')}]`;
  const members = Object.keys(value)
    .filter((name) => value[name] !== undefined)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonical(value[name]!)}`);
  return `{${members.join(',')}}`;
}

function isList(value: KeyValue): value is readonly KeyValue[] {
  return Array.isArray(value);
}

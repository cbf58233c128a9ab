import { type Cursor, isNothing, type Member, mergeMaps } from './member.ts';
import { scalarText } from './values.ts';

/**
 * Names with values, as a map or as a list of `NAME=value`. A name alone has the value `null`
 * (https://docs.docker.com/reference/compose-file/services/#environment).
 */
export function keyValues(): Member<ReadonlyMap<string, string | null>> {
  return { read: readKeyValues, merge: (base, over) => mergeMaps(base, over) };
}

/** The same, where a name alone has an empty value: labels. */
export function labels(options: { readonly reserved?: string } = {}): Member<ReadonlyMap<string, string>> {
  return {
    read: (cursor) => {
      const { reserved } = options;
      const result = new Map<string, string>();
      for (const [key, value] of readKeyValues(cursor)) {
        if (reserved !== undefined && key.startsWith(reserved))
          cursor.fail(`must not set "${key}": names that begin with ${reserved} are Compose's own`);
        result.set(key, value ?? '');
      }
      return result;
    },
    merge: (base, over) => mergeMaps(base, over),
  };
}

function readKeyValues(cursor: Cursor): ReadonlyMap<string, string | null> {
  const result = new Map<string, string | null>();
  if (cursor.tree.kind === 'list') {
    for (const item of cursor.items()) {
      const line = scalarText(item);
      const at = line.indexOf('=');
      const key = at < 0 ? line : line.slice(0, at);
      if (key === '') item.fail(`must be NAME=value, not "${line}"`);
      result.set(key, at < 0 ? null : line.slice(at + 1));
    }
    return result;
  }
  for (const { key, value } of cursor.entries('a map, or a list of NAME=value')) {
    if (key === '') value.fail('must have a name');
    result.set(key, isNothing(value) ? null : scalarText(value));
  }
  return result;
}

/** Options of a driver: a map of texts and numbers. */
export function options(): Member<ReadonlyMap<string, string>> {
  return {
    read: (cursor) =>
      new Map(cursor.entries().map(({ key, value }) => [key, isNothing(value) ? '' : scalarText(value)])),
    merge: (base, over) => mergeMaps(base, over),
  };
}

/** Names of hosts with their addresses: a map, or a list of `host=address` or `host:address`. */
export function extraHosts(): Member<ReadonlyMap<string, readonly string[]>> {
  return {
    read: (cursor: Cursor): ReadonlyMap<string, readonly string[]> => {
      const result = new Map<string, readonly string[]>();
      const add = (host: string, address: string) =>
        result.set(host, [...(result.get(host) ?? []), address.replace(/^\[(.*)\]$/, '$1')]);
      if (cursor.tree.kind === 'list') {
        for (const item of cursor.items()) {
          const line = scalarText(item);
          const [, host, address] = /^([^=:]+)[=:](.+)$/.exec(line) ?? [];
          if (host === undefined || address === undefined) return item.fail(`must be host=address, not "${line}"`);
          add(host, address);
        }
        return result;
      }
      for (const { key, value } of cursor.entries('a map, or a list of host=address')) {
        const addresses = value.tree.kind === 'list' ? value.items().map(scalarText) : [scalarText(value)];
        for (const address of addresses) add(key, address);
      }
      return result;
    },
    merge: (base, over) => mergeMaps(base, over, (one, other) => [...new Set([...one, ...other])]),
  };
}

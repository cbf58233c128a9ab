import { escapeWildcards } from './wildcard.ts';

/** The values of condition keys for one request. Keys are given in lower case: they do not distinguish case. */
export interface ConditionContext {
  /** The values of a key; `undefined` when the request does not have it. */
  values(lowerCaseKey: string): readonly string[] | undefined;
}

/** A context from a plain record. */
export function contextOf(values: Readonly<Record<string, readonly string[]>>): ConditionContext {
  const lower = new Map(Object.entries(values).map(([key, list]) => [key.toLowerCase(), list]));
  return { values: (key) => lower.get(key) };
}

export type Template = string | ((context: ConditionContext) => string | undefined);

const VARIABLE = /\$\{([^}]*)\}/g;
const LITERALS: ReadonlySet<string> = new Set(['*', '?', '$']);

/**
 * A text with policy variables (`${aws:username}`, with a default `${aws:username, 'anonymous'}`, and `${*}`, `${?}`, `${$}`).
 * The result is the text itself when it has none; else a function that gives `undefined` when a key has no single value.
 * What comes from a variable is escaped: its wildcards stand for themselves.
 * Variables exist only in documents of version 2012-10-17. IAM User Guide, "IAM policy elements: Variables and tags".
 */
export function compileTemplate(text: string, version: string): Template {
  if (version !== '2012-10-17' || !text.includes('${')) return text;
  const parts: (string | { readonly key: string; readonly fallback: string | undefined })[] = [];
  let position = 0;
  for (const match of text.matchAll(VARIABLE)) {
    parts.push(text.slice(position, match.index));
    position = match.index + match[0].length;
    const body = match[1]!.trim();
    if (LITERALS.has(body)) {
      parts.push(escapeWildcards(body));
      continue;
    }
    const withDefault = /^([^,]+?)\s*,\s*'([^']*)'$/.exec(body);
    parts.push({ key: (withDefault?.[1] ?? body).toLowerCase(), fallback: withDefault?.[2] });
  }
  parts.push(text.slice(position));
  if (parts.every((part) => typeof part === 'string')) return parts.join('');
  return (context) => {
    let result = '';
    for (const part of parts) {
      if (typeof part === 'string') {
        result += part;
        continue;
      }
      const values = context.values(part.key);
      const value = values?.length === 1 ? values[0] : part.fallback;
      if (value === undefined) return undefined;
      result += escapeWildcards(value);
    }
    return result;
  };
}

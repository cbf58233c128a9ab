export type TextMatch = (text: string) => boolean;

/** A `*` and a `?` that stand for themselves inside a pattern: what a policy variable brought in is no wildcard. */
const LITERAL_STAR = '\ue000';
const LITERAL_QUESTION = '\ue001';

export function escapeWildcards(text: string): string {
  return text.replaceAll('*', LITERAL_STAR).replaceAll('?', LITERAL_QUESTION);
}

export function unescapeWildcards(text: string): string {
  return text.replaceAll(LITERAL_STAR, '*').replaceAll(LITERAL_QUESTION, '?');
}

/** Compiles a pattern in which `*` stands for any characters and `?` for one. Linear in practice, never exponential. */
export function compileWildcard(pattern: string): TextMatch {
  if (pattern === '*') return () => true;
  const star = pattern.indexOf('*');
  const question = pattern.indexOf('?');
  if (star < 0 && question < 0) {
    const literal = unescapeWildcards(pattern);
    return (text) => text === literal;
  }
  if (question < 0 && star === pattern.length - 1) {
    const prefix = unescapeWildcards(pattern.slice(0, -1));
    return (text) => text.startsWith(prefix);
  }
  return (text) => matchWildcard(pattern, text);
}

/** Whether the text matches. Goes back only to the last `*`: at most pattern × text steps. */
export function matchWildcard(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    const expected = pattern[p];
    if (expected === '*') {
      star = p++;
      resume = t;
    } else if (expected === '?' || (expected !== undefined && unescapeWildcards(expected) === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

/**
 * Compiles a pattern for ARNs: each of the six colon-separated parts is matched by itself, as the IAM User Guide
 * says of ARN conditions and of `Resource` ("Grammar", "Amazon Resource Name (ARN) condition operators"). With fewer parts it is no ARN and matches none.
 */
export function compileArnPattern(pattern: string): TextMatch {
  if (!pattern.startsWith('arn:')) return compileWildcard(pattern);
  const parts = splitArn(pattern);
  if (!parts) return () => false;
  const matchers = parts.map(compileWildcard);
  return (text) => {
    const actual = splitArn(text);
    return actual?.every((part, index) => matchers[index]!(part)) ?? false;
  };
}

/** `arn`, partition, service, region, account, and the rest. */
function splitArn(text: string): string[] | undefined {
  const parts: string[] = [];
  let start = 0;
  for (let count = 0; count < 5; count++) {
    const colon = text.indexOf(':', start);
    if (colon < 0) return undefined;
    parts.push(text.slice(start, colon));
    start = colon + 1;
  }
  parts.push(text.slice(start));
  return parts;
}

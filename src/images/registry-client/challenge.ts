/** What a registry wants of a client: the scheme in lower case, and its parameters. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;

/** Reads WWW-Authenticate headers. What cannot be read is left out. Source: RFC 9110, 11.3 and 11.6.1. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const match = pattern.exec(header) ?? undefined;
    if (match) at = pattern.lastIndex;
    return match;
  };
  while (at < header.length) {
    take(/[\s,]+/y);
    const name = take(TOKEN)?.[0];
    if (name === undefined) break;
    const current = challenges.at(-1);
    if (!take(/\s*=\s*/y) || !current) {
      challenges.push({ scheme: name.toLowerCase(), parameters: {} });
      continue;
    }
    const quoted = take(QUOTED);
    const value = quoted ? quoted[1]!.replace(/\\(.)/g, '$1') : take(TOKEN)?.[0];
    if (value === undefined) break;
    current.parameters[name.toLowerCase()] = value;
  }
  return challenges;
}

/**
 * Patterns of `${name#pattern}`: `?` is any character, `*` any number of them. Matching takes the length of the value, not a power
 * of it, whatever the pattern: the pieces between stars are looked for one after the other.
 */
export interface Pattern {
  /** Text between stars; in it `undefined` stands for any one character. */
  readonly pieces: readonly (readonly (string | undefined)[])[];
}

/** Longest pattern, characters: pieces with `?` cost their length for each character of the value. */
const MAXIMUM_LENGTH = 1024;

/** Reads a pattern. A backslash escapes `*`, `?`, `}`, `/` and itself. Throws an `Error` for others. */
export function shellPattern(text: string): Pattern {
  if (text.length > MAXIMUM_LENGTH) throw new Error(`the pattern is longer than ${MAXIMUM_LENGTH} characters`);
  const pieces: (string | undefined)[][] = [[]];
  const characters = [...text];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    const piece = pieces[pieces.length - 1]!;
    if (character === '*') pieces.push([]);
    else if (character === '?') piece.push(undefined);
    else if (character === '\\') {
      const next = characters[++at];
      if (next === undefined || !['*', '?', '}', '/', '\\'].includes(next)) {
        throw new Error(`\\${next ?? ''} is no escape of a pattern. Escape only * ? / } and \\`);
      }
      piece.push(next);
    } else piece.push(character);
  }
  return { pieces };
}

/** The value without the shortest or longest beginning that matches. */
export function removePrefix(value: string, pattern: Pattern, longest: boolean): string {
  const characters = [...value];
  const length = prefixLength(characters, pattern.pieces, longest);
  return length === undefined ? value : characters.slice(length).join('');
}

/** The value without the shortest or longest end that matches. */
export function removeSuffix(value: string, pattern: Pattern, longest: boolean): string {
  const characters = [...value].reverse();
  const backwards = pattern.pieces.map((piece) => [...piece].reverse()).reverse();
  const length = prefixLength(characters, backwards, longest);
  return length === undefined ? value : characters.slice(length).reverse().join('');
}

/** Replaces the first match, or all that do not overlap; each begins as early as it can and is as long as it can be. */
export function replaceMatches(
  value: string,
  pattern: Pattern,
  replacement: string,
  all: boolean,
  bound: (length: number) => void,
): string {
  const characters = [...value];
  const { pieces } = pattern;
  const parts: string[] = [];
  let length = 0;
  const add = (text: string) => {
    length += text.length;
    bound(length);
    parts.push(text);
  };
  let at = 0;
  // An empty pattern is found nowhere, as in bash.
  if (pieces.length > 1 || pieces[0]!.length > 0) {
    do {
      const start = find(characters, pieces[0]!, at);
      const matched = start === undefined ? undefined : prefixLength(characters, pieces, true, start);
      // Where the first piece is found but not the rest, a later beginning finds the rest neither.
      if (start === undefined || matched === undefined) break;
      add(characters.slice(at, start).join(''));
      add(replacement);
      at = start + matched;
    } while (all && at < characters.length);
  }
  if (at < characters.length) add(characters.slice(at).join(''));
  return parts.join('');
}

/** How many characters from `start` on match; undefined: none do. */
function prefixLength(
  characters: readonly string[],
  pieces: readonly (readonly (string | undefined)[])[],
  longest: boolean,
  start = 0,
): number | undefined {
  const first = pieces[0]!;
  if (!matchesAt(characters, first, start)) return undefined;
  let at = start + first.length;
  for (let index = 1; index < pieces.length; index++) {
    const piece = pieces[index]!;
    const last = index === pieces.length - 1;
    const found = last && longest ? findLast(characters, piece, at) : find(characters, piece, at);
    if (found === undefined) return undefined;
    at = found + piece.length;
  }
  return at - start;
}

function matchesAt(characters: readonly string[], piece: readonly (string | undefined)[], at: number): boolean {
  if (at + piece.length > characters.length) return false;
  return piece.every((character, offset) => character === undefined || character === characters[at + offset]);
}

function find(characters: readonly string[], piece: readonly (string | undefined)[], from: number): number | undefined {
  for (let at = from; at + piece.length <= characters.length; at++) if (matchesAt(characters, piece, at)) return at;
  return undefined;
}

function findLast(
  characters: readonly string[],
  piece: readonly (string | undefined)[],
  from: number,
): number | undefined {
  for (let at = characters.length - piece.length; at >= from; at--) if (matchesAt(characters, piece, at)) return at;
  return undefined;
}

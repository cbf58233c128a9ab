/**
 * Patterns of `${name#pattern}`: `?` is any character, `*` any number of them. The pieces between stars are looked for one after
 * the other, so that matching takes the length of the value times that of the longest piece, whatever the pattern.
 */
export interface Pattern {
  /** Text between stars; in it `undefined` stands for any one character. */
  readonly pieces: readonly (readonly (string | undefined)[])[];
}

/** Longest pattern, characters. */
const MAXIMUM_LENGTH = 4096;
/** Comparisons of characters for one expansion: only values and patterns made for it need more. */
const MAXIMUM_STEPS = 30_000_000;

/** What is wrong with a pattern, or with using it. */
export class PatternProblem extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'PatternProblem';
  }
}

/** Reads a pattern. A backslash escapes `*`, `?`, `}`, `/` and itself. Throws `PatternProblem`. */
export function shellPattern(text: string): Pattern {
  if (text.length > MAXIMUM_LENGTH) throw new PatternProblem(`the pattern is longer than ${MAXIMUM_LENGTH} characters`);
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
        throw new PatternProblem(`\\${next ?? ''} is no escape of a pattern. Escape only * ? / } and \\`);
      }
      piece.push(next);
    } else piece.push(character);
  }
  return { pieces };
}

/** The value without the shortest or longest beginning that matches. */
export function removePrefix(value: string, pattern: Pattern, longest: boolean): string {
  const search = new Search([...value]);
  const length = search.prefix(pattern.pieces, longest, 0);
  return length === undefined ? value : search.characters.slice(length).join('');
}

/** The value without the shortest or longest end that matches. */
export function removeSuffix(value: string, pattern: Pattern, longest: boolean): string {
  const search = new Search([...value].reverse());
  const backwards = pattern.pieces.map((piece) => [...piece].reverse()).reverse();
  const length = search.prefix(backwards, longest, 0);
  return length === undefined ? value : search.characters.slice(length).reverse().join('');
}

/** Replaces the first match, or all that do not overlap; each begins as early as it can and is as long as it can be. */
export function replaceMatches(
  value: string,
  { pieces }: Pattern,
  replacement: string,
  all: boolean,
  bound: (length: number) => void,
): string {
  // An empty pattern is found nowhere, as in bash.
  if (pieces.length === 1 && pieces[0]!.length === 0) return value;
  const search = new Search([...value]);
  const { characters } = search;
  const parts: string[] = [];
  let length = 0;
  const add = (text: string) => {
    length += text.length;
    bound(length);
    parts.push(text);
  };
  let at = 0;
  do {
    const start = search.first(pieces[0]!, at);
    const matched = start === undefined ? undefined : search.prefix(pieces, true, start);
    // Where the first piece is found but not the rest, a later beginning finds the rest neither.
    if (start === undefined || matched === undefined) break;
    add(characters.slice(at, start).join(''));
    add(replacement);
    at = start + matched;
  } while (all && at < characters.length);
  add(characters.slice(at).join(''));
  return parts.join('');
}

type Piece = Pattern['pieces'][number];

class Search {
  readonly characters: readonly string[];
  #steps = 0;

  constructor(characters: readonly string[]) {
    this.characters = characters;
  }

  /** How many characters from `start` on match; undefined: none do. */
  prefix(pieces: readonly Piece[], longest: boolean, start: number): number | undefined {
    if (!this.#matches(pieces[0]!, start)) return undefined;
    let at = start + pieces[0]!.length;
    for (let index = 1; index < pieces.length; index++) {
      const piece = pieces[index]!;
      const found = index === pieces.length - 1 && longest ? this.#last(piece, at) : this.first(piece, at);
      if (found === undefined) return undefined;
      at = found + piece.length;
    }
    return at - start;
  }

  first(piece: Piece, from: number): number | undefined {
    const end = this.characters.length - piece.length;
    for (let at = from; at <= end; at++) if (this.#matches(piece, at)) return at;
    return undefined;
  }

  #last(piece: Piece, from: number): number | undefined {
    for (let at = this.characters.length - piece.length; at >= from; at--) if (this.#matches(piece, at)) return at;
    return undefined;
  }

  #matches(piece: Piece, at: number): boolean {
    if (at + piece.length > this.characters.length) return false;
    let offset = 0;
    while (offset < piece.length && (piece[offset] === undefined || piece[offset] === this.characters[at + offset])) {
      offset++;
    }
    this.#steps += offset + 1;
    if (this.#steps > MAXIMUM_STEPS) throw new PatternProblem('the pattern and the value take too long to compare');
    return offset === piece.length;
  }
}

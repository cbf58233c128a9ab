/**
 * Patterns of paths: Go's `filepath.Match` (`*`, `?`, `[a-z]`, `[^a]`, `\` escapes; none of them but a class matches `/`), and with
 * `**` for any number of directories, as `.dockerignore` has it. Source: Go's `path/filepath`, moby's `patternmatcher`.
 *
 * A pattern is run as a set of states over the characters of a path, so that it takes the length of both at most, whatever
 * they hold.
 */
export interface PathPattern {
  matches(path: string): boolean;
  /** Whether something below the directory could match, judged by the beginning of the path. */
  mayMatchBelow(directory: string): boolean;
}

type Token =
  | { readonly kind: 'character'; readonly character: string }
  | { readonly kind: 'one' }
  | { readonly kind: 'class'; readonly negated: boolean; readonly ranges: readonly (readonly [string, string])[] }
  /** `*` */
  | { readonly kind: 'some' }
  /** `**` at the end, or at the beginning of a name. */
  | { readonly kind: 'all' }
  /** Nothing, or directories with their `/`. */
  | { readonly kind: 'directories' };

/** Longest pattern, characters; paths cannot be longer. */
const MAXIMUM_LENGTH = 4096;

/** Thrown for a class that is not closed, an escape of nothing, and a pattern of more than 4,096 characters. */
export class PatternError extends Error {
  constructor(pattern: string, problem: string) {
    super(`the pattern ${pattern.slice(0, 60)} ${problem}`);
    this.name = 'PatternError';
  }
}

/** Reads a pattern. Throws `PatternError`. */
export function pathPattern(pattern: string, options: { readonly doubleStar: boolean }): PathPattern {
  if (pattern.length > MAXIMUM_LENGTH) throw new PatternError(pattern, `is longer than ${MAXIMUM_LENGTH} characters`);
  const tokens = tokensOf(pattern, options.doubleStar);
  const literal = literalOf(tokens);
  if (literal !== undefined) {
    return {
      matches: (path) => path === literal,
      mayMatchBelow: (directory) => literal.startsWith(`${directory}/`),
    };
  }
  return {
    matches: (path) => run(tokens, path).has(tokens.length),
    mayMatchBelow: (directory) => {
      const states = run(tokens, `${directory}/`);
      // Past the end nothing more can be read.
      return states.size > (states.has(tokens.length) ? 1 : 0);
    },
  };
}

/** Whether the text has something that is not itself: a pattern instead of a path. */
export function hasWildcard(text: string): boolean {
  return /[*?[\\]/.test(text);
}

function tokensOf(pattern: string, doubleStar: boolean): Token[] {
  const characters = [...pattern];
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    if (character === '*' && doubleStar && characters[at + 1] === '*') {
      const begin = at;
      while (characters[at + 1] === '*') at++;
      if (characters[at + 1] === '/') at++;
      const rest = characters.slice(at + 1);
      const isLast = rest.length === 0;
      // moby takes `**name` for a name that ends in `name`, if nothing else is special in it.
      const isSuffix = begin === 0 && characters[at] === '*' && !rest.some((next) => '*?[\\'.includes(next));
      tokens.push({ kind: isLast || isSuffix ? 'all' : 'directories' });
    } else if (character === '*') tokens.push({ kind: 'some' });
    else if (character === '?') tokens.push({ kind: 'one' });
    else if (character === '[') {
      const end = readClass(pattern, characters, at);
      tokens.push(end.token);
      at = end.at;
    } else if (character === '\\') {
      const next = characters[++at];
      if (next === undefined) throw new PatternError(pattern, 'ends with an escape of nothing');
      tokens.push({ kind: 'character', character: next });
    } else tokens.push({ kind: 'character', character });
  }
  return tokens;
}

function readClass(
  pattern: string,
  characters: readonly string[],
  from: number,
): { readonly token: Token; readonly at: number } {
  let at = from + 1;
  const negated = characters[at] === '^';
  if (negated) at++;
  const ranges: [string, string][] = [];
  const one = () => {
    let character = characters[at];
    if (character === '\\') character = characters[++at];
    else if (character === '-' || character === ']') character = undefined;
    if (character === undefined) throw new PatternError(pattern, 'has a [ that is not closed, or nothing in it');
    at++;
    return character;
  };
  for (;;) {
    if (characters[at] === ']' && ranges.length > 0) return { token: { kind: 'class', negated, ranges }, at };
    const low = one();
    let high = low;
    if (characters[at] === '-') {
      at++;
      high = one();
    }
    ranges.push([low, high]);
  }
}

function literalOf(tokens: readonly Token[]): string | undefined {
  let text = '';
  for (const token of tokens) {
    if (token.kind !== 'character') return undefined;
    text += token.character;
  }
  return text;
}

/** The states after the path: how many tokens are done. */
function run(tokens: readonly Token[], path: string): ReadonlySet<number> {
  let states = new Set<number>();
  enter(tokens, states, 0);
  for (const character of path) {
    const next = new Set<number>();
    for (const state of states) {
      const token = tokens[state];
      if (token === undefined) continue;
      switch (token.kind) {
        case 'character':
          if (token.character === character) enter(tokens, next, state + 1);
          break;
        case 'one':
          if (character !== '/') enter(tokens, next, state + 1);
          break;
        case 'class':
          if (inClass(token, character)) enter(tokens, next, state + 1);
          break;
        case 'some':
          if (character !== '/') enter(tokens, next, state);
          break;
        case 'all':
          enter(tokens, next, state);
          break;
        case 'directories':
          // It ends after a `/`; until then it is not the way past it.
          next.add(state);
          if (character === '/') enter(tokens, next, state + 1);
          break;
      }
    }
    states = next;
    if (states.size === 0) break;
  }
  return states;
}

/** Adds a state and those that are reached without reading anything. */
function enter(tokens: readonly Token[], states: Set<number>, state: number): void {
  let current = state;
  for (;;) {
    if (states.has(current)) return;
    states.add(current);
    const kind = tokens[current]?.kind;
    if (kind !== 'some' && kind !== 'all' && kind !== 'directories') return;
    current++;
  }
}

function inClass(token: Extract<Token, { kind: 'class' }>, character: string): boolean {
  const code = character.codePointAt(0)!;
  return (
    token.negated !== token.ranges.some(([low, high]) => low.codePointAt(0)! <= code && code <= high.codePointAt(0)!)
  );
}

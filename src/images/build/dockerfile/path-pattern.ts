/**
 * Patterns of paths: Go's `filepath.Match` (`*`, `?`, `[a-z]`, `[^a]`, `\` escapes; none of them but a class matches `/`), and with
 * `**` for any number of directories, as `.dockerignore` has it. Source: Go's `path/filepath`, moby's `patternmatcher`.
 *
 * A pattern is run as a set of states over the characters of a path, so that it takes the length of both at most, whatever
 * they hold.
 */
export interface PathPattern {
  matches(path: string): boolean;
  /** For who goes down directories: before anything was read. */
  readonly start: PatternState;
  /** What is known after more of a path was read. */
  read(state: PatternState, text: string): PatternState;
  /** Whether what was read matches. */
  accepts(state: PatternState): boolean;
  /** Whether what was read, and at least one character more, could match. */
  mayGoOn(state: PatternState): boolean;
}

/** Numbers of tokens of which all before are done. */
export type PatternState = readonly number[];

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
  const end = tokens.length;
  const entered = new Int32Array(end + 1);
  let round = 0;

  /** Adds a state, and those that are reached from it without reading anything. */
  function enter(states: number[], state: number): void {
    for (let current = state; entered[current] !== round; current++) {
      entered[current] = round;
      states.push(current);
      const kind = tokens[current]?.kind;
      if (kind !== 'some' && kind !== 'all' && kind !== 'directories') return;
    }
  }

  function read(from: PatternState, text: string): PatternState {
    let states = from;
    for (const character of text) {
      if (states.length === 0) break;
      round++;
      const next: number[] = [];
      for (const state of states) {
        const token = tokens[state];
        if (token === undefined) continue;
        if (token.kind === 'directories') {
          // It ends after a `/`; until then there is no way past it.
          if (entered[state] !== round) next.push(state);
          entered[state] = round;
          if (character === '/') enter(next, state + 1);
        } else if (takes(token, character)) {
          enter(next, token.kind === 'some' || token.kind === 'all' ? state : state + 1);
        }
      }
      states = next;
    }
    return states;
  }

  round++;
  const start: number[] = [];
  enter(start, 0);
  const accepts = (state: PatternState) => state.includes(end);
  return {
    matches: (path) => accepts(read(start, path)),
    start,
    read,
    accepts,
    mayGoOn: (state) => state.some((token) => token < end),
  };
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

function takes(token: Exclude<Token, { kind: 'directories' }>, character: string): boolean {
  switch (token.kind) {
    case 'character':
      return token.character === character;
    case 'one':
    case 'some':
      return character !== '/';
    case 'class':
      return inClass(token, character);
    case 'all':
      return true;
  }
}

function inClass(token: Extract<Token, { kind: 'class' }>, character: string): boolean {
  const code = character.codePointAt(0)!;
  return (
    token.negated !== token.ranges.some(([low, high]) => low.codePointAt(0)! <= code && code <= high.codePointAt(0)!)
  );
}

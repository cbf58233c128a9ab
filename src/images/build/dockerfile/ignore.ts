import { posix } from 'node:path';
import type { Ignore } from './model.ts';
import { type PathPattern, PatternError, type PatternState, pathPattern } from './path-pattern.ts';

interface Rule {
  readonly pattern: PathPattern;
  /** `!`: lets in again. */
  readonly exception: boolean;
}

/** What is known of a path: for each rule whether it matches the path or a directory above, and its state after the path. */
interface Known {
  readonly matched: Uint8Array;
  readonly states: readonly PatternState[];
}

/** States that are remembered, so that each name of a tree is read about once. */
const REMEMBERED = 400_000;

/** The names under which a Dockerfile's ignore file is looked for, first the file of its own. Source: "Filename and location" of "Dockerignore files". */
export function ignoreFileNames(dockerfile: string): readonly string[] {
  return [`${dockerfile}.dockerignore`, '.dockerignore'];
}

/**
 * Reads a `.dockerignore`. A path is left out when the last pattern that matches it, or a directory above it, is no exception.
 * Throws `PatternError`. Source: "Dockerignore files" of Docker's documentation, moby's `patternmatcher`.
 */
export function createIgnore(text: string): Ignore {
  return createIgnoreOf(readPatterns(text));
}

/** The same of patterns that are there already, such as those of `--exclude`. */
export function createIgnoreOf(patterns: readonly string[]): Ignore {
  const rules = patterns.map((written): Rule => {
    const exception = written.startsWith('!');
    return { exception, pattern: pathPattern(exception ? written.slice(1) : written, { doubleStar: true }) };
  });
  const remembered = new Map<string, Known>();
  const capacity = Math.max(64, Math.floor(REMEMBERED / (rules.length + 1)));
  const nothing: Known = { matched: new Uint8Array(rules.length), states: rules.map(({ pattern }) => pattern.start) };

  function knownOf(path: string, above: Known, name: string): Known {
    const matched = new Uint8Array(rules.length);
    const states = rules.map(({ pattern }, index) => {
      const before = above.states[index]!;
      const state = before.length === 0 ? before : pattern.read(before, above === nothing ? name : `/${name}`);
      matched[index] = above.matched[index] === 1 || pattern.accepts(state) ? 1 : 0;
      return state;
    });
    const known = { matched, states };
    if (remembered.size >= capacity) remembered.clear();
    remembered.set(path, known);
    return known;
  }

  function look(path: string): Known {
    const names = path.split('/');
    let at = '';
    let known = nothing;
    // From the deepest directory that is remembered.
    let depth = names.length;
    for (let length = path.length; length > 0 && depth > 0; length = path.lastIndexOf('/', length - 1), depth--) {
      const found = remembered.get(path.slice(0, length));
      if (found === undefined) continue;
      known = found;
      at = path.slice(0, length);
      break;
    }
    for (const name of names.slice(Math.max(depth, 0))) {
      at = at === '' ? name : `${at}/${name}`;
      known = knownOf(at, known, name);
    }
    return known;
  }

  /** Index of the rule that decides; -1: none matches. */
  const decisive = (known: Known) => known.matched.lastIndexOf(1);

  return {
    excludes: (path) => {
      const rule = rules[decisive(look(path))];
      return rule !== undefined && !rule.exception;
    },
    prunes: (directory) => {
      const known = look(directory);
      const index = decisive(known);
      if (rules[index] === undefined || rules[index].exception) return false;
      return !rules.some(
        ({ exception, pattern }, other) =>
          exception && other > index && pattern.mayGoOn(pattern.read(known.states[other]!, '/')),
      );
    },
  };
}

/** The patterns of a `.dockerignore`, cleaned: no comments, `./`, `..` inside and slashes at the ends. */
function readPatterns(text: string): string[] {
  const lines = (text.startsWith('\uFEFF') ? text.slice(1) : text).split('\n');
  return lines.flatMap((line) => {
    // Only a `#` in the first column begins a comment.
    if (line.startsWith('#')) return [];
    const written = line.trim();
    const exception = written.startsWith('!');
    if (written === '!') throw new PatternError(written, 'lets nothing in again: a path must follow');
    const pattern = cleaned(exception ? written.slice(1).trim() : written);
    return pattern === '' ? [] : [exception ? `!${pattern}` : pattern];
  });
}

function cleaned(pattern: string): string {
  if (pattern === '') return '';
  const normal = posix.normalize(pattern);
  const start = normal.startsWith('/') ? 1 : 0;
  const end = normal.length > 1 && normal.endsWith('/') ? normal.length - 1 : normal.length;
  return normal.slice(start, end);
}

import { posix } from 'node:path';
import type { Ignore } from './model.ts';
import { type PathPattern, pathPattern } from './path-pattern.ts';

interface Rule {
  readonly pattern: PathPattern;
  /** `!`: lets in again. */
  readonly exception: boolean;
}

/** Directories whose rules are remembered. */
const REMEMBERED = 4096;

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
  const remembered = new Map<string, Uint8Array>();

  /** For each rule whether it matches the path or a directory above it. */
  function matched(path: string): Uint8Array {
    const known = remembered.get(path);
    if (known !== undefined) return known;
    const slash = path.lastIndexOf('/');
    const above = slash < 0 ? undefined : matched(path.slice(0, slash));
    if (above !== undefined && !remembered.has(path.slice(0, slash))) {
      if (remembered.size >= REMEMBERED) remembered.clear();
      remembered.set(path.slice(0, slash), above);
    }
    return Uint8Array.from(rules, ({ pattern }, index) => above?.[index] || (pattern.matches(path) ? 1 : 0));
  }

  /** Index of the rule that decides; -1: none matches. */
  function decisive(path: string): number {
    return matched(path).lastIndexOf(1);
  }

  return {
    excludes: (path) => {
      const rule = rules[decisive(path)];
      return rule !== undefined && !rule.exception;
    },
    prunes: (directory) => {
      const index = decisive(directory);
      if (rules[index] === undefined || rules[index].exception) return false;
      return !rules.some(
        ({ exception, pattern }, other) => exception && other > index && pattern.mayMatchBelow(directory),
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

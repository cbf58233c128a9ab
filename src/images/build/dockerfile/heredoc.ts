import { isSpace } from './words.ts';

/** The beginning of a here-document, as a word of a command. */
export interface HeredocMark {
  readonly name: string;
  readonly expand: boolean;
  /** `<<-`: leading tabs do not count. */
  readonly stripTabs: boolean;
}

/** All here-documents that a command line begins, in order. Words count as the shell has them: `'<<EOF'` is none. */
export function heredocMarks(line: string): HeredocMark[] {
  if (!line.includes('<<')) return [];
  return shellWords(line).flatMap((word) => heredocMark(word) ?? []);
}

/**
 * Reads a word such as `<<EOF`, `<<-EOF`, `3<<"EOF"`; undefined when it is none, or several words. A here-document is a word of its
 * own: neither `cat<<EOF` nor `<<<word` is one. Source: "Here-Documents"; that any quoting of the name turns expansion off, from POSIX.
 */
export function heredocMark(word: string): HeredocMark | undefined {
  const match = /^\d*<<(-?)([^<]+)$/.exec(word);
  if (match === null) return undefined;
  const written = match[2]!;
  // `<<EOF bash` is a command that reads the document.
  if (shellWords(written)[0] !== written) return undefined;
  const name = unquote(written);
  if (name === undefined || name === '') return undefined;
  return { name, expand: name === written, stripTabs: match[1] === '-' };
}

/** Words with their quotes. What stands in quotes, and what is escaped, does not end a word. */
function shellWords(line: string): string[] {
  const words: string[] = [];
  let start = -1;
  let quote = '';
  for (let at = 0; at < line.length; at++) {
    const character = line[at]!;
    if (quote === '' && isSpace(character)) {
      if (start >= 0) words.push(line.slice(start, at));
      start = -1;
      continue;
    }
    if (start < 0) start = at;
    if (character === '\\' && quote !== "'") at++;
    else if (quote === '' && (character === '"' || character === "'")) quote = character;
    else if (character === quote) quote = '';
  }
  if (start >= 0) words.push(line.slice(start));
  return words;
}

/** Undefined when a quote is not closed. */
function unquote(word: string): string | undefined {
  let result = '';
  let quote = '';
  for (let at = 0; at < word.length; at++) {
    const character = word[at]!;
    if (character === '\\' && quote !== "'") {
      at++;
      result += word[at] ?? '';
    } else if (quote === '' && (character === '"' || character === "'")) quote = character;
    else if (character === quote) quote = '';
    else result += character;
  }
  return quote === '' ? result : undefined;
}

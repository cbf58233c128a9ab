import { isNothing, type Member } from './member.ts';
import { scalarText } from './values.ts';

/**
 * A command line split into words as a shell does: quotes and backslashes, but neither variables nor operators
 * (https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_02). `undefined` when a quote is not closed.
 */
export function splitWords(line: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let at = 0; at < line.length; at += 1) {
    const character = line[at]!;
    if (quote !== undefined) {
      if (character === quote) quote = undefined;
      else if (quote === '"' && character === '\\' && /["\\$`\n]/.test(line[at + 1] ?? '')) {
        at += 1;
        word += line[at] === '\n' ? '' : line[at]!;
      } else word += character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= '';
    } else if (character === '\\') {
      if (at + 1 === line.length) return undefined;
      at += 1;
      if (line[at] !== '\n') word = (word ?? '') + line[at];
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + character;
  }
  if (quote !== undefined) return undefined;
  return word === undefined ? words : [...words, word];
}

/**
 * A command as a list of words, or as a line that is split. A later file replaces it, and without a value clears it
 * (https://docs.docker.com/reference/compose-file/services/#command).
 */
export function command(): Member<readonly string[]> {
  return {
    read: (cursor) => {
      if (cursor.tree.kind === 'list') return cursor.items().map((item) => (isNothing(item) ? '' : scalarText(item)));
      if (cursor.tree.kind !== 'scalar') cursor.fail('must be a line or a list of words');
      return splitWords(scalarText(cursor)) ?? cursor.fail('has a quote or a backslash without its other half');
    },
    merge: (_base, over) => over,
    clearedByNull: true,
  };
}

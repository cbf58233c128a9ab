import { InvalidPatternError } from './invalid-pattern-error.ts';

/**
 * A test for a text with `*` for any characters; `\*` and `\\` stand for themselves. The time it takes grows with the
 * text's length times the number of stars, whatever the text. Throws InvalidPatternError.
 * Source: EventBridge User Guide, "Matching using wildcards".
 */
export function compileWildcard(wildcard: string): (text: string) => boolean {
  const parts = literalParts(wildcard);
  const [first = '', ...rest] = parts;
  const last = rest.pop();
  if (last === undefined) return (text) => text === first;
  return (text) => {
    if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
    const end = text.length - last.length;
    let at = first.length;
    for (const part of rest) {
      const found = text.indexOf(part, at);
      if (found < 0 || found + part.length > end) return false;
      at = found + part.length;
    }
    return at <= end;
  };
}

/** What stands before, between and after the stars. */
function literalParts(wildcard: string): string[] {
  const parts = [''];
  for (let index = 0; index < wildcard.length; index += 1) {
    const character = wildcard[index]!;
    if (character === '*') {
      if (wildcard[index - 1] === '*' && !isEscaped(wildcard, index - 1)) {
        throw new InvalidPatternError('Consecutive wildcard characters are not allowed');
      }
      parts.push('');
      continue;
    }
    if (character !== '\\') {
      parts[parts.length - 1] += character;
      continue;
    }
    const next = wildcard[index + 1];
    if (next !== '*' && next !== '\\') throw new InvalidPatternError('Invalid escape character in a wildcard');
    parts[parts.length - 1] += next;
    index += 1;
  }
  return parts;
}

function isEscaped(text: string, index: number): boolean {
  let slashes = 0;
  while (text[index - 1 - slashes] === '\\') slashes += 1;
  return slashes % 2 === 1;
}

import { InvalidPatternError } from './invalid-pattern-error.ts';

/**
 * A test for a text with `*` for any characters; `\*` and `\\` stand for themselves. The time it takes does not grow faster
 * than the text's length times the wildcard's, whatever they are. Throws InvalidPatternError.
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

/** What stands before, between and after the stars. Throws InvalidPatternError. */
export function literalParts(wildcard: string): string[] {
  const parts = [''];
  for (let index = 0; index < wildcard.length; index += 1) {
    const [character, next] = [wildcard[index]!, wildcard[index + 1]];
    if (character === '*') {
      if (next === '*') {
        throw new InvalidPatternError(`Consecutive wildcard characters at pos ${position(wildcard, index)}`);
      }
      parts.push('');
    } else if (character !== '\\') parts[parts.length - 1] += character;
    else if (next === '*' || next === '\\') {
      parts[parts.length - 1] += next;
      index += 1;
    } else throw new InvalidPatternError(`Invalid escape character at pos ${position(wildcard, index)}`);
  }
  return parts;
}

/** AWS counts the bytes of the text in its quotes. */
const position = (wildcard: string, index: number): number => 1 + Buffer.byteLength(wildcard.slice(0, index));

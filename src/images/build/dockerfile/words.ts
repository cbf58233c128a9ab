import { SyntaxProblem } from './dockerfile-error.ts';
import type { EscapeCharacter } from './model.ts';

/** What Go's `unicode.IsSpace` takes for a space, so that words end where they end in Docker. */
const SPACE = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

export function isSpace(character: string): boolean {
  const code = character.charCodeAt(0);
  return code < 0x80 ? code === 0x20 || (code >= 0x09 && code <= 0x0d) : SPACE.test(character);
}

/** Without spaces at either end. */
export function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text[start]!)) start++;
  while (end > start && isSpace(text[end - 1]!)) end--;
  return text.slice(start, end);
}

export function trimStart(text: string): string {
  let start = 0;
  while (start < text.length && isSpace(text[start]!)) start++;
  return text.slice(start);
}

/** Words between spaces; quotes mean nothing. */
export function splitAtSpaces(text: string): string[] {
  return text.split(/[\t\v\f\r ]+/).filter((word) => word !== '');
}

/** The first word and what follows the spaces after it. */
export function splitFirst(text: string): { readonly first: string; readonly rest: string } {
  let end = 0;
  while (end < text.length && !isBlank(text[end]!)) end++;
  let start = end;
  while (start < text.length && isBlank(text[start]!)) start++;
  return { first: text.slice(0, end), rest: text.slice(start) };
}

function isBlank(character: string): boolean {
  return character === ' ' || (character >= '\t' && character <= '\r' && character !== '\n');
}

/**
 * Words as ENV, LABEL and ARG have them: quoted spaces do not end a word. Quotes and escapes stay, for they are
 * taken off when the word is expanded. An escape at the very end is dropped; a quote that is not closed goes to the end.
 */
export function splitQuoted(text: string, escapeCharacter: EscapeCharacter): string[] {
  const words: string[] = [];
  let word = '';
  let inWord = false;
  let quote = '';
  const end = () => {
    if (inWord) words.push(word);
    word = '';
    inWord = false;
  };
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (quote === '' && isSpace(character)) {
      end();
      continue;
    }
    if (character === escapeCharacter && quote !== "'") {
      const next = text[at + 1];
      if (next === undefined) break;
      word += character + next;
      inWord = true;
      at++;
      continue;
    }
    if (quote === '' && (character === '"' || character === "'")) quote = character;
    else if (character === quote) quote = '';
    word += character;
    inWord = true;
  }
  end();
  return words;
}

/**
 * The strings of a JSON array; undefined when the text is no JSON array, which makes it shell form. Throws when it is
 * one of something other than strings. Source: "Exec form".
 */
export function jsonStrings(text: string): string[] | undefined {
  const values = jsonArray(text);
  if (values === undefined || values.every((value) => typeof value === 'string')) return values as string[] | undefined;
  throw new SyntaxProblem('the JSON form takes strings only. Put each argument into double quotes');
}

/** Whether the text is a JSON array, of whatever. */
export function isJsonForm(text: string): boolean {
  return jsonArray(text) !== undefined;
}

function jsonArray(text: string): unknown[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

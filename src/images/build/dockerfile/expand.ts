import { SyntaxProblem } from './dockerfile-error.ts';
import type { ExpandOptions } from './model.ts';
import {
  type Pattern,
  PatternProblem,
  removePrefix,
  removeSuffix,
  replaceMatches,
  shellPattern,
} from './shell-pattern.ts';
import { isSpace } from './words.ts';

/** What a word may expand to at most, characters: no program could be started with a longer variable. */
const MAXIMUM_LENGTH = 1024 * 1024;
/** The same of a here-document. */
const MAXIMUM_TEXT = 16 * 1024 * 1024;
/** `${a:-${b:-…}}` may be so deep. */
const MAXIMUM_DEPTH = 100;

/**
 * The value of a word: variables put in, quotes and escapes taken off. Throws `SyntaxProblem` for a quote or brace that is not
 * closed, for `${x:?message}`, and for more than 1 MiB. Source: "Environment replacement".
 */
export function expandWord(word: string, options: ExpandOptions): string {
  return new Expansion(word, options).run().value;
}

/** The same, cut at spaces that are neither quoted nor escaped, also those that variables brought. */
export function expandWords(word: string, options: ExpandOptions): string[] {
  return new Expansion(word, options).run().words;
}

/** Expands what a here-document holds: variables and backslashes, whatever the escape character is; quotes stay. */
export function expandText(text: string, options: ExpandOptions): string {
  return new Expansion(text, { ...options, escape: '\\', keepQuotes: true, maximumLength: MAXIMUM_TEXT }).run().value;
}

interface Settings extends ExpandOptions {
  readonly keepQuotes?: boolean;
  readonly maximumLength?: number;
}

class Expansion {
  readonly #text: string;
  readonly #settings: Settings;
  readonly #maximum: number;
  #at = 0;
  #depth = 0;

  constructor(text: string, settings: Settings) {
    this.#text = text;
    this.#settings = settings;
    this.#maximum = settings.maximumLength ?? MAXIMUM_LENGTH;
  }

  run(): { readonly value: string; readonly words: string[] } {
    const words = new Words();
    const value = this.#until('', false, words);
    return { value, words: words.finish() };
  }

  /** Up to the character `stop` (empty: the end), which is passed. `rawEscapes`: escapes stay, for a pattern to read. */
  #until(stop: string, rawEscapes: boolean, words?: Words): string {
    const { escape: escapeCharacter, keepQuotes } = this.#settings;
    let result = '';
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at]!;
      if (character === stop) {
        this.#at++;
        return result;
      }
      if (character === '$') {
        const value = this.#variable();
        result += value;
        words?.addUnquoted(value);
      } else if (character === escapeCharacter && keepQuotes && stop === '') {
        result += this.#escapedInText();
      } else if (character === escapeCharacter) {
        const next = this.#codePoint(this.#at + 1);
        this.#at += 1 + next.length;
        result += rawEscapes ? rawEscape(escapeCharacter, next) : next;
        words?.addQuoted(next);
      } else if (!keepQuotes && character === "'") {
        const value = this.#singleQuoted();
        result += value;
        words?.addQuoted(value);
      } else if (!keepQuotes && character === '"') {
        const value = this.#doubleQuoted(rawEscapes);
        result += value;
        words?.addQuoted(value);
      } else {
        this.#at++;
        result += character;
        words?.addUnquoted(character);
      }
      this.#bound(result.length);
    }
    if (stop !== '') throw new SyntaxProblem(`a ${stop} is missing after \${`);
    return result;
  }

  #bound(length: number): void {
    if (length > this.#maximum) throw new SyntaxProblem(`the value is longer than ${this.#maximum} characters`);
  }

  #codePoint(at: number): string {
    const code = this.#text.codePointAt(at);
    return code === undefined ? '' : String.fromCodePoint(code);
  }

  /** A backslash in a here-document escapes only what would mean something, and the end of a line. Source: POSIX, "Here-Document". */
  #escapedInText(): string {
    const next = this.#text[this.#at + 1] ?? '';
    const escapes = next !== '' && '$`\\\n'.includes(next);
    this.#at += escapes ? 2 : 1;
    if (!escapes) return '\\';
    return next === '\n' ? '' : next;
  }

  #singleQuoted(): string {
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end < 0) throw new SyntaxProblem("a closing ' is missing");
    const value = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return value;
  }

  #doubleQuoted(rawEscapes: boolean): string {
    const escapeCharacter = this.#settings.escape;
    let result = '';
    this.#at++;
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at]!;
      if (character === '"') {
        this.#at++;
        return result;
      }
      if (character === '$') result += this.#variable();
      else if (character === escapeCharacter) {
        const next = this.#text[this.#at + 1];
        const escapes = next === '"' || next === '$' || next === escapeCharacter;
        if (escapes) result += rawEscapes ? rawEscape(escapeCharacter, next) : next;
        else result += escapeCharacter;
        this.#at += escapes ? 2 : 1;
      } else {
        result += character;
        this.#at++;
      }
      this.#bound(result.length);
    }
    throw new SyntaxProblem('a closing " is missing');
  }

  #variable(): string {
    this.#at++;
    if (this.#text[this.#at] !== '{') {
      const name = this.#name();
      return name === '' ? '$' : (this.#look(name) ?? '');
    }
    if (this.#depth >= MAXIMUM_DEPTH) throw new SyntaxProblem('variables are nested too deeply');
    this.#depth++;
    this.#at++;
    const value = this.#braced();
    this.#depth--;
    return value;
  }

  #braced(): string {
    const start = this.#at - 2;
    const name = this.#name();
    const next = this.#text[this.#at];
    if (next === undefined) throw new SyntaxProblem(`a } is missing after \${${name}`);
    if (name === '') throw new SyntaxProblem(`there is no variable name in ${this.#shown(start)}`);
    this.#at++;
    if (next === '}') return this.#look(name) ?? '';
    if (next === '/') return this.#replace(name);
    if (next === '#' || next === '%') return this.#remove(name, next);
    const colon = next === ':';
    const operator = colon ? this.#text[this.#at++] : next;
    if (operator !== '-' && operator !== '+' && operator !== '?') {
      throw new SyntaxProblem(
        `${this.#shown(start)} is not supported: \${${name}} takes :- :+ :? - + ? # ## % %% / //`,
      );
    }
    const word = this.#until('}', false);
    const value = this.#look(name);
    const there = value !== undefined && !(colon && value === '');
    if (operator === '+') return there ? word : '';
    if (there) return value;
    if (operator === '-') return word;
    throw new SyntaxProblem(`${name}: ${word === '' ? (value === undefined ? 'is not set' : 'is empty') : word}`);
  }

  /** `${name#pattern}` and its kin. */
  #remove(name: string, operator: '#' | '%'): string {
    const longest = this.#text[this.#at] === operator;
    if (longest) this.#at++;
    const pattern = this.#until('}', true);
    const value = this.#look(name) ?? '';
    const remove = operator === '#' ? removePrefix : removeSuffix;
    return withPattern(pattern, (read) => remove(value, read, longest));
  }

  /** `${name/pattern/replacement}` and `//`. */
  #replace(name: string): string {
    const all = this.#text[this.#at] === '/';
    if (all) this.#at++;
    const pattern = this.#until('/', true);
    const replacement = this.#until('}', false);
    const value = this.#look(name) ?? '';
    return withPattern(pattern, (read) =>
      replaceMatches(value, read, replacement, all, (length) => this.#bound(length)),
    );
  }

  #look(name: string): string | undefined {
    this.#settings.onUse?.(name);
    return this.#settings.lookup(name);
  }

  /** Letters, digits and `_`, only digits if it begins with one, or one of the shell's special parameters. */
  #name(): string {
    const rest = /[0-9]+|[\p{L}_][\p{L}\p{Nd}_]*|[@*#?$!-]/uy;
    rest.lastIndex = this.#at;
    const name = rest.exec(this.#text)?.[0] ?? '';
    this.#at += name.length;
    return name;
  }

  #shown(start: number): string {
    return this.#text.slice(start, Math.min(this.#at + 10, start + 40));
  }
}

/** An escape as a pattern has it: with a backslash, whatever the escape character is. */
function rawEscape(escapeCharacter: string, next: string): string {
  return escapeCharacter === '\\' || '*?\\'.includes(next) ? `\\${next}` : next;
}

function withPattern(text: string, use: (pattern: Pattern) => string): string {
  try {
    return use(shellPattern(text));
  } catch (error) {
    if (error instanceof PatternProblem) throw new SyntaxProblem(`${text.slice(0, 40)}: ${error.message}`);
    throw error;
  }
}

/** Words as they come out of an expansion; there are no empty ones. */
class Words {
  readonly #words: string[] = [];
  #word = '';

  addUnquoted(text: string): void {
    let start = 0;
    for (let at = 0; at < text.length; at++) {
      if (!isSpace(text[at]!)) continue;
      this.#word += text.slice(start, at);
      this.#end();
      start = at + 1;
    }
    this.#word += start === 0 ? text : text.slice(start);
  }

  addQuoted(text: string): void {
    this.#word += text;
  }

  finish(): string[] {
    this.#end();
    return this.#words;
  }

  #end(): void {
    if (this.#word !== '') this.#words.push(this.#word);
    this.#word = '';
  }
}

import { InterpolationError, interpolate, type Variables } from './interpolation.ts';
import { ComposeFileError } from './place.ts';

const SPACE = /[\t\v\f\r \u0085\u00a0]*/y;
const KEY = /[\p{L}\p{N}_.-]+/uy;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f', b: '\b', v: '\v', a: '\u0007' };

/**
 * The variables that an environment file sets, added to those of `earlier` files, in its order: `NAME=value`, `NAME: value`, `export NAME=value`, values in single quotes as they
 * are, in double quotes with escapes, over several lines; comments; variables replaced but in single quotes; a bare `NAME` takes
 * its value from `variables` (https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/#env-file-syntax).
 * A variable that is set already wins over what the file says of it when another value refers to it. Throws a `ComposeFileError` naming the line.
 */
export function parseEnvFile(
  text: string,
  file: string,
  variables: Variables,
  earlier: ReadonlyMap<string, string> = new Map(),
): Map<string, string> {
  return new EnvFile(text, file, variables, earlier).read();
}

/** The same without quotes, escapes, comments at the end of a line and variables: `format: raw`. */
export function parseRawEnvFile(
  text: string,
  file: string,
  variables: Variables,
  earlier: ReadonlyMap<string, string> = new Map(),
): Map<string, string> {
  const result = new Map(earlier);
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.trimStart().startsWith('#')) continue;
    const at = line.indexOf('=');
    const key = (at < 0 ? line : line.slice(0, at)).trim();
    if (key === '' || /\s/.test(key))
      throw new ComposeFileError(`"${key}" is no name of a variable`, { place: { file, line: index + 1 } });
    const value = at < 0 ? variables(key) : line.slice(at + 1);
    if (value !== undefined) result.set(key, value);
  }
  return result;
}

class EnvFile {
  readonly #text: string;
  readonly #file: string;
  readonly #outer: Variables;
  readonly #result: Map<string, string>;
  #at = 0;

  constructor(text: string, file: string, variables: Variables, earlier: ReadonlyMap<string, string>) {
    this.#result = new Map(earlier);
    this.#text = text.startsWith('\ufeff') ? text.slice(1) : text;
    this.#file = file;
    this.#outer = variables;
  }

  read(): Map<string, string> {
    while (this.#toStatement()) this.#statement();
    return this.#result;
  }

  /** Past blank lines and comments; false at the end. */
  #toStatement(): boolean {
    for (;;) {
      this.#match(SPACE);
      const character = this.#text[this.#at];
      if (character === undefined) return false;
      if (character === '#') this.#toLineEnd();
      else if (character === '\n') this.#at += 1;
      else return true;
    }
  }

  #statement(): void {
    const start = this.#at;
    let key = this.#match(KEY);
    if (key === 'export' && /[\t ]/.test(this.#text[this.#at] ?? '')) {
      this.#match(SPACE);
      const named = this.#match(KEY);
      if (named !== '') key = named;
    }
    this.#match(SPACE);
    const separator = this.#text[this.#at];
    if (key === '') throw this.#wrong(`a line begins with the name of a variable, not with "${separator}"`, start);
    if (separator === undefined || separator === '\n' || separator === '#') {
      this.#toLineEnd();
      const value = this.#outer(key);
      if (value !== undefined) this.#result.set(key, value);
      return;
    }
    if (separator !== '=' && separator !== ':')
      throw this.#wrong(`"=" must follow the name ${key}, not "${separator}"`, start);
    this.#at += 1;
    this.#result.set(key, this.#value(start));
  }

  #value(start: number): string {
    const begin = this.#at;
    this.#match(SPACE);
    const quote = this.#text[this.#at];
    if (quote !== '"' && quote !== "'") {
      this.#at = begin;
      return this.#expand(this.#unquoted(), start);
    }
    this.#at += 1;
    const content = this.#quoted(quote, start);
    this.#match(SPACE);
    const next = this.#text[this.#at];
    if (next !== undefined && next !== '\n' && next !== '#')
      throw this.#wrong(`text follows the closing ${quote}`, start);
    this.#toLineEnd();
    return quote === '"' ? this.#expand(content, start) : content;
  }

  /** To the end of the line; a comment there has a space before it. */
  #unquoted(): string {
    const line = this.#toLineEnd();
    const comment = line.search(/[\t ]#/);
    return (comment < 0 ? line : line.slice(0, comment)).trim();
  }

  /** Up to the closing quote. In double quotes an escaped dollar sign is doubled, so that it is none of a variable. */
  #quoted(quote: string, start: number): string {
    let result = '';
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) throw this.#wrong(`a closing ${quote} is missing`, start);
      this.#at += 1;
      if (character === quote) return result;
      const next = this.#text[this.#at];
      if (character !== '\\' || next === undefined || (quote === "'" && next !== "'")) {
        result += character;
        continue;
      }
      this.#at += 1;
      if (next === '$') result += '$$';
      else result += quote === '"' ? (ESCAPES[next] ?? next) : next;
    }
  }

  #expand(text: string, start: number): string {
    try {
      return interpolate(text, (name) => this.#outer(name) ?? this.#result.get(name));
    } catch (error) {
      if (!(error instanceof InterpolationError)) throw error;
      throw this.#wrong(error.message, start);
    }
  }

  #toLineEnd(): string {
    const end = this.#text.indexOf('\n', this.#at);
    const line = this.#text.slice(this.#at, end < 0 ? undefined : end);
    this.#at = end < 0 ? this.#text.length : end;
    return line.replace(/\r$/, '');
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const [match = ''] = pattern.exec(this.#text) ?? [];
    this.#at += match.length;
    return match;
  }

  #wrong(message: string, offset: number): ComposeFileError {
    const line = this.#text.slice(0, offset).split('\n').length;
    return new ComposeFileError(message, { place: { file: this.#file, line } });
  }
}

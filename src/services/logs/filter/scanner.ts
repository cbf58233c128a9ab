import type { ServiceError } from '../../../base/errors.ts';
import { invalidParameter } from '../errors.ts';
import { type LinearRegex, parseRegex } from './linear-regex.ts';

/** A pattern holds at most two regular expressions (User Guide, "Filter pattern syntax", quotas). */
const MAX_REGEXES = 2;

/** Reads a filter pattern from left to right. */
export class Scanner {
  readonly text: string;
  position = 0;
  #regexes = 0;

  constructor(text: string) {
    this.text = text;
  }

  get ended(): boolean {
    return this.position >= this.text.length;
  }

  peek(): string {
    return this.text[this.position] ?? '';
  }

  skipSpace(): void {
    while (/\s/.test(this.peek())) this.position++;
  }

  /** Takes `word` when it comes next (after spaces). */
  accept(word: string): boolean {
    this.skipSpace();
    if (!this.text.startsWith(word, this.position)) return false;
    this.position += word.length;
    return true;
  }

  /** Takes a keyword, any case, that ends at a word boundary. */
  acceptWord(word: string): boolean {
    this.skipSpace();
    const end = this.position + word.length;
    if (this.text.slice(this.position, end).toUpperCase() !== word || /\w/.test(this.text[end] ?? '')) return false;
    this.position = end;
    return true;
  }

  expect(word: string): void {
    if (!this.accept(word)) throw this.error(`expected '${word}'`);
  }

  /** Characters from here on that match `allowed`; may be none. */
  run(allowed: RegExp): string {
    const start = this.position;
    while (!this.ended && allowed.test(this.peek())) this.position++;
    return this.text.slice(start, this.position);
  }

  /** A string in double quotes; `\"` and `\\` are escapes. */
  quoted(): string {
    this.expect('"');
    let value = '';
    while (this.peek() !== '"') {
      if (this.ended) throw this.error('a quotation mark is not closed');
      if (this.peek() === '\\' && /["\\]/.test(this.text[this.position + 1] ?? '')) this.position++;
      value += this.peek();
      this.position++;
    }
    this.position++;
    return value;
  }

  /** A regular expression between percent signs. */
  regex(): LinearRegex {
    this.expect('%');
    const end = this.text.indexOf('%', this.position);
    if (end < 0) throw this.error("a '%' is not closed");
    const source = this.text.slice(this.position, end);
    this.position = end + 1;
    if (++this.#regexes > MAX_REGEXES) throw this.error(`at most ${MAX_REGEXES} regular expressions are allowed`);
    try {
      return parseRegex(source);
    } catch (error) {
      throw this.error(error instanceof Error ? error.message : String(error));
    }
  }

  error(detail: string): ServiceError {
    return invalidParameter(`Invalid filter pattern: ${detail} at position ${this.position + 1}.`);
  }
}

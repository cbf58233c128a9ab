import { SyntaxProblem, suggestion } from './dockerfile-error.ts';
import { isSpace } from './words.ts';

/** A `--name=value` of an instruction. */
export interface Flag {
  readonly name: string;
  /** Undefined: no `=`. */
  readonly value: string | undefined;
}

/** How often a flag may be there, and what its value is. */
export type FlagKind = 'text' | 'texts' | 'boolean';

/** Flags at the beginning of an instruction's arguments; `--` ends them. Quotes and backslashes work as in a shell. */
export function splitFlags(text: string): { readonly flags: Flag[]; readonly rest: string } {
  const flags: Flag[] = [];
  let at = 0;
  for (;;) {
    while (at < text.length && isSpace(text[at]!)) at++;
    if (!text.startsWith('--', at)) return { flags, rest: text.slice(at) };
    const { word, end } = flagWord(text, at);
    at = end;
    if (word === '--') return { flags, rest: text.slice(at) };
    const equals = word.indexOf('=');
    flags.push(
      equals < 0
        ? { name: word.slice(2), value: undefined }
        : { name: word.slice(2, equals), value: word.slice(equals + 1) },
    );
  }
}

function flagWord(text: string, from: number): { readonly word: string; readonly end: number } {
  let word = '';
  let quote = '';
  let at = from;
  for (; at < text.length; at++) {
    const character = text[at]!;
    if (character === '\\') {
      at++;
      word += text[at] ?? '';
    } else if (character === quote) quote = '';
    else if (quote !== '') word += character;
    else if (isSpace(character)) break;
    else if (character === '"' || character === "'") quote = character;
    else word += character;
  }
  return { word, end: Math.min(at, text.length) };
}

/** The flags of one instruction, checked against those that it has. */
export class Flags<Name extends string> {
  readonly #values = new Map<string, string[]>();

  constructor(keyword: string, flags: readonly Flag[], kinds: Readonly<Record<Name, FlagKind>>) {
    for (const { name, value } of flags) {
      const kind = Object.hasOwn(kinds, name) ? kinds[name as Name] : undefined;
      if (kind === undefined) throw new SyntaxProblem(unknown(keyword, name, Object.keys(kinds)));
      const values = this.#values.get(name) ?? [];
      if (values.length > 0 && kind !== 'texts') throw new SyntaxProblem(`--${name} is there twice. Remove one`);
      if (kind === 'boolean') {
        if (!['true', 'false'].includes((value ?? 'true').toLowerCase())) {
          throw new SyntaxProblem(`--${name} must be true or false, not ${value}`);
        }
      } else if (value === undefined) {
        throw new SyntaxProblem(`--${name} needs a value: --${name}=…`);
      }
      values.push(value ?? 'true');
      this.#values.set(name, values);
    }
  }

  text(name: Name): string | undefined {
    const value = this.#values.get(name)?.[0];
    return value === '' ? undefined : value;
  }

  texts(name: Name): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  /** Undefined when it is not there. */
  boolean(name: Name): boolean | undefined {
    const value = this.#values.get(name)?.[0];
    return value === undefined ? undefined : value.toLowerCase() === 'true';
  }

  /** One of the words, the first of them when the flag is not there. */
  choice<Word extends string>(name: Name, words: readonly [Word, ...Word[]]): Word {
    const value = this.text(name);
    if (value === undefined) return words[0];
    const word = words.find((candidate) => candidate === value);
    if (word === undefined) {
      throw new SyntaxProblem(`--${name} must be ${words.join(', ')}, not ${value}.${suggestion(value, words)}`);
    }
    return word;
  }
}

function unknown(keyword: string, name: string, known: readonly string[]): string {
  if (keyword === 'RUN' && name === 'device') return 'RUN --device (CDI devices) is not supported';
  const has =
    known.length === 0 ? `${keyword} has no flags` : `${keyword} has ${known.map((flag) => `--${flag}`).join(', ')}`;
  const meant = suggestion(name, known).replace('Did you mean ', 'Did you mean --');
  const hint = keyword === 'CMD' || keyword === 'ENTRYPOINT' ? `. Put -- before arguments that begin with --` : '';
  return `unknown flag --${name}: ${has}${hint}.${meant}`;
}

/** A simple command as a shell would run it, as far as that can be read off its text. */
export interface ShellCommand {
  /** The program: its last path component. */
  readonly name: string;
  /** Arguments without quotes; variables and substitutions stay as they are written. */
  readonly words: readonly string[];
  /** Its output goes into a pipe. */
  readonly piped: boolean;
}

/** `$( $( … ) )` is read so deep. */
const MAXIMUM_DEPTH = 20;
/** Words after which a command begins, or that are none themselves. */
const KEYWORDS = new Set([
  'if',
  'then',
  'else',
  'elif',
  'while',
  'until',
  'do',
  '!',
  '{',
  'time',
  'exec',
  'command',
  'env',
]);
const CLOSERS = new Set(['fi', 'done', 'esac', '}']);
const SEPARATORS = ';&|()\n';

/**
 * The commands of a shell script, those in `$(…)` and backquotes included. This is no shell: it knows quotes, lists, pipes,
 * redirections and assignments, which is what rules about programs and their flags need.
 */
export function shellCommands(script: string): readonly ShellCommand[] {
  const reader = new Reader(script);
  reader.readList('', 0);
  return reader.commands;
}

/** The command that an exec form runs; that of the script for `["sh", "-c", script]`. */
export function execCommands(words: readonly string[]): readonly ShellCommand[] {
  const [program, flag, script] = words;
  if (program === undefined) return [];
  if (
    /(^|\/)(ba|da|a|z|k)?sh$/.test(program) &&
    flag !== undefined &&
    /^-[a-z]*c$/.test(flag) &&
    script !== undefined
  ) {
    return shellCommands(script);
  }
  return [{ name: baseName(program), words: words.slice(1), piped: false }];
}

class Reader {
  readonly commands: ShellCommand[] = [];
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Commands up to the character `stop`, which is passed. */
  readList(stop: '' | ')' | '`', depth: number): void {
    let words: string[] = [];
    const end = (piped: boolean) => {
      this.#add(words, piped);
      words = [];
    };
    let parentheses = 0;
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at]!;
      if (character === stop && !(stop === ')' && parentheses > 0)) {
        this.#at++;
        break;
      }
      if (character === ' ' || character === '\t' || character === '\r') this.#at++;
      else if (character === '#') this.#skipComment();
      else if (character === '<' || character === '>' || (character === '&' && this.#text[this.#at + 1] === '>')) {
        this.#redirection(words, depth);
      } else if (SEPARATORS.includes(character)) {
        if (character === '(') parentheses++;
        if (character === ')') parentheses = Math.max(0, parentheses - 1);
        const piped = character === '|' && this.#text[this.#at + 1] !== '|';
        this.#at += !piped && this.#text[this.#at + 1] === character && '&|;'.includes(character) ? 2 : 1;
        end(piped);
      } else {
        const before = this.#at;
        words.push(this.#word(depth));
        if (this.#at === before) this.#at++;
      }
    }
    end(false);
  }

  #skipComment(): void {
    const end = this.#text.indexOf('\n', this.#at);
    this.#at = end < 0 ? this.#text.length : end;
  }

  #redirection(words: string[], depth: number): void {
    const last = words[words.length - 1];
    if (last !== undefined && /^\d+$/.test(last) && /\d/.test(this.#text[this.#at - 1] ?? '')) words.pop();
    while ('<>&|-'.includes(this.#text[this.#at] ?? 'x')) this.#at++;
    while (' \t'.includes(this.#text[this.#at] ?? 'x')) this.#at++;
    this.#word(depth);
  }

  #word(depth: number): string {
    let word = '';
    let quote = '';
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at]!;
      if (character === '\\' && quote !== "'") {
        word += this.#text[this.#at + 1] ?? '';
        this.#at += 2;
      } else if (character === quote) {
        quote = '';
        this.#at++;
      } else if (quote === "'") {
        word += character;
        this.#at++;
      } else if (character === '$' || character === '`') word += this.#substitution(depth);
      else if (quote === '' && (character === '"' || character === "'")) {
        quote = character;
        this.#at++;
      } else if (quote === '' && (' \t\r<>'.includes(character) || SEPARATORS.includes(character))) break;
      else {
        word += character;
        this.#at++;
      }
    }
    return word;
  }

  /** As it is written; the commands in it are read on the way. */
  #substitution(depth: number): string {
    const start = this.#at;
    const opening = this.#text[start + 1];
    if (this.#text[start] === '`' || opening === '(') {
      this.#at += opening === '(' && this.#text[start] === '$' ? 2 : 1;
      const stop = this.#text[start] === '`' ? '`' : ')';
      if (depth < MAXIMUM_DEPTH) this.readList(stop, depth + 1);
      else this.#at = this.#text.length;
    } else if (opening === '{') {
      const end = this.#text.indexOf('}', start);
      this.#at = end < 0 ? this.#text.length : end + 1;
    } else this.#at++;
    return this.#text.slice(start, this.#at);
  }

  #add(words: readonly string[], piped: boolean): void {
    let start = 0;
    while (start < words.length && (KEYWORDS.has(words[start]!) || /^[A-Za-z_]\w*\+?=/.test(words[start]!))) start++;
    const name = words[start];
    if (name === undefined || CLOSERS.has(name)) return;
    // The words of a loop are no command; what it does comes after `do`.
    if (name === 'for' || name === 'case' || name === 'select') return;
    this.commands.push({ name: baseName(name), words: words.slice(start + 1), piped });
  }
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

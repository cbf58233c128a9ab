import { ComposeFileError, showPath } from './place.ts';
import type { Tree } from './yaml-tree.ts';

/** The value of a variable; `undefined` when it is not set. */
export type Variables = (name: string) => string | undefined;

/** Why a text with variables cannot be used. */
export class InterpolationError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InterpolationError';
  }
}

const NAME = /[_a-zA-Z][_a-zA-Z0-9]*/y;
/** Defaults within defaults: more is no file of a person's. */
const DEEPEST = 50;
const OPERATORS = [':-', ':?', ':+', '-', '?', '+'] as const;

/**
 * Replaces `$NAME`, `${NAME}` and `${NAME:-default}`, `-`, `:?`, `?`, `:+`, `+`, nested too; `$$` is a dollar sign
 * (https://docs.docker.com/reference/compose-file/interpolation/). `onMissing` hears of variables that are not set and have no default,
 * which become empty. Throws `InterpolationError`.
 */
export function interpolate(text: string, variables: Variables, onMissing: (name: string) => void = () => {}): string {
  if (!text.includes('$')) return text;
  return new Interpolation(text, variables, onMissing).run();
}

class Interpolation {
  readonly #text: string;
  readonly #variables: Variables;
  readonly #onMissing: (name: string) => void;
  #at = 0;
  #depth = 0;

  constructor(text: string, variables: Variables, onMissing: (name: string) => void) {
    this.#text = text;
    this.#variables = variables;
    this.#onMissing = onMissing;
  }

  run(): string {
    return this.#until(undefined, true);
  }

  /** Text up to the end, or up to the `}` that ends a default. What is not `wanted` is read, but not looked up. */
  #until(end: '}' | undefined, wanted: boolean): string {
    let result = '';
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) {
        if (end === undefined) return result;
        throw this.#invalid();
      }
      this.#at += 1;
      if (character === end) return result;
      result += character === '$' ? this.#variable(wanted) : character;
    }
  }

  #variable(wanted: boolean): string {
    if (this.#take('$')) return '$';
    if (!this.#take('{')) return this.#plain(this.#name(), wanted);
    const name = this.#name();
    if (this.#take('}')) return this.#plain(name, wanted);
    const operator = OPERATORS.find((candidate) => this.#take(candidate));
    if (operator === undefined) throw this.#invalid();
    const value = this.#variables(name);
    const isThere = value !== undefined && (operator.length === 1 || value !== '');
    const usesWord = operator.endsWith('+') ? isThere : !isThere;
    this.#depth += 1;
    if (this.#depth > DEEPEST) throw new InterpolationError(`variables are nested deeper than ${DEEPEST} levels`);
    const word = this.#until('}', wanted && usesWord);
    this.#depth -= 1;
    if (operator.endsWith('+')) return isThere ? word : '';
    if (isThere) return value;
    if (operator.endsWith('-') || !wanted) return word;
    throw new InterpolationError(`the variable ${name} is required${word === '' ? '' : `: ${word}`}`);
  }

  #plain(name: string, wanted: boolean): string {
    const value = this.#variables(name);
    if (value === undefined && wanted) this.#onMissing(name);
    return value ?? '';
  }

  #name(): string {
    NAME.lastIndex = this.#at;
    const [name] = NAME.exec(this.#text) ?? [];
    if (name === undefined) throw this.#invalid();
    this.#at += name.length;
    return name;
  }

  #take(expected: string): boolean {
    if (!this.#text.startsWith(expected, this.#at)) return false;
    this.#at += expected.length;
    return true;
  }

  #invalid(): InterpolationError {
    return new InterpolationError(`"${this.#text}" is no valid use of variables; a dollar sign itself is written $$`);
  }
}

/** The tree with the variables in its values replaced; keys stay. Extensions (`x-…`) at the top are left alone. */
export function interpolateTree(tree: Tree, variables: Variables, onMissing: (name: string) => void): Tree {
  const walk = (node: Tree, path: readonly (string | number)[]): Tree => {
    if (node.kind === 'list') return { ...node, items: node.items.map((item, index) => walk(item, [...path, index])) };
    if (node.kind === 'map') {
      const entries = [...node.entries].map(([key, entry]) => {
        const isExtension = path.length === 0 && key.startsWith('x-');
        return [key, isExtension ? entry : { ...entry, value: walk(entry.value, [...path, key]) }] as const;
      });
      return { ...node, entries: new Map(entries) };
    }
    if (typeof node.value !== 'string') return node;
    try {
      return { ...node, value: interpolate(node.value, variables, onMissing) };
    } catch (error) {
      if (!(error instanceof InterpolationError)) throw error;
      throw new ComposeFileError(`${showPath(path)}: ${error.message}`, { place: node.place, cause: error });
    }
  };
  return walk(tree, []);
}

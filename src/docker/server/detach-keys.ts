import { invalid } from '../shapes/shape.ts';

/** `ctrl-p,ctrl-q` */
const USUAL = [0x10, 0x11];
const CONTROL = new Map([
  ['@', 0],
  ['[', 27],
  ['\\', 28],
  [']', 29],
  ['^', 30],
  ['_', 31],
]);

/**
 * Reads a sequence such as `ctrl-p,ctrl-q` or `a`; the usual one when it is empty. Source: "Override the detach sequence" of
 * the docker attach reference.
 */
export function readDetachKeys(keys: string): readonly number[] {
  if (keys === '') return USUAL;
  return keys.split(',').map((key) => {
    const code = keyCode(key);
    if (code === undefined) throw invalid(`Invalid detach keys (${keys.slice(0, 100)}) provided`);
    return code;
  });
}

function keyCode(key: string): number | undefined {
  if (key.length === 1 && key.charCodeAt(0) < 128) return key.charCodeAt(0);
  const [, control] = /^ctrl-(.)$/.exec(key) ?? [];
  if (control === undefined) return undefined;
  const letter = control.toLowerCase().charCodeAt(0);
  return letter >= 97 && letter <= 122 ? letter - 96 : CONTROL.get(control);
}

/** Looks for the sequence in what a terminal types. What might be its beginning is held back until it turns out not to be. */
export class DetachWatch {
  readonly #keys: readonly number[];
  #matched = 0;

  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  /** What goes on to the process, and whether the sequence is complete: what follows it is dropped. */
  take(bytes: Uint8Array): { readonly passed: Uint8Array; readonly detached: boolean } {
    const passed: number[] = [];
    for (const byte of bytes) {
      if (byte === this.#keys[this.#matched]) {
        this.#matched += 1;
        if (this.#matched === this.#keys.length) return { passed: Uint8Array.from(passed), detached: true };
        continue;
      }
      passed.push(...this.#keys.slice(0, this.#matched));
      this.#matched = byte === this.#keys[0] ? 1 : 0;
      if (this.#matched === 0) passed.push(byte);
    }
    return { passed: Uint8Array.from(passed), detached: false };
  }
}

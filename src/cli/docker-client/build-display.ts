import { StringDecoder } from 'node:string_decoder';
import type { BuildStep } from '../../images/index.ts';
import { paint, type Terminal } from '../terminal.ts';
import type { BuildEvent, BuildLine } from './image-build.ts';

/**
 * Tells a build as it goes: each step once it is done, how long it took, and why it was not found in the cache; the output of commands
 * with the number of their step. Written on standard error.
 */
export class BuildDisplay {
  readonly #terminal: Terminal;
  readonly #prefix: string;
  readonly #quiet: boolean;
  readonly #partial = new Map<number, { readonly decoder: StringDecoder; rest: string }>();
  readonly #started = new Set<number>();

  constructor(terminal: Terminal, options: { readonly prefix?: string; readonly quiet?: boolean } = {}) {
    this.#terminal = { ...terminal, stdout: terminal.stderr };
    this.#prefix = options.prefix === undefined ? '' : `${options.prefix} `;
    this.#quiet = options.quiet ?? false;
  }

  take(line: BuildLine): void {
    if (this.#quiet) return;
    if (line.event !== undefined) this.#event(line.event);
    else if (line.stream !== undefined) this.#terminal.stderr.write(line.stream);
    else if (line.status !== undefined && !line.progress) {
      this.#say(line.id === undefined ? line.status : `${line.id}: ${line.status}`);
    }
  }

  #event(event: BuildEvent): void {
    switch (event.kind) {
      case 'step':
        if (event.state === 'started') return;
        this.#flush(event.step);
        this.#say(`${this.#head(event.step)}  ${this.#outcome(event)}`);
        return;
      case 'output':
        this.#output(event.step, Buffer.from(event.bytes, 'base64'));
        return;
      case 'transfer':
        // The figures of a download change many times a second.
        if (event.current === undefined) this.#say(`${event.id === undefined ? '' : `${event.id}: `}${event.status}`);
        return;
      case 'warning': {
        const place = event.line === undefined ? '' : ` (line ${event.line})`;
        const rule = event.rule === undefined ? '' : `${event.rule}: `;
        this.#say(paint(this.#terminal, 'yellow', `warning: ${rule}${event.message}${place}`));
      }
    }
  }

  #outcome(event: Extract<BuildEvent, { kind: 'step'; state: 'done' }>): string {
    if (event.cached) return paint(this.#terminal, 'green', 'cached');
    const seconds = `${(event.durationMs / 1000).toFixed(1)} s`;
    return event.miss === undefined ? seconds : `${seconds}, not cached: ${event.miss}`;
  }

  #head({ number, total, stage, text }: BuildStep): string {
    const shown = text.length > 100 ? `${text.slice(0, 99)}…` : text;
    return `${paint(this.#terminal, 'bold', `[${number}/${total} ${stage}]`)} ${shown}`;
  }

  /** Whole lines, below the step that they are of. */
  #output(step: BuildStep, bytes: Buffer): void {
    const state = this.#partial.get(step.number) ?? { decoder: new StringDecoder('utf8'), rest: '' };
    this.#partial.set(step.number, state);
    if (!this.#started.has(step.number)) {
      this.#started.add(step.number);
      this.#say(this.#head(step));
    }
    const lines = (state.rest + state.decoder.write(bytes)).split('\n');
    state.rest = lines.pop()!;
    for (const text of lines) this.#say(`${step.number} | ${text.replace(/\r$/, '')}`);
  }

  #flush({ number }: BuildStep): void {
    const rest = this.#partial.get(number)?.rest;
    this.#partial.delete(number);
    if (rest) this.#say(`${number} | ${rest}`);
  }

  #say(text: string): void {
    this.#terminal.stderr.write(`${this.#prefix}${text}\n`);
  }
}

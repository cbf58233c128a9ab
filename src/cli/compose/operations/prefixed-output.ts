import { styleText } from 'node:util';
import type { Terminal } from '../../terminal.ts';
import type { OutputLine } from './output-lines.ts';

const COLORS = [
  'cyan',
  'yellow',
  'green',
  'magenta',
  'blue',
  'cyanBright',
  'yellowBright',
  'greenBright',
  'magentaBright',
  'blueBright',
] as const;

export interface PrefixOptions {
  readonly color: boolean;
  readonly prefix: boolean;
  readonly timestamps: boolean;
}

/** Writes lines of several containers to one terminal: `web-1  | GET /`, each container in a colour of its own. */
export class PrefixedOutput {
  readonly #terminal: Terminal;
  readonly #options: PrefixOptions;
  readonly #names = new Map<string, (typeof COLORS)[number]>();
  #width = 0;

  constructor(terminal: Terminal, options: PrefixOptions) {
    this.#terminal = terminal;
    this.#options = options;
  }

  /** Announces a container, so that all prefixes are as wide as the longest. */
  add(name: string): void {
    if (this.#names.has(name)) return;
    this.#names.set(name, COLORS[this.#names.size % COLORS.length]!);
    this.#width = Math.max(this.#width, name.length);
  }

  line(name: string, { text, timestamp, stream }: OutputLine): void {
    this.add(name);
    const { prefix, timestamps } = this.#options;
    const time = timestamps && timestamp !== '' ? `${timestamp} ` : '';
    const target = stream === 'stderr' && !prefix ? this.#terminal.stderr : this.#terminal.stdout;
    target.write(`${prefix ? this.#prefix(name) : ''}${time}${text}\n`);
  }

  /** Something that is not the container's own word. */
  note(name: string, text: string): void {
    this.add(name);
    this.#terminal.stdout.write(`${this.#options.prefix ? this.#prefix(name) : ''}${text}\n`);
  }

  #prefix(name: string): string {
    const text = `${name.padEnd(this.#width)}  | `;
    if (!this.#options.color) return text;
    return styleText(this.#names.get(name)!, text, { stream: this.#terminal.stdout });
  }
}

import { StringDecoder } from 'node:string_decoder';
import { stripVTControlCharacters } from 'node:util';
import type { BuildStep } from '../../images/index.ts';
import type { BuildEvent, BuildLine } from '../docker-client/image-build.ts';
import { paint, type Terminal } from '../terminal.ts';

interface Running {
  readonly step: BuildStep;
  readonly startedAt: number;
  readonly decoder: StringDecoder;
  /** Last lines of its output, and the one that is not complete. */
  lines: string[];
  rest: string;
}

/** Lines of output that are shown of each step while it runs. */
const SHOWN = 5;
/** Lines that are kept, to be shown when the step fails. */
const KEPT = 100;
/** Characters of a line that are kept: a command may print any amount without ending one. */
const LONGEST = 4096;
/** How often what is shown is brought up to date. It is about a person's eyes: the machine's clock. */
const REFRESH_MS = 100;

/**
 * Tells a build on a terminal: steps that are done stay, those that run are below them with how long they do and the end of their
 * output, several at a time. Written on standard error.
 */
export class LiveDisplay {
  readonly #terminal: Terminal;
  readonly #running = new Map<number, Running>();
  readonly #transfers = new Map<string, string>();
  readonly #timer: NodeJS.Timeout;
  /** Lines below the cursor's place that are drawn anew. */
  #drawn = 0;

  constructor(terminal: Terminal) {
    this.#terminal = { ...terminal, stdout: terminal.stderr };
    this.#timer = setInterval(() => this.#draw(), REFRESH_MS);
  }

  take(line: BuildLine): void {
    if (line.event !== undefined) this.#event(line.event);
    else if (line.stream !== undefined && line.stream.trim() !== '') this.#print(line.stream.trimEnd());
    else if (line.status !== undefined) this.#print(line.status);
  }

  /** The last of it; with `failed`, all that is known of what the steps that did not end have printed. */
  end(failed: boolean): void {
    clearInterval(this.#timer);
    this.#erase();
    if (!failed) return;
    for (const { step, lines, rest } of this.#running.values()) {
      if (lines.length === 0 && rest === '') continue;
      this.#write(`${this.#head(step)}\n`);
      for (const line of rest === '' ? lines : [...lines, clean(rest)]) this.#write(`  ${line}\n`);
    }
  }

  #event(event: BuildEvent): void {
    switch (event.kind) {
      case 'step':
        if (event.state === 'started') {
          const fresh = { lines: [], rest: '', decoder: new StringDecoder('utf8') };
          this.#running.set(event.step.number, { step: event.step, startedAt: performance.now(), ...fresh });
          return;
        }
        this.#running.delete(event.step.number);
        this.#transfers.clear();
        this.#print(`${this.#head(event.step)}  ${this.#outcome(event)}`);
        return;
      case 'output':
        this.#output(event.step, Buffer.from(event.bytes, 'base64'));
        return;
      case 'transfer':
        this.#transfer(event);
        return;
      case 'warning': {
        const place = event.line === undefined ? '' : ` (line ${event.line})`;
        this.#print(paint(this.#terminal, 'yellow', `warning: ${event.message}${place}`));
      }
    }
  }

  #outcome(event: Extract<BuildEvent, { kind: 'step'; state: 'done' }>): string {
    if (event.cached) return paint(this.#terminal, 'green', 'cached');
    const seconds = secondsOf(event.durationMs);
    return event.miss === undefined
      ? seconds
      : `${seconds}  ${paint(this.#terminal, 'gray', `not cached: ${event.miss}`)}`;
  }

  #output({ number }: BuildStep, bytes: Buffer): void {
    const running = this.#running.get(number);
    if (running === undefined) return;
    const lines = (running.rest + running.decoder.write(bytes)).split(/\r?\n|\r/);
    running.rest = lines.pop()!.slice(-LONGEST);
    running.lines = [...running.lines, ...lines.map((line) => clean(line.slice(-LONGEST)))].slice(-KEPT);
  }

  #transfer(event: Extract<BuildEvent, { kind: 'transfer' }>): void {
    const { id, status, current, total } = event;
    if (id === undefined) {
      this.#print(status);
      return;
    }
    const part = current === undefined || !total ? '' : ` ${Math.floor((100 * current) / total)} %`;
    this.#transfers.set(id, `${id}: ${status}${part}`);
  }

  #head({ number, total, stage, text }: BuildStep): string {
    return `${paint(this.#terminal, 'bold', `[${number}/${total} ${stage}]`)} ${clean(text)}`;
  }

  /** A line that stays, above what is drawn. */
  #print(text: string): void {
    this.#erase();
    this.#write(`${text}\n`);
    this.#draw();
  }

  #draw(): void {
    const width = this.#terminal.stderr.columns || 80;
    const height = Math.max(4, (this.#terminal.stderr.rows || 24) - 2);
    const lines: string[] = [];
    for (const { step, startedAt, lines: output, rest } of this.#running.values()) {
      lines.push(`${this.#head(step)}  ${secondsOf(performance.now() - startedAt)}`);
      const shown = rest === '' ? output : [...output, clean(rest)];
      for (const line of shown.slice(-SHOWN)) lines.push(paint(this.#terminal, 'gray', `  ${line}`));
    }
    lines.push(...[...this.#transfers.values()].map((line) => `  ${line}`));
    this.#erase();
    const visible = lines.slice(0, height).map((line) => fitted(line, width));
    if (visible.length > 0) this.#write(`${visible.join('\n')}\n`);
    this.#drawn = visible.length;
  }

  #erase(): void {
    if (this.#drawn > 0) this.#write(`\u001b[${this.#drawn}A\u001b[0J`);
    this.#drawn = 0;
  }

  #write(text: string): void {
    this.#terminal.stderr.write(text);
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must go
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f]/g;

/** Without what would move the cursor or change colours: a command's output must not draw over ours. */
function clean(text: string): string {
  return stripVTControlCharacters(text).replace(CONTROLS, '').replaceAll('\t', '  ');
}

/** At most a line of the terminal; colours are kept whole. */
function fitted(text: string, width: number): string {
  const plain = stripVTControlCharacters(text);
  if (plain.length < width) return text;
  return `${plain.slice(0, Math.max(0, width - 2))}…`;
}

function secondsOf(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

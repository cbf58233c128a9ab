import type { BuildEvent } from '../docker-client/image-build.ts';
import { paint, print, type Terminal, table } from '../terminal.ts';

/** A step as it turned out. */
export interface StepOutcome {
  readonly number: number;
  readonly stage: string;
  readonly line: number;
  readonly text: string;
  readonly cached: boolean;
  /** Why it was not found in the cache. */
  readonly miss?: string;
  readonly durationMs: number;
}

export function outcomeOf(event: BuildEvent | undefined): StepOutcome | undefined {
  if (event?.kind !== 'step' || event.state !== 'done') return undefined;
  const { step, cached, miss, durationMs } = event;
  const { number, stage, line, text } = step;
  return { number, stage, line, text, cached, ...(miss === undefined ? {} : { miss }), durationMs };
}

const WIDEST = 60;

/** Prints which steps were in the cache, and why the others were not. */
export function explain(terminal: Terminal, outcomes: readonly StepOutcome[]): void {
  const steps = [...outcomes].sort((a, b) => a.number - b.number);
  const rows = steps.map(({ number, stage, line, text, cached, miss }) => {
    const shown = text.length > WIDEST ? `${text.slice(0, WIDEST - 1)}…` : text;
    return [String(number), stage, `line ${line}`, shown, cached ? 'cached' : (miss ?? 'changes no files')];
  });
  print(terminal, table([['STEP', 'STAGE', 'PLACE', 'INSTRUCTION', 'CACHE'], ...rows]));
  const first = steps.find(({ miss }) => miss !== undefined && miss !== 'a parent step ran');
  if (first === undefined) return;
  print(
    terminal,
    paint(terminal, 'bold', `The first step that had to run: line ${first.line}, because: ${first.miss}`),
  );
}

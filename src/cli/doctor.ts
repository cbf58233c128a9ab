import { paint, print, printJson, type Terminal, table } from './terminal.ts';

/** One thing that was looked for on this machine. */
export interface Finding {
  readonly name: string;
  readonly state: 'ok' | 'partly' | 'missing';
  /** What was found. */
  readonly detail: string;
  /** What is lost without it, or with only a part of it. */
  readonly lost?: string;
  /** How to get it. */
  readonly remedy?: string;
}

const MARKS = { ok: ['green', '✓'], partly: ['yellow', '~'], missing: ['red', '✗'] } as const;

/** Shows what this machine can do, and what is lost without the rest. Needs no running Kobune. */
export async function doctor(terminal: Terminal, directory: string, { json }: { json: boolean }): Promise<void> {
  const { examine } = await import('./machine.ts');
  const findings = await examine(directory, terminal.environment);
  if (json) return printJson(terminal, { findings });
  const rows = findings.map(({ name, state, detail }) => [
    paint(terminal, MARKS[state][0], MARKS[state][1]),
    name,
    detail,
  ]);
  const lines = table(rows).split('\n');
  for (const [index, { lost, remedy }] of findings.entries()) {
    print(terminal, lines[index]);
    if (lost !== undefined) print(terminal, `    without it: ${lost}`);
    if (remedy !== undefined) print(terminal, `    to get it: ${remedy}`);
  }
}

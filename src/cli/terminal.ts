import { type InspectColor, styleText } from 'node:util';

/** Where a command writes. Injected, so that commands can be tested. */
export interface Terminal {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly environment: NodeJS.ProcessEnv;
  readonly workingDirectory: string;
}

export function print(terminal: Terminal, line = ''): void {
  terminal.stdout.write(`${line}\n`);
}

export function printJson(terminal: Terminal, value: unknown): void {
  print(terminal, JSON.stringify(value, null, terminal.stdout.isTTY ? 2 : undefined));
}

/** Colours only where a person reads them: on a terminal, and not when NO_COLOR is set. */
export function paint(terminal: Terminal, color: InspectColor | InspectColor[], text: string): string {
  return styleText(color, text, { stream: terminal.stdout });
}

/** Columns, each as wide as its widest cell. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>((all, row) => {
    for (const [column, cell] of row.entries()) all[column] = Math.max(all[column] ?? 0, cell.length);
    return all;
  }, []);
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

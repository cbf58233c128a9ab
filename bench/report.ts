/** One line of the benchmark table. Give the figures that the row is about, leave out the others. */
export interface Row {
  readonly what: string;
  /** Milliseconds. */
  readonly p50?: number;
  readonly p99?: number;
  /** With its unit: `{ value: 9_120, unit: '/s' }`, `{ value: 310, unit: 'MB/s' }`. */
  readonly throughput?: { readonly value: number; readonly unit: string };
  /** Bytes. */
  readonly memory?: number;
  /** What must be reached, in the unit of the figure it is about. */
  readonly floor?: string;
  readonly aim?: string;
  /** Did the figure reach the floor? Left out for rows without one, such as a peer's. */
  readonly reached?: boolean;
  /** What the figure means beside the row above, e.g. `11× s3rver`. */
  readonly note?: string;
}

/** Sorted milliseconds → the value that `share` (0–1) of them do not exceed. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** p50 and p99 of unsorted milliseconds. */
export function spread(samples: readonly number[]): { p50: number; p99: number } {
  const sorted = samples.toSorted((a, b) => a - b);
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) };
}

/** Prints rows for a person, or one JSON line each when another program collects them (`--json`). */
export function report(rows: readonly Row[]): void {
  if (process.argv.includes('--json')) for (const row of rows) console.log(`${ROW_MARK}${JSON.stringify(row)}`);
  else console.log(table(rows));
}

/** Starts a line that carries a row, among whatever else a benchmark prints. */
const ROW_MARK = 'ROW ';

/** Reads the rows out of a benchmark's output. */
export function rowsOf(output: string): Row[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith(ROW_MARK))
    .map((line) => JSON.parse(line.slice(ROW_MARK.length)) as Row);
}

/** A Markdown table of rows, columns padded so that it reads well in a terminal too. */
export function table(rows: readonly Row[]): string {
  const head = ['what', 'p50', 'p99', 'throughput', 'memory', 'floor', 'aim', '', 'note'];
  const lines = rows.map((row) => [
    row.what,
    row.p50 === undefined ? '' : milliseconds(row.p50),
    row.p99 === undefined ? '' : milliseconds(row.p99),
    row.throughput ? `${Math.round(row.throughput.value).toLocaleString('en-US')} ${row.throughput.unit}` : '',
    row.memory === undefined ? '' : megabytes(row.memory),
    row.floor ?? '',
    row.aim ?? '',
    row.reached === undefined ? '' : row.reached ? 'reached' : 'MISSED',
    row.note ?? '',
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...lines.map((line) => line[column]!.length)));
  const format = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  return [format(head), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...lines.map(format)].join('\n');
}

const milliseconds = (value: number): string => (value < 10 ? `${value.toFixed(2)} ms` : `${value.toFixed(0)} ms`);

const megabytes = (bytes: number): string =>
  bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

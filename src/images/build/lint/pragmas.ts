import { type Inspection, readCheckDirective } from '../dockerfile/index.ts';
import type { Rule } from './rule.ts';

/** What comments of a Dockerfile say about its findings. */
export interface Pragmas {
  /** Rules that are ignored in the whole file. */
  readonly ignored: ReadonlySet<string>;
  /** The same by the first line of an instruction. */
  readonly ignoredAt: ReadonlyMap<number, ReadonlySet<string>>;
  /** Lines of comments that have rules ignored. */
  readonly lines: readonly number[];
  /** The shell that base images have, as `# hadolint shell=powershell` says. */
  readonly shell: string | undefined;
  /** `# check=error=true`: every finding counts. */
  readonly strict: boolean;
}

const PRAGMA = /^\s*(?:hadolint|kobune)\s+(global\s+ignore|ignore|shell)\s*=\s*([^#]*)/i;

/**
 * Reads `# hadolint ignore=DL3008,DL3009` and `# kobune ignore=…`, which are about the instruction below them, the same with `global`,
 * `shell=`, and BuildKit's `# check=skip=…;error=true`.
 */
export function readPragmas({ comments, statements }: Inspection, rules: readonly Rule[]): Pragmas {
  const ignored = new Set<string>();
  const ignoredAt = new Map<number, Set<string>>();
  const lines: number[] = [];
  let shell: string | undefined;
  let next = 0;
  for (const { line, text } of comments) {
    const match = PRAGMA.exec(text);
    if (match === null) continue;
    const kind = match[1]!.toLowerCase();
    if (kind === 'shell') {
      shell = match[2]!.trim().toLowerCase();
      continue;
    }
    const named = match[2]!.split(',').map((rule) => rule.trim().toUpperCase());
    lines.push(line);
    if (kind !== 'ignore') {
      for (const rule of named) ignored.add(rule);
      continue;
    }
    // The first instruction that ends below it: it may stand among its lines.
    while (next < statements.statements.length && statements.statements[next]!.lines.end < line) next++;
    const below = statements.statements[next];
    if (below === undefined) continue;
    const set = ignoredAt.get(below.lines.start) ?? new Set();
    for (const rule of named) set.add(rule);
    ignoredAt.set(below.lines.start, set);
  }
  const { skipped, strict } = readCheckDirective(statements.directives.check ?? '');
  for (const { id, check } of rules) {
    if (check !== undefined && (skipped.includes('all') || skipped.includes(check))) ignored.add(id);
  }
  return { ignored, ignoredAt, lines, shell, strict };
}

import { ServiceError } from '../../../base/errors.ts';
import type { BuildErrorPlace } from '../builder.ts';
import type { Lines } from './model.ts';

/** Something wrong with a Dockerfile. `place` says where; the message begins with the file and the line. */
export class DockerfileError extends ServiceError {
  readonly place: BuildErrorPlace;
  /** What is wrong, without the place. */
  readonly problem: string;
  constructor(problem: string, place: BuildErrorPlace) {
    super('DockerfileError', `${place.file}:${place.line}: ${problem}`, { status: 400, members: { place } });
    this.name = 'DockerfileError';
    this.problem = problem;
    this.place = place;
  }
}

/** An error at an instruction that shows only while it is carried out. */
export function dockerfileError(
  instruction: { readonly lines: Lines; readonly excerpt: string },
  file: string,
  problem: string,
): DockerfileError {
  return new DockerfileError(problem, { file, line: instruction.lines.start, excerpt: instruction.excerpt });
}

/** What is wrong with words, thrown where the place is not known yet. */
export class SyntaxProblem extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SyntaxProblem';
  }
}

/** ` Did you mean X?` where one of the names differs in two letters at most; else nothing. */
export function suggestion(word: string, names: readonly string[]): string {
  if (word.length > 40) return '';
  const lower = word.toLowerCase();
  const near = names
    .map((name) => ({ name, distance: editDistance(lower, name.toLowerCase()) }))
    .filter(({ distance, name }) => distance <= Math.min(2, Math.floor(name.length / 2)))
    .sort((a, b) => a.distance - b.distance)[0];
  return near === undefined ? '' : ` Did you mean ${near.name}?`;
}

/** Insertions, deletions, replacements and swaps of neighbours that make one of the other. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = rows[row - 1]![column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      let least = Math.min(replaced, rows[row - 1]![column]! + 1, current[column - 1]! + 1);
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        least = Math.min(least, rows[row - 2]![column - 2]! + 1);
      }
      current.push(least);
    }
    rows.push(current);
  }
  return rows[a.length]![b.length]!;
}

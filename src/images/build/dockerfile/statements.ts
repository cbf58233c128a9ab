import { readCheckDirective } from './check-directive.ts';
import { DockerfileError, SyntaxProblem } from './dockerfile-error.ts';
import { type Flag, splitFlags } from './flags.ts';
import { heredocMarks } from './heredoc.ts';
import type { Directives, EscapeCharacter, Heredoc, Lines } from './model.ts';
import { isJsonForm, splitFirst, trim, trimStart } from './words.ts';

/** An instruction as it stands, not understood yet. */
export interface Statement {
  /** As it was written. */
  readonly keyword: string;
  readonly flags: readonly Flag[];
  /** What follows the flags, without spaces around it. */
  readonly argument: string;
  readonly heredocs: readonly Heredoc[];
  readonly lines: Lines;
  readonly text: string;
  readonly excerpt: string;
  /** Line of an empty line between continuation lines. */
  readonly emptyContinuation: number | undefined;
}

export interface Comment {
  readonly line: number;
  /** Without the `#`. */
  readonly text: string;
}

/** A Dockerfile cut into its parts. Reading ends at the first error that leaves no end of an instruction to go on from. */
export interface Statements {
  readonly directives: Directives;
  readonly statements: readonly Statement[];
  readonly comments: readonly Comment[];
  readonly error: DockerfileError | undefined;
}

/** Longest Dockerfile that is read, characters. */
const MAXIMUM_LENGTH = 8 * 1024 * 1024;
const BYTE_ORDER_MARK = '\uFEFF';
const DIRECTIVE = /^[\t ]*#[\t ]*([a-z]+)[\t ]*=(.*)$/i;
const DIRECTIVES = new Set(['syntax', 'escape', 'check']);
/** Instructions whose command may have here-documents. */
const WITH_HEREDOCS = new Set(['RUN', 'COPY', 'ADD']);

/** Cuts a Dockerfile into statements: parser directives, comments, continuation lines, here-documents. Source: "Format". */
export function readStatements(text: string, file: string): Statements {
  const statements: Statement[] = [];
  const comments: Comment[] = [];
  let directives: Directives = { syntax: undefined, escape: '\\', check: undefined };
  const result = (error: DockerfileError | undefined) => ({ directives, statements, comments, error });
  if (text.length > MAXIMUM_LENGTH) {
    const problem = `the file is longer than ${MAXIMUM_LENGTH} characters`;
    return result(new DockerfileError(problem, { file, line: 1, excerpt: '' }));
  }
  const nul = text.indexOf('\0');
  if (nul >= 0) {
    const line = text.slice(0, nul).split('\n').length;
    const problem = 'the file has a NUL character, as binary files and those in UTF-16 have. Save it as UTF-8';
    return result(new DockerfileError(problem, { file, line, excerpt: '' }));
  }
  const lines = (text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text).split('\n');
  const fail = (problem: string, at: Lines) =>
    result(new DockerfileError(problem, { file, line: at.start, excerpt: excerptOf(lines, at) }));
  let next = 0;
  const head = readDirectives(lines);
  if (head.problem !== undefined) return fail(head.problem, { start: head.count + 1, end: head.count + 1 });
  directives = head.directives;
  next = head.count;
  const end = continuationEnd(directives.escape);
  while (next < lines.length) {
    const start = next;
    const first = lines[next++]!;
    if (isEmpty(first)) continue;
    if (isComment(first)) {
      comments.push({ line: next, text: first.slice(first.indexOf('#') + 1) });
      continue;
    }
    const joined = [withoutReturn(first)];
    let emptyContinuation: number | undefined;
    let last = next;
    while (end(joined)) {
      if (next >= lines.length) break;
      const line = lines[next++]!;
      if (isComment(line)) comments.push({ line: next, text: line.slice(line.indexOf('#') + 1) });
      else if (!isEmpty(line)) {
        joined.push(withoutReturn(line));
        last = next;
        continue;
      } else if (next < lines.length) emptyContinuation ??= next;
      // What goes on is the line before.
      joined.push(directives.escape);
    }
    const line = trim(joined.join(''));
    if (line === '') continue;
    try {
      const parts = splitStatement(line);
      const heredocs = readHeredocs(parts, lines, next);
      next = heredocs.next;
      const place: Lines = { start: start + 1, end: heredocs.heredocs.length === 0 ? last : next };
      statements.push({
        ...parts,
        heredocs: heredocs.heredocs,
        lines: place,
        text: line,
        excerpt: excerptOf(lines, place),
        emptyContinuation,
      });
    } catch (error) {
      if (!(error instanceof SyntaxProblem)) throw error;
      return fail(error.message, { start: start + 1, end: next });
    }
  }
  return result(undefined);
}

/** Parser directives stand before everything else, comments too. Source: "Parser directives". */
function readDirectives(lines: readonly string[]): {
  readonly directives: Directives;
  readonly count: number;
  readonly problem: string | undefined;
} {
  const found = new Map<string, string>();
  let count = 0;
  let problem: string | undefined;
  for (const line of lines) {
    const match = DIRECTIVE.exec(line);
    const name = match?.[1]?.toLowerCase();
    const value = match === null ? undefined : trim(match[2]!);
    if (name === undefined || value === undefined || value === '' || !DIRECTIVES.has(name)) break;
    if (found.has(name)) problem = `the parser directive ${name} is there twice. Remove one`;
    if (name === 'escape' && value !== '\\' && value !== '`') {
      problem = `the escape character must be \\ or \`, not ${value}`;
    }
    if (name === 'check') problem ??= readCheckDirective(value).problem;
    if (problem !== undefined) break;
    found.set(name, value);
    count++;
  }
  const directives: Directives = {
    syntax: found.get('syntax'),
    escape: found.get('escape') === '`' ? '`' : '\\',
    check: found.get('check'),
  };
  return { directives, count, problem };
}

/**
 * Whether the last of the lines goes on, the escape character at its end taken off. An escaped escape character does not
 * make a line go on.
 */
function continuationEnd(escapeCharacter: EscapeCharacter): (lines: string[]) => boolean {
  return (lines) => {
    const last = lines[lines.length - 1]!;
    let end = last.length;
    while (end > 0 && (last[end - 1] === ' ' || last[end - 1] === '\t')) end--;
    if (last[end - 1] !== escapeCharacter || last[end - 2] === escapeCharacter) return false;
    lines[lines.length - 1] = last.slice(0, end - 1);
    return true;
  };
}

/** Keyword, flags and argument of a joined line. */
function splitStatement(line: string): Pick<Statement, 'keyword' | 'flags' | 'argument'> {
  const { first, rest } = splitFirst(line);
  const { flags, rest: argument } = splitFlags(rest);
  return { keyword: first, flags, argument: trim(argument) };
}

function readHeredocs(
  statement: Pick<Statement, 'keyword' | 'argument'>,
  lines: readonly string[],
  from: number,
): { readonly heredocs: Heredoc[]; readonly next: number } {
  const heredocs: Heredoc[] = [];
  let next = from;
  for (const mark of heredocMarks(commandWithHeredocs(statement))) {
    const start = next;
    const raw: string[] = [];
    for (;;) {
      const line = lines[next];
      // The text after the last newline is a line only if it is not empty.
      if (line === undefined || (next === lines.length - 1 && line === '')) {
        throw new SyntaxProblem(
          `the here-document <<${mark.name} does not end. Put ${mark.name} alone on a line after it`,
        );
      }
      next++;
      if (withoutReturn(mark.stripTabs ? withoutTabs(line) : line) === mark.name) break;
      raw.push(line);
    }
    const content = mark.stripTabs ? raw.map(withoutTabs) : raw;
    heredocs.push({
      name: mark.name,
      expand: mark.expand,
      content: content.map((line) => `${line}\n`).join(''),
      raw: raw.map((line) => `${line}\n`).join(''),
      lines: { start: start + 1, end: next },
    });
  }
  return { heredocs, next };
}

/** The part of a statement in which `<<` begins a here-document; empty when there is none. */
function commandWithHeredocs({ keyword, argument }: Pick<Statement, 'keyword' | 'argument'>): string {
  if (keyword.toUpperCase() === 'ONBUILD') {
    const { first, rest } = splitFirst(argument);
    if (first.toUpperCase() === 'ONBUILD') return '';
    return commandWithHeredocs({ keyword: first, argument: trim(splitFlags(rest).rest) });
  }
  return WITH_HEREDOCS.has(keyword.toUpperCase()) && !isJsonForm(argument) ? argument : '';
}

function isComment(line: string): boolean {
  return trimStart(line).startsWith('#');
}

function isEmpty(line: string): boolean {
  return trim(line) === '';
}

function withoutReturn(line: string): string {
  let end = line.length;
  while (line[end - 1] === '\r') end--;
  return line.slice(0, end);
}

function withoutTabs(line: string): string {
  return line.replace(/^\t+/, '');
}

function excerptOf(lines: readonly string[], place: Lines): string {
  return lines
    .slice(place.start - 1, place.end)
    .map(withoutReturn)
    .join('\n');
}

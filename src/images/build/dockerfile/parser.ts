import { readCheckDirective } from './check-directive.ts';
import { DockerfileError, dockerfileError, SyntaxProblem } from './dockerfile-error.ts';
import { readInstruction } from './instructions.ts';
import type {
  ArgInstruction,
  Dockerfile,
  DockerfileWarning,
  EscapeCharacter,
  FromInstruction,
  Instruction,
  Stage,
  StageInstruction,
} from './model.ts';
import { hasMapping } from './ports.ts';
import { type Comment, readStatements, type Statement, type Statements } from './statements.ts';

export interface ParseOptions {
  /** What messages call the file. */
  readonly name: string;
}

/** Parses a Dockerfile. Throws `DockerfileError` at the first thing that is wrong. */
export function parseDockerfile(text: string, { name }: ParseOptions): Dockerfile {
  const read = readStatements(text, name);
  const instructions = read.statements.map((statement) => understand(statement, read.directives.escape, name));
  if (read.error !== undefined) throw read.error;
  return assemble(read, instructions, name);
}

/** As many errors are told at most. */
const MAXIMUM_ERRORS = 100;

/** What a Dockerfile says as far as it can be understood, with all that cannot; for the linter. */
export interface Inspection {
  readonly statements: Statements;
  /** In the order of the file, what is before the first FROM and misplaced included. */
  readonly instructions: readonly Instruction[];
  readonly comments: readonly Comment[];
  readonly errors: readonly DockerfileError[];
}

/** Reads on after errors, up to a hundred. Throws nothing. */
export function inspectDockerfile(text: string, { name }: ParseOptions): Inspection {
  const statements = readStatements(text, name);
  const instructions: Instruction[] = [];
  const errors: DockerfileError[] = [];
  for (const statement of statements.statements) {
    if (errors.length >= MAXIMUM_ERRORS) break;
    try {
      instructions.push(understand(statement, statements.directives.escape, name));
    } catch (error) {
      if (!(error instanceof DockerfileError)) throw error;
      errors.push(error);
    }
  }
  if (statements.error !== undefined) errors.push(statements.error);
  return { statements, instructions, comments: statements.comments, errors };
}

/** Reads an entry of a base image's `OnBuild`. Throws `DockerfileError`. */
export function parseTrigger(trigger: string, { name }: ParseOptions): StageInstruction {
  const read = readStatements(trigger, name);
  if (read.error !== undefined) throw read.error;
  const [statement, second] = read.statements;
  if (statement === undefined || second !== undefined) {
    throw new DockerfileError(`the base image's ONBUILD must be one instruction, not ${trigger.slice(0, 80)}`, {
      file: name,
      line: 1,
      excerpt: trigger,
    });
  }
  const instruction = understand(statement, '\\', name);
  if (instruction.kind === 'FROM' || instruction.kind === 'MAINTAINER' || instruction.kind === 'ONBUILD') {
    throw dockerfileError(instruction, name, `${instruction.kind} is not allowed after ONBUILD`);
  }
  return instruction;
}

function understand(statement: Statement, escapeCharacter: EscapeCharacter, name: string): Instruction {
  try {
    return readInstruction(statement, escapeCharacter);
  } catch (error) {
    if (error instanceof SyntaxProblem) throw dockerfileError(statement, name, error.message);
    throw error;
  }
}

function assemble(read: Statements, instructions: readonly Instruction[], name: string): Dockerfile {
  const globalArguments: ArgInstruction[] = [];
  const stages: { name: string | undefined; from: FromInstruction; instructions: StageInstruction[] }[] = [];
  for (const instruction of instructions) {
    const stage = stages[stages.length - 1];
    if (instruction.kind === 'FROM') {
      stages.push({ name: instruction.alias, from: instruction, instructions: [] });
    } else if (stage !== undefined) stage.instructions.push(instruction);
    else if (instruction.kind === 'ARG') globalArguments.push(instruction);
    else
      throw dockerfileError(instruction, name, `${instruction.kind} is before the first FROM. Only ARG may be there`);
  }
  if (stages.length === 0) {
    throw new DockerfileError('there is no FROM. A Dockerfile begins with one: FROM alpine', {
      file: name,
      line: 1,
      excerpt: '',
    });
  }
  return {
    name,
    directives: read.directives,
    globalArguments,
    stages: stages.map((stage, index): Stage => ({ index, ...stage })),
    warnings: warningsOf(read, instructions),
  };
}

function warningsOf(read: Statements, instructions: readonly Instruction[]): DockerfileWarning[] {
  const empty = read.statements.flatMap(({ emptyContinuation: line }) =>
    line === undefined ? [] : { line, message: 'an empty line inside an instruction. Remove it, or make it a comment' },
  );
  const deprecated = instructions.flatMap(({ kind, lines }) =>
    kind !== 'MAINTAINER'
      ? []
      : {
          line: lines.start,
          message: 'MAINTAINER is deprecated. Use LABEL org.opencontainers.image.authors instead',
        },
  );
  const mapped = instructions.flatMap((instruction) =>
    instruction.kind !== 'EXPOSE'
      ? []
      : instruction.ports.filter(hasMapping).map((port) => ({
          line: instruction.lines.start,
          message: `EXPOSE ${port} maps no port to the host: docker run -p does. Write the container's port alone`,
        })),
  );
  const strict = readCheckDirective(read.directives.check ?? '').strict
    ? [{ line: 1, message: 'check=error=true does not fail a build. Check the file with kobune lint' }]
    : [];
  return [...strict, ...empty, ...deprecated, ...mapped].sort((a, b) => a.line - b.line);
}

import { heredocMark } from './heredoc.ts';
import type { RunInstruction } from './model.ts';

export interface RunCommand {
  readonly words: readonly string[];
  /** A file of mode 0755 that must be there, read-only, at `/dev/pipes/NAME`: it is what `words` runs. */
  readonly script: { readonly name: string; readonly content: string } | undefined;
}

/** Directory of scripts that begin with `#!`. */
const SCRIPTS = '/dev/pipes';

/**
 * What a RUN executes. A command that is only a here-document is a script for the SHELL, or for the interpreter that its `#!` names;
 * any other gets its here-documents back for the shell to read. Source: "Here-Documents".
 */
export function runCommand({ command, heredocs }: RunInstruction, shell: readonly string[]): RunCommand {
  if (command.form === 'exec') return { words: command.words, script: undefined };
  const [only] = heredocs;
  if (only === undefined) return { words: [...shell, command.command], script: undefined };
  if (heredocMark(command.command) === undefined) {
    const documents = heredocs.map(({ raw, name }) => `\n${raw}${name}`);
    return { words: [...shell, command.command + documents.join('')], script: undefined };
  }
  if (!only.content.startsWith('#!')) return { words: [...shell, only.content], script: undefined };
  // The name is a file's name here, whatever it was chosen to be.
  const name = only.name.replace(/[^A-Za-z0-9_.-]/g, '_').replace(/^\.+/, '_') || '_';
  return { words: [`${SCRIPTS}/${name}`], script: { name, content: only.content } };
}

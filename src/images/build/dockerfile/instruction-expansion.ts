import { dockerfileError, SyntaxProblem } from './dockerfile-error.ts';
import { expandText, expandWord, expandWords } from './expand.ts';
import type { CopySource, Expand, ExpandOptions, Instruction, RunMount, UnexpandedMount } from './model.ts';
import { readMountOptions } from './mounts.ts';

export interface InstructionExpansion extends ExpandOptions {
  /** What messages call the file. */
  readonly name: string;
}

/** What the words of one instruction may come to together, characters. */
const MAXIMUM_LENGTH = 16 * 1024 * 1024;

/**
 * The same instruction with all words expanded that the reference expands: those of FROM, ADD, COPY, ENV, LABEL, ARG, EXPOSE, STOPSIGNAL,
 * USER, VOLUME and WORKDIR. RUN's mounts: `expandMount`. A word of EXPOSE may become several, or none. Throws `DockerfileError`.
 * Source: "Environment replacement".
 */
export function expandInstruction<T extends Instruction>(instruction: T, options: InstructionExpansion): T {
  let length = 0;
  const bound = (text: string) => {
    if (text.includes('\0')) throw new SyntaxProblem('the value of a variable has a NUL character');
    length += text.length;
    if (length > MAXIMUM_LENGTH) throw new SyntaxProblem('what the variables stand for is too long');
    return text;
  };
  try {
    return expanded(instruction, {
      word: (word) => bound(expandWord(word, options)),
      words: (word) => expandWords(word, options).map(bound),
      text: (text) => bound(expandText(text, options)),
    });
  } catch (error) {
    if (error instanceof SyntaxProblem) throw dockerfileError(instruction, options.name, error.message);
    throw error;
  }
}

/** A mount of RUN, read and filled in. Throws `DockerfileError` at the RUN. */
export function expandMount(instruction: Instruction, mount: UnexpandedMount, options: InstructionExpansion): RunMount {
  try {
    return readMountOptions(mount, (word) => {
      const value = expandWord(word, options);
      if (value.includes('\0')) throw new SyntaxProblem('the value of a variable has a NUL character');
      return value;
    });
  } catch (error) {
    if (error instanceof SyntaxProblem) throw dockerfileError(instruction, options.name, error.message);
    throw error;
  }
}

interface Expanders {
  readonly word: Expand;
  readonly words: (word: string) => string[];
  readonly text: Expand;
}

function expanded<T extends Instruction>(instruction: T, expand: Expanders): T;
function expanded(instruction: Instruction, { word, words, text }: Expanders): Instruction {
  const maybe = (value: string | undefined) => (value === undefined ? undefined : word(value));
  switch (instruction.kind) {
    case 'FROM':
      return { ...instruction, image: word(instruction.image), platform: maybe(instruction.platform) };
    case 'ENV':
    case 'LABEL':
      return {
        ...instruction,
        pairs: instruction.pairs.map(({ key, value }) => ({ key: word(key), value: word(value) })),
      };
    case 'ARG':
      return {
        ...instruction,
        parameters: instruction.parameters.map(({ name, value }) => ({ name: word(name), value: maybe(value) })),
      };
    case 'EXPOSE':
      return { ...instruction, ports: instruction.ports.flatMap(words) };
    case 'VOLUME':
      return { ...instruction, paths: instruction.paths.map(word) };
    case 'USER':
      return { ...instruction, user: word(instruction.user) };
    case 'WORKDIR':
      return { ...instruction, path: word(instruction.path) };
    case 'STOPSIGNAL':
      return { ...instruction, signal: word(instruction.signal) };
    case 'COPY':
    case 'ADD': {
      const transfer = {
        sources: instruction.sources.map((source) => expandSource(source, word, text)),
        destination: word(instruction.destination),
        chown: maybe(instruction.chown),
        chmod: maybe(instruction.chmod),
        exclude: instruction.exclude.map(word),
      };
      if (instruction.kind === 'COPY') return { ...instruction, ...transfer };
      return { ...instruction, ...transfer, checksum: maybe(instruction.checksum) };
    }
    default:
      return instruction;
  }
}

function expandSource(source: CopySource, word: Expand, text: Expand): CopySource {
  if (source.kind === 'path') return { kind: 'path', path: word(source.path) };
  const { heredoc } = source;
  if (!heredoc.expand) return source;
  return { kind: 'heredoc', heredoc: { ...heredoc, content: text(heredoc.content) } };
}

import { SyntaxProblem, suggestion } from './dockerfile-error.ts';
import { Flags, splitFlags } from './flags.ts';
import { readHealthcheck } from './healthcheck.ts';
import { heredocMark } from './heredoc.ts';
import type {
  AddInstruction,
  ArgInstruction,
  CommandLine,
  CopyInstruction,
  CopySource,
  EscapeCharacter,
  FromInstruction,
  Heredoc,
  Instruction,
  OnbuildInstruction,
  Pair,
  RunInstruction,
  StageInstruction,
} from './model.ts';
import { readMount } from './mounts.ts';
import type { Statement } from './statements.ts';
import { jsonStrings, splitAtSpaces, splitFirst, splitQuoted, trim } from './words.ts';

export const KEYWORDS = [
  'FROM',
  'RUN',
  'CMD',
  'LABEL',
  'MAINTAINER',
  'EXPOSE',
  'ENV',
  'ADD',
  'COPY',
  'ENTRYPOINT',
  'VOLUME',
  'USER',
  'WORKDIR',
  'ARG',
  'ONBUILD',
  'STOPSIGNAL',
  'HEALTHCHECK',
  'SHELL',
] as const satisfies readonly Instruction['kind'][];

type Keyword = (typeof KEYWORDS)[number];
/** Distributes over a union, unlike `Omit`. */
type Unplaced<T> = T extends Instruction ? Omit<T, 'lines' | 'text' | 'excerpt'> : never;

/** Understands a statement. Throws `SyntaxProblem`. Source of each instruction's rules: its section of the reference. */
export function readInstruction(statement: Statement, escapeCharacter: EscapeCharacter): Instruction {
  const { lines, text, excerpt } = statement;
  return { ...read(statement, escapeCharacter), lines, text, excerpt };
}

function read(statement: Statement, escapeCharacter: EscapeCharacter): Unplaced<Instruction> {
  const { keyword: written, flags, argument } = statement;
  const kind = written.toUpperCase() as Keyword;
  if (!KEYWORDS.includes(kind)) {
    throw new SyntaxProblem(`unknown instruction: ${shorten(written)}.${suggestion(written, KEYWORDS)}`);
  }
  switch (kind) {
    case 'FROM':
      return readFrom(statement);
    case 'RUN':
      return readRun(statement);
    case 'COPY':
      return readCopy(statement);
    case 'ADD':
      return readAdd(statement);
    case 'ONBUILD':
      return readOnbuild(statement, escapeCharacter);
    case 'HEALTHCHECK':
      return { kind, check: readHealthcheck(flags, argument, readCommand) };
    default:
      new Flags(kind, flags, {});
  }
  switch (kind) {
    case 'CMD':
    case 'ENTRYPOINT': {
      const command = readCommand(argument);
      if (command === undefined) throw new SyntaxProblem(`${kind} needs a command. To clear it, write ${kind} []`);
      return { kind, command };
    }
    case 'LABEL':
    case 'ENV':
      return { kind, pairs: readPairs(kind, argument, escapeCharacter) };
    case 'ARG':
      return { kind, parameters: readParameters(argument, escapeCharacter) };
    case 'MAINTAINER':
      return { kind, author: whole(kind, argument, 'a name') };
    case 'EXPOSE': {
      const ports = splitAtSpaces(argument);
      if (ports.length === 0) throw new SyntaxProblem('EXPOSE needs a port, such as 80 or 53/udp');
      return { kind, ports };
    }
    case 'VOLUME': {
      const paths = (jsonStrings(argument) ?? splitAtSpaces(argument)).map(trim);
      if (paths.length === 0) throw new SyntaxProblem('VOLUME needs a path');
      if (paths.includes('')) throw new SyntaxProblem('a path of VOLUME is empty');
      return { kind, paths };
    }
    case 'USER':
      return { kind, user: whole(kind, argument, 'a user') };
    case 'WORKDIR':
      return { kind, path: whole(kind, argument, 'a path') };
    case 'STOPSIGNAL':
      return { kind, signal: whole(kind, argument, 'a signal, such as SIGINT') };
    case 'SHELL': {
      const words = jsonStrings(argument);
      if (words === undefined) throw new SyntaxProblem('SHELL must be in JSON form: SHELL ["/bin/bash", "-c"]');
      if (words.length === 0) throw new SyntaxProblem('SHELL needs a program: SHELL ["/bin/bash", "-c"]');
      return { kind, words };
    }
  }
}

function readFrom({ flags, argument }: Statement): Unplaced<FromInstruction> {
  const platform = new Flags('FROM', flags, { platform: 'text' }).text('platform');
  const words = splitAtSpaces(argument);
  const [image, as, alias] = words;
  if (image === undefined || (words.length !== 1 && (words.length !== 3 || as?.toLowerCase() !== 'as'))) {
    const comment = words.some((word) => word.startsWith('#')) ? '. A comment must be on a line of its own' : '';
    throw new SyntaxProblem(`FROM takes an image, or an image, AS and a name: FROM alpine AS build${comment}`);
  }
  const name = alias?.toLowerCase();
  if (name !== undefined && !/^[a-z][a-z0-9_.-]*$/.test(name)) {
    throw new SyntaxProblem(
      `${shorten(alias!)} is no name for a stage. It must begin with a letter and have only letters, digits, - _ and .`,
    );
  }
  return { kind: 'FROM', image, platform, alias: name };
}

function readRun({ flags: given, argument, heredocs }: Statement): Unplaced<RunInstruction> {
  const flags = new Flags('RUN', given, { mount: 'texts', network: 'text', security: 'text' });
  const command = readCommand(argument);
  if (command === undefined || (command.form === 'exec' && command.words.length === 0)) {
    throw new SyntaxProblem('RUN needs a command');
  }
  return {
    kind: 'RUN',
    command,
    heredocs,
    mounts: flags.texts('mount').map(readMount),
    network: flags.choice('network', ['default', 'none', 'host']),
    security: flags.choice('security', ['sandbox', 'insecure']),
  };
}

function readCopy({ flags: given, argument, heredocs }: Statement): Unplaced<CopyInstruction> {
  const flags = new Flags('COPY', given, {
    from: 'text',
    chown: 'text',
    chmod: 'text',
    link: 'boolean',
    parents: 'boolean',
    exclude: 'texts',
  });
  const from = flags.text('from');
  if (from !== undefined && /\$./.test(from)) {
    throw new SyntaxProblem(
      '--from takes no variables. Name the image in a stage (FROM … AS name) and say --from=name',
    );
  }
  return {
    kind: 'COPY',
    ...readTransfer('COPY', argument, heredocs),
    from,
    chown: flags.text('chown'),
    chmod: flags.text('chmod'),
    link: flags.boolean('link') ?? false,
    parents: flags.boolean('parents') ?? false,
    exclude: flags.texts('exclude'),
  };
}

function readAdd({ flags: given, argument, heredocs }: Statement): Unplaced<AddInstruction> {
  const flags = new Flags('ADD', given, {
    'keep-git-dir': 'boolean',
    checksum: 'text',
    chown: 'text',
    chmod: 'text',
    link: 'boolean',
    unpack: 'boolean',
    exclude: 'texts',
  });
  return {
    kind: 'ADD',
    ...readTransfer('ADD', argument, heredocs),
    checksum: flags.text('checksum'),
    keepGitDirectory: flags.boolean('keep-git-dir') ?? false,
    unpack: flags.boolean('unpack'),
    chown: flags.text('chown'),
    chmod: flags.text('chmod'),
    link: flags.boolean('link') ?? false,
    exclude: flags.texts('exclude'),
  };
}

function readTransfer(
  kind: 'COPY' | 'ADD',
  argument: string,
  heredocs: readonly Heredoc[],
): { readonly sources: readonly CopySource[]; readonly destination: string } {
  const json = jsonStrings(argument);
  const words = json ?? splitAtSpaces(argument);
  const destination = words[words.length - 1];
  if (destination === undefined || words.length < 2) {
    throw new SyntaxProblem(`${kind} needs a source and a destination: ${kind} source … destination`);
  }
  let next = 0;
  const sources = words.slice(0, -1).map((word): CopySource => {
    const mark = json === undefined ? heredocMark(word) : undefined;
    const heredoc = mark === undefined ? undefined : heredocs[next++];
    return heredoc === undefined ? { kind: 'path', path: word } : { kind: 'heredoc', heredoc };
  });
  if (next < heredocs.length) {
    throw new SyntaxProblem(`a here-document must be a source of ${kind}, not its destination, and its name one word`);
  }
  return { sources, destination };
}

function readOnbuild(statement: Statement, escapeCharacter: EscapeCharacter): Unplaced<OnbuildInstruction> {
  new Flags('ONBUILD', statement.flags, {});
  const { first, rest } = splitFirst(statement.argument);
  const keyword = first.toUpperCase();
  if (keyword === '') throw new SyntaxProblem('ONBUILD needs an instruction: ONBUILD COPY . /src');
  if (keyword === 'ONBUILD') throw new SyntaxProblem('ONBUILD ONBUILD is not allowed');
  if (keyword === 'FROM' || keyword === 'MAINTAINER') {
    throw new SyntaxProblem(`${keyword} is not allowed after ONBUILD`);
  }
  const { flags, rest: argument } = splitFlags(rest);
  const inner = { ...statement, keyword: first, flags, argument: trim(argument), text: statement.argument };
  const instruction = readInstruction(inner, escapeCharacter) as StageInstruction;
  const documents = statement.heredocs.map(({ raw, name }) => `\n${raw}${name}`);
  return { kind: 'ONBUILD', trigger: statement.argument + documents.join(''), instruction };
}

/** Undefined: there is none. */
function readCommand(text: string): CommandLine | undefined {
  if (text === '') return undefined;
  const words = jsonStrings(text);
  return words === undefined ? { form: 'shell', command: text } : { form: 'exec', words };
}

function readPairs(kind: 'ENV' | 'LABEL', argument: string, escapeCharacter: EscapeCharacter): Pair[] {
  const words = splitQuoted(argument, escapeCharacter);
  if (words.length === 0) throw new SyntaxProblem(`${kind} needs a name and a value: ${kind} NAME=value`);
  // The old form, NAME value: the value is the whole rest of the line.
  if (!words[0]!.includes('=')) {
    const { first, rest } = splitFirst(argument);
    if (rest === '') {
      throw new SyntaxProblem(`${kind} ${shorten(first)} has no value: ${kind} ${shorten(first)}=value`);
    }
    return [{ key: first, value: rest }];
  }
  return words.map((word) => {
    const equals = word.indexOf('=');
    if (equals < 0) {
      throw new SyntaxProblem(`${shorten(word)} has no =. Write NAME=value, and quotes around a value with spaces`);
    }
    if (equals === 0) throw new SyntaxProblem(`there is no name before = in ${shorten(word)}`);
    return { key: word.slice(0, equals), value: word.slice(equals + 1) };
  });
}

function readParameters(argument: string, escapeCharacter: EscapeCharacter): ArgInstruction['parameters'] {
  const words = splitQuoted(argument, escapeCharacter);
  if (words.length === 0) throw new SyntaxProblem('ARG needs a name: ARG NAME or ARG NAME=default');
  return words.map((word) => {
    const equals = word.indexOf('=');
    if (equals === 0) throw new SyntaxProblem(`there is no name before = in ${shorten(word)}`);
    if (equals < 0) return { name: word, value: undefined };
    return { name: word.slice(0, equals), value: word.slice(equals + 1) };
  });
}

function whole(kind: Keyword, argument: string, what: string): string {
  if (argument === '') throw new SyntaxProblem(`${kind} needs ${what}`);
  return argument;
}

function shorten(word: string): string {
  return word.length > 60 ? `${word.slice(0, 60)}…` : word;
}

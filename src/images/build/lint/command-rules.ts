import { commandsNamed, isFlag, remark } from './package-rules.ts';
import type { LintRun, LintStage, Remark, Rule } from './rule.ts';

const NOT_IN_CONTAINERS = ['free', 'kill', 'mount', 'ps', 'service', 'shutdown', 'ssh', 'top', 'vim', 'ifconfig'];
const ARCHIVE = /\.(tar|tgz|tbz2?|txz|tzst|tar\.(gz|bz2|xz|zst))$/i;
const WGET_QUIET = ['--quiet', '--no-verbose', '-nv', '--output-file', '--append-output'];

/** Rules about what RUN executes, packages aside. */
export const COMMAND_RULES: readonly Rule[] = [
  {
    id: 'DL3001',
    severity: 'info',
    about: 'no commands that mean nothing while an image is built, such as ssh, top or mount',
    find: (subject) =>
      commandsNamed(subject, NOT_IN_CONTAINERS).map((found) =>
        remark(`${found.command.name} has no use while an image is built. Remove it`)(found),
      ),
  },
  {
    id: 'DL3003',
    severity: 'warning',
    about: 'WORKDIR instead of cd',
    find: (subject) =>
      once(commandsNamed(subject, ['cd']).map(remark('cd lasts only to the end of this RUN. Use WORKDIR'))),
  },
  {
    id: 'DL3004',
    severity: 'error',
    about: 'no sudo',
    find: (subject) =>
      once(
        commandsNamed(subject, ['sudo']).map(remark('sudo has no terminal and other rights here. Use USER, or gosu')),
      ),
  },
  {
    id: 'DL3010',
    severity: 'info',
    about: 'ADD for archives that are unpacked in the image',
    find: ({ stages, runs }) => {
      const byInstruction = new Map(runs.map((run) => [run.run, run]));
      return stages.flatMap((stage) => unpackedCopies(stage, byInstruction));
    },
  },
  {
    id: 'DL3046',
    severity: 'warning',
    about: 'useradd -l where the user ID is high',
    find: (subject) =>
      commandsNamed(subject, ['useradd'])
        .filter(({ command: { words } }) => !words.some((word) => isFlag(word, 'l', ['--no-log-init'])))
        .filter(({ command: { words } }) => /(^| )(-[a-z]*u|--uid)[ =]?\d{6,}/.test(words.join(' ')))
        .map(remark('useradd makes a log file as large as the user ID is high. Add --no-log-init')),
  },
  {
    id: 'DL3047',
    severity: 'info',
    about: 'wget does not fill the log with its progress',
    find: (subject) =>
      commandsNamed(subject, ['wget'])
        .filter(
          ({ command: { words } }) =>
            !words.some(
              (word) =>
                word.startsWith('--progress') ||
                WGET_QUIET.some((flag) => word === flag || word.startsWith(`${flag}=`)) ||
                /^-[a-zA-Z]*[qoa]/.test(word),
            ),
        )
        .map(remark("wget's progress fills the build's log. Add --progress=dot:giga, or -q")),
  },
  {
    id: 'DL4001',
    severity: 'warning',
    about: 'wget or curl, not both',
    find: (subject) => {
      const wget = commandsNamed(subject, ['wget']);
      const curl = commandsNamed(subject, ['curl']);
      if (wget.length === 0 || curl.length === 0) return [];
      const later = wget[0]!.run.run.lines.start > curl[0]!.run.run.lines.start ? wget : curl;
      return once(later.map(remark('both wget and curl are used. Use one of them')));
    },
  },
  {
    id: 'DL4005',
    severity: 'warning',
    about: 'SHELL instead of another /bin/sh',
    find: (subject) =>
      commandsNamed(subject, ['ln'])
        .filter(({ command: { words } }) => words[words.length - 1] === '/bin/sh')
        .map(remark('this exchanges the shell of the whole image. Use SHELL ["/bin/bash", "-c"]')),
  },
  {
    id: 'DL4006',
    severity: 'warning',
    about: 'pipefail where there is a pipe',
    find: (subject) =>
      subject.runs
        .filter(
          ({ posix, run, commands }) => posix && run.command.form === 'shell' && commands.some(({ piped }) => piped),
        )
        .filter(({ commands }) => !commands.some(({ name, words }) => name === 'set' && words.includes('pipefail')))
        .filter(({ setting }) => !setting.shell?.some((word) => /pipefail$/.test(word)))
        .map(
          remark(
            'only the last command of a pipe can fail this RUN. Put SHELL ["/bin/bash", "-o", "pipefail", "-c"] before it',
          ),
        ),
  },
];

/** One remark a line. */
function once<T extends { readonly line: number }>(remarks: readonly T[]): T[] {
  return [...new Map(remarks.map((one) => [one.line, one])).values()];
}

/** Copies of archives that a later RUN of the stage unpacks. */
function unpackedCopies(stage: LintStage, runs: ReadonlyMap<unknown, LintRun>): Remark[] {
  const copied = new Map<string, number>();
  const unpacked = new Set<number>();
  for (const instruction of stage.instructions) {
    if (instruction.kind === 'COPY' && instruction.from === undefined) {
      for (const source of instruction.sources) {
        if (source.kind === 'path' && ARCHIVE.test(source.path))
          copied.set(nameOf(source.path), instruction.lines.start);
      }
    }
    for (const { name, words } of runs.get(instruction)?.commands ?? []) {
      if (name !== 'tar' || !words.some((word) => /^-?[a-zA-Z]*x|^--extract|^--get/.test(word))) continue;
      for (const line of words.flatMap((word) => copied.get(nameOf(word)) ?? [])) unpacked.add(line);
    }
  }
  return [...unpacked].map((line) => ({
    line,
    message: 'the archive is copied, and then unpacked. ADD unpacks it, and leaves no copy',
  }));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

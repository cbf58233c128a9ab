import type { CopyInstruction, Instruction, StageInstruction } from '../dockerfile/index.ts';
import type { LintStage, Remark, Rule, Subject } from './rule.ts';

const ARCHIVE = /\.(tar|tgz|tbz2?|txz|tzst|tar\.(gz|bz2|xz|zst|lzma|z)|zip|gz|bz2|xz|zst)$/i;
const REMOTE = /^(https?|ftp|git|ssh):\/\/|^git@|\.git(#|$)/i;
const SECRET = /(^|_)(password|passwd|pword|secret|token|api_?key|access_?key|private_?key|credentials?|auth)($|_)/i;

/** Rules about single instructions, and how often they are there. */
export const INSTRUCTION_RULES: readonly Rule[] = [
  {
    id: 'DL3000',
    severity: 'error',
    about: 'WORKDIR is an absolute path',
    check: 'WorkdirRelativePath',
    find: (subject) =>
      instructions(subject, 'WORKDIR')
        .filter(({ path }) => !/^["']?(\/|\$|[A-Za-z]:|\\)/.test(path))
        .map(at('the directory depends on what was set before. Write an absolute path')),
  },
  {
    id: 'DL3002',
    severity: 'warning',
    about: 'the last USER is not root',
    find: ({ stages }) => {
      const last = stages[stages.length - 1]?.instructions.findLast(({ kind }) => kind === 'USER');
      return last?.kind === 'USER' && /^["']?(root|0)["']?(:|$)/.test(last.user)
        ? [at('the container will run as root. Switch to another user at the end')(last)]
        : [];
    },
  },
  {
    id: 'DL3011',
    severity: 'error',
    about: 'ports are 0 to 65535',
    check: 'ExposeInvalidFormat',
    find: (subject) =>
      instructions(subject, 'EXPOSE').flatMap((expose) =>
        expose.ports
          .filter(
            (port) =>
              /^\d/.test(port) &&
              port
                .split('/')[0]!
                .split('-')
                .some((number) => Number(number) > 65535),
          )
          .map((port) => at(`${port} is no port: they go up to 65535`)(expose)),
      ),
  },
  repeated('DL3012', 'error', 'HEALTHCHECK', 'MultipleInstructionsDisallowed'),
  {
    id: 'DL3020',
    severity: 'error',
    about: 'COPY instead of ADD for files and folders',
    find: (subject) =>
      instructions(subject, 'ADD')
        .filter(({ sources }) =>
          sources.every(
            (source) =>
              source.kind === 'heredoc' ||
              !(ARCHIVE.test(source.path) || REMOTE.test(source.path) || source.path.startsWith('$')),
          ),
        )
        .map(at('ADD unpacks archives and fetches addresses. For files and folders use COPY')),
  },
  {
    id: 'DL3021',
    severity: 'error',
    about: 'COPY of several sources goes into a directory, with / at its end',
    find: (subject) =>
      instructions(subject, 'COPY')
        .filter(
          ({ sources, destination }) => sources.length > 1 && !/(\/|^\.|\/\.|\$\{?\w+\}?)["']?$/.test(destination),
        )
        .map(at('several sources need a directory to go to. End the destination with /')),
  },
  {
    id: 'DL3025',
    severity: 'warning',
    about: 'CMD and ENTRYPOINT are in JSON form',
    check: 'JSONArgsRecommended',
    find: (subject) =>
      [...instructions(subject, 'CMD'), ...instructions(subject, 'ENTRYPOINT')]
        .filter(({ command }) => command.form === 'shell')
        .map((one) =>
          at(`a shell is process 1, and keeps signals from the program. Write ${one.kind} ["program", "argument"]`)(
            one,
          ),
        ),
  },
  {
    id: 'DL3044',
    severity: 'error',
    about: 'ENV does not use a variable that it sets itself',
    find: ({ stages }) => stages.flatMap(selfReferences),
  },
  {
    id: 'DL3045',
    severity: 'warning',
    about: 'COPY to a relative path comes after WORKDIR',
    find: ({ stages, settings }) =>
      stages.flatMap((stage) =>
        stage.instructions
          .filter((one): one is CopyInstruction => one.kind === 'COPY')
          .filter(({ destination }) => !/^["']?(\/|\$|[A-Za-z]:|\\)/.test(destination))
          .filter((copy) => settings.get(copy)?.hasWorkdir === false)
          .map(at("the destination is relative to the base image's directory. Set WORKDIR first")),
      ),
  },
  {
    id: 'DL3057',
    severity: 'off',
    about: 'there is a HEALTHCHECK',
    find: ({ stages, kept }) => {
      const last = stages[stages.length - 1];
      const has = [...kept].some((stage) => stage.instructions.some(({ kind }) => kind === 'HEALTHCHECK'));
      return last === undefined || has
        ? []
        : [at('nothing tells whether the container works. Add HEALTHCHECK CMD …')(last.from)];
    },
  },
  {
    id: 'DL3059',
    severity: 'info',
    about: 'RUNs that follow each other are one',
    find: ({ stages }) =>
      stages.flatMap(({ instructions: list }) =>
        list.flatMap((one, index) => {
          const before = list[index - 1];
          if (one.kind !== 'RUN' || before?.kind !== 'RUN' || flagsOf(one) !== flagsOf(before)) return [];
          return [at('each RUN is a layer. Join it to the one before, with && or in a here-document')(one)];
        }),
      ),
  },
  {
    id: 'DL4000',
    severity: 'error',
    about: 'no MAINTAINER',
    check: 'MaintainerDeprecated',
    find: (subject) =>
      instructions(subject, 'MAINTAINER').map(
        at('MAINTAINER is deprecated. Use LABEL org.opencontainers.image.authors="…"'),
      ),
  },
  repeated('DL4003', 'warning', 'CMD', 'MultipleInstructionsDisallowed'),
  repeated('DL4004', 'error', 'ENTRYPOINT', 'MultipleInstructionsDisallowed'),
  {
    id: 'KB1001',
    severity: 'warning',
    about: 'no empty lines inside an instruction',
    check: 'NoEmptyContinuation',
    find: ({ inspection }) =>
      inspection.statements.statements.flatMap(({ emptyContinuation: line }) =>
        line === undefined
          ? []
          : [{ line, message: 'an empty line inside an instruction. Remove it, or put a # there' }],
      ),
  },
  {
    id: 'KB1003',
    severity: 'warning',
    about: 'no secrets in ARG and ENV',
    check: 'SecretsUsedInArgOrEnv',
    find: (subject) =>
      subject.inspection.instructions.flatMap((one) => {
        const names =
          one.kind === 'ENV'
            ? one.pairs.map(({ key }) => key)
            : one.kind === 'ARG'
              ? one.parameters.map(({ name }) => name)
              : [];
        return names
          .filter((name) => SECRET.test(name) && !/_FILE$/i.test(name))
          .map((name) =>
            at(`${name} can be read from the image's history. Use RUN --mount=type=secret, or set it at run time`)(one),
          );
      }),
  },
  {
    id: 'KB1004',
    severity: 'info',
    about: 'ENV and LABEL in the form name=value',
    check: 'LegacyKeyValueFormat',
    find: (subject) =>
      [...instructions(subject, 'ENV'), ...instructions(subject, 'LABEL')]
        .filter(({ pairs, text }) => pairs.length === 1 && !text.includes(`${pairs[0]!.key}=`))
        .map((one) => at(`the form without = is deprecated. Write ${one.kind} ${one.pairs[0]!.key}="…"`)(one)),
  },
];

/** A remark at an instruction. */
export function at(message: string): (instruction: Instruction) => Remark {
  return ({ lines }) => ({ line: lines.start, message });
}

/** All instructions of a kind, those that ONBUILD keeps for later included. */
export function instructions<K extends StageInstruction['kind']>(
  { stages }: Subject,
  kind: K,
): Extract<StageInstruction, { kind: K }>[] {
  return stages.flatMap((stage) =>
    stage.instructions
      .map((one) => (one.kind === 'ONBUILD' ? one.instruction : one))
      .filter((one): one is Extract<StageInstruction, { kind: K }> => one.kind === kind),
  );
}

function repeated(id: string, severity: 'error' | 'warning', kind: StageInstruction['kind'], check: string): Rule {
  return {
    id,
    severity,
    about: `one ${kind} in a stage`,
    check,
    find: ({ stages }) =>
      stages.flatMap((stage) =>
        stage.instructions
          .filter((one) => one.kind === kind)
          .slice(0, -1)
          .map(at(`a later ${kind} takes the place of this one. Remove it`)),
      ),
  };
}

function flagsOf(run: StageInstruction): string {
  return run.kind === 'RUN' ? JSON.stringify([run.mounts.map(({ text }) => text), run.network, run.security]) : '';
}

/** Variables that every image sets. */
const ALWAYS_SET = ['PATH'];

function selfReferences(stage: LintStage): Remark[] {
  const known = new Set([...ALWAYS_SET, ...namesSet(stage.base)]);
  return stage.instructions.flatMap((one) => {
    if (one.kind === 'ARG') for (const { name } of one.parameters) known.add(name);
    if (one.kind !== 'ENV') return [];
    const set = new Set(one.pairs.map(({ key }) => key).filter((key) => !known.has(key)));
    const wrong = one.pairs.flatMap(({ key, value }) =>
      [...value.matchAll(/(?<!\\)\$\{?(\w+)/g)].flatMap(([, name]) => (name !== key && set.has(name!) ? [name!] : [])),
    );
    for (const name of set) known.add(name);
    return [...new Set(wrong)].map((name) =>
      at(`${name} is set by this very ENV, so its value here is the one from before. Set it in an ENV of its own`)(one),
    );
  });
}

function namesSet(stage: LintStage | undefined): Set<string> {
  const names = new Set<string>();
  for (let at = stage; at !== undefined; at = at.base) {
    for (const one of at.instructions) if (one.kind === 'ENV') for (const { key } of one.pairs) names.add(key);
  }
  return names;
}

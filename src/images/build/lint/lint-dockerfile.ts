import type { DockerfileError, Instruction, RunInstruction, StageInstruction } from '../dockerfile/index.ts';
import { type Inspection, inspectDockerfile } from '../dockerfile/index.ts';
import { COMMAND_RULES } from './command-rules.ts';
import { INSTRUCTION_RULES } from './instruction-rules.ts';
import { LABEL_RULES } from './label-rules.ts';
import { PACKAGE_RULES } from './package-rules.ts';
import { readPragmas } from './pragmas.ts';
import type { Finding, LabelKind, LintRun, LintStage, Remark, Rule, Setting, Severity, Subject } from './rule.ts';
import { execCommands, shellCommands } from './shell-commands.ts';
import { STAGE_RULES } from './stage-rules.ts';

export interface LintOptions {
  /** What findings call the file. */
  readonly name: string;
  /** Rules that are not applied. */
  readonly ignore?: readonly string[];
  /** Severities other than the rules' own; also turns on rules that are off. */
  readonly severities?: ReadonlyMap<string, Severity>;
  /** For DL3026: the only registries that images may come from, such as `docker.io` or `*.example.com`. */
  readonly registries?: readonly string[];
  /** For DL3049 to DL3058: labels that there must be, and what they hold. */
  readonly labels?: ReadonlyMap<string, LabelKind>;
  /** For DL3050: no other labels may be there. */
  readonly strictLabels?: boolean;
}

export interface LintResult {
  /** By line. */
  readonly findings: readonly Finding[];
  /** The file says `# check=error=true`: any finding is a failure. */
  readonly strict: boolean;
}

/** As many stages are looked at. */
const MAXIMUM_STAGES = 1000;

/** Rules about the file as a whole; what they find comes from elsewhere. */
export const FILE_RULES: readonly Rule[] = [
  { id: 'DL1000', severity: 'error', about: 'the Dockerfile can be parsed', find: () => [] },
  { id: 'DL1001', severity: 'off', about: 'no comments that have rules ignored', find: () => [] },
  { id: 'DL3043', severity: 'error', about: 'ONBUILD has no ONBUILD, FROM or MAINTAINER', find: () => [] },
];

/** Every rule, by its number. */
export const LINT_RULES: readonly Rule[] = [
  ...FILE_RULES,
  ...STAGE_RULES,
  ...INSTRUCTION_RULES,
  ...COMMAND_RULES,
  ...PACKAGE_RULES,
  ...LABEL_RULES,
].sort((a, b) => (a.id < b.id ? -1 : 1));

/**
 * Looks for what is wrong or unwise in a Dockerfile. The rules are numbered like hadolint's where hadolint has them, so that people
 * recognise them; texts and implementations are Kobune's. Throws nothing: what cannot be parsed is a finding, too.
 */
export function lintDockerfile(text: string, options: LintOptions): LintResult {
  const inspection = inspectDockerfile(text, { name: options.name });
  const pragmas = readPragmas(inspection, LINT_RULES);
  const subject = subjectOf(inspection, options, pragmas.shell);
  const ignored = new Set([...pragmas.ignored, ...(options.ignore ?? []).map((rule) => rule.toUpperCase())]);
  const findings: Finding[] = [];
  const report = (rule: Rule, remarks: readonly Remark[]) => {
    const severity = options.severities?.get(rule.id) ?? rule.severity;
    if (severity === 'off' || ignored.has(rule.id)) return;
    for (const { line, message } of remarks) {
      if (pragmas.ignoredAt.get(startOf(inspection, line))?.has(rule.id)) continue;
      findings.push({ rule: rule.id, severity, file: options.name, line, message });
    }
  };
  for (const rule of LINT_RULES) report(rule, rule.find(subject));
  const byId = new Map(FILE_RULES.map((rule) => [rule.id, rule]));
  report(
    byId.get('DL1001')!,
    pragmas.lines.map((line) => ({ line, message: 'a comment has findings ignored' })),
  );
  for (const error of inspection.errors) {
    const rule = byId.get(isForbiddenTrigger(inspection, error) ? 'DL3043' : 'DL1000')!;
    report(rule, [{ line: error.place.line, message: error.problem }]);
  }
  if (subject.stages.length === MAXIMUM_STAGES) {
    report(byId.get('DL1000')!, [{ line: 1, message: `only the first ${MAXIMUM_STAGES} stages were looked at` }]);
  }
  if (inspection.errors.length === 0 && subject.stages.length === 0) {
    report(byId.get('DL1000')!, [{ line: 1, message: 'there is no FROM. A Dockerfile begins with one: FROM alpine' }]);
  }
  findings.sort((a, b) => a.line - b.line || (a.rule < b.rule ? -1 : a.rule > b.rule ? 1 : 0));
  return { findings, strict: pragmas.strict };
}

function subjectOf(inspection: Inspection, options: LintOptions, shell: string | undefined): Subject {
  const stages = stagesOf(inspection.instructions);
  const kept = new Set<LintStage>();
  for (let stage = stages[stages.length - 1]; stage !== undefined; stage = stage.base) kept.add(stage);
  const settings = settingsOf(stages);
  const runs = stages.flatMap((stage) =>
    stage.instructions.flatMap((one): LintRun[] => {
      const run = one.kind === 'ONBUILD' ? one.instruction : one;
      if (run.kind !== 'RUN') return [];
      const setting = settings.get(one)!;
      const posix = isPosix(setting.shell?.[0] ?? shell ?? '/bin/sh');
      return [{ stage, run, setting, posix, commands: posix ? commandsOf(run) : [] }];
    }),
  );
  return {
    inspection,
    stages,
    kept,
    runs,
    settings,
    registries: options.registries,
    labels: options.labels ?? new Map(),
    strictLabels: options.strictLabels ?? false,
  };
}

function stagesOf(instructions: readonly Instruction[]): LintStage[] {
  const stages: (LintStage & { readonly instructions: StageInstruction[] })[] = [];
  const byName = new Map<string, LintStage>();
  for (const instruction of instructions) {
    if (instruction.kind !== 'FROM') stages[stages.length - 1]?.instructions.push(instruction);
    else if (stages.length === MAXIMUM_STAGES) break;
    else {
      const { image, alias: name } = instruction;
      const base = byName.get(image.toLowerCase());
      const stage = { index: stages.length, name, from: instruction, instructions: [], base };
      stages.push(stage);
      if (name !== undefined) byName.set(name, stage);
    }
  }
  return stages;
}

/** What is set before each instruction; a stage goes on from where its base ends. */
function settingsOf(stages: readonly LintStage[]): Map<StageInstruction, Setting> {
  const settings = new Map<StageInstruction, Setting>();
  const ends = new Map<LintStage, Setting>();
  for (const stage of stages) {
    let setting: Setting = (stage.base && ends.get(stage.base)) ?? {
      shell: undefined,
      hasWorkdir: false,
      pipCacheOff: false,
    };
    for (const instruction of stage.instructions) {
      settings.set(instruction, setting);
      if (instruction.kind === 'SHELL') setting = { ...setting, shell: instruction.words };
      else if (instruction.kind === 'WORKDIR') setting = { ...setting, hasWorkdir: true };
      else if (namesOf(instruction).includes('PIP_NO_CACHE_DIR')) setting = { ...setting, pipCacheOff: true };
    }
    ends.set(stage, setting);
  }
  return settings;
}

/** Variables that an instruction sets. */
function namesOf(instruction: StageInstruction): string[] {
  if (instruction.kind === 'ENV') return instruction.pairs.map(({ key }) => key);
  return instruction.kind === 'ARG' ? instruction.parameters.map(({ name }) => name) : [];
}

function isPosix(shell: string): boolean {
  return /(^|\/)(ba|da|a|z|k)?sh$/.test(shell);
}

function commandsOf(run: RunInstruction): LintRun['commands'] {
  if (run.command.form === 'exec') return execCommands(run.command.words);
  const [only] = run.heredocs;
  if (only === undefined) return shellCommands(run.command.command);
  // What a here-document holds is a script of the shell only if the command is nothing else.
  if (!/^\d*<<\S+$/.test(run.command.command)) return shellCommands(run.command.command);
  return !only.content.startsWith('#!') || /^#!.*sh\b/.test(only.content) ? shellCommands(only.content) : [];
}

/** First line of the instruction that has the line. */
function startOf({ statements }: Inspection, line: number): number {
  let low = 0;
  let high = statements.statements.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (statements.statements[middle]!.lines.start <= line) low = middle;
    else high = middle - 1;
  }
  return statements.statements[low]?.lines.start ?? line;
}

function isForbiddenTrigger({ statements }: Inspection, error: DockerfileError): boolean {
  const statement = statements.statements.find(({ lines }) => lines.start === error.place.line);
  return statement?.keyword.toUpperCase() === 'ONBUILD' && /^(ONBUILD|FROM|MAINTAINER)(\s|$)/i.test(statement.argument);
}

import type { FromInstruction, Inspection, RunInstruction, StageInstruction } from '../dockerfile/index.ts';
import type { ShellCommand } from './shell-commands.ts';

/** From the worst on. */
export const SEVERITIES = ['error', 'warning', 'info', 'style'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What a rule found. */
export interface Finding {
  /** `DL3008`; DL for rules that hadolint numbers, KB for those of Kobune. */
  readonly rule: string;
  readonly severity: Severity;
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** What is wrong, and what to do. */
  readonly message: string;
}

export interface LintStage {
  readonly index: number;
  readonly name: string | undefined;
  readonly from: FromInstruction;
  readonly instructions: readonly StageInstruction[];
  /** The stage of this file that it is based on. */
  readonly base: LintStage | undefined;
}

/** What the instructions of a stage, and of those that it is based on, have set. */
export interface Setting {
  /** Undefined: no SHELL in this file. */
  readonly shell: readonly string[] | undefined;
  readonly hasWorkdir: boolean;
  /** `PIP_NO_CACHE_DIR` is set. */
  readonly pipCacheOff: boolean;
}

/** A RUN of a stage, with the commands that its shell would run. */
export interface LintRun {
  readonly stage: LintStage;
  readonly run: RunInstruction;
  readonly commands: readonly ShellCommand[];
  readonly setting: Setting;
  /** Whether the shell is one whose commands are read: not PowerShell or cmd. */
  readonly posix: boolean;
}

/** What the value of a label may be asked to be. */
export const LABEL_KINDS = ['text', 'url', 'rfc3339', 'spdx', 'hash', 'semver', 'email'] as const;
export type LabelKind = (typeof LABEL_KINDS)[number];

/** What the rules look at. */
export interface Subject {
  readonly inspection: Inspection;
  readonly stages: readonly LintStage[];
  /** The last stage and those it is based on: what is in the image. */
  readonly kept: ReadonlySet<LintStage>;
  readonly runs: readonly LintRun[];
  /** What is set before an instruction. */
  readonly settings: ReadonlyMap<StageInstruction, Setting>;
  /** Registries that images may come from; undefined: any. */
  readonly registries: readonly string[] | undefined;
  /** Labels that there must be, and what they hold. */
  readonly labels: ReadonlyMap<string, LabelKind>;
  /** No other labels are allowed. */
  readonly strictLabels: boolean;
}

export interface Remark {
  readonly line: number;
  readonly message: string;
}

export interface Rule {
  readonly id: string;
  /** `off`: only when a severity is given for it. */
  readonly severity: Severity | 'off';
  /** What it asks for, in one line. */
  readonly about: string;
  /** BuildKit's name of the same check, for `# check=skip=…`. */
  readonly check?: string;
  readonly find: (subject: Subject) => readonly Remark[];
}

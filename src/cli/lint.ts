import { readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import {
  type Finding,
  LABEL_KINDS,
  type LabelKind,
  LINT_RULES,
  lintDockerfile,
  SEVERITIES,
  type Severity,
} from '../images/index.ts';
import { CommandError } from './command-error.ts';
import { EXIT } from './exit-codes.ts';
import { paint, print, printJson, type Terminal, table } from './terminal.ts';

export interface LintCommandOptions {
  readonly json: boolean;
  /** Print the rules instead. */
  readonly rules: boolean;
  readonly failOn: string;
  readonly ignore: readonly string[];
  /** `RULE=severity` */
  readonly severity: readonly string[];
  readonly trustedRegistry: readonly string[];
  /** `name:kind` */
  readonly label: readonly string[];
  readonly strictLabels: boolean;
}

/** Larger files are no Dockerfiles. */
const MAXIMUM_BYTES = 32 * 1024 * 1024;
const COLORS = { error: 'red', warning: 'yellow', info: 'cyan', style: 'gray' } as const;

/** Lints Dockerfiles (`-`: standard input); answers the exit status. */
export async function lint(terminal: Terminal, files: readonly string[], options: LintCommandOptions): Promise<number> {
  if (options.rules) return printRules(terminal, options.json);
  const failOn = severityOf('--fail-on', options.failOn);
  const ignore = options.ignore.map((rule) => ruleOf('--ignore', rule));
  const settings = {
    ignore,
    severities: new Map(options.severity.map((text) => pairOf('--severity', text, '=', ruleOf, severityOf))),
    labels: new Map(options.label.map((text) => pairOf('--label', text, ':', (_, name) => name, labelKindOf))),
    registries: options.trustedRegistry.length === 0 ? undefined : options.trustedRegistry,
    strictLabels: options.strictLabels,
  };
  const findings: Finding[] = [];
  let failed = false;
  for (const file of files) {
    const name = file === '-' ? 'standard input' : file;
    const result = lintDockerfile(await textOf(terminal, file), { name, ...settings });
    findings.push(...result.findings);
    const worst = SEVERITIES.indexOf(result.strict ? 'style' : failOn);
    failed ||= result.findings.some(({ severity }) => SEVERITIES.indexOf(severity) <= worst);
  }
  if (options.json) printJson(terminal, { findings });
  else for (const finding of findings) show(terminal, finding);
  return failed ? EXIT.failure : EXIT.ok;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: a file that is looked at must not speak to the terminal
const CONTROLS = /[\0-\x1f\x7f-\x9f]/g;

function show(terminal: Terminal, { file, line, message, rule, severity }: Finding): void {
  const place = paint(terminal, 'bold', `${file}:${line}`);
  const text = message.replace(CONTROLS, '\ufffd');
  print(terminal, `${place} ${paint(terminal, COLORS[severity], severity)} ${rule} ${text}`);
}

function printRules(terminal: Terminal, json: boolean): number {
  const rules = LINT_RULES.map(({ id, severity, about }) => ({ rule: id, severity, about }));
  if (json) printJson(terminal, { rules });
  else print(terminal, table(rules.map(({ rule, severity, about }) => [rule, severity, about])));
  return EXIT.ok;
}

async function textOf(terminal: Terminal, file: string): Promise<string> {
  const path = isAbsolute(file) ? file : join(terminal.workingDirectory, file);
  try {
    const bytes = file === '-' ? await buffer(process.stdin) : await readFile(path);
    if (bytes.length > MAXIMUM_BYTES) throw new Error(`it is larger than ${MAXIMUM_BYTES} bytes`);
    return bytes.toString('utf8');
  } catch (error) {
    throw new CommandError(`cannot read ${file}: ${(error as Error).message}`, {
      exitCode: EXIT.usage,
      hint: 'Name the Dockerfile: kobune lint path/to/Dockerfile',
    });
  }
}

function pairOf<A, B>(
  option: string,
  text: string,
  separator: string,
  key: (option: string, text: string) => A,
  value: (option: string, text: string) => B,
): readonly [A, B] {
  const at = text.lastIndexOf(separator);
  if (at < 1) {
    throw new CommandError(`${option} ${text} has no ${separator}`, { exitCode: EXIT.usage });
  }
  return [key(option, text.slice(0, at)), value(option, text.slice(at + 1))];
}

function ruleOf(option: string, text: string): string {
  const rule = LINT_RULES.find(({ id }) => id === text.toUpperCase());
  if (rule !== undefined) return rule.id;
  throw new CommandError(`${option} ${text}: there is no such rule`, {
    exitCode: EXIT.usage,
    hint: 'See them all: kobune lint --rules',
  });
}

function severityOf(option: string, text: string): Severity {
  return oneOf(option, text, SEVERITIES);
}

function labelKindOf(option: string, text: string): LabelKind {
  return oneOf(option, text, LABEL_KINDS);
}

function oneOf<Word extends string>(option: string, text: string, words: readonly Word[]): Word {
  const word = words.find((one) => one === text);
  if (word !== undefined) return word;
  throw new CommandError(`${option} takes ${words.join(', ')}, not ${text}`, { exitCode: EXIT.usage });
}

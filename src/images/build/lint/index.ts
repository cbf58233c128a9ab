export { LINT_RULES, type LintOptions, type LintResult, lintDockerfile } from './lint-dockerfile.ts';
export { type Finding, LABEL_KINDS, type LabelKind, SEVERITIES, type Severity } from './rule.ts';

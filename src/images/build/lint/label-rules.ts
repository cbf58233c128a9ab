import { at, instructions } from './instruction-rules.ts';
import type { LabelKind, LintStage, Remark, Rule, Severity, Subject } from './rule.ts';

const RESERVED = ['com.docker.', 'io.docker.', 'org.dockerproject.'];
/** SPDX's short names of licences that images have; an expression joins them. Source: spdx.org/licenses. */
const LICENCES = new Set(
  [
    '0BSD AFL-3.0 AGPL-3.0-only AGPL-3.0-or-later Apache-1.1 Apache-2.0 Artistic-2.0 BlueOak-1.0.0 BSD-1-Clause BSD-2-Clause',
    'BSD-2-Clause-Patent BSD-3-Clause BSD-3-Clause-Clear BSD-4-Clause BSL-1.0 BUSL-1.1 CC-BY-4.0 CC-BY-NC-4.0 CC-BY-SA-4.0 CC0-1.0',
    'CDDL-1.0 CDDL-1.1 CECILL-2.1 CPL-1.0 ECL-2.0 Elastic-2.0 EPL-1.0 EPL-2.0 EUPL-1.1 EUPL-1.2 GPL-1.0-only GPL-1.0-or-later',
    'GPL-2.0-only GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later HPND ISC LGPL-2.0-only LGPL-2.0-or-later LGPL-2.1-only',
    'LGPL-2.1-or-later LGPL-3.0-only LGPL-3.0-or-later LPPL-1.3c MIT MIT-0 MPL-1.1 MPL-2.0 MPL-2.0-no-copyleft-exception MS-PL',
    'MS-RL MulanPSL-2.0 NCSA ODbL-1.0 OFL-1.1 OpenSSL OSL-3.0 PHP-3.01 PostgreSQL PSF-2.0 Python-2.0 QPL-1.0 Ruby SSPL-1.0',
    'Sleepycat Unicode-3.0 Unicode-DFS-2016 Unlicense UPL-1.0 Vim W3C WTFPL X11 Zlib ZPL-2.1',
  ].flatMap((line) => line.split(' ')),
);
const EXCEPTIONS = /^[A-Za-z0-9.-]+-exception(-[\d.]+)?$/;
const SEMVER = /^\d+\.\d+\.\d+(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/;

export const LABEL_RULES: readonly Rule[] = [
  {
    id: 'DL3048',
    severity: 'style',
    about: "label keys are as Docker's guidelines ask",
    find: (subject) =>
      instructions(subject, 'LABEL').flatMap((label) =>
        label.pairs
          .map(({ key }) => unquoted(key))
          .filter((key) => !key.includes('$') && !isKey(key))
          .map((key) => at(`${key} is no good key: lower-case letters, digits, and single . or - between them`)(label)),
      ),
  },
  {
    id: 'DL3049',
    severity: 'info',
    about: 'labels that are asked for are there',
    find: (subject) => {
      const last = subject.stages[subject.stages.length - 1];
      if (last === undefined) return [];
      const present = new Set([...subject.kept].flatMap((stage) => labelsOf(stage).map(({ key }) => key)));
      return [...subject.labels.keys()]
        .filter((key) => !present.has(key))
        .map((key) => at(`the label ${key} is missing. Add LABEL ${key}="…"`)(last.from));
    },
  },
  {
    id: 'DL3050',
    severity: 'info',
    about: 'there are no labels but those that are asked for',
    find: (subject) =>
      subject.strictLabels
        ? values(subject)
            .filter(({ key }) => !subject.labels.has(key))
            .map(({ key, line }) => ({ line, message: `the label ${key} is not among those that are asked for` }))
        : [],
  },
  schema('DL3051', 'text', 'is not empty', (value) => value !== ''),
  schema(
    'DL3052',
    'url',
    'is an address',
    (value) => URL.canParse(value) && /^[a-z][a-z0-9+.-]*:\/\/[^/]/i.test(value),
  ),
  schema('DL3053', 'rfc3339', 'is a time as in RFC 3339', isTime),
  schema('DL3054', 'spdx', 'is an SPDX licence expression', isLicence),
  schema('DL3055', 'hash', 'is a Git hash', (value) => /^([0-9a-f]{7}|[0-9a-f]{40}|[0-9a-f]{64})$/.test(value)),
  schema('DL3056', 'semver', 'is a semantic version', (value) => SEMVER.test(value)),
  schema('DL3058', 'email', 'is an e-mail address', (value) => /^[^\s@<>]+@[^\s@<>.]+(\.[^\s@<>.]+)*$/.test(value)),
];

function schema(id: string, kind: LabelKind, about: string, isGood: (value: string) => boolean): Rule {
  const severity: Severity = 'warning';
  return {
    id,
    severity,
    about: `a label of kind ${kind} ${about}`,
    find: (subject) =>
      values(subject)
        // Every label that is asked for must hold something; what else it must be, its kind says.
        .filter(({ key }) => (kind === 'text' ? subject.labels.has(key) : subject.labels.get(key) === kind))
        .filter(({ value }) => !value.includes('$') && (kind === 'text' || value !== '') && !isGood(value))
        .map(({ key, line }): Remark => ({ line, message: `the label ${key} must be one that ${about}` })),
  };
}

interface LabelValue {
  readonly key: string;
  readonly value: string;
  readonly line: number;
}

function values(subject: Subject): LabelValue[] {
  return [...subject.kept].flatMap(labelsOf);
}

function labelsOf(stage: LintStage): LabelValue[] {
  return stage.instructions.flatMap((one) =>
    one.kind === 'LABEL'
      ? one.pairs.map(({ key, value }) => ({ key: unquoted(key), value: unquoted(value), line: one.lines.start }))
      : [],
  );
}

function unquoted(word: string): string {
  return word.replace(/^(["'])(.*)\1$/s, '$2');
}

/** Source: "Docker object labels", guidelines for keys. */
function isKey(key: string): boolean {
  return (
    /^[a-z]([a-z0-9]|[.-](?![.-]))*$/.test(key) &&
    !/[.-]$/.test(key) &&
    !RESERVED.some((space) => key.startsWith(space))
  );
}

function isTime(value: string): boolean {
  return (
    /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(value) && !Number.isNaN(Date.parse(value))
  );
}

/** `(A OR B+) AND C WITH x-exception` */
function isLicence(value: string): boolean {
  const words = value.replace(/[()]/g, ' ').trim().split(/\s+/);
  return words.every((word, index) => {
    if (index % 2 === 1) return /^(AND|OR|WITH)$/.test(word);
    if (words[index - 1] === 'WITH') return EXCEPTIONS.test(word);
    return LICENCES.has(word.replace(/\+$/, '')) || /^LicenseRef-[A-Za-z0-9.-]+$/.test(word);
  });
}

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type LintOptions, lintDockerfile } from '../lint-dockerfile.ts';
import type { Rule } from '../rule.ts';

/** Of each rule: what it finds something in, and what not. `FROM a:1` is put before what has no FROM. */
export type RuleCases = Readonly<Record<string, readonly [bad: readonly string[], good: readonly string[]]>>;

/** Tests every rule by its cases; `options`: those under which a rule can find something. */
export function testRules(
  rules: readonly Rule[],
  cases: RuleCases,
  options: Readonly<Record<string, Partial<LintOptions>>> = {},
): void {
  it('each have cases', () => {
    assert.deepEqual(Object.keys(cases).sort(), rules.map(({ id }) => id).sort());
  });

  for (const { id } of rules) {
    it(`${id} finds what it is about, and nothing else`, () => {
      const [bad, good] = cases[id]!;
      const finds = (lines: string) =>
        lintDockerfile(withFrom(lines), { name: 'Dockerfile', ...options[id] }).findings.some(
          ({ rule }) => rule === id,
        );
      for (const one of bad) assert.ok(finds(one), `nothing found in ${JSON.stringify(one)}`);
      for (const one of good) assert.ok(!finds(one), `found in ${JSON.stringify(one)}`);
    });
  }
}

function withFrom(lines: string): string {
  return /^FROM|\nFROM|^#? ?empty|^RUNN/i.test(lines) ? lines : `FROM a:1\n${lines}`;
}

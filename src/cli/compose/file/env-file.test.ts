// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables are what this is about
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseEnvFile, parseRawEnvFile } from './env-file.ts';

const outer = (name: string) => (name === 'OUTER' ? 'from outside' : undefined);
const read = (text: string) => Object.fromEntries(parseEnvFile(text, '.env', outer));

describe('environment files', () => {
  // https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/#env-file-syntax
  const cases: readonly [string, string, Record<string, string>][] = [
    ['name and value', 'A=1\nB=two words\n', { A: '1', B: 'two words' }],
    ['spaces around', '  A = 1  \n\tB=\t2\t', { A: '1', B: '2' }],
    ['a colon as separator', 'A: 1\nB:x=y', { A: '1', B: 'x=y' }],
    ['export', 'export A=1\nexport\tB=2\nexported=3\nexport = 4', { A: '1', B: '2', exported: '3', export: '4' }],
    ['dots and dashes in names', 'a.b-c=1', { 'a.b-c': '1' }],
    ['comments', '# one\nA=1 # two\n  # three\nB=x#y\nC= # none\nD=#colour', { A: '1', B: 'x#y', C: '', D: '#colour' }],
    ['no value', 'A=\nB=""\nC=\'\'', { A: '', B: '', C: '' }],
    ['more signs of equality', 'A=postgres://h:1/db?x=y=', { A: 'postgres://h:1/db?x=y=' }],
    ['double quotes', 'A="x # y" # comment\nB="it\'s"', { A: 'x # y', B: "it's" }],
    ['escapes in double quotes', 'A="a\\nb\\tc\\\\d\\"e\\z"', { A: 'a\nb\tc\\d"ez' }],
    ['single quotes as they are', "A='$B ${C} \\n # x'", { A: '$B ${C} \\n # x' }],
    ['an escaped single quote', "A='it\\'s'", { A: "it's" }],
    ['several lines', 'A="one\ntwo"\nB=\'{\n  "x": 1\n}\'\nC=3', { A: 'one\ntwo', B: '{\n  "x": 1\n}', C: '3' }],
    ['variables', 'A=1\nB=$A\nC="${A}x${B:-y}"\nD=${NONE:-z}', { A: '1', B: '1', C: '1x1', D: 'z' }],
    ['variables from outside', 'OUTER=inside\nA=$OUTER', { OUTER: 'inside', A: 'from outside' }],
    ['escaped dollar signs', 'A="\\$B \\${C}"\nD=a$$b', { A: '$B ${C}', D: 'a$b' }],
    ['a name alone', 'OUTER\nNONE\nA=1', { OUTER: 'from outside', A: '1' }],
    ['lines that end as on Windows', 'A=1\r\nB="x"\r\n', { A: '1', B: 'x' }],
    ['a byte order mark', '\ufeffA=1', { A: '1' }],
    ['quotes in the middle', 'A=say "hi"\nB=it\'s', { A: 'say "hi"', B: "it's" }],
    ['letters of other alphabets', 'ÄÖ=ñ', { ÄÖ: 'ñ' }],
  ];
  for (const [name, text, expected] of cases) {
    it(`read ${name}`, () => assert.deepEqual(read(text), expected));
  }

  const wrong: readonly [string, string, RegExp][] = [
    ['a quote that is not closed', 'A=1\nB="x\ny', /^\.env:2: a closing " is missing$/],
    ['text after a quote', 'A="x"y', /^\.env:1: text follows the closing "$/],
    ['a line without a name', 'A=1\n\n=x', /^\.env:3: a line begins with the name of a variable, not with "="$/],
    ['a name with a space', 'A B=1', /^\.env:1: "=" must follow the name A, not "B"$/],
    ['a name with a dollar sign', 'lol$wut', /^\.env:1: "=" must follow the name lol, not "\$"$/],
    ['variables written wrongly', 'A=${B', /^\.env:1: "\$\{B" is no valid use of variables/],
    ['a variable that is demanded', 'A=${B:?set it}', /^\.env:1: the variable B is required: set it$/],
  ];
  for (const [name, text, message] of wrong) {
    it(`refuse ${name}`, () => assert.throws(() => read(text), { message }));
  }

  it('read raw lines as they are', () => {
    const text = '# c\nA="x" # y\nB=$A\n\nOUTER\nC=1=2';
    assert.deepEqual(Object.fromEntries(parseRawEnvFile(text, 'x.env', outer)), {
      A: '"x" # y',
      B: '$A',
      OUTER: 'from outside',
      C: '1=2',
    });
    assert.throws(() => parseRawEnvFile('A B=1', 'x.env', outer), {
      message: 'x.env:1: "A B" is no name of a variable',
    });
  });
});

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables are what this is about
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InterpolationError, interpolate } from './interpolation.ts';

const VARIABLES: Readonly<Record<string, string>> = { FOO: 'first', BAR: '', _x1: 'under' };
const lookup = (name: string) => VARIABLES[name];

describe('interpolation of Compose files', () => {
  // https://docs.docker.com/reference/compose-file/interpolation/
  for (const [text, expected] of [
    ['plain', 'plain'],
    ['$FOO', 'first'],
    ['${FOO}', 'first'],
    ['$FOO-bar', 'first-bar'],
    ['a${FOO}b${_x1}', 'afirstbunder'],
    ['$$FOO $${FOO} $$', '$FOO ${FOO} $'],
    ['${BAR}', ''],
    ['${NONE:-def}', 'def'],
    ['${NONE-def}', 'def'],
    ['${BAR:-def}', 'def'],
    ['${BAR-def}', ''],
    ['${FOO:-def}', 'first'],
    ['${NONE:-}', ''],
    ['${FOO:+there}', 'there'],
    ['${FOO+there}', 'there'],
    ['${BAR:+there}', ''],
    ['${BAR+there}', 'there'],
    ['${NONE+there}', ''],
    ['${FOO:?needed}', 'first'],
    ['${BAR?needed}', ''],
    ['${NONE:-${FOO}}', 'first'],
    ['${NONE:-${NONE2:-deep}}', 'deep'],
    ['${NONE:-$FOO}', 'first'],
    ['${NONE:-${FOO} and ${FOO}}', 'first and first'],
    ['${NONE:-a$$b}', 'a$b'],
    ['${BAR:-/non:-alphanumeric}', '/non:-alphanumeric'],
    ['${NONE-word?not an error}', 'word?not an error'],
    ['${NONE+va-lu?e}', ''],
    ['${FOO:-${NONE:?not looked at}}', 'first'],
    ['{"json": "${FOO}"}', '{"json": "first"}'],
  ]) {
    it(`${text} is ${JSON.stringify(expected)}`, () => {
      assert.equal(interpolate(text!, lookup), expected);
    });
  }

  for (const text of [
    '${',
    '$}',
    '${}',
    '${ }',
    '${ FOO}',
    '${FOO }',
    '${FOO!}',
    '${FOO/a/b}',
    '$1',
    'x$',
    '${NONE:-a',
    '$(pwd)',
  ]) {
    it(`${text} is refused`, () => {
      assert.throws(() => interpolate(text, lookup), {
        name: 'InterpolationError',
        message: /no valid use of variables/,
      });
    });
  }

  for (const [text, message] of [
    ['${NONE:?put it into .env}', 'the variable NONE is required: put it into .env'],
    ['${NONE?needed}', 'the variable NONE is required: needed'],
    ['${BAR:?needed by ${FOO}}', 'the variable BAR is required: needed by first'],
    ['${NONE:?}', 'the variable NONE is required'],
  ]) {
    it(`${text} demands a value`, () => {
      assert.throws(() => interpolate(text!, lookup), new InterpolationError(message!));
    });
  }

  it('is not nested without end', () => {
    const deep = `${'${A:-'.repeat(60)}x${'}'.repeat(60)}`;
    assert.throws(() => interpolate(deep, lookup), { message: /nested deeper than 50 levels/ });
    assert.throws(() => interpolate('${A:-'.repeat(500_000), lookup), { name: 'InterpolationError' });
  });

  it('tells of variables that are not set, but not of those that nobody looks at', () => {
    const missing: string[] = [];
    assert.equal(
      interpolate('$A ${B} ${C:-$D} ${FOO:-$E} ${BAR}', lookup, (name) => missing.push(name)),
      '   first ',
    );
    assert.deepEqual(missing, ['A', 'B', 'D']);
  });
});

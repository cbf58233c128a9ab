import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSeededRandom } from '../../../base/system-random.ts';
import { parseFilterPattern } from './index.ts';
import { testLinearly } from './linear-regex.ts';

/** Pattern, messages that match, messages that do not. After the User Guide's examples. */
type Row = readonly [pattern: string, matching: readonly string[], others: readonly string[]];

function check(rows: readonly Row[]): void {
  for (const [pattern, matching, others] of rows) {
    it(pattern, () => {
      const compiled = parseFilterPattern(pattern);
      for (const message of matching) assert.equal(compiled.matches(message), true, `should match: ${message}`);
      for (const message of others) assert.equal(compiled.matches(message), false, `should not match: ${message}`);
    });
  }
}

describe('Filter pattern: terms', () => {
  const bad = '[ERROR 400] BAD REQUEST';
  const unauthorized = '[ERROR 401] UNAUTHORIZED REQUEST';
  const missing = '[ERROR 419] MISSING ARGUMENTS';
  const invalid = '[ERROR 420] INVALID ARGUMENTS';
  check([
    ['', [bad, 'anything'], []],
    ['ERROR', [bad, unauthorized, missing, invalid], ['error', 'all is well']],
    ['ERROR ARGUMENTS', [missing, invalid], [bad, unauthorized]],
    ['?ERROR ?ARGUMENTS', [bad, missing, 'ARGUMENTS only'], ['WARN']],
    ['"INTERNAL SERVER ERROR"', ['[ERROR 500] INTERNAL SERVER ERROR'], ['INTERNAL ERROR OF THE SERVER']],
    ['ERROR -ARGUMENTS', [bad, unauthorized], [missing, invalid]],
    ['ERROR -"BAD REQUEST"', [unauthorized, missing], [bad]],
    ['-ERROR', ['fine'], [bad]],
    ['?ERROR REQUEST', ['REQUEST without'], ['ERROR alone']],
    ['%AUTHORIZED%', [unauthorized, '[SUCCESS 200] AUTHORIZED REQUEST'], [bad]],
    ['%ERROR 4[01][0-9]%', [bad, unauthorized, missing], [invalid]],
    ['"say \\"hi\\""', ['they say "hi" now'], ['say hi']],
    ['2024-01-01T00:00:00Z', ['at 2024-01-01T00:00:00Z it was'], ['at 2025']],
  ]);
});

describe('Filter pattern: JSON', () => {
  const event = JSON.stringify({
    eventType: 'UpdateTrail',
    sourceIPAddress: '111.111.111.111',
    arrayKey: ['value', 'another value'],
    objectList: [
      { name: 'a', id: 1 },
      { name: 'b', id: 2 },
    ],
    SomeObject: null,
    cluster: { name: 'c', 'dotted.name': 'd' },
    ThisFlag: true,
    off: false,
    number: 1e-3,
    size: 1500,
    text: '42',
  });
  const matching = [
    '{ $.eventType = "UpdateTrail" }',
    '{ $.eventType = UpdateTrail }',
    '{ $.sourceIPAddress = 111.111.* }',
    '{ $.sourceIPAddress != 123.123.* }',
    '{ $.eventType = "*Trail" }',
    '{ $.eventType = "*pdat*" }',
    '{ $.arrayKey[0] = "value" }',
    '{ $.arrayKey[*] = "another value" }',
    '{ $.objectList[1].id = 2 }',
    '{ $.objectList[*].name = b }',
    '{ $.cluster.* = d }',
    "{ $.cluster['dotted.name'] = d }",
    '{ $.SomeObject IS NULL }',
    '{ $.SomeOtherObject NOT EXISTS }',
    '{ $.ThisFlag IS TRUE }',
    '{ $.off IS FALSE }',
    '{ $.number = 1e-3 }',
    '{ $.number < 0.01 }',
    '{ $.size > 1000 && $.size <= 1500 }',
    '{ $.size = 1500 || $.size = 3 }',
    '{ ($.eventType = Nothing || $.eventType = UpdateTrail) && $.size >= 1.5e3 }',
    '{$.eventType=%^Update%}',
    '{ $.eventType != %Delete% }',
    '{ $.text = 42 }',
    '{ $.cluster = * }',
    '{ $.off = "*" }',
    '{($.size=1)||($.ThisFlag IS TRUE)}',
  ];
  const others = [
    '{ $.eventType = "Trail" }',
    '{ $.eventType = "updateTrail" }',
    '{ $.sourceIPAddress = 111.112.* }',
    '{ $.SomeObject NOT EXISTS }',
    '{ $.missing IS NULL }',
    '{ $.missing != 1 }',
    '{ $.ThisFlag IS FALSE }',
    '{ $.size < 1500 }',
    '{ $.objectList[2].id = 2 }',
    '{ $.eventType = UpdateTrail && ($.size = 1 || $.size = 2) }',
    '{ $.cluster = c }',
    '{ $.SomeObject = * }',
    '{ $.missing = * }',
    '{ $.constructor = x }',
    '{ $.toString NOT EXISTS && $.eventType = no }',
  ];
  check([
    ...matching.map((pattern): Row => [pattern, [event], []]),
    ...others.map((pattern): Row => [pattern, [], [event]]),
  ]);

  it('matches no event that is not JSON', () => {
    const pattern = parseFilterPattern('{ $.a NOT EXISTS }');
    for (const message of ['plain', '{ broken', '', '12', 'null', '"{}"'])
      assert.equal(pattern.matches(message), false);
    assert.equal(pattern.matches(' {"b":1}\n'), true);
  });

  it('extracts the values of its selectors', () => {
    const pattern = parseFilterPattern('{ $.eventType = * && $.size > 1 && $.arrayKey[0] = * }');
    assert.deepEqual(pattern.extract(event), {
      '$.eventType': 'UpdateTrail',
      '$.size': '1500',
      '$.arrayKey[0]': 'value',
    });
  });
});

describe('Filter pattern: space-delimited fields', () => {
  const line = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534';
  check([
    [
      '[ip, user, username, timestamp, request =*.html*, status_code = 4*, bytes]',
      [line],
      [line.replace('404', '500')],
    ],
    ['[ip, user, username, timestamp, request, status_code, bytes > 1000]', [line], [line.replace('1534', '1000')]],
    ['[ip, user, username, timestamp, request, status_code]', [], [line]],
    ['[..., status_code = 4*, bytes]', [line], [`${line} extra`]],
    [
      '[ip, user, ..., status_code = 404 || status_code = 410, bytes]',
      [line, line.replace('404', '410')],
      [line.replace('404', '200')],
    ],
    ['[ip != 127.*, ...]', [line.replace('127.0.0.1', '10.0.0.1')], [line]],
    ['[w1=ERROR, w2]', ['ERROR here'], ['WARN here', 'ERROR one two', 'ERROR']],
    ['[w1!=ERROR&&w1!=WARN, w2]', ['INFO x'], ['ERROR x', 'WARN x']],
    ['[ip=%127\\.0\\.0\\.[1-9]%, ...]', [line], [line.replace('127.0.0.1', '127.0.0.0')]],
    ['[a, (b=1 || b=2) && b!=2]', ['x 1'], ['x 2', 'x 3']],
    ['[w1="two words", w2]', ['"two words" x', '[two words] x'], ['two words']],
    ['[...]', ['', 'a b c'], []],
  ]);

  it('extracts every field, numbered where the pattern names none', () => {
    assert.deepEqual(parseFilterPattern('[ip, ..., status = 404, bytes]').extract(line), {
      $ip: '127.0.0.1',
      $2: 'Prod',
      $3: 'frank',
      $4: '10/Oct/2000:13:25:15 -0700',
      $5: 'GET /index.html HTTP/1.0',
      $status: '404',
      $bytes: '1534',
    });
  });
});

describe('Filter pattern: what is not one', () => {
  for (const pattern of [
    '"open',
    '%open',
    '%a(b)%',
    '%a!%',
    '%a**%',
    '%[z-a]%',
    '%a%%b%%c%',
    '{ $.a = }',
    '{ $.a }',
    '{ a = 1 }',
    '{ $.a = 1',
    '{ $.a = 1 } x',
    '{ $.a > text }',
    '{ $.a IS MAYBE }',
    '{ $.*.* = 1 }',
    '{ ($.a = 1 }',
    '[a, b',
    '[..., a, ...]',
    '[a=1 && b=2]',
    '[=1]',
    '?',
    'x'.repeat(1025),
  ]) {
    it(`refuses ${pattern.slice(0, 30)}`, () => {
      assert.throws(() => parseFilterPattern(pattern), { code: 'InvalidParameterException' });
    });
  }

  it('answers any text with a pattern or InvalidParameterException, and never takes long', () => {
    const random = createSeededRandom(7);
    const alphabet = '{}[]()$.=!<>&|*?-%"\\ab1, \n';
    const message = '{"a":[1,{"b":"*"}]} '.repeat(50);
    let accepted = 0;
    for (let round = 0; round < 20_000; round++) {
      const text = random.from('{[ %"a', 1) + random.from(alphabet, 1 + Math.floor(random.fraction() * 20));
      try {
        const pattern = parseFilterPattern(text);
        pattern.matches(message);
        pattern.extract(message);
        accepted++;
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'InvalidParameterException', text);
      }
    }
    assert.ok(accepted > 100);
  });
});

describe('Filter pattern: regular expressions', () => {
  it('finds the same as the platform does', () => {
    const random = createSeededRandom(3);
    const pieces = [
      'a',
      'b',
      '.',
      '[ab]',
      '[^a]',
      '\\d',
      '\\w',
      '1',
      'a*',
      'b+',
      '.?',
      '[ab]{1,2}',
      'a{2}',
      '\\.',
      '|',
      '.*',
    ];
    for (let round = 0; round < 5000; round++) {
      let source = Array.from(
        { length: 1 + Math.floor(random.fraction() * 5) },
        () => pieces[Math.floor(random.fraction() * pieces.length)],
      ).join('');
      if (random.fraction() < 0.2) source = `^${source}`;
      if (random.fraction() < 0.2) source += '$';
      // An anchor before or after an alternative is not at the start or end of the whole.
      const text = random.from('ab1. ', Math.floor(random.fraction() * 8));
      assert.equal(testLinearly(source, text), new RegExp(source).test(text), `${source} on '${text}'`);
    }
  });

  it('takes time linear in the message where backtracking would not end', () => {
    const pattern = parseFilterPattern(`%${'.*'.repeat(20)}=x%`);
    assert.equal(pattern.matches('='.repeat(20_000)), false);
  });
});

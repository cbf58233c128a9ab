import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileEventPattern } from './event-pattern.ts';
import { InvalidPatternError } from './invalid-pattern-error.ts';
import { RuleIndex } from './rule-index.ts';

const matches = (pattern: object, event: unknown) => compileEventPattern(pattern, 'eventbridge').matches(event);
const refused = (pattern: string | object, reason: RegExp, dialect: 'eventbridge' | 'lambda' = 'eventbridge') =>
  assert.throws(
    () => compileEventPattern(pattern, dialect),
    (error) => error instanceof InvalidPatternError && reason.test(error.message),
  );

describe('an event pattern', () => {
  const event = {
    source: 'shop.orders',
    'detail-type': 'Order Placed',
    resources: ['arn:a', 'arn:b'],
    detail: {
      total: 42.5,
      paid: true,
      coupon: null,
      note: '',
      customer: { region: 'eu-west', address: '10.1.2.3', v6: '2001:db8::7' },
      file: 'dir/lib/picture.PNG',
      empty: [],
      grid: [
        [1, 2],
        [3, [4]],
      ],
      'dotted.name': 'yes',
      mixed: [{ a: 1 }, { a: 2, b: 2 }],
      lines: [
        { sku: 'a', count: 1 },
        { sku: 'b', count: 9 },
      ],
    },
  };
  const table: readonly (readonly [string, object, boolean])[] = [
    ['a value', { source: ['shop.orders'] }, true],
    ['one of several values', { source: ['x', 'shop.orders'] }, true],
    ['another value', { source: ['shop'] }, false],
    ['every field', { source: ['shop.orders'], 'detail-type': ['Order Sent'] }, false],
    ['a field that is not there', { account: ['1'] }, false],
    ['a member of an array', { resources: ['arn:b'] }, true],
    ['true', { detail: { paid: [true] } }, true],
    ['true, not its text', { detail: { paid: ['true'] } }, false],
    ['null', { detail: { coupon: [null] } }, true],
    ['an empty text', { detail: { note: [''] } }, true],
    ['a number', { detail: { total: [42.5] } }, true],
    ['prefix', { source: [{ prefix: 'shop.' }] }, true],
    ['prefix, any case', { source: [{ prefix: { 'equals-ignore-case': 'SHOP' } }] }, true],
    ['suffix', { detail: { file: [{ suffix: '.png' }] } }, false],
    ['suffix, any case', { detail: { file: [{ suffix: { 'equals-ignore-case': '.png' } }] } }, true],
    ['equals-ignore-case', { 'detail-type': [{ 'equals-ignore-case': 'ORDER placed' }] }, true],
    ['anything-but', { source: [{ 'anything-but': 'shop.orders' }] }, false],
    ['anything-but a list', { detail: { total: [{ 'anything-but': [1, 2] }] } }, true],
    ['anything-but prefix', { source: [{ 'anything-but': { prefix: 'shop' } }] }, false],
    ['anything-but suffixes', { source: [{ 'anything-but': { suffix: ['x', 'y'] } }] }, true],
    ['anything-but wildcard', { detail: { file: [{ 'anything-but': { wildcard: '*/lib/*' } }] } }, false],
    ['anything-but of what is not there', { detail: { gone: [{ 'anything-but': 'x' }] } }, false],
    ['numeric', { detail: { total: [{ numeric: ['>', 40] }] } }, true],
    ['numeric range', { detail: { total: [{ numeric: ['>=', 42.5, '<', 43] }] } }, true],
    ['numeric of a text', { source: [{ numeric: ['>', 0] }] }, false],
    ['cidr', { detail: { customer: { address: [{ cidr: '10.1.0.0/16' }] } } }, true],
    ['cidr of others', { detail: { customer: { address: [{ cidr: '10.2.0.0/16' }] } } }, false],
    ['cidr of IPv6', { detail: { customer: { v6: [{ cidr: '2001:db8::/32' }] } } }, true],
    ['exists', { detail: { total: [{ exists: true }] } }, true],
    ['exists of an object', { detail: { customer: [{ exists: true }] } }, false],
    ['exists: false', { detail: { gone: [{ exists: false }] } }, true],
    ['exists: false of a whole branch', { nothing: { gone: [{ exists: false }] } }, true],
    ['exists: false of a value', { source: [{ exists: false }] }, false],
    ['a value or nothing', { detail: { gone: ['x', { exists: false }] } }, true],
    ['wildcard', { detail: { file: [{ wildcard: 'dir/*/picture.*' }] } }, true],
    ['wildcard, anchored', { detail: { file: [{ wildcard: 'lib*' }] } }, false],
    ['$or', { $or: [{ source: ['x'] }, { detail: { paid: [true] } }] }, true],
    ['$or within', { detail: { $or: [{ total: [1] }, { paid: [false] }] } }, false],
    ['$or beside fields', { source: ['x'], $or: [{ 'detail-type': ['Order Placed'] }, { account: ['1'] }] }, false],
    ['a number in another notation', { detail: { total: [4.25e1] } }, true],
    ['a number, as a text', { detail: { total: ['42.5'] } }, false],
    ['a number, six digits after the point', { detail: { total: [{ numeric: ['=', 42.50000001] }] } }, true],
    ['null, not its text', { detail: { coupon: ['null'] } }, false],
    ['null is not absent', { detail: { coupon: [{ exists: false }] } }, false],
    ['anything-but of null', { detail: { coupon: [{ 'anything-but': 'x' }] } }, true],
    ['anything-but a prefix, of a number', { detail: { total: [{ 'anything-but': { prefix: 'x' } }] } }, true],
    ['anything-but, of a member of an array', { resources: [{ 'anything-but': 'arn:a' }] }, true],
    [
      'anything-but, in any case',
      { source: [{ 'anything-but': { 'equals-ignore-case': ['SHOP.ORDERS', 'x'] } }] },
      false,
    ],
    ['an empty prefix, of a text', { source: [{ prefix: '' }] }, true],
    ['an empty prefix, of a number', { detail: { total: [{ prefix: '' }] } }, false],
    ['an empty array, present', { detail: { empty: [{ exists: true }] } }, false],
    ['an empty array, absent', { detail: { empty: [{ exists: false }] } }, true],
    ['a member of an array within an array', { detail: { grid: [4] } }, true],
    ['exactly', { source: [{ exactly: 'shop.orders' }] }, true],
    ['a name with dots for names', { 'detail.customer.region': ['eu-west'] }, true],
    ['names for a name with dots', { detail: { dotted: { name: ['yes'] } } }, true],
    ['names of objects', { toString: [{ exists: true }] }, false],
    [
      'a field and a later one that is absent, in one element',
      { detail: { mixed: { a: [1], b: [{ exists: false }] } } },
      true,
    ],
    [
      'an absent field that comes first, in any element',
      { detail: { mixed: { b: [2], a: [{ exists: false }] } } },
      false,
    ],
    ['$or over the same element', { detail: { lines: { count: [9], $or: [{ sku: ['a'] }, { sku: ['b'] }] } } }, true],
    ['$or that is a field', { $or: { source: ['x'] } }, false],
    ['an object of an array', { detail: { lines: { sku: ['b'], count: [9] } } }, true],
    ['objects of an array, pieced together', { detail: { lines: { sku: ['a'], count: [9] } } }, false],
    ['exists: false in any object of an array', { detail: { lines: { gone: [{ exists: false }] } } }, true],
    ['exists: false in one object of an array', { detail: { lines: { sku: [{ exists: false }] } } }, false],
  ];
  for (const [what, pattern, expected] of table) {
    it(`${expected ? 'matches' : 'does not match'}: ${what}`, () => assert.equal(matches(pattern, event), expected));
  }

  for (const [reason, pattern] of [
    ['Filter is not an object', '[]'],
    ['Filter is not an object', '"text"'],
    ['Filter is not valid JSON', '{'],
    ['Empty objects are not allowed', {}],
    ['Empty objects are not allowed\n at detail', { detail: {} }],
    ['Empty arrays are not allowed\n at source', { source: [] }],
    ['"source" must be an object or an array\n at source', { source: 'x' }],
    ['"b" must be an object or an array\n at a.b', { a: { b: 1 } }],
    ['"b" must be an object or an array\n at a.b', { a: { b: null } }],
    ['Unrecognized match type nope', { source: [{ nope: 1 }] }],
    ['Unrecognized match type EXISTS', { source: [{ EXISTS: true }] }],
    ['Unrecognized match type constructor', { source: [{ constructor: 1 }] }],
    ['Match expression name not found', { source: [{}] }],
    ['Only one key allowed in match expression', { source: [{ prefix: 'a', suffix: 'b' }] }],
    ['Match value must be String, number, true, false, or null', { source: [['x']] }],
    ['prefix match pattern must be a string', { source: [{ prefix: 1 }] }],
    ['prefix match pattern must be a string', { source: [{ prefix: ['x'] }] }],
    ['suffix match pattern must be a string', { source: [{ suffix: 1 }] }],
    ['Unsupported suffix pattern: prefix', { source: [{ suffix: { prefix: 'x' } }] }],
    ['Prefix expression name not found', { source: [{ prefix: {} }] }],
    ['equals-ignore-case match pattern must be a string', { source: [{ 'equals-ignore-case': ['x'] }] }],
    ['equals-ignore-case match pattern must be a string', { source: [{ prefix: { 'equals-ignore-case': 1 } }] }],
    ['exists match pattern must be either true or false.', { source: [{ exists: 'yes' }] }],
    ['Value of numeric must be an array.', { source: [{ numeric: 5 }] }],
    ['Invalid member in numeric match: ]', { source: [{ numeric: [] }] }],
    ['Invalid member in numeric match: 5', { source: [{ numeric: [5] }] }],
    ['Bottom must be less than top', { source: [{ numeric: ['>', 5, '<', 1] }] }],
    ['Bottom must be less than top', { source: [{ numeric: ['>=', 5, '<=', 5] }] }],
    ['Unrecognized numeric range operator: !', { source: [{ numeric: ['!', 5] }] }],
    ['Unrecognized numeric range operator: toString', { source: [{ numeric: ['toString', 5] }] }],
    ['Bad numeric range operator: >', { source: [{ numeric: ['>', 0, '>', 0] }] }],
    ['Bad value in numeric range: 3', { source: [{ numeric: ['>', 0, 3] }] }],
    ['Value of < must be numeric', { source: [{ numeric: ['>', 0, '<'] }] }],
    ['Value of equals must be numeric', { source: [{ numeric: ['=', '1'] }] }],
    ['Too many elements in numeric expression', { source: [{ numeric: ['<', 1, '>', 0] }] }],
    ['Too many elements in numeric expression', { source: [{ numeric: ['=', 1, '=', 0] }] }],
    ['Too many terms in numeric range expression', { source: [{ numeric: ['>', 0, '<', 1, '<'] }] }],
    ['Value must be between -5.0E9 and 5.0E9, inclusive', { source: [{ numeric: ['<', 6e9] }] }],
    ["Malformed CIDR, one '/' required", { source: [{ cidr: '10.0.0.0' }] }],
    ["Malformed CIDR, one '/' required", { source: [{ cidr: '10.0.0.0/8/8' }] }],
    ['Malformed CIDR, mask bits must be an integer', { source: [{ cidr: '10.0.0.0/xx' }] }],
    ['Malformed CIDR, mask bits must not be negative', { source: [{ cidr: '10.0.0.0/-1' }] }],
    ['IPv4 mask bits must be <= 32', { source: [{ cidr: '10.0.0.0/33' }] }],
    ['IPv6 mask bits must be <= 128', { source: [{ cidr: '::/129' }] }],
    ['Nonstandard IP address: xx.11.xx', { source: [{ cidr: 'xx.11.xx/8' }] }],
    ['Nonstandard IP address: fe80::1%eth0', { source: [{ cidr: 'fe80::1%eth0/64' }] }],
    ['wildcard match pattern must be a string', { source: [{ wildcard: ['x*'] }] }],
    ['Consecutive wildcard characters at pos 2', { source: [{ wildcard: 'a**b' }] }],
    ['Consecutive wildcard characters at pos 3', { source: [{ wildcard: 'é**b' }] }],
    ['Invalid escape character at pos 2', { source: [{ wildcard: 'a\\b' }] }],
    ['Invalid escape character at pos 1', { source: [{ wildcard: '\\' }] }],
    ['Rule is too complex - try using fewer wildcard characters', { source: [{ wildcard: '*:*:*:*:*:event-bus/*' }] }],
    ['Inside anything but list, either all values', { source: [{ 'anything-but': ['a', 1] }] }],
    ['Inside anything but list, either all values', { source: [{ 'anything-but': [] }] }],
    ['Inside anything but list, start|null|boolean is not', { source: [{ 'anything-but': [null] }] }],
    ['Value of anything-but must be an array or single', { source: [{ 'anything-but': null }] }],
    [
      'Value of anything-but must be an array or single',
      { source: [{ 'anything-but': { prefix: { 'equals-ignore-case': 'a' } } }] },
    ],
    ['Unsupported anything-but pattern: numeric', { source: [{ 'anything-but': { numeric: ['=', 1] } }] }],
    ['prefix/suffix match pattern must be a string', { source: [{ 'anything-but': { prefix: [1, 'a'] } }] }],
    ['prefix/suffix match pattern must be a string', { source: [{ 'anything-but': { suffix: 1 } }] }],
    ['Null prefix/suffix not allowed', { source: [{ 'anything-but': { prefix: '' } }] }],
    [
      'Inside anything-but/equals-ignore-case list, number|',
      { source: [{ 'anything-but': { 'equals-ignore-case': 1 } }] },
    ],
    ['wildcard match pattern must be a string', { source: [{ 'anything-but': { wildcard: [1] } }] }],
    ['"$or" must be an object or an array', { $or: 1 }],
    ['Unrecognized match type a', { $or: [{ a: ['x'] }] }],
  ] as const) {
    it(`is refused: ${reason} (${JSON.stringify(pattern)})`, () => {
      assert.throws(
        () => compileEventPattern(pattern, 'eventbridge'),
        (error) => {
          assert.ok(error instanceof InvalidPatternError);
          assert.ok(error.message.startsWith(`Event pattern is not valid. Reason: ${reason}`), error.message);
          return true;
        },
      );
    });
  }

  it('has the last of several values for a path, within a member of $or too', () => {
    const pattern = { a: ['x'], $or: [{ a: ['y'] }, { b: ['z'] }] };
    assert.ok(matches(pattern, { a: 'y' }));
    assert.ok(matches(pattern, { a: 'x', b: 'z' }));
    assert.ok(!matches(pattern, { a: 'x' }));
    assert.ok(matches({ a: { b: ['x'] }, 'a.b': ['y'] }, { a: { b: 'y' } }));
    assert.ok(compileEventPattern('{"a":["x"],"a":["y"]}', 'eventbridge').matches({ a: 'y' }));
  });

  it('stands for up to 1,000 combinations of $or', () => {
    const alternatives = (name: string) => ({
      $or: Array.from({ length: 10 }, (_, index) => ({ [name]: [`v${index}`] })),
    });
    const pattern = { a: alternatives('x'), b: alternatives('y'), c: alternatives('z') };
    assert.ok(matches(pattern, { a: { x: 'v3' }, b: { y: 'v0' }, c: { z: 'v9' } }));
    assert.ok(!matches(pattern, { a: { x: 'v3' }, b: { y: 'v0' }, c: { z: 'w' } }));
    refused({ ...pattern, $or: [{ d: ['x'] }, { e: ['x'] }] }, /Rule is too complex - \$or has more than 1000 comb/);
  });

  it('is refused when it is nested too deeply', () => {
    const nested = (depth: number): string => `${'{"a":'.repeat(depth)}["x"]${'}'.repeat(depth)}`;
    assert.ok(compileEventPattern(nested(100), 'eventbridge'));
    refused(nested(101), /nested too deeply/);
    refused(nested(5000), /nested too deeply/);
    refused({ ['a.'.repeat(100)]: ['x'] }, /nested too deeply/);
  });

  it('has neither cidr nor wildcard in filters of Lambda', () => {
    refused({ a: [{ wildcard: '*' }] }, /Unrecognized match type wildcard/, 'lambda');
    refused({ a: [{ cidr: '10.0.0.0/8' }] }, /Unrecognized match type cidr/, 'lambda');
    assert.ok(compileEventPattern({ a: [{ prefix: 'x' }] }, 'lambda').matches({ a: 'xy' }));
  });
});

describe('a filter of Lambda', () => {
  const record = {
    body: { temperature: 28, state: 'stopped', location: 'New York', note: '', gone: null, tags: ['cold', 'wet'] },
    eventSource: 'aws:sqs',
  };
  for (const [what, body, expected] of [
    ['null', { gone: [null] }, true],
    ['empty', { note: [''] }, true],
    ['equals', { state: ['stopped'] }, true],
    ['equals, in any case', { location: [{ 'equals-ignore-case': 'new york' }] }, true],
    ['and', { state: ['stopped'], temperature: [1] }, false],
    ['or', { state: ['running', 'stopped'] }, true],
    ['or, of several fields', { $or: [{ state: ['running'] }, { temperature: [28] }] }, true],
    ['not', { state: [{ 'anything-but': ['running'] }] }, true],
    ['numeric, equal', { temperature: [{ numeric: ['=', 28] }] }, true],
    ['numeric, range', { temperature: [{ numeric: ['>', 10, '<=', 20] }] }, false],
    ['exists', { state: [{ exists: true }] }, true],
    ['does not exist', { ProductName: [{ exists: false }] }, true],
    ['begins with', { location: [{ prefix: 'New' }] }, true],
    ['ends with', { location: [{ suffix: 'York' }] }, true],
    ['a member of an array', { tags: ['wet'] }, true],
  ] as const) {
    it(`${expected ? 'lets through' : 'holds back'}: ${what}`, () => {
      assert.equal(compileEventPattern({ body }, 'lambda').matches(record), expected);
    });
  }
});

describe('a wildcard', () => {
  const wild = (wildcard: string, text: string) => matches({ a: [{ wildcard }] }, { a: text });
  it('stands for any characters, and escaped for itself', () => {
    assert.ok(wild('*', ''));
    assert.ok(wild('a*c', 'ac'));
    assert.ok(wild('a*b*c', 'axxbyyc'));
    assert.ok(!wild('a*b*c', 'axxc'));
    assert.ok(!wild('ab*ba', 'aba'));
    assert.ok(wild('a\\*c', 'a*c'));
    assert.ok(!wild('a\\*c', 'abc'));
    assert.ok(wild('a\\\\*', 'a\\b'));
  });
});

describe('a rule index', () => {
  it('finds what matches, by exact fields and without', () => {
    const index = new RuleIndex<string>();
    const add = (id: string, pattern: object) => index.add(id, compileEventPattern(pattern, 'eventbridge'), id);
    for (let rule = 0; rule < 100; rule += 1) add(`r${rule}`, { source: ['s'], detail: { kind: [`k${rule}`] } });
    add('prefix', { source: [{ prefix: 's' }] });
    add('two', { source: ['s', 't'] });
    const found = (event: unknown) => index.match(event).sort();
    assert.deepEqual(found({ source: 's', detail: { kind: 'k7' } }), ['prefix', 'r7', 'two']);
    assert.deepEqual(found({ source: 't', detail: { kind: 'k7' } }), ['two']);
    assert.deepEqual(found({ source: 's', detail: { kind: ['k1', 'k2'] } }), ['prefix', 'r1', 'r2', 'two']);
    index.remove('r7');
    index.remove('two');
    assert.deepEqual(found({ source: 's', detail: { kind: 'k7' } }), ['prefix']);
    assert.equal(index.size, 100);
  });
});

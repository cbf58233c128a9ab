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
    ['an object of an array', { detail: { lines: { sku: ['b'], count: [9] } } }, true],
    ['objects of an array, pieced together', { detail: { lines: { sku: ['a'], count: [9] } } }, false],
    ['exists: false in any object of an array', { detail: { lines: { gone: [{ exists: false }] } } }, true],
    ['exists: false in one object of an array', { detail: { lines: { sku: [{ exists: false }] } } }, false],
  ];
  for (const [what, pattern, expected] of table) {
    it(`${expected ? 'matches' : 'does not match'}: ${what}`, () => assert.equal(matches(pattern, event), expected));
  }

  it('is refused when it does not parse', () => {
    refused('{', /^Event pattern is not valid\. Reason: Filter is not valid JSON/);
    refused('[]', /Filter is not an object/);
    refused({}, /Empty objects are not allowed/);
    refused({ source: [] }, /Empty arrays are not allowed \(in "source"\)/);
    refused({ source: 'x' }, /"source" must be an object or an array/);
    refused({ source: [{ nope: 1 }] }, /Unrecognized match type nope/);
    refused({ source: [{ prefix: 'a', suffix: 'b' }] }, /Only one key allowed in match expression/);
    refused({ source: [['x']] }, /Match value must be String, number, true, false, or null/);
    refused({ source: [{ prefix: 1 }] }, /prefix|Match value/);
    refused({ source: [{ exists: 'yes' }] }, /exists match must be either true or false/);
    refused({ source: [{ numeric: ['>', 5, '<', 1] }] }, /Bottom must be less than top/);
    refused({ source: [{ numeric: ['!', 5] }] }, /Unrecognized numeric range operator: !/);
    refused({ source: [{ numeric: ['<', 6e9] }] }, /between -5\.0E9 and 5\.0E9/);
    refused({ source: [{ cidr: '10.0.0.0' }] }, /Malformed CIDR/);
    refused({ source: [{ cidr: '10.0.0.0/33' }] }, /Malformed CIDR/);
    refused({ source: [{ wildcard: 'a**b' }] }, /Consecutive wildcard characters/);
    refused({ source: [{ wildcard: 'a\\b' }] }, /Invalid escape character/);
    refused({ source: [{ 'anything-but': ['a', 1] }] }, /either all values are number or string/);
    refused({ source: [{ 'anything-but': { numeric: ['=', 1] } }] }, /Unsupported anything-but pattern/);
  });

  it('has neither cidr nor wildcard in filters of Lambda', () => {
    refused({ a: [{ wildcard: '*' }] }, /Unrecognized match type wildcard/, 'lambda');
    refused({ a: [{ cidr: '10.0.0.0/8' }] }, /Unrecognized match type cidr/, 'lambda');
    assert.ok(compileEventPattern({ a: [{ prefix: 'x' }] }, 'lambda').matches({ a: 'xy' }));
  });
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

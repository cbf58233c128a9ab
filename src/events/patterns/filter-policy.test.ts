import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MessageAttribute } from '../target-parameters.ts';
import { compileFilterPolicy, type FilterPolicyScope, InvalidPatternError } from './index.ts';

const attributes: Record<string, MessageAttribute> = {
  shop: { dataType: 'String', stringValue: 'garden_tools' },
  event: { dataType: 'String', stringValue: 'order_placed' },
  price: { dataType: 'Number', stringValue: '210.75' },
  weight: { dataType: 'Number.float', stringValue: '3e2' },
  interests: { dataType: 'String.Array', stringValue: '["roses","rugby",7,true,null,{"a":1}]' },
  none: { dataType: 'String.Array', stringValue: '[]' },
  broken: { dataType: 'String.Array', stringValue: '[' },
  custom: { dataType: 'String.label', stringValue: 'labeled' },
  ip: { dataType: 'String', stringValue: '10.0.0.9' },
  picture: { dataType: 'Binary', binaryValue: Buffer.from('x') },
};

const body = {
  shop: 'garden_tools',
  price: 210.75,
  customer: { name: 'Ada', tags: ['vip', 'eu'], address: { city: 'Riga', zip: null } },
  lines: [
    { sku: 'a', count: 1 },
    { sku: 'b', count: 9 },
  ],
  paid: true,
};

const wants = (policy: object, given = attributes): boolean =>
  compileFilterPolicy(JSON.stringify(policy), 'MessageAttributes').matchesAttributes(given);

describe('a filter policy on attributes', () => {
  for (const [what, policy, expected] of [
    ['a value', { shop: ['garden_tools'] }, true],
    ['one of several', { shop: ['books', 'garden_tools'] }, true],
    ['another value', { shop: ['books'] }, false],
    ['every key', { shop: ['garden_tools'], event: ['order_cancelled'] }, false],
    ['a key that is not there', { size: ['xl'] }, false],
    ['the same letters in another case', { shop: ['Garden_Tools'] }, false],
    ['anything-but', { event: [{ 'anything-but': ['order_cancelled', 'order_lost'] }] }, true],
    ['anything-but, of one of these', { event: [{ 'anything-but': 'order_placed' }] }, false],
    ['anything-but a prefix', { event: [{ 'anything-but': { prefix: 'order-' } }] }, true],
    ['anything-but a suffix', { event: [{ 'anything-but': { suffix: '_placed' } }] }, false],
    ['anything-but numbers', { price: [{ 'anything-but': [100, 500] }] }, true],
    ['anything-but of what is not there', { size: [{ 'anything-but': 'xl' }] }, false],
    ['equals-ignore-case', { shop: [{ 'equals-ignore-case': 'GARDEN_tools' }] }, true],
    ['an address', { ip: [{ cidr: '10.0.0.0/24' }] }, true],
    ['an address elsewhere', { ip: [{ cidr: '10.0.1.0/24' }] }, false],
    ['a prefix', { shop: [{ prefix: 'garden' }] }, true],
    ['a suffix', { shop: [{ suffix: 'tools' }] }, true],
    ['a wildcard', { event: [{ wildcard: 'order*d' }] }, true],
    ['a number', { price: [210.75] }, true],
    ['a number, as a text', { price: ['210.75'] }, false],
    ['a number with a label', { weight: [300] }, true],
    ['numeric', { price: [{ numeric: ['>=', 210.75] }] }, true],
    ['a range', { price: [{ numeric: ['>', 0, '<=', 150] }] }, false],
    ['five digits after the point', { price: [{ numeric: ['=', 210.750001] }] }, true],
    ['numeric of a text', { shop: [{ numeric: ['>', 0] }] }, false],
    ['a member of an array', { interests: ['rugby'] }, true],
    ['a number in an array', { interests: [7] }, true],
    ['true in an array', { interests: [true] }, true],
    ['null in an array', { interests: [null] }, true],
    ['what is in no array', { interests: ['golf'] }, false],
    ['an array without members', { none: [{ exists: true }] }, false],
    ['an array that is none', { broken: [{ exists: true }] }, false],
    ['a text with a label', { custom: ['labeled'] }, true],
    ['exists', { shop: [{ exists: true }] }, true],
    ['does not exist', { shop: [{ exists: false }] }, false],
    ['what does not exist', { size: [{ exists: false }] }, true],
    ['a binary attribute', { picture: [{ exists: true }] }, false],
    ['$or', { $or: [{ shop: ['books'] }, { price: [{ numeric: ['>', 200] }] }] }, true],
    ['$or of others', { $or: [{ shop: ['books'] }, { price: [1] }] }, false],
    ['$or beside a key', { event: ['order_placed'], $or: [{ shop: ['garden_tools'] }, { price: [1] }] }, true],
  ] as const) {
    it(`${expected ? 'lets through' : 'holds back'}: ${what}`, () => assert.equal(wants(policy), expected));
  }

  it('holds back a message without attributes, also when it asks for nothing but absence', () => {
    assert.equal(wants({ size: [{ exists: false }] }, {}), false);
  });
});

describe('a filter policy on bodies', () => {
  for (const [what, policy, expected] of [
    ['a value', { shop: ['garden_tools'] }, true],
    ['a nested value', { customer: { address: { city: ['Riga'] } } }, true],
    ['null', { customer: { address: { zip: [null] } } }, true],
    ['a member of an array', { customer: { tags: ['eu'] } }, true],
    ['an object of an array', { lines: { sku: ['b'], count: [9] } }, true],
    ['objects of an array, pieced together', { lines: { sku: ['a'], count: [9] } }, false],
    ['a nested range', { lines: { count: [{ numeric: ['>', 5] }] } }, true],
    ['true', { paid: [true] }, true],
    ['true, as a text', { paid: ['true'] }, false],
    ['$or within', { customer: { $or: [{ name: ['Bob'] }, { tags: [{ prefix: 'v' }] }] } }, true],
    ['what does not exist', { customer: { phone: [{ exists: false }] } }, true],
  ] as const) {
    it(`${expected ? 'lets through' : 'holds back'}: ${what}`, () => {
      assert.equal(compileFilterPolicy(JSON.stringify(policy), 'MessageBody').matchesBody(body), expected);
    });
  }

  it('holds back a body that is no object', () => {
    const policy = compileFilterPolicy('{"a":[{"exists":false}]}', 'MessageBody');
    for (const given of [null, 1, 'text', [], [{ b: 1 }]]) assert.equal(policy.matchesBody(given), false);
    assert.equal(policy.matchesBody({ b: 1 }), true);
  });
});

describe('a filter policy is refused', () => {
  const refused = (policy: unknown, reason: string, scope: FilterPolicyScope = 'MessageAttributes'): void => {
    assert.throws(
      () => compileFilterPolicy(typeof policy === 'string' ? policy : JSON.stringify(policy), scope),
      (error) => {
        assert.ok(error instanceof InvalidPatternError);
        assert.ok(error.message.startsWith(reason), error.message);
        return true;
      },
    );
  };
  const keys = (count: number): object =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, ['x']]));
  const values = (count: number): string[] => Array.from({ length: count }, (_, index) => `v${index}`);

  for (const [reason, policy] of [
    ['failed to parse JSON.', '{'],
    ['Filter is not an object', '[]'],
    ['Filter is not an object', 'null'],
    ['Empty objects are not allowed', {}],
    ['Empty arrays are not allowed', { store: [] }],
    ['"store" must be an object or an array', { store: 'x' }],
    ['Match value must be String, number, true, false, or null', { store: [['x']] }],
    ['Unrecognized match type error', { store: [{ error: true }] }],
    ['Unrecognized match type exactly', { store: [{ exactly: 'x' }] }],
    ['Only one key allowed in match expression', { store: [{ prefix: 'a', suffix: 'b' }] }],
    ['exists match pattern must be either true or false.', { store: [{ exists: null }] }],
    ['Value of < must be numeric', { price: [{ numeric: ['<', '100'] }] }],
    ['Bottom must be less than top', { price: [{ numeric: ['>', 2, '<', 1] }] }],
    ['Value must be between -1.0E9 and 1.0E9, inclusive', { price: [{ numeric: ['<', 1e9 + 1] }] }],
    ['Filter policy scope MessageAttributes does not support nested filter policy', { a: { b: ['x'] } }],
    ['Filter policy scope MessageAttributes does not support nested', { $or: [{ a: { b: ['x'] } }, { c: ['x'] }] }],
    ['A pattern can have up to 3 wildcards', { a: [{ wildcard: '*a*b*c*' }] }],
    ['Consecutive wildcard characters at pos 2', { a: [{ wildcard: 'a**' }] }],
  ] as const) {
    it(`${JSON.stringify(policy)}: ${reason}`, () => refused(policy, reason));
  }

  it('with more than five keys', () => {
    assert.ok(compileFilterPolicy(JSON.stringify(keys(5)), 'MessageAttributes'));
    refused(keys(6), 'Filter policy can not have more than 5 keys');
    refused({ a: keys(3), b: keys(3) }, 'Filter policy can not have more than 5 keys', 'MessageBody');
  });

  it('with more than 150 combinations, which keys multiply and depth too', () => {
    assert.ok(compileFilterPolicy(JSON.stringify({ a: values(15), b: values(10) }), 'MessageAttributes'));
    refused({ a: values(15), b: values(11) }, 'Filter policy is too complex');
    refused({ a: values(151) }, 'Filter policy is too complex');
    assert.ok(compileFilterPolicy(JSON.stringify({ a: { b: { c: values(50) } } }), 'MessageBody'));
    refused({ a: { b: { c: values(51) } } }, 'Filter policy is too complex', 'MessageBody');
    assert.ok(
      compileFilterPolicy(JSON.stringify({ $or: [{ a: values(75) }, { b: values(75) }] }), 'MessageAttributes'),
    );
    refused({ $or: [{ a: values(76) }, { b: values(75) }] }, 'Filter policy is too complex');
  });

  it('of more than 256 KB, or nested without end', () => {
    refused({ a: ['x'.repeat(256 * 1024)] }, 'Filter policy is too long');
    refused(`${'{"a":'.repeat(10_000)}["x"]${'}'.repeat(10_000)}`, 'Filter policy is too complex', 'MessageBody');
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createKms } from '../kms/index.ts';
import { startTestSsm, type TestSsm } from './test-ssm.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const expiration = (at: number) => ({
  Type: 'Expiration',
  Version: '1.0',
  Attributes: { Timestamp: new Date(at).toISOString() },
});
const notice = (Before: string, Unit = 'Days') => ({
  Type: 'ExpirationNotification',
  Version: '1.0',
  Attributes: { Before, Unit },
});
const noChange = (After: string, Unit = 'Days') => ({
  Type: 'NoChangeNotification',
  Version: '1.0',
  Attributes: { After, Unit },
});

let test: TestSsm;
before(async () => {
  test = await startTestSsm((parts) => createKms(parts).encryption);
});
after(() => test[Symbol.asyncDispose]());

const put = (Name: string, policies: readonly object[], more: object = {}) =>
  test.call('PutParameter', {
    Name,
    Value: 'x',
    Type: 'String',
    Tier: 'Advanced',
    Policies: JSON.stringify(policies),
    ...more,
  });
const described = async (name: string) =>
  (await test.call('DescribeParameters', { ParameterFilters: [{ Key: 'Name', Values: [name] }] })).Parameters[0];

describe('SSM parameter policies', () => {
  it('tell of an expiration beforehand, then delete the parameter', async () => {
    const expires = test.clock.now() + 10 * DAY;
    await put('/policy/expires', [notice('2'), expiration(expires)]);
    assert.deepEqual(
      test.events().map(({ type }) => type),
      ['Parameter Store Change'],
    );
    await test.advance(8 * DAY - 1);
    assert.deepEqual(test.events(), []);
    await test.advance(1);
    assert.deepEqual(test.events(), [
      {
        type: 'Parameter Store Policy Action',
        detail: {
          'parameter-name': '/policy/expires',
          'parameter-type': 'String',
          'policy-type': 'ExpirationNotification',
          'policy-content': JSON.stringify(notice('2')),
        },
      },
    ]);
    assert.deepEqual(
      (await described('/policy/expires')).Policies.map((each: { PolicyStatus: string }) => each.PolicyStatus),
      ['Finished', 'Pending'],
    );
    await test.restart();
    await test.advance(2 * DAY);
    assert.deepEqual(
      test.events().map(({ type, detail }) => [type, detail['policy-type'] ?? detail.operation]),
      [
        ['Parameter Store Policy Action', 'Expiration'],
        ['Parameter Store Change', 'Delete'],
      ],
    );
    await assert.rejects(test.call('GetParameter', { Name: '/policy/expires' }), { code: 'ParameterNotFound' });
  });

  it('tell once that nothing was changed; a change begins the time anew', async () => {
    await put('/policy/change', [noChange('20', 'Hours')]);
    await test.advance(19 * HOUR);
    await test.call('PutParameter', { Name: '/policy/change', Value: 'y', Overwrite: true });
    test.events();
    await test.advance(19 * HOUR);
    assert.deepEqual(test.events(), []);
    await test.advance(60 * HOUR);
    assert.deepEqual(
      test.events().map(({ detail }) => detail['policy-type']),
      ['NoChangeNotification'],
    );
    assert.equal((await described('/policy/change')).Policies[0].PolicyStatus, 'Finished');
  });

  it('do all that is due after a jump of the clock, or while nothing ran', async () => {
    await put('/policy/jump', [notice('1', 'Hours'), expiration(test.clock.now() + DAY), noChange('1', 'Hours')]);
    await test.ssm.close();
    test.events();
    test.clock.advance(30 * DAY);
    await test.restart();
    await test.advance(0);
    assert.deepEqual(
      test.events().map(({ detail }) => detail['policy-type'] ?? detail.operation),
      ['ExpirationNotification', 'NoChangeNotification', 'Expiration', 'Delete'],
    );
  });

  it('are replaced and removed', async () => {
    await put('/policy/removed', [expiration(test.clock.now() + DAY)]);
    await put('/policy/removed', [{}], { Overwrite: true });
    await test.advance(2 * DAY);
    assert.deepEqual((await described('/policy/removed')).Policies, []);
  });

  const refusals: readonly [string, string, string][] = [
    ['text that is not JSON', 'x', 'InvalidPolicyAttributeException'],
    ['an unknown type', '[{"Type":"Rotate","Version":"1.0","Attributes":{}}]', 'InvalidPolicyTypeException'],
    ['another version', JSON.stringify([{ ...noChange('1'), Version: '2.0' }]), 'InvalidPolicyAttributeException'],
    ['a time that has passed', JSON.stringify([expiration(0)]), 'InvalidPolicyAttributeException'],
    ['an unknown unit', JSON.stringify([noChange('1', 'Weeks')]), 'InvalidPolicyAttributeException'],
    [
      'a unit that only objects have',
      JSON.stringify([noChange('1', 'constructor')]),
      'InvalidPolicyAttributeException',
    ],
    ['no number', JSON.stringify([noChange('x')]), 'InvalidPolicyAttributeException'],
    ['a notice without an expiration', JSON.stringify([notice('1')]), 'IncompatiblePolicyException'],
    ['two expirations', JSON.stringify([1, 2].map((days) => expiration(4e12 + days))), 'IncompatiblePolicyException'],
    [
      'eleven policies',
      JSON.stringify(Array.from({ length: 11 }, () => noChange('1'))),
      'PoliciesLimitExceededException',
    ],
  ];
  for (const [what, Policies, code] of refusals) {
    it(`refuse ${what}`, async () => {
      await assert.rejects(put('/policy/refused', [], { Policies }), { code });
    });
  }
});

describe('SSM change events', () => {
  it('tell what was done', async () => {
    test.events();
    await test.call('PutParameter', { Name: 'event', Value: 'x', Type: 'String', Description: 'd' });
    await test.call('PutParameter', { Name: 'event', Value: 'y', Overwrite: true });
    await test.call('LabelParameterVersion', { Name: 'event', Labels: ['l'] });
    await test.call('DeleteParameter', { Name: 'event' });
    const detail = { name: 'event', type: 'String', description: 'd' };
    assert.deepEqual(
      test.events().map((event) => event.detail),
      [
        { operation: 'Create', ...detail },
        { operation: 'Update', ...detail },
        { operation: 'LabelParameterVersion', ...detail, 'parameter-version': '2', labels: ['l'] },
        { operation: 'Delete', ...detail },
      ],
    );
  });
});

describe('SSM operations', () => {
  it('are each either served or refused by name', async () => {
    const sdk = await import('@aws-sdk/client-ssm');
    const known = Object.keys(sdk).flatMap((name) =>
      /^\w+Command$/.test(name) ? [name.slice(0, -'Command'.length)] : [],
    );
    const { operations, refused } = test.ssm.service;
    assert.deepEqual(
      [...Object.keys(operations), ...Object.keys(refused)].sort(),
      known.filter((name) => name !== '').sort(),
    );
  });
});

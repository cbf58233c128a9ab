import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createKms } from '../kms/index.ts';
import { startTestSsm, type TestSsm } from './test-ssm.ts';

let test: TestSsm;
before(async () => {
  test = await startTestSsm((parts) => createKms(parts).encryption);
  const put = (Name: string, more: object = {}) =>
    test.call('PutParameter', { Name, Value: Name, Type: 'String', ...more });
  await put('root');
  await put('/top');
  for (const name of ['/app/a', '/app/b', '/app/db/host', '/app/db/port', '/app0', '/apple/x']) await put(name);
  await put('/app/secret', { Type: 'SecureString', KeyId: 'alias/aws/ssm' });
  await put('/app/list', { Type: 'StringList', Tier: 'Advanced', Tags: [{ Key: 'team', Value: 'red' }] });
  await test.call('PutParameter', { Name: '/app/a', Value: 'second', Overwrite: true });
  await test.call('LabelParameterVersion', { Name: '/app/a', ParameterVersion: 1, Labels: ['prod'] });
});
after(() => test[Symbol.asyncDispose]());

const namesOf = (answer: { Parameters: { Name: string }[] }) => answer.Parameters.map(({ Name }) => Name);
const byPath = (Path: string, more: object = {}) => test.call('GetParametersByPath', { Path, ...more });
const filter = (Key: string, Values?: string[], Option?: string) => ({ Key, Values, ...(Option ? { Option } : {}) });
const describeBy = async (...ParameterFilters: object[]) =>
  namesOf(await test.call('DescribeParameters', { ParameterFilters }));

describe('SSM GetParametersByPath', () => {
  it('reads one level, or all below', async () => {
    assert.deepEqual(namesOf(await byPath('/app')), ['/app/a', '/app/b', '/app/list', '/app/secret']);
    assert.deepEqual(namesOf(await byPath('/app/', { Recursive: true })), [
      '/app/a',
      '/app/b',
      '/app/db/host',
      '/app/db/port',
      '/app/list',
      '/app/secret',
    ]);
    assert.deepEqual(namesOf(await byPath('/')), ['/app0', '/top', 'root']);
    assert.deepEqual(namesOf(await byPath('/none')), []);
  });

  it('pages', async () => {
    const first = await byPath('/app', { Recursive: true, MaxResults: 4 });
    const second = await byPath('/app', { Recursive: true, MaxResults: 4, NextToken: first.NextToken });
    assert.deepEqual(namesOf(second), ['/app/list', '/app/secret']);
    assert.equal(second.NextToken, undefined);
    await assert.rejects(byPath('/app', { MaxResults: 11 }), { code: 'ValidationException' });
    await assert.rejects(byPath('/app', { NextToken: 'x' }), { code: 'InvalidNextToken' });
  });

  it('filters by type, key and label', async () => {
    const filtered = (...ParameterFilters: object[]) => byPath('/app', { ParameterFilters });
    assert.deepEqual(namesOf(await filtered(filter('Type', ['SecureString']))), ['/app/secret']);
    assert.deepEqual(namesOf(await filtered(filter('KeyId', ['alias/'], 'BeginsWith'))), ['/app/secret']);
    const labelled = await filtered(filter('Label', ['prod']));
    assert.deepEqual(
      labelled.Parameters.map((each: { Value: string; Version: number }) => [each.Value, each.Version]),
      [['/app/a', 1]],
    );
    await assert.rejects(filtered(filter('Name', ['x'])), {
      code: 'InvalidFilterKey',
      message: /\[Type, KeyId, Label\]/,
    });
    await assert.rejects(filtered(filter('Label', ['x'], 'BeginsWith')), { code: 'InvalidFilterOption' });
  });

  it('decrypts', async () => {
    const { Parameters } = await byPath('/app', {
      WithDecryption: true,
      ParameterFilters: [filter('Type', ['SecureString'])],
    });
    assert.equal(Parameters[0].Value, '/app/secret');
  });

  it('refuses what is no path', async () => {
    for (const path of ['app', '//', '/a b', '/###']) {
      await assert.rejects(byPath(path), { code: 'ValidationException', message: /must begin with a forward slash/ });
    }
  });
});

describe('SSM DescribeParameters', () => {
  it('filters by each key', async () => {
    assert.deepEqual(await describeBy(filter('Name', ['app/a', '/root'])), ['/app/a', 'root']);
    assert.deepEqual(await describeBy(filter('Name', ['/app/db'], 'BeginsWith')), ['/app/db/host', '/app/db/port']);
    assert.deepEqual(await describeBy(filter('Name', ['por'], 'Contains')), ['/app/db/port']);
    assert.deepEqual(await describeBy(filter('Path', ['/app/db'])), ['/app/db/host', '/app/db/port']);
    assert.deepEqual(
      await describeBy(filter('Path', ['/apple', '/app/db'], 'Recursive'), filter('Name', ['x'], 'Contains')),
      ['/apple/x'],
    );
    assert.deepEqual(await describeBy(filter('Tier', ['Advanced'])), ['/app/list']);
    assert.deepEqual(await describeBy(filter('Type', ['StringList', 'SecureString'])), ['/app/list', '/app/secret']);
    assert.deepEqual(await describeBy(filter('KeyId', ['alias/aws/ssm'])), ['/app/secret']);
    assert.deepEqual(await describeBy(filter('tag:team', ['blue'])), []);
    assert.deepEqual(await describeBy(filter('tag:team')), ['/app/list']);
    assert.deepEqual(await describeBy(filter('DataType', ['text']), filter('Name', ['/top'])), ['/top']);
    const old = await test.call('DescribeParameters', { Filters: [{ Key: 'Name', Values: ['/app/'] }] });
    assert.equal(old.Parameters.length, 6);
  });

  it('pages', async () => {
    const first = await test.call('DescribeParameters', { MaxResults: 9 });
    const rest = await test.call('DescribeParameters', { MaxResults: 9, NextToken: first.NextToken });
    assert.deepEqual([first.Parameters.length, namesOf(rest), rest.NextToken], [9, ['root'], undefined]);
  });

  const refusals: readonly [string, object, string, RegExp][] = [
    [
      'Label',
      filter('Label', ['x']),
      'InvalidFilterKey',
      /not valid: Label\. Valid filter keys include: \[Path, Name, Type, KeyId, Tier, DataType\]/,
    ],
    ['an unknown key', filter('key', ['x']), 'ValidationException', /parameterFilters\.1\.member\.key/],
    ['a filter without values', filter('Name'), 'InvalidFilterValue', /values are missing : null for filter key Name/],
    [
      'an unknown option',
      filter('Name', ['x'], 'Ends'),
      'InvalidFilterOption',
      /Valid options include: \[BeginsWith, Equals, Contains\]/,
    ],
    ['Equals for a path', filter('Path', ['/x'], 'Equals'), 'InvalidFilterOption', /\[Recursive, OneLevel\]/],
    [
      'an unknown tier',
      filter('Tier', ['Big']),
      'InvalidFilterValue',
      /Valid values include: \[Standard, Advanced, Intelligent-Tiering\]/,
    ],
    ['a path of aws', filter('Path', ['/aws']), 'ValidationException', /global namespace/],
    [
      '51 values',
      filter(
        'Name',
        Array.from({ length: 51 }, () => 'x'),
      ),
      'ValidationException',
      /less than or equal to 50/,
    ],
  ];
  for (const [what, wrong, code, message] of refusals) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(describeBy(wrong), { code, message });
    });
  }

  it('refuses the same filter twice, both kinds of filters, and shared parameters', async () => {
    const twice = [filter('Name', ['a']), filter('Name', ['b'])];
    await assert.rejects(describeBy(...twice), {
      code: 'ValidationException',
      message: /duplicated in the request: Name/,
    });
    const both = { Filters: [{ Key: 'Name', Values: ['a'] }], ParameterFilters: [filter('Name', ['a'])] };
    await assert.rejects(test.call('DescribeParameters', both), { code: 'ValidationException' });
    await assert.rejects(test.call('DescribeParameters', { Shared: true }), { code: 'NotImplemented' });
  });
});

describe('SSM GetParameterHistory', () => {
  it('tells the versions, oldest first, in pages', async () => {
    const first = await test.call('GetParameterHistory', { Name: '/app/a', MaxResults: 1 });
    assert.deepEqual([first.Parameters[0].Value, first.Parameters[0].Labels], ['/app/a', ['prod']]);
    const second = await test.call('GetParameterHistory', {
      Name: '/app/a',
      MaxResults: 1,
      NextToken: first.NextToken,
    });
    assert.deepEqual([second.Parameters[0].Value, second.NextToken], ['second', undefined]);
    const { Parameters } = await test.call('GetParameterHistory', { Name: '/app/secret', WithDecryption: true });
    assert.deepEqual([Parameters[0].Value, Parameters[0].KeyId], ['/app/secret', 'alias/aws/ssm']);
    await assert.rejects(test.call('GetParameterHistory', { Name: '/none' }), { code: 'ParameterNotFound' });
  });
});

describe('SSM authorization', () => {
  const questions = (operation: string, input: object) =>
    test.ssm.service.authorization!(
      operation,
      input as never,
      { account: '000000000000', region: 'us-east-1' } as never,
    );
  const arn = (path: string) => `arn:aws:ssm:us-east-1:000000000000:parameter${path}`;

  it('asks for the parameters by their ARN, without selector', async () => {
    const asked = await questions('GetParameters', { Names: ['/app/a:1', 'root', arn('/app/list')] });
    assert.deepEqual(
      asked.map(({ action, resource }) => [action, resource]),
      ['/app/a', '/root', '/app/list'].map((path) => ['ssm:GetParameters', arn(path)]),
    );
    assert.deepEqual(asked[2]!.conditions, { 'aws:ResourceTag/team': ['red'], 'ssm:resourceTag/team': ['red'] });
  });

  it('asks about path, overwrite, policies and tags', async () => {
    assert.deepEqual(await questions('GetParametersByPath', { Path: '/app/', Recursive: true }), [
      { action: 'ssm:GetParametersByPath', resource: arn('/app'), conditions: { 'ssm:Recursive': ['true'] } },
    ]);
    const put = await questions('PutParameter', { Name: '/new', Tags: [{ Key: 'a', Value: 'b' }] });
    const conditions = { 'ssm:Overwrite': ['false'], 'aws:TagKeys': ['a'], 'aws:RequestTag/a': ['b'] };
    assert.deepEqual(put, [
      { action: 'ssm:PutParameter', resource: arn('/new'), conditions },
      { action: 'ssm:AddTagsToResource', resource: arn('/new'), conditions },
    ]);
    assert.deepEqual(await questions('DescribeParameters', {}), [
      { action: 'ssm:DescribeParameters', resource: 'arn:aws:ssm:us-east-1:000000000000:*' },
    ]);
  });
});

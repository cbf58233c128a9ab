import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createKms, type Kms } from '../kms/index.ts';
import { context, startTestSsm, type TestSsm } from './test-ssm.ts';

let test: TestSsm;
let kms: Kms;
before(async () => {
  test = await startTestSsm((parts) => {
    kms = createKms(parts);
    return kms.encryption;
  });
});
after(() => test[Symbol.asyncDispose]());

const put = (Name: string, Value: string, more: object = {}) =>
  test.call('PutParameter', { Name, Value, Type: 'String', ...more });
const overwrite = (Name: string, Value: string, more: object = {}) =>
  test.call('PutParameter', { Name, Value, Overwrite: true, ...more });
const get = async (Name: string, more: object = {}) => (await test.call('GetParameter', { Name, ...more })).Parameter;

describe('SSM PutParameter', () => {
  it('makes a parameter and then versions of it', async () => {
    assert.deepEqual(await put('/put/a', 'one'), { Version: 1, Tier: 'Standard' });
    assert.deepEqual(await overwrite('/put/a', 'two'), { Version: 2, Tier: 'Standard' });
    const parameter = await get('/put/a');
    assert.deepEqual(parameter, {
      Name: '/put/a',
      Type: 'String',
      Value: 'two',
      Version: 2,
      LastModifiedDate: new Date(test.clock.now()),
      ARN: 'arn:aws:ssm:us-east-1:000000000000:parameter/put/a',
      DataType: 'text',
    });
  });

  it('keeps what an overwrite does not name', async () => {
    await put('/put/kept', '1', { Description: 'd', AllowedPattern: '^\\d+$' });
    await overwrite('/put/kept', '2');
    const [described] = (
      await test.call('DescribeParameters', { ParameterFilters: [{ Key: 'Name', Values: ['/put/kept'] }] })
    ).Parameters;
    assert.equal(described.Description, 'd');
    assert.equal(described.AllowedPattern, '^\\d+$');
    assert.equal(described.LastModifiedUser, 'arn:aws:iam::000000000000:root');
    await assert.rejects(overwrite('/put/kept', 'x'), { code: 'ParameterPatternMismatchException' });
  });

  it('changes the type, and takes a pattern away, when told', async () => {
    await put('/put/type', '1', { AllowedPattern: '^\\d$' });
    await overwrite('/put/type', 'x', { Type: 'SecureString', AllowedPattern: '' });
    assert.equal((await get('/put/type', { WithDecryption: true })).Value, 'x');
    await overwrite('/put/type', 'y', { Type: 'String' });
    assert.deepEqual([(await get('/put/type')).Value, (await get('/put/type:2')).Type], ['y', 'SecureString']);
  });

  const refusals: readonly [string, object, string, RegExp][] = [
    ['a second one of a name', { Name: '/put/a' }, 'ParameterAlreadyExists', /set the overwrite option/],
    ['no type', { Type: undefined }, 'ValidationException', /A parameter type is required/],
    ['an unknown type', { Type: 'Number' }, 'ValidationException', /at 'type' failed to satisfy constraint/],
    ['an empty value', { Value: '' }, 'ValidationException', /at 'value'/],
    ['a nested parameter', { Value: 'x{{ssm:y}}' }, 'ValidationException', /can't nest another parameter/],
    [
      'tags with overwrite',
      { Overwrite: true, Tags: [{ Key: 'a', Value: 'b' }] },
      'ValidationException',
      /tags and overwrite/,
    ],
    ['a name of aws', { Name: 'awsthing' }, 'ValidationException', /can't be prefixed with "aws"/],
    ['a name of ssm', { Name: '/SSM/x' }, 'ValidationException', /can't be prefixed with "ssm"/],
    ['a path of aws', { Name: '/aws/x' }, 'AccessDeniedException', /No access to reserved parameter name: \/aws\/x\./],
    ['a name with spaces', { Name: 'a b' }, 'ValidationException', /sub-paths divided by slash/],
    ['a path without its slash', { Name: 'a/b' }, 'ValidationException', /fully qualified name/],
    ['16 levels', { Name: '/x'.repeat(16) }, 'HierarchyLevelLimitExceededException', /15 levels/],
    ['a long name', { Name: 'n'.repeat(1000) }, 'ValidationException', /1011/],
    ['4,097 bytes', { Value: `${'ü'.repeat(2048)}x` }, 'ValidationException', /4096 characters/],
    ['8,193 bytes', { Value: 'x'.repeat(8193), Tier: 'Advanced' }, 'ValidationException', /8192 characters/],
    ['a pattern that is none', { AllowedPattern: '(' }, 'InvalidAllowedPatternException', /not a regular expression/],
    [
      'an endless pattern',
      { AllowedPattern: '^(a+)+$', Value: `${'a'.repeat(50)}!` },
      'InvalidAllowedPatternException',
      /takes too long/,
    ],
    ['an image', { DataType: 'aws:ec2:image', Value: 'ami-1' }, 'NotImplemented', /aws:ec2:image/],
    ['an integration', { DataType: 'aws:ssm:integration' }, 'NotImplemented', /aws:ssm:integration/],
    ['an unknown data type', { DataType: 'Text' }, 'ValidationException', /Data type names are all lowercase/],
    ['a value of another data type', { DataType: 'integer' }, 'ValidationException', /data type integer/],
    ['a key for a String', { KeyId: 'alias/aws/ssm' }, 'ValidationException', /KeyId/],
    [
      'policies of a standard parameter',
      { Policies: '[{"Type":"NoChangeNotification","Version":"1.0","Attributes":{"After":"1","Unit":"Days"}}]' },
      'ValidationException',
      /advanced-parameter tier/,
    ],
    ['a tag without a value', { Tags: [{ Key: 'x', Value: '' }] }, 'ValidationException', /tag value/],
    ['a reserved tag', { Tags: [{ Key: 'aws:x', Value: 'v' }] }, 'ValidationException', /tag key/],
  ];
  for (const [what, input, code, message] of refusals) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(put('/put/refused', 'value', input), { code, message });
      await assert.rejects(get('/put/refused'), { code: 'ParameterNotFound' });
    });
  }

  it('takes 15 levels, 4,096 bytes and, when advanced, 8,192', async () => {
    await put('/x'.repeat(15), 'x');
    await put('/put/full', 'x'.repeat(4096));
    assert.equal((await put('/put/larger', 'x'.repeat(8192), { Tier: 'Advanced' })).Tier, 'Advanced');
  });

  it('chooses the tier by need with Intelligent-Tiering, and never goes back', async () => {
    const tier = { Tier: 'Intelligent-Tiering' };
    assert.equal((await put('/tier/small', 'x', tier)).Tier, 'Standard');
    assert.equal((await overwrite('/tier/small', 'x'.repeat(5000), tier)).Tier, 'Advanced');
    assert.equal((await overwrite('/tier/small', 'x', tier)).Tier, 'Advanced');
    await assert.rejects(overwrite('/tier/small', 'x', { Tier: 'Standard' }), /can't downgrade/);
  });

  it('keeps 10,000 standard and 100,000 advanced parameters in a region', async () => {
    const full = { region: 'ap-south-1' };
    const count = ['ssm', 'count', '000000000000', full.region];
    const make = (Name: string, Tier: string) =>
      test.call('PutParameter', { Name, Value: 'x', Type: 'String', Tier }, full);
    await test.store.put(count, { Standard: 9_999, Advanced: 99_999 });
    assert.equal((await make('/count/a', 'Standard')).Tier, 'Standard');
    await assert.rejects(make('/count/b', 'Standard'), { code: 'ParameterLimitExceeded' });
    assert.equal((await make('/count/c', 'Intelligent-Tiering')).Tier, 'Advanced');
    await assert.rejects(make('/count/d', 'Advanced'), { code: 'ParameterLimitExceeded' });
    await test.call('DeleteParameter', { Name: '/count/a' }, full);
    assert.equal((await make('/count/b', 'Standard')).Tier, 'Standard');
  });

  it('uses the default tier that is set', async () => {
    const SettingId = '/ssm/parameter-store/default-parameter-tier';
    const setting = async () => (await test.call('GetServiceSetting', { SettingId })).ServiceSetting;
    assert.equal((await setting()).Status, 'Default');
    await test.call('UpdateServiceSetting', { SettingId, SettingValue: 'Advanced' });
    assert.equal((await setting()).SettingValue, 'Advanced');
    assert.equal((await put('/tier/default', 'x')).Tier, 'Advanced');
    await test.call('ResetServiceSetting', { SettingId });
    assert.equal((await put('/tier/reset', 'x')).Tier, 'Standard');
    await assert.rejects(test.call('UpdateServiceSetting', { SettingId, SettingValue: 'Big' }), {
      code: 'ValidationException',
    });
    await assert.rejects(test.call('GetServiceSetting', { SettingId: '/ssm/none' }), {
      code: 'ServiceSettingNotFound',
    });
    await assert.rejects(
      test.call('UpdateServiceSetting', {
        SettingId: '/ssm/parameter-store/high-throughput-enabled',
        SettingValue: 'true',
      }),
      { code: 'NotImplemented' },
    );
  });

  it('encrypts a SecureString by the parameter, in both tiers', async () => {
    for (const [name, tier] of [
      ['/secure/standard', 'Standard'],
      ['/secure/advanced', 'Advanced'],
    ] as const) {
      await put(name, 'geheim ü', { Type: 'SecureString', Tier: tier });
      const hidden = await get(name);
      assert.doesNotMatch(Buffer.from(hidden.Value, 'base64').toString('latin1'), /geheim/);
      assert.equal((await get(name, { WithDecryption: true })).Value, 'geheim ü');
    }
    const { Parameters } = await test.call('DescribeParameters', {
      ParameterFilters: [{ Key: 'Path', Values: ['/secure'] }],
    });
    assert.deepEqual(
      Parameters.map((each: { KeyId: string }) => each.KeyId),
      ['alias/aws/ssm', 'alias/aws/ssm'],
    );
    await assert.rejects(put('/secure/none', 'x', { Type: 'SecureString', KeyId: 'alias/none' }), {
      code: 'InvalidKeyId',
    });
  });

  it('neither reads nor writes with a key that is disabled', async () => {
    const onKey = (operation: string, input: object) =>
      kms.service.operations[operation]!(input as never, context) as Promise<{ KeyMetadata: { KeyId: string } }>;
    const { KeyId } = (await onKey('CreateKey', {})).KeyMetadata;
    await put('/secure/key', 'x', { Type: 'SecureString', KeyId });
    await onKey('DisableKey', { KeyId });
    await assert.rejects(get('/secure/key', { WithDecryption: true }), { code: 'InvalidKeyId', message: /disabled/ });
    await assert.rejects(overwrite('/secure/key', 'y'), { code: 'InvalidKeyId' });
    assert.equal((await get('/secure/key')).Version, 1);
  });

  it('keeps 100 versions, unless the oldest has a label', async () => {
    await put('/versions', '1');
    await test.call('LabelParameterVersion', { Name: '/versions', ParameterVersion: 2 - 1, Labels: ['first'] });
    for (let version = 2; version <= 100; version++) await overwrite('/versions', String(version));
    await assert.rejects(overwrite('/versions', '101'), {
      code: 'ParameterMaxVersionLimitExceeded',
      message: /Version 1, the oldest version, can't be deleted/,
    });
    await test.call('LabelParameterVersion', { Name: '/versions', ParameterVersion: 2, Labels: ['first'] });
    assert.equal((await overwrite('/versions', '101')).Version, 101);
    await assert.rejects(get('/versions:1'), { code: 'ParameterVersionNotFound' });
    assert.equal((await get('/versions:first')).Value, '2');
  });
});

describe('SSM GetParameter', () => {
  it('selects by version, label and ARN', async () => {
    await put('/get/a', 'one');
    await overwrite('/get/a', 'two');
    await put('plain', 'p');
    await test.call('LabelParameterVersion', { Name: '/get/a', ParameterVersion: 1, Labels: ['prod'] });
    assert.deepEqual([(await get('/get/a:1')).Value, (await get('/get/a:1')).Selector], ['one', ':1']);
    assert.equal((await get('/get/a:prod')).Selector, ':prod');
    assert.equal((await get('arn:aws:ssm:us-east-1:000000000000:parameter/get/a:2')).Value, 'two');
    assert.equal((await get('arn:aws:ssm:us-east-1:000000000000:parameter/plain')).Name, 'plain');
    await assert.rejects(get('/get/a:3'), {
      code: 'ParameterVersionNotFound',
      message: /could not find version 3 of \/get\/a/,
    });
    await assert.rejects(get('/get/a:dev'), { code: 'ParameterVersionNotFound' });
    await assert.rejects(get('/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2'), {
      code: 'ParameterNotFound',
    });
    await assert.rejects(get('arn:aws:ssm:eu-west-1:000000000000:parameter/get/a'), { code: 'ParameterNotFound' });
  });

  it('is by account and region', async () => {
    await put('/where', 'here');
    await assert.rejects(test.call('GetParameter', { Name: '/where' }, { region: 'eu-west-1' }), {
      code: 'ParameterNotFound',
    });
    await assert.rejects(test.call('GetParameter', { Name: '/where' }, { account: '111111111111' }), {
      code: 'ParameterNotFound',
    });
  });

  it('reads several, and names those that are not there', async () => {
    await put('/several/a', 'a');
    const answer = await test.call('GetParameters', { Names: ['/several/b', '/several/a:1', '/several/a:9'] });
    assert.deepEqual(
      answer.Parameters.map((each: { Value: string }) => each.Value),
      ['a'],
    );
    assert.deepEqual(answer.InvalidParameters, ['/several/b', '/several/a:9']);
    await assert.rejects(test.call('GetParameters', { Names: Array.from({ length: 11 }, (_, i) => `n${i}`) }), {
      code: 'ValidationException',
      message: /less than or equal to 10/,
    });
  });
});

describe('SSM DeleteParameter', () => {
  it('deletes a parameter with its versions', async () => {
    await put('/delete/a', '1');
    await overwrite('/delete/a', '2');
    await test.call('DeleteParameter', { Name: '/delete/a' });
    await assert.rejects(test.call('DeleteParameter', { Name: '/delete/a' }), { code: 'ParameterNotFound' });
    assert.equal((await put('/delete/a', '3')).Version, 1);
    await assert.rejects(get('/delete/a:2'), { code: 'ParameterVersionNotFound' });
    assert.deepEqual(await test.call('DeleteParameters', { Names: ['/delete/a', '/delete/b'] }), {
      DeletedParameters: ['/delete/a'],
      InvalidParameters: ['/delete/b'],
    });
  });
});

describe('SSM tags', () => {
  it('are added, listed and removed', async () => {
    await put('/tags', 'x', { Tags: [{ Key: 'a', Value: '1' }] });
    const resource = { ResourceType: 'Parameter', ResourceId: '/tags' };
    await test.call('AddTagsToResource', {
      ...resource,
      Tags: [
        { Key: 'b', Value: '2' },
        { Key: 'a', Value: '3' },
      ],
    });
    assert.deepEqual((await test.call('ListTagsForResource', resource)).TagList, [
      { Key: 'a', Value: '3' },
      { Key: 'b', Value: '2' },
    ]);
    await test.call('RemoveTagsFromResource', { ...resource, TagKeys: ['a', 'none'] });
    assert.deepEqual((await test.call('ListTagsForResource', resource)).TagList, [{ Key: 'b', Value: '2' }]);
    const many = Array.from({ length: 50 }, (_, index) => ({ Key: `k${index}`, Value: 'v' }));
    await assert.rejects(test.call('AddTagsToResource', { ...resource, Tags: many }), { code: 'TooManyTagsError' });
    await assert.rejects(test.call('ListTagsForResource', { ResourceType: 'Document', ResourceId: 'x' }), {
      code: 'InvalidResourceType',
    });
    await assert.rejects(test.call('ListTagsForResource', { ResourceType: 'Parameter', ResourceId: '/none' }), {
      code: 'InvalidResourceId',
    });
  });
});

describe('SSM labels', () => {
  it('move, count and are checked', async () => {
    await put('/labels', '1');
    await overwrite('/labels', '2');
    const label = (ParameterVersion: number | undefined, ...Labels: string[]) =>
      test.call('LabelParameterVersion', { Name: '/labels', ParameterVersion, Labels });
    assert.deepEqual(await label(undefined, 'a', 'b'), { InvalidLabels: [], ParameterVersion: 2 });
    assert.deepEqual(await label(1, 'b', 'c'), { InvalidLabels: [], ParameterVersion: 1 });
    assert.deepEqual(await label(1, 'ok', '1st', 'aws-x', 'SSM', 'a b'), {
      InvalidLabels: ['1st', 'aws-x', 'SSM', 'a b'],
      ParameterVersion: 1,
    });
    const { Parameters } = await test.call('GetParameterHistory', { Name: '/labels' });
    assert.deepEqual(
      Parameters.map((each: { Labels: string[] }) => each.Labels),
      [['b', 'c'], ['a']],
    );
    await label(1, ...Array.from({ length: 8 }, (_, index) => `l${index}`));
    await assert.rejects(label(1, 'more'), { code: 'ParameterVersionLabelLimitExceeded' });
    await assert.rejects(label(9, 'x'), { code: 'ParameterVersionNotFound' });
    await assert.rejects(label(1, 'x'.repeat(101)), { code: 'ValidationException' });
    assert.deepEqual(
      await test.call('UnlabelParameterVersion', { Name: '/labels', ParameterVersion: 1, Labels: ['a', 'b'] }),
      { RemovedLabels: ['b'], InvalidLabels: ['a'] },
    );
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fails, HOST, startTestEcr } from './testing/test-ecr.ts';

const name = { repositoryName: 'team/app' };

describe('ECR repositories', { timeout: 20_000 }, () => {
  it('are made, described and deleted', async () => {
    await using at = await startTestEcr();
    const made = await at.call('CreateRepository', { ...name, tags: [{ Key: 'team', Value: 'red' }] });
    const expected = {
      repositoryArn: 'arn:aws:ecr:us-east-1:000000000000:repository/team/app',
      registryId: '000000000000',
      repositoryName: 'team/app',
      repositoryUri: `${HOST}/team/app`,
      createdAt: new Date(at.clock.now()),
      imageTagMutability: 'MUTABLE',
      imageTagMutabilityExclusionFilters: undefined,
      imageScanningConfiguration: { scanOnPush: false },
      encryptionConfiguration: { encryptionType: 'AES256' },
    };
    assert.deepEqual(made.repository, expected);
    await assert.rejects(at.call('CreateRepository', name), fails('RepositoryAlreadyExistsException'));
    assert.deepEqual((await at.call('DescribeRepositories', {})).repositories, [expected]);
    assert.deepEqual(await at.repositories.list(), [`${HOST}/team/app`]);
    assert.deepEqual((await at.call('DeleteRepository', name)).repository, expected);
    await assert.rejects(at.call('DeleteRepository', name), fails('RepositoryNotFoundException'));
    assert.deepEqual(await at.repositories.list(), []);
  });

  it('are of an account and a region', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    await at.call('CreateRepository', name, { region: 'eu-west-1' });
    await at.call('CreateRepository', name, { account: '111122223333' });
    const other = await at.call('DescribeRepositories', { registryId: '111122223333' });
    assert.equal(other.repositories[0].repositoryUri, '111122223333.dkr.ecr.us-east-1.amazonaws.com/team/app');
    await at.call('DeleteRepository', { ...name, registryId: '111122223333' });
    assert.equal((await at.call('DescribeRepositories', {}, { region: 'eu-west-1' })).repositories.length, 1);
    assert.equal((await at.call('DescribeRepositories', {})).repositories.length, 1);
  });

  it('are listed in pages, or by name', async () => {
    await using at = await startTestEcr();
    for (const repository of ['c1', 'a1', 'b1']) await at.create(repository);
    const names = (answer: { repositories: { repositoryName: string }[] }) =>
      answer.repositories.map(({ repositoryName }) => repositoryName);
    const first = await at.call('DescribeRepositories', { maxResults: 2 });
    assert.deepEqual(names(first), ['a1', 'b1']);
    const second = await at.call('DescribeRepositories', { maxResults: 2, nextToken: first.nextToken });
    assert.deepEqual([names(second), second.nextToken], [['c1'], undefined]);
    assert.deepEqual(names(await at.call('DescribeRepositories', { repositoryNames: ['c1', 'a1'] })), ['c1', 'a1']);
    const missing = at.call('DescribeRepositories', { repositoryNames: ['a1', 'none'] });
    await assert.rejects(missing, fails('RepositoryNotFoundException'));
    await assert.rejects(at.call('DescribeRepositories', { nextToken: 'x' }), fails('InvalidParameterException'));
    await assert.rejects(at.call('DescribeRepositories', { maxResults: 0 }), fails('InvalidParameterException'));
    for (const bad of [{ maxResults: 1 }, { nextToken: first.nextToken }]) {
      const both = at.call('DescribeRepositories', { repositoryNames: ['a1'], ...bad });
      await assert.rejects(both, fails('InvalidParameterException'));
    }
  });

  it('have names of a certain form', async () => {
    await using at = await startTestEcr();
    for (const repositoryName of [
      'a',
      'A1',
      'a//b',
      '/ab',
      'ab/',
      '../ab',
      'a b',
      '-ab',
      'a..b',
      'a___b',
      'a._b',
      'a'.repeat(257),
      'é1',
    ]) {
      await assert.rejects(at.call('CreateRepository', { repositoryName }), fails('InvalidParameterException'));
    }
    for (const good of ['a.b_c-d/e2', 'a__b', 'a---b']) await at.create(good);
    const long = 'a'.repeat(230);
    await assert.rejects(at.call('CreateRepository', { repositoryName: long }), /255 characters/);
  });

  it('are not deleted with images in them, unless forced', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    await at.push('team/app', 'v1');
    await assert.rejects(at.call('DeleteRepository', name), fails('RepositoryNotEmptyException'));
    await at.call('DeleteRepository', { ...name, force: true });
    await at.create('team/app');
    assert.deepEqual((await at.call('ListImages', name)).imageIds, []);
  });

  it('have tags', async () => {
    await using at = await startTestEcr();
    await at.create('team/app', { tags: [{ Key: 'a', Value: '1' }] });
    const resourceArn = 'arn:aws:ecr:us-east-1:000000000000:repository/team/app';
    await at.call('TagResource', { resourceArn, tags: [{ Key: 'b', Value: '' }] });
    await at.call('UntagResource', { resourceArn, tagKeys: ['a', 'none'] });
    assert.deepEqual((await at.call('ListTagsForResource', { resourceArn })).tags, [{ Key: 'b', Value: '' }]);
    const many = Array.from({ length: 50 }, (_, i) => ({ Key: `k${i}`, Value: 'v' }));
    await assert.rejects(at.call('TagResource', { resourceArn, tags: many }), fails('TooManyTagsException'));
    const reserved = [{ Key: 'aws:x', Value: 'v' }];
    const refused = at.call('TagResource', { resourceArn, tags: reserved });
    await assert.rejects(refused, fails('InvalidTagParameterException'));
    for (const arn of ['x', 'arn:aws:s3:::bucket', 'arn:aws:ecr:us-east-1:000000000000:registry/x']) {
      await assert.rejects(at.call('ListTagsForResource', { resourceArn: arn }), fails('InvalidParameterException'));
    }
  });

  it('refuse by name what would not act', async () => {
    await using at = await startTestEcr();
    await at.create('team/app', { imageScanningConfiguration: { scanOnPush: false } });
    const refusals: readonly (readonly [string, object])[] = [
      ['CreateRepository', { repositoryName: 'other', imageScanningConfiguration: { scanOnPush: true } }],
      ['CreateRepository', { repositoryName: 'other', encryptionConfiguration: { encryptionType: 'KMS' } }],
      ['PutImageScanningConfiguration', { ...name, imageScanningConfiguration: { scanOnPush: true } }],
      ['PutRegistryScanningConfiguration', { scanType: 'ENHANCED', rules: [] }],
      ['PutAccountSetting', { name: 'BASIC_SCAN_TYPE_VERSION', value: 'CLAIR' }],
    ];
    for (const [operation, input] of refusals) {
      await assert.rejects(at.call(operation, input), fails('NotImplemented', 501), operation);
    }
    await at.call('PutImageScanningConfiguration', { ...name, imageScanningConfiguration: { scanOnPush: false } });
    const { scanningConfigurations, failures } = await at.call('BatchGetRepositoryScanningConfiguration', {
      repositoryNames: ['team/app', 'none'],
    });
    assert.equal(scanningConfigurations[0].scanOnPush, false);
    assert.equal(failures[0].failureCode, 'REPOSITORY_NOT_FOUND');
  });
});

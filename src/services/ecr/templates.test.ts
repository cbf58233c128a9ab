import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fails, startTestEcr } from './testing/test-ecr.ts';

describe('ECR repository creation templates', { timeout: 20_000 }, () => {
  it('make repositories by a push, where they are for that', async () => {
    await using at = await startTestEcr();
    await assert.rejects(at.push('auto/app', 'v1'), {
      ...fails('NAME_UNKNOWN', 404),
      message: "The repository with name 'auto/app' does not exist in the registry with id '000000000000'",
    });
    const template = {
      prefix: 'auto',
      appliedFor: ['CREATE_ON_PUSH'],
      imageTagMutability: 'IMMUTABLE',
      resourceTags: [{ Key: 'made', Value: 'by push' }],
      description: 'for pushes',
    };
    await at.call('CreateRepositoryCreationTemplate', template);
    await assert.rejects(
      at.call('CreateRepositoryCreationTemplate', template),
      fails('TemplateAlreadyExistsException'),
    );
    await at.push('auto/app', 'v1');
    const { repositories } = await at.call('DescribeRepositories', { repositoryNames: ['auto/app'] });
    assert.equal(repositories[0].imageTagMutability, 'IMMUTABLE');
    await assert.rejects(at.push('autonomous/app', 'v1'), fails('NAME_UNKNOWN', 404), 'a prefix is whole parts');
    await at.call('CreateRepositoryCreationTemplate', { prefix: 'ROOT', appliedFor: ['CREATE_ON_PUSH'] });
    await at.push('autonomous/app', 'v1');
    await at.push('auto/more/app', 'v1');
    await at.call('CreateRepositoryCreationTemplate', { prefix: 'slash/', appliedFor: ['CREATE_ON_PUSH'] });
    await at.push('slash/app', 'v1');
    const more = await at.call('DescribeRepositories', { repositoryNames: ['auto/more/app', 'autonomous/app'] });
    assert.deepEqual(
      more.repositories.map(({ imageTagMutability }: { imageTagMutability: string }) => imageTagMutability),
      ['IMMUTABLE', 'MUTABLE'],
    );
  });

  it('are changed and deleted', async () => {
    await using at = await startTestEcr();
    const prefix = 'auto';
    await at.call('CreateRepositoryCreationTemplate', { prefix, appliedFor: ['REPLICATION'], description: 'a' });
    at.clock.advance(1000);
    const { repositoryCreationTemplate: changed } = await at.call('UpdateRepositoryCreationTemplate', {
      prefix,
      imageTagMutability: 'IMMUTABLE',
    });
    assert.deepEqual([changed.description, changed.imageTagMutability], ['a', 'IMMUTABLE']);
    assert.equal(changed.updatedAt.getTime() - changed.createdAt.getTime(), 1000);
    const { repositoryCreationTemplates } = await at.call('DescribeRepositoryCreationTemplates', {});
    assert.deepEqual(repositoryCreationTemplates, [changed]);
    for (const bad of [
      { customRoleArn: 'arn:aws:iam::000000000000:role/x' },
      { encryptionConfiguration: { encryptionType: 'KMS' } },
    ]) {
      const refused = at.call('UpdateRepositoryCreationTemplate', { prefix, ...bad });
      await assert.rejects(refused, fails('NotImplemented', 501));
    }
    await at.call('CreateRepositoryCreationTemplate', { prefix: 'x', appliedFor: ['REPLICATION'] });
    for (const bad of ['', '/', 'No', 'a//', 'a'.repeat(257)]) {
      const refused = at.call('CreateRepositoryCreationTemplate', { prefix: bad, appliedFor: ['REPLICATION'] });
      await assert.rejects(refused, fails('InvalidParameterException'), bad);
    }
    for (const bad of [{ appliedFor: ['NEVER'] }, { lifecyclePolicy: '{}' }, { repositoryPolicy: '{}' }]) {
      const refused = at.call('UpdateRepositoryCreationTemplate', { prefix, ...bad });
      await assert.rejects(refused, fails('InvalidParameterException'));
    }
    await at.call('DeleteRepositoryCreationTemplate', { prefix });
    for (const operation of ['DeleteRepositoryCreationTemplate', 'UpdateRepositoryCreationTemplate']) {
      await assert.rejects(at.call(operation, { prefix }), fails('TemplateNotFoundException'));
    }
  });
});

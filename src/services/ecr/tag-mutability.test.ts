import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fails, startTestEcr } from './testing/test-ecr.ts';

const name = { repositoryName: 'team/app' };

describe('ECR tag mutability', { timeout: 20_000 }, () => {
  it('keeps a tag with its image where tags are immutable', async () => {
    await using at = await startTestEcr();
    await at.create('team/app', { imageTagMutability: 'IMMUTABLE' });
    const digest = await at.push('team/app', 'v1', 'one');
    await at.push('team/app', 'v1', 'one');
    await assert.rejects(at.push('team/app', 'v1', 'two'), fails('ImageTagAlreadyExistsException'));
    const { imageDetails } = await at.call('DescribeImages', { ...name, imageIds: [{ imageTag: 'v1' }] });
    assert.equal(imageDetails[0].imageDigest, digest);
    await at.call('PutImageTagMutability', { ...name, imageTagMutability: 'MUTABLE' });
    await at.push('team/app', 'v1', 'two');
  });

  it('has exceptions by wildcard, both ways', async () => {
    await using at = await startTestEcr();
    const filters = (...patterns: string[]) => ({
      imageTagMutabilityExclusionFilters: patterns.map((filter) => ({ filterType: 'WILDCARD', filter })),
    });
    await at.create('team/app', { imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION', ...filters('latest', 'dev-*') });
    for (const tag of ['latest', 'dev-1', 'v1']) await at.push('team/app', tag, 'one');
    for (const tag of ['latest', 'dev-1']) await at.push('team/app', tag, 'two');
    await assert.rejects(at.push('team/app', 'v1', 'two'), fails('ImageTagAlreadyExistsException'));
    await at.call('PutImageTagMutability', {
      ...name,
      imageTagMutability: 'MUTABLE_WITH_EXCLUSION',
      ...filters('*-final'),
    });
    await at.push('team/app', 'v1', 'two');
    await at.push('team/app', 'v1-final', 'one');
    await assert.rejects(at.push('team/app', 'v1-final', 'two'), fails('ImageTagAlreadyExistsException'));
    for (const bad of [
      { imageTagMutability: 'IMMUTABLE', ...filters('x') },
      { imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION' },
      { imageTagMutability: 'MUTABLE_WITH_EXCLUSION', ...filters('*a*b*c') },
      { imageTagMutability: 'MUTABLE_WITH_EXCLUSION', ...filters('a/b') },
      { imageTagMutability: 'MUTABLE_WITH_EXCLUSION', ...filters('a', 'b', 'c', 'd', 'e', 'f') },
      { imageTagMutability: 'SOMETIMES' },
    ]) {
      await assert.rejects(at.call('PutImageTagMutability', { ...name, ...bad }), fails('InvalidParameterException'));
    }
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fails, HOST, startTestEcr } from './testing/test-ecr.ts';

const name = { repositoryName: 'team/app' };

describe('ECR policies and settings', { timeout: 20_000 }, () => {
  const policy = (more = {}) =>
    JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        { Sid: 'pull it', Effect: 'Allow', Principal: { AWS: '111122223333' }, Action: ['ecr:BatchGetImage'], ...more },
      ],
    });

  it('of repositories are set, got and deleted', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    await assert.rejects(at.call('GetRepositoryPolicy', name), fails('RepositoryPolicyNotFoundException'));
    await at.call('SetRepositoryPolicy', { ...name, policyText: policy() });
    assert.equal((await at.call('GetRepositoryPolicy', name)).policyText, policy());
    const { policy: evaluated } = await at.ecr.registry.subject(`${HOST}/team/app`);
    assert.equal(JSON.parse(evaluated!).Statement[0].Resource, '*', 'it is about its repository');
    for (const bad of [
      '',
      'x',
      '{}',
      policy({ Effect: 'Maybe' }),
      policy({ Action: 's3:GetObject' }),
      policy({ Foo: 1 }),
    ]) {
      const set = at.call('SetRepositoryPolicy', { ...name, policyText: bad });
      await assert.rejects(set, fails('InvalidParameterException'), bad);
    }
    assert.equal((await at.call('DeleteRepositoryPolicy', name)).policyText, policy());
    await assert.rejects(at.call('DeleteRepositoryPolicy', name), fails('RepositoryPolicyNotFoundException'));
  });

  it('of a registry hold for all its repositories once its scope is V2', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    await assert.rejects(at.call('GetRegistryPolicy'), fails('RegistryPolicyNotFoundException'));
    await at.call('PutRegistryPolicy', { policyText: policy({ Resource: '*' }) });
    assert.equal((await at.ecr.registry.subject(`${HOST}/team/app`)).policy, undefined);
    assert.equal((await at.call('GetAccountSetting', { name: 'REGISTRY_POLICY_SCOPE' })).value, 'V1');
    await at.call('PutAccountSetting', { name: 'REGISTRY_POLICY_SCOPE', value: 'V2' });
    assert.match((await at.ecr.registry.subject(`${HOST}/team/app`)).policy!, /111122223333/);
    await at.call('DeleteRegistryPolicy');
    await assert.rejects(at.call('DeleteRegistryPolicy'), fails('RegistryPolicyNotFoundException'));
    assert.equal((await at.call('GetAccountSetting', { name: 'REGISTRY_POLICY_SCOPE' })).value, 'V2');
  });

  it('decide whether blobs of other repositories are mounted', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    const mayMount = () => at.ecr.registry.mayMount(`${HOST}/team/app`, `${HOST}/other`);
    assert.equal(await mayMount(), true);
    await at.call('PutAccountSetting', { name: 'BLOB_MOUNTING', value: 'DISABLED' });
    assert.equal(await mayMount(), false);
    for (const bad of [
      { name: 'BLOB_MOUNTING', value: 'MAYBE' },
      { name: 'toString', value: 'x' },
    ]) {
      await assert.rejects(at.call('PutAccountSetting', bad), fails('InvalidParameterException'));
    }
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fails, HOST, startTestEcr } from './testing/test-ecr.ts';

describe('ECR authorization tokens', { timeout: 20_000 }, () => {
  it('say who asked for them, and expire after twelve hours of the clock', async () => {
    await using at = await startTestEcr();
    const { authorizationData } = await at.call('GetAuthorizationToken');
    const [{ authorizationToken, expiresAt, proxyEndpoint }] = authorizationData;
    assert.equal(proxyEndpoint, `https://${HOST}`);
    assert.ok(Math.abs(expiresAt.getTime() - at.clock.now() - 12 * 3_600_000) < 1000);
    const [user, password] = Buffer.from(authorizationToken, 'base64').toString().split(':') as [string, string];
    assert.equal(user, 'AWS');
    const principal = await at.ecr.registry.identify(password);
    assert.equal(principal?.arn, 'arn:aws:iam::000000000000:root');
    await at.restart();
    assert.ok(await at.ecr.registry.identify(password), 'also after a restart');
    for (const wrong of ['', 'x', `${password}x`, password.split('.').slice(0, 2).join('.')]) {
      assert.equal(await at.ecr.registry.identify(wrong), undefined);
    }
    at.clock.advance(12 * 3_600_000 + 1000);
    assert.equal(await at.ecr.registry.identify(password), undefined);
    const { authorizationData: open } = await at.call('GetAuthorizationToken');
    const given = Buffer.from(open[0].authorizationToken, 'base64').toString().slice('AWS:'.length);
    await at.restart({ enforce: true });
    assert.equal(
      await at.ecr.registry.identify(given),
      undefined,
      'what any key has got is nothing where policies decide',
    );
    const many = await at.call('GetAuthorizationToken', { registryIds: ['111122223333', '444455556666'] });
    assert.equal(many.authorizationData[1].proxyEndpoint, 'https://444455556666.dkr.ecr.us-east-1.amazonaws.com');
    const tooMany = at.call('GetAuthorizationToken', { registryIds: Array(11).fill('111122223333') });
    await assert.rejects(tooMany, fails('InvalidParameterException'));
  });
});

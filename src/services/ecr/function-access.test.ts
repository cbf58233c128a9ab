import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ServiceError } from '../../base/errors.ts';
import type { Authorizer } from '../authorization.ts';
import type { AuthorizationRequest, Principal } from '../service.ts';
import { ACCOUNT, context, startTestEcr } from './testing/test-ecr.ts';

const OTHER = '111122223333';
const READ = ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'];
const registry = { account: ACCOUNT, region: 'us-east-1', name: 'app' };

/** Allows what it is told to, and remembers what it was asked. */
class AskedAuthorizer implements Authorizer {
  readonly asked: { readonly who: string; readonly actions: readonly string[]; readonly policy: string | undefined }[] =
    [];
  allows: (principal: Principal, request: AuthorizationRequest) => boolean = () => true;

  async authorize(principal: Principal, requests: readonly AuthorizationRequest[]): Promise<void> {
    const actions = requests.map(({ action }) => action);
    this.asked.push({ who: principal.service ?? principal.arn, actions, policy: requests[0]?.resourcePolicy });
    if (!requests.every((request) => this.allows(principal, request))) {
      throw new ServiceError('AccessDenied', 'no', { status: 403 });
    }
  }
}

const use = (account: string) => {
  const principal: Principal = {
    type: 'User',
    account,
    arn: `arn:aws:iam::${account}:user/dev`,
    userId: 'AIDA',
    accessKeyId: 'AKIA',
  };
  return {
    functionArn: `arn:aws:lambda:us-east-1:${account}:function:shop`,
    account,
    region: 'us-east-1',
    context: { ...context, account, principal },
  };
};

describe('ECR repositories that functions are made from', () => {
  it('are read by Lambda for functions of their own account', async () => {
    const authorizer = new AskedAuthorizer();
    await using at = await startTestEcr({ authorizer, enforce: true });
    await at.create('app');
    const password = await at.ecr.passwordForFunction(registry, use(ACCOUNT));
    assert.deepEqual(authorizer.asked, [{ who: 'lambda.amazonaws.com', actions: READ, policy: undefined }]);
    const principal = await at.ecr.registry.identify(password);
    assert.equal(principal?.service, 'lambda.amazonaws.com');
    assert.deepEqual(principal?.source, { arn: use(ACCOUNT).functionArn, account: ACCOUNT });
  });

  it("are read by the caller for functions of another account, as the repository's policy lets him", async () => {
    const authorizer = new AskedAuthorizer();
    await using at = await startTestEcr({ authorizer, enforce: true });
    await at.create('app');
    const policyText = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { AWS: OTHER }, Action: READ }],
    });
    await at.call('SetRepositoryPolicy', { repositoryName: 'app', policyText, force: true });
    const password = await at.ecr.passwordForFunction(registry, use(OTHER));
    const [asked, ...more] = authorizer.asked;
    assert.deepEqual([asked!.who, asked!.actions, more], [`arn:aws:iam::${OTHER}:user/dev`, READ, []]);
    assert.match(asked!.policy!, new RegExp(OTHER));
    assert.equal((await at.ecr.registry.identify(password))?.account, OTHER);
    authorizer.allows = () => false;
    await assert.rejects(at.ecr.passwordForFunction(registry, use(OTHER)), { status: 403 });
    const { policyText: after } = await at.call('GetRepositoryPolicy', { repositoryName: 'app' });
    assert.equal(after, policyText, 'nobody lets Lambda in for another account');
  });

  it('must be there', async () => {
    await using at = await startTestEcr({ authorizer: new AskedAuthorizer(), enforce: true });
    await assert.rejects(at.ecr.passwordForFunction(registry, use(ACCOUNT)), { code: 'RepositoryNotFoundException' });
  });

  it('are opened to Lambda by who may set their policy', async () => {
    const authorizer = new AskedAuthorizer();
    await using at = await startTestEcr({ authorizer, enforce: true });
    await at.create('app');
    authorizer.allows = ({ service }, { resourcePolicy = '' }) =>
      service === undefined || resourcePolicy.includes('lambda.amazonaws.com');
    await at.ecr.passwordForFunction(registry, use(ACCOUNT));
    const { policyText } = await at.call('GetRepositoryPolicy', { repositoryName: 'app' });
    assert.match(policyText, /"Sid":"LambdaECRImageRetrievalPolicy"/);
    assert.deepEqual(
      authorizer.asked.map(({ who, actions }) => [who, actions]),
      [
        ['lambda.amazonaws.com', READ],
        [`arn:aws:iam::${ACCOUNT}:user/dev`, ['ecr:GetRepositoryPolicy', 'ecr:SetRepositoryPolicy']],
        ['lambda.amazonaws.com', READ],
      ],
    );
  });
});

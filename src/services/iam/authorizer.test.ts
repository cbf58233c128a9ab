import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type * as sdk from '@aws-sdk/client-iam';
import type { AuthorizationRequest, Principal, RequestContext } from '../service.ts';
import { ACCOUNT, context, policyOf, READ, ROOT, startTestIam, type TestIam, TRUST } from './test-iam.ts';

let test: TestIam;
let call: TestIam['call'];

beforeEach(() => {
  test = startTestIam();
  call = test.call;
});

afterEach(() => test.close());

describe('IAM authorization', () => {
  const request: AuthorizationRequest = { action: 's3:GetObject', resource: 'arn:aws:s3:::b/k' };

  async function bob(): Promise<Principal> {
    const { User } = await call('CreateUser', { UserName: 'bob', Tags: [{ Key: 'team', Value: 'a' }] });
    return { type: 'User', account: ACCOUNT, arn: User.Arn, userId: User.UserId, accessKeyId: 'AKIABOB' };
  }
  const authorize = (principal: Principal, requests = [request], overrides: Partial<RequestContext> = {}) =>
    test.iam.authorizer.authorize(principal, requests, { ...context, principal, ...overrides });

  it('lets the root user do everything and anonymous requests nothing', async () => {
    await authorize(ROOT);
    const anonymous: Principal = {
      type: 'Anonymous',
      account: ACCOUNT,
      arn: '*',
      userId: 'anonymous',
      accessKeyId: undefined,
    };
    await assert.rejects(authorize(anonymous), { code: 'AccessDenied', status: 403 });
  });

  it('lets nobody pass a role of another account, the root user included', async () => {
    const request = (account: string) => [{ action: 'iam:PassRole', resource: `arn:aws:iam::${account}:role/deploy` }];
    await authorize(ROOT, request(ACCOUNT));
    const principal = await bob();
    await call('PutUserPolicy', {
      UserName: 'bob',
      PolicyName: 'p',
      PolicyDocument: policyOf({ Effect: 'Allow', Action: 'iam:PassRole', Resource: '*' }),
    });
    await authorize(principal, request(ACCOUNT));
    for (const who of [ROOT, principal]) {
      await assert.rejects(authorize(who, request('111122223333')), {
        code: 'AccessDenied',
        status: 403,
        message: 'Cross-account pass role is not allowed.',
      });
    }
  });

  it("denies everybody but the root user what a resource's unreadable policy is on", async () => {
    const principal = await bob();
    await call('PutUserPolicy', {
      UserName: 'bob',
      PolicyName: 'p',
      PolicyDocument: policyOf({ Effect: 'Allow', Action: '*', Resource: '*' }),
    });
    await authorize(principal);
    const unreadable = [{ ...request, resourcePolicy: '{"Statement":[{"Effect":"Deny","Who":"bob"}]}' }];
    await assert.rejects(authorize(principal, unreadable), { code: 'AccessDenied', message: /explicit deny/ });
    await authorize(ROOT, unreadable);
  });

  it('says what is missing, as AWS does', async () => {
    const principal = await bob();
    await assert.rejects(authorize(principal), {
      message: `User: ${principal.arn} is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::b/k" because no identity-based policy allows the s3:GetObject action`,
    });
    await call('PutUserPolicy', {
      UserName: 'bob',
      PolicyName: 'd',
      PolicyDocument: policyOf({ Effect: 'Deny', Action: '*', Resource: '*' }),
    });
    await assert.rejects(authorize(principal, [{ action: 'iam:ListUsers', resource: '*' }]), {
      message: `User: ${principal.arn} is not authorized to perform: iam:ListUsers with an explicit deny in an identity-based policy`,
    });
  });

  it('sees a change of policies with the next request', async () => {
    const principal = await bob();
    await assert.rejects(authorize(principal));
    await call('PutUserPolicy', { UserName: 'bob', PolicyName: 'p', PolicyDocument: READ });
    await authorize(principal);
    await call('DeleteUserPolicy', { UserName: 'bob', PolicyName: 'p' });
    await assert.rejects(authorize(principal));
    await call('CreateGroup', { GroupName: 'g' });
    await call('AttachGroupPolicy', { GroupName: 'g', PolicyArn: 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess' });
    await call('AddUserToGroup', { UserName: 'bob', GroupName: 'g' });
    await authorize(principal);
  });

  it('sees a change that another process made', async () => {
    const principal = await bob();
    await assert.rejects(authorize(principal));
    const other = test.another();
    const watch = test.store.watch({ prefix: ['iam'] });
    await other.service.operations.PutUserPolicy!({ UserName: 'bob', PolicyName: 'p', PolicyDocument: READ } as never, {
      ...context,
      operation: 'PutUserPolicy',
    });
    // Watches are told in the order they were made: when this one has been, the authorizer's has.
    for await (const _ of watch) break;
    await authorize(principal);
    watch.close();
    await other.service.close?.();
  });

  it('asks all questions of a request', async () => {
    const principal = await bob();
    await call('PutUserPolicy', { UserName: 'bob', PolicyName: 'p', PolicyDocument: READ });
    await assert.rejects(authorize(principal, [request, { action: 's3:PutObject', resource: 'arn:aws:s3:::b/k' }]), {
      code: 'AccessDenied',
    });
  });

  it('is bounded by a permissions boundary and a session policy', async () => {
    const principal = await bob();
    await call('AttachUserPolicy', { UserName: 'bob', PolicyArn: 'arn:aws:iam::aws:policy/AdministratorAccess' });
    await authorize(principal);
    await assert.rejects(
      authorize({ ...principal, sessionPolicy: policyOf({ Effect: 'Allow', Action: 'sqs:*', Resource: '*' }) }),
      /session policy/,
    );
    await call('PutUserPermissionsBoundary', {
      UserName: 'bob',
      PermissionsBoundary: 'arn:aws:iam::aws:policy/AmazonSQSFullAccess',
    });
    await assert.rejects(authorize(principal), /because no permissions boundary allows/);
    await call('DeleteUserPermissionsBoundary', { UserName: 'bob' });
    await authorize(principal);
  });

  it('gives a role made again nothing to the sessions of its namesake', async () => {
    const session = ({ Arn, RoleId }: sdk.Role): Principal => ({
      type: 'AssumedRole',
      account: ACCOUNT,
      arn: `arn:aws:sts::${ACCOUNT}:assumed-role/r/s`,
      roleArn: Arn!,
      userId: `${RoleId}:s`,
      accessKeyId: 'ASIA',
    });
    const make = async (): Promise<Principal> => {
      const { Role } = await call('CreateRole', { RoleName: 'r', AssumeRolePolicyDocument: TRUST });
      await call('PutRolePolicy', { RoleName: 'r', PolicyName: 'p', PolicyDocument: READ });
      return session(Role);
    };
    const old = await make();
    await authorize(old);
    await call('DeleteRolePolicy', { RoleName: 'r', PolicyName: 'p' });
    await call('DeleteRole', { RoleName: 'r' });
    const fresh = await make();
    await authorize(fresh);
    await assert.rejects(authorize(old), { code: 'AccessDenied' });
  });

  it('knows the global condition keys', async () => {
    const principal = await bob();
    const rows: [string, string, string, Partial<RequestContext>?][] = [
      ['StringEquals', 'aws:username', 'bob'],
      ['StringEquals', 'aws:userid', principal.userId],
      ['ArnEquals', 'aws:PrincipalArn', principal.arn],
      ['StringEquals', 'aws:PrincipalAccount', ACCOUNT],
      ['StringEquals', 'aws:PrincipalTag/Team', 'a'],
      ['StringEquals', 'aws:RequestedRegion', 'eu-west-1', { region: 'eu-west-1' }],
      ['IpAddress', 'aws:SourceIp', '10.0.0.0/8', { sourceIp: '::ffff:10.1.1.1' }],
      ['Bool', 'aws:SecureTransport', 'true', { secure: true }],
      ['DateGreaterThan', 'aws:CurrentTime', '2020-01-01T00:00:00Z'],
      ['NumericGreaterThan', 'aws:EpochTime', '1577836800'],
      ['StringEquals', 'aws:UserAgent', 'test'],
      ['Bool', 'aws:PrincipalIsAWSService', 'false'],
      ['StringEquals', 'aws:PrincipalType', 'User'],
    ];
    for (const [operator, key, value, overrides = {}] of rows) {
      const ask = async (wanted: string): Promise<void> => {
        const PolicyDocument = policyOf({
          Effect: 'Allow',
          Action: '*',
          Resource: '*',
          Condition: { [operator]: { [key]: wanted } },
        });
        await call('PutUserPolicy', { UserName: 'bob', PolicyName: 'p', PolicyDocument });
        await authorize(principal, [request], overrides);
      };
      await ask(value);
      const other = operator.startsWith('Numeric')
        ? '9e15'
        : operator.startsWith('Date')
          ? '2999-01-01'
          : operator === 'Bool'
            ? value === 'true'
              ? 'false'
              : 'true'
            : operator === 'IpAddress'
              ? '11.0.0.0/8'
              : 'arn:aws:x:::other';
      await assert.rejects(ask(other), { code: 'AccessDenied' }, key);
    }
  });

  it('remembers when a key was last used', async () => {
    const principal = await bob();
    const { AccessKey } = await call('CreateAccessKey', { UserName: 'bob' });
    await call('PutUserPolicy', { UserName: 'bob', PolicyName: 'p', PolicyDocument: READ });
    const last = async () =>
      (await call('GetAccessKeyLastUsed', { AccessKeyId: AccessKey.AccessKeyId })).AccessKeyLastUsed;
    assert.deepEqual(await last(), { ServiceName: 'N/A', Region: 'N/A' });
    await authorize({ ...principal, accessKeyId: AccessKey.AccessKeyId }, [request], { service: 's3' });
    assert.deepEqual(await last(), {
      LastUsedDate: new Date(test.clock.now()),
      ServiceName: 's3',
      Region: 'us-east-1',
    });
  });
});

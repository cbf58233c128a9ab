import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, it } from 'node:test';
import * as sdk from '@aws-sdk/client-iam';
import type { AdjustableClock } from '../../base/clock.ts';
import { createSystemClock } from '../../base/system-clock.ts';
import { createSeededRandom } from '../../base/system-random.ts';
import { openMemoryStore, type Store } from '../../store/index.ts';
import { accountOfAccessKeyId } from '../access-key-id.ts';
import type { AuthorizationRequest, Principal, RequestContext } from '../service.ts';
import { createIam, type Iam, rootCredentials } from './index.ts';

const ACCOUNT = '111111111111';
const silent = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
const ROOT: Principal = {
  type: 'Root',
  account: ACCOUNT,
  arn: `arn:aws:iam::${ACCOUNT}:root`,
  userId: ACCOUNT,
  accessKeyId: 'x',
};
const context = {
  service: 'iam',
  account: ACCOUNT,
  region: 'us-east-1',
  principal: ROOT,
  sourceIp: '127.0.0.1',
  userAgent: 'test',
  secure: false,
} as RequestContext;

const policyOf = (...statements: object[]): string => JSON.stringify({ Version: '2012-10-17', Statement: statements });
const READ = policyOf({ Effect: 'Allow', Action: 's3:GetObject', Resource: '*' });
const TRUST = policyOf({ Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' });

let store: Store;
let clock: AdjustableClock;
let iam: Iam;

beforeEach(() => {
  store = openMemoryStore();
  clock = createSystemClock();
  clock.freeze();
  iam = createIam({ store, clock, random: createSeededRandom(), logger: silent });
});

afterEach(async () => {
  await iam.service.close?.();
  await store.close();
  clock.close();
});

// biome-ignore lint/suspicious/noExplicitAny: the answers' shapes are what is being checked
async function call(operation: string, input: object = {}, overrides: Partial<RequestContext> = {}): Promise<any> {
  return iam.service.operations[operation]!(input as never, { ...context, operation, ...overrides });
}

const conflict = { code: 'DeleteConflict', status: 409 };
const missing = { code: 'NoSuchEntity', status: 404 };

describe('IAM operations', () => {
  it('are each either served or refused by name', async () => {
    const known = Object.keys(sdk)
      .filter((name) => name.endsWith('Command') && name !== '$Command')
      .map((name) => name.slice(0, -'Command'.length))
      .sort();
    const answered = [...Object.keys(iam.service.operations), ...Object.keys(iam.service.refused)].sort();
    assert.deepEqual(answered, known);
    const page = await readFile(new URL('../../../docs/compatibility/iam.md', import.meta.url), 'utf8');
    for (const name of answered) assert.ok(page.includes(`\`${name}\``), `${name} is missing on the page`);
  });
});

describe('IAM users', () => {
  it('are made once, whatever the case of the name', async () => {
    const { User } = await call('CreateUser', { UserName: 'Bob', Path: '/team/' });
    assert.equal(User.Arn, `arn:aws:iam::${ACCOUNT}:user/team/Bob`);
    assert.match(User.UserId, /^AIDA[A-Z2-7]{17}$/);
    await assert.rejects(call('CreateUser', { UserName: 'bob' }), { code: 'EntityAlreadyExists', status: 409 });
    await assert.rejects(call('GetUser', { UserName: 'bob' }), missing);
    await assert.rejects(call('CreateUser', { UserName: 'a b' }), { code: 'ValidationError' });
    await assert.rejects(call('CreateUser', { UserName: 'a', Path: 'team' }), { code: 'ValidationError' });
  });

  it('are the caller when no name is given', async () => {
    const { User } = await call('CreateUser', { UserName: 'bob' });
    const principal: Principal = { ...ROOT, type: 'User', arn: User.Arn, userId: User.UserId };
    assert.equal((await call('GetUser', {}, { principal })).User.UserName, 'bob');
    assert.equal((await call('GetUser', {})).User.Arn, ROOT.arn);
  });

  it('are listed in pages', async () => {
    for (const UserName of ['c', 'a', 'b']) await call('CreateUser', { UserName });
    const first = await call('ListUsers', { MaxItems: 2 });
    assert.deepEqual(
      first.Users.map((user: sdk.User) => user.UserName),
      ['a', 'b'],
    );
    assert.equal(first.IsTruncated, true);
    const second = await call('ListUsers', { MaxItems: 2, Marker: first.Marker });
    assert.deepEqual(
      second.Users.map((user: sdk.User) => user.UserName),
      ['c'],
    );
    assert.equal(second.IsTruncated, false);
    await assert.rejects(call('ListUsers', { Marker: 'x' }), { code: 'ValidationError' });
  });

  it('are deleted only when nothing hangs on them', async () => {
    await call('CreateUser', { UserName: 'bob' });
    await call('CreateGroup', { GroupName: 'g' });
    await call('AddUserToGroup', { UserName: 'bob', GroupName: 'g' });
    await assert.rejects(call('DeleteUser', { UserName: 'bob' }), conflict);
    await assert.rejects(call('DeleteGroup', { GroupName: 'g' }), conflict);
    await call('RemoveUserFromGroup', { UserName: 'bob', GroupName: 'g' });
    await call('PutUserPolicy', { UserName: 'bob', PolicyName: 'p', PolicyDocument: READ });
    await assert.rejects(call('DeleteUser', { UserName: 'bob' }), conflict);
    await call('DeleteUserPolicy', { UserName: 'bob', PolicyName: 'p' });
    const { AccessKey } = await call('CreateAccessKey', { UserName: 'bob' });
    await assert.rejects(call('DeleteUser', { UserName: 'bob' }), conflict);
    await call('DeleteAccessKey', { UserName: 'bob', AccessKeyId: AccessKey.AccessKeyId });
    await call('DeleteUser', { UserName: 'bob' });
    await assert.rejects(call('GetUser', { UserName: 'bob' }), missing);
  });

  it('keep keys and groups when renamed', async () => {
    await call('CreateUser', { UserName: 'bob' });
    await call('CreateGroup', { GroupName: 'g' });
    await call('AddUserToGroup', { UserName: 'bob', GroupName: 'g' });
    const { AccessKey } = await call('CreateAccessKey', { UserName: 'bob' });
    await call('UpdateUser', { UserName: 'bob', NewUserName: 'rob' });
    assert.equal((await iam.accessKeys.find(AccessKey.AccessKeyId))?.principal.arn, `arn:aws:iam::${ACCOUNT}:user/rob`);
    assert.equal((await call('GetGroup', { GroupName: 'g' })).Users[0].UserName, 'rob');
    assert.equal((await call('ListAccessKeys', { UserName: 'rob' })).AccessKeyMetadata.length, 1);
  });
});

describe('IAM access keys', () => {
  it('are two at most, carry their account, and are found while active', async () => {
    await call('CreateUser', { UserName: 'bob' });
    const { AccessKey } = await call('CreateAccessKey', { UserName: 'bob' });
    assert.match(AccessKey.AccessKeyId, /^AKIA[A-Z2-7]{16}$/);
    assert.equal(accountOfAccessKeyId(AccessKey.AccessKeyId), ACCOUNT);
    await call('CreateAccessKey', { UserName: 'bob' });
    await assert.rejects(call('CreateAccessKey', { UserName: 'bob' }), { code: 'LimitExceeded', status: 409 });
    const found = await iam.accessKeys.find(AccessKey.AccessKeyId);
    assert.equal(found?.secretAccessKey, AccessKey.SecretAccessKey);
    assert.equal(found?.principal.type, 'User');
    await call('UpdateAccessKey', { UserName: 'bob', AccessKeyId: AccessKey.AccessKeyId, Status: 'Inactive' });
    assert.equal(await iam.accessKeys.find(AccessKey.AccessKeyId), undefined);
    assert.equal(await iam.accessKeys.find('AKIAUNKNOWN'), undefined);
  });

  it('of the root user are made once and kept', async () => {
    const first = await rootCredentials(store, createSeededRandom(2));
    assert.deepEqual(await rootCredentials(store, createSeededRandom(3)), first);
    assert.equal((await iam.accessKeys.find(first.accessKeyId))?.principal.arn, 'arn:aws:iam::000000000000:root');
  });
});

describe('IAM roles', () => {
  it('have a checked trust policy and come back with it encoded', async () => {
    const { Role } = await call('CreateRole', {
      RoleName: 'r',
      AssumeRolePolicyDocument: TRUST,
      Tags: [{ Key: 'k', Value: 'v' }],
    });
    assert.equal(decodeURIComponent(Role.AssumeRolePolicyDocument), TRUST);
    assert.equal(Role.MaxSessionDuration, 3600);
    assert.deepEqual((await call('GetRole', { RoleName: 'r' })).Role.Tags, [{ Key: 'k', Value: 'v' }]);
    await assert.rejects(call('CreateRole', { RoleName: 's', AssumeRolePolicyDocument: READ }), {
      code: 'MalformedPolicyDocument',
    });
    await assert.rejects(
      call('CreateRole', { RoleName: 's', AssumeRolePolicyDocument: TRUST, MaxSessionDuration: 100 }),
      { code: 'ValidationError' },
    );
    await call('UpdateRole', { RoleName: 'r', MaxSessionDuration: 7200, Description: 'd' });
    assert.equal((await call('GetRole', { RoleName: 'r' })).Role.MaxSessionDuration, 7200);
  });

  it('stay while in an instance profile', async () => {
    await call('CreateRole', { RoleName: 'r', AssumeRolePolicyDocument: TRUST });
    await call('CreateInstanceProfile', { InstanceProfileName: 'p' });
    await call('AddRoleToInstanceProfile', { InstanceProfileName: 'p', RoleName: 'r' });
    await assert.rejects(call('AddRoleToInstanceProfile', { InstanceProfileName: 'p', RoleName: 'r' }), {
      code: 'LimitExceeded',
    });
    assert.equal(
      (await call('GetInstanceProfile', { InstanceProfileName: 'p' })).InstanceProfile.Roles[0].RoleName,
      'r',
    );
    await assert.rejects(call('DeleteRole', { RoleName: 'r' }), conflict);
    await assert.rejects(call('DeleteInstanceProfile', { InstanceProfileName: 'p' }), conflict);
    await call('RemoveRoleFromInstanceProfile', { InstanceProfileName: 'p', RoleName: 'r' });
    await call('DeleteInstanceProfile', { InstanceProfileName: 'p' });
    await call('DeleteRole', { RoleName: 'r' });
  });

  it('of services are made and deleted through their own operations', async () => {
    const { Role } = await call('CreateServiceLinkedRole', { AWSServiceName: 'ecs.amazonaws.com' });
    assert.equal(Role.Arn, `arn:aws:iam::${ACCOUNT}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForEcs`);
    await assert.rejects(call('DeleteRole', { RoleName: Role.RoleName }), { code: 'InvalidInput' });
    const { DeletionTaskId } = await call('DeleteServiceLinkedRole', { RoleName: Role.RoleName });
    assert.equal((await call('GetServiceLinkedRoleDeletionStatus', { DeletionTaskId })).Status, 'SUCCEEDED');
  });
});

describe('IAM managed policies', () => {
  it('have up to five versions, one of them the default', async () => {
    const { Policy } = await call('CreatePolicy', { PolicyName: 'p', PolicyDocument: READ });
    const PolicyArn = Policy.Arn;
    await assert.rejects(call('CreatePolicy', { PolicyName: 'P', PolicyDocument: READ }), {
      code: 'EntityAlreadyExists',
    });
    for (let version = 2; version <= 5; version++) {
      await call('CreatePolicyVersion', { PolicyArn, PolicyDocument: READ, SetAsDefault: version === 3 });
    }
    await assert.rejects(call('CreatePolicyVersion', { PolicyArn, PolicyDocument: READ }), { code: 'LimitExceeded' });
    assert.equal((await call('GetPolicy', { PolicyArn })).Policy.DefaultVersionId, 'v3');
    await assert.rejects(call('DeletePolicyVersion', { PolicyArn, VersionId: 'v3' }), conflict);
    await call('DeletePolicyVersion', { PolicyArn, VersionId: 'v5' });
    const { PolicyVersion } = await call('CreatePolicyVersion', { PolicyArn, PolicyDocument: READ });
    assert.equal(PolicyVersion.VersionId, 'v6');
    const { Versions } = await call('ListPolicyVersions', { PolicyArn });
    assert.deepEqual(
      Versions.map((version: sdk.PolicyVersion) => version.VersionId),
      ['v6', 'v4', 'v3', 'v2', 'v1'],
    );
    assert.equal(
      decodeURIComponent((await call('GetPolicyVersion', { PolicyArn, VersionId: 'v1' })).PolicyVersion.Document),
      READ,
    );
  });

  it('cannot be deleted while attached', async () => {
    const { Policy } = await call('CreatePolicy', { PolicyName: 'p', PolicyDocument: READ });
    await call('CreateRole', { RoleName: 'r', AssumeRolePolicyDocument: TRUST });
    await call('AttachRolePolicy', { RoleName: 'r', PolicyArn: Policy.Arn });
    assert.equal((await call('GetPolicy', { PolicyArn: Policy.Arn })).Policy.AttachmentCount, 1);
    await assert.rejects(call('DeletePolicy', { PolicyArn: Policy.Arn }), conflict);
    await assert.rejects(call('DeleteRole', { RoleName: 'r' }), conflict);
    assert.equal((await call('ListEntitiesForPolicy', { PolicyArn: Policy.Arn })).PolicyRoles[0].RoleName, 'r');
    await call('DetachRolePolicy', { RoleName: 'r', PolicyArn: Policy.Arn });
    await assert.rejects(call('DetachRolePolicy', { RoleName: 'r', PolicyArn: Policy.Arn }), missing);
    await call('DeletePolicy', { PolicyArn: Policy.Arn });
  });

  it('of AWS can be attached and read, not changed', async () => {
    const PolicyArn = 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole';
    await call('CreateRole', { RoleName: 'r', AssumeRolePolicyDocument: TRUST });
    await call('AttachRolePolicy', { RoleName: 'r', PolicyArn });
    const { AttachedPolicies } = await call('ListAttachedRolePolicies', { RoleName: 'r' });
    assert.deepEqual(AttachedPolicies, [{ PolicyName: 'AWSLambdaBasicExecutionRole', PolicyArn }]);
    const { PolicyVersion } = await call('GetPolicyVersion', { PolicyArn, VersionId: 'v1' });
    assert.deepEqual(JSON.parse(decodeURIComponent(PolicyVersion.Document)).Statement[0].Action, [
      'logs:CreateLogGroup',
      'logs:CreateLogStream',
      'logs:PutLogEvents',
    ]);
    await assert.rejects(call('DeletePolicy', { PolicyArn }), { code: 'ValidationError' });
    await assert.rejects(
      call('AttachRolePolicy', { RoleName: 'r', PolicyArn: 'arn:aws:iam::aws:policy/Nothing' }),
      missing,
    );
    const { Policies } = await call('ListPolicies', { Scope: 'AWS', MaxItems: 1000 });
    assert.ok(Policies.length > 30);
  });
});

describe('IAM inline policies', () => {
  it('are put, got, listed and deleted, for users, groups and roles', async () => {
    await call('CreateUser', { UserName: 'x' });
    await call('CreateGroup', { GroupName: 'x' });
    await call('CreateRole', { RoleName: 'x', AssumeRolePolicyDocument: TRUST });
    for (const title of ['User', 'Group', 'Role']) {
      const owner = { [`${title}Name`]: 'x' };
      await call(`Put${title}Policy`, { ...owner, PolicyName: 'p', PolicyDocument: READ });
      assert.equal(
        decodeURIComponent((await call(`Get${title}Policy`, { ...owner, PolicyName: 'p' })).PolicyDocument),
        READ,
      );
      assert.deepEqual((await call(`List${title}Policies`, owner)).PolicyNames, ['p']);
      await call(`Delete${title}Policy`, { ...owner, PolicyName: 'p' });
      await assert.rejects(call(`Get${title}Policy`, { ...owner, PolicyName: 'p' }), missing);
      await assert.rejects(call(`Get${title}Policy`, { ...owner, PolicyName: 'constructor' }), missing);
      await assert.rejects(call(`Put${title}Policy`, { ...owner, PolicyName: 'p', PolicyDocument: '{}' }), {
        code: 'MalformedPolicyDocument',
      });
    }
  });

  it('are limited in size', async () => {
    await call('CreateUser', { UserName: 'x' });
    const large = policyOf({
      Effect: 'Allow',
      Action: 's3:*',
      Resource: Array.from({ length: 100 }, (_, n) => `arn:aws:s3:::bucket-number-${n}`),
    });
    await assert.rejects(call('PutUserPolicy', { UserName: 'x', PolicyName: 'p', PolicyDocument: large }), {
      code: 'LimitExceeded',
    });
  });
});

describe('IAM tags', () => {
  it('belong to users, roles, policies, profiles and providers', async () => {
    await call('CreateUser', { UserName: 'x' });
    await call('CreateRole', { RoleName: 'x', AssumeRolePolicyDocument: TRUST });
    await call('CreateInstanceProfile', { InstanceProfileName: 'x' });
    const { Policy } = await call('CreatePolicy', { PolicyName: 'x', PolicyDocument: READ });
    const { OpenIDConnectProviderArn } = await call('CreateOpenIDConnectProvider', {
      Url: 'https://issuer.example/a',
      ClientIDList: ['c'],
    });
    const owners: [string, object][] = [
      ['User', { UserName: 'x' }],
      ['Role', { RoleName: 'x' }],
      ['InstanceProfile', { InstanceProfileName: 'x' }],
      ['Policy', { PolicyArn: Policy.Arn }],
      ['OpenIDConnectProvider', { OpenIDConnectProviderArn }],
    ];
    for (const [title, owner] of owners) {
      await call(`Tag${title}`, {
        ...owner,
        Tags: [
          { Key: 'a', Value: '1' },
          { Key: 'b', Value: '2' },
        ],
      });
      await call(`Tag${title}`, { ...owner, Tags: [{ Key: 'A', Value: '3' }] });
      await call(`Untag${title}`, { ...owner, TagKeys: ['b'] });
      assert.deepEqual((await call(`List${title}Tags`, owner)).Tags, [{ Key: 'A', Value: '3' }], title);
    }
  });
});

describe('IAM account', () => {
  it('has one alias, which no other account can take', async () => {
    await call('CreateAccountAlias', { AccountAlias: 'acme' });
    await assert.rejects(call('CreateAccountAlias', { AccountAlias: 'acme' }, { account: '222222222222' }), {
      code: 'EntityAlreadyExists',
    });
    await call('CreateAccountAlias', { AccountAlias: 'acme-2' });
    assert.deepEqual((await call('ListAccountAliases')).AccountAliases, ['acme-2']);
    await call('DeleteAccountAlias', { AccountAlias: 'acme-2' });
    assert.deepEqual((await call('ListAccountAliases')).AccountAliases, []);
  });

  it('tells everything about permissions', async () => {
    await call('CreateUser', { UserName: 'u' });
    await call('CreateRole', { RoleName: 'r', AssumeRolePolicyDocument: TRUST });
    await call('AttachRolePolicy', { RoleName: 'r', PolicyArn: 'arn:aws:iam::aws:policy/AdministratorAccess' });
    await call('PutUserPolicy', { UserName: 'u', PolicyName: 'p', PolicyDocument: READ });
    const details = await call('GetAccountAuthorizationDetails');
    assert.equal(details.UserDetailList[0].UserPolicyList[0].PolicyName, 'p');
    assert.equal(details.RoleDetailList[0].AttachedManagedPolicies[0].PolicyName, 'AdministratorAccess');
    assert.equal(details.Policies[0].PolicyName, 'AdministratorAccess');
    assert.equal((await call('GetAccountSummary')).SummaryMap.Roles, 1);
  });
});

describe('IAM simulation', () => {
  it('decides by the policies given', async () => {
    const { EvaluationResults } = await call('SimulateCustomPolicy', {
      PolicyInputList: [
        policyOf({
          Effect: 'Allow',
          Action: 's3:Get*',
          Resource: '*',
          Condition: { StringEquals: { 'aws:username': 'bob' } },
        }),
      ],
      ActionNames: ['s3:GetObject', 's3:PutObject'],
      ContextEntries: [{ ContextKeyName: 'aws:username', ContextKeyValues: ['bob'], ContextKeyType: 'string' }],
    });
    assert.deepEqual(
      EvaluationResults.map((result: sdk.EvaluationResult) => result.EvalDecision),
      ['allowed', 'implicitDeny'],
    );
  });

  it('decides by what a user has, groups included', async () => {
    const { User } = await call('CreateUser', { UserName: 'u' });
    await call('CreateGroup', { GroupName: 'g' });
    await call('PutGroupPolicy', { GroupName: 'g', PolicyName: 'p', PolicyDocument: READ });
    await call('AddUserToGroup', { UserName: 'u', GroupName: 'g' });
    const simulate = async () =>
      (await call('SimulatePrincipalPolicy', { PolicySourceArn: User.Arn, ActionNames: ['s3:GetObject'] }))
        .EvaluationResults[0].EvalDecision;
    assert.equal(await simulate(), 'allowed');
    await call('PutUserPolicy', {
      UserName: 'u',
      PolicyName: 'd',
      PolicyDocument: policyOf({ Effect: 'Deny', Action: '*', Resource: '*' }),
    });
    assert.equal(await simulate(), 'explicitDeny');
  });
});

describe('IAM authorization', () => {
  const request: AuthorizationRequest = { action: 's3:GetObject', resource: 'arn:aws:s3:::b/k' };

  async function bob(): Promise<Principal> {
    const { User } = await call('CreateUser', { UserName: 'bob', Tags: [{ Key: 'team', Value: 'a' }] });
    return { type: 'User', account: ACCOUNT, arn: User.Arn, userId: User.UserId, accessKeyId: 'AKIABOB' };
  }
  const authorize = (principal: Principal, requests = [request], overrides: Partial<RequestContext> = {}) =>
    iam.authorizer.authorize(principal, requests, { ...context, principal, ...overrides });

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
    const other = createIam({ store, clock, random: createSeededRandom(), logger: silent });
    const watch = store.watch({ prefix: ['iam'] });
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
    assert.deepEqual(await last(), { LastUsedDate: new Date(clock.now()), ServiceName: 's3', Region: 'us-east-1' });
  });
});

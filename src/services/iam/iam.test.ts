import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, it } from 'node:test';
import * as sdk from '@aws-sdk/client-iam';
import { createSeededRandom } from '../../base/system-random.ts';
import { accountOfAccessKeyId } from '../access-key-id.ts';
import type { Principal } from '../service.ts';
import { rootCredentials } from './index.ts';
import { ACCOUNT, policyOf, READ, ROOT, startTestIam, type TestIam, TRUST } from './test-iam.ts';

let test: TestIam;
let call: TestIam['call'];

beforeEach(() => {
  test = startTestIam();
  call = test.call;
});

afterEach(() => test.close());

const conflict = { code: 'DeleteConflict', status: 409 };
const missing = { code: 'NoSuchEntity', status: 404 };

describe('IAM operations', () => {
  it('are each either served or refused by name', async () => {
    const known = Object.keys(sdk)
      .filter((name) => name.endsWith('Command') && name !== '$Command')
      .map((name) => name.slice(0, -'Command'.length))
      .sort();
    const answered = [...Object.keys(test.iam.service.operations), ...Object.keys(test.iam.service.refused)].sort();
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
    assert.equal(
      (await test.iam.accessKeys.find(AccessKey.AccessKeyId))?.principal.arn,
      `arn:aws:iam::${ACCOUNT}:user/rob`,
    );
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
    const found = await test.iam.accessKeys.find(AccessKey.AccessKeyId);
    assert.equal(found?.secretAccessKey, AccessKey.SecretAccessKey);
    assert.equal(found?.principal.type, 'User');
    await call('UpdateAccessKey', { UserName: 'bob', AccessKeyId: AccessKey.AccessKeyId, Status: 'Inactive' });
    assert.equal(await test.iam.accessKeys.find(AccessKey.AccessKeyId), undefined);
    assert.equal(await test.iam.accessKeys.find('AKIAUNKNOWN'), undefined);
  });

  it('of the root user are made once and kept', async () => {
    const first = await rootCredentials(test.store, createSeededRandom(2));
    assert.deepEqual(await rootCredentials(test.store, createSeededRandom(3)), first);
    assert.equal((await test.iam.accessKeys.find(first.accessKeyId))?.principal.arn, 'arn:aws:iam::000000000000:root');
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

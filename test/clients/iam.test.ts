import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as iam from '@aws-sdk/client-iam';
import { type RunningKobune, runKobune, withoutBoto3, withoutCli } from '../support/running-kobune.ts';

const policyOf = (...statements: object[]): string => JSON.stringify({ Version: '2012-10-17', Statement: statements });
const TRUST = policyOf({ Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' });
const BASIC = 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole';

let server: RunningKobune;
let client: iam.IAMClient;

before(async () => {
  server = await runKobune();
  client = new iam.IAMClient(server.settings());
});
after(async () => {
  client?.destroy();
  await server?.[Symbol.asyncDispose]();
});

describe('IAM by the AWS SDK', () => {
  it('makes a role as deployment tools do', async () => {
    const { Role } = await client.send(
      new iam.CreateRoleCommand({
        RoleName: 'worker',
        Path: '/app/',
        AssumeRolePolicyDocument: TRUST,
        Tags: [{ Key: 'team', Value: 'a b' }],
      }),
    );
    assert.equal(Role?.Arn, 'arn:aws:iam::000000000000:role/app/worker');
    assert.ok(Role.CreateDate instanceof Date);
    await client.send(new iam.AttachRolePolicyCommand({ RoleName: 'worker', PolicyArn: BASIC }));
    await client.send(
      new iam.PutRolePolicyCommand({
        RoleName: 'worker',
        PolicyName: 'inline',
        PolicyDocument: policyOf({ Effect: 'Allow', Action: 's3:*', Resource: 'arn:aws:s3:::a/*' }),
      }),
    );
    const { PolicyDocument } = await client.send(
      new iam.GetRolePolicyCommand({ RoleName: 'worker', PolicyName: 'inline' }),
    );
    assert.equal(JSON.parse(decodeURIComponent(PolicyDocument!)).Statement[0].Resource, 'arn:aws:s3:::a/*');
    const { AttachedPolicies } = await client.send(new iam.ListAttachedRolePoliciesCommand({ RoleName: 'worker' }));
    assert.deepEqual(AttachedPolicies, [{ PolicyName: 'AWSLambdaBasicExecutionRole', PolicyArn: BASIC }]);
    await assert.rejects(client.send(new iam.DeleteRoleCommand({ RoleName: 'worker' })), iam.DeleteConflictException);
  });

  it('gets errors as the SDK knows them', async () => {
    await assert.rejects(client.send(new iam.GetRoleCommand({ RoleName: 'missing' })), iam.NoSuchEntityException);
    await client.send(new iam.CreateUserCommand({ UserName: 'twice' }));
    await assert.rejects(
      client.send(new iam.CreateUserCommand({ UserName: 'twice' })),
      iam.EntityAlreadyExistsException,
    );
    await assert.rejects(
      client.send(new iam.CreatePolicyCommand({ PolicyName: 'bad', PolicyDocument: '{}' })),
      iam.MalformedPolicyDocumentException,
    );
    await client.send(new iam.CreateAccessKeyCommand({ UserName: 'twice' }));
    await client.send(new iam.CreateAccessKeyCommand({ UserName: 'twice' }));
    await assert.rejects(
      client.send(new iam.CreateAccessKeyCommand({ UserName: 'twice' })),
      iam.LimitExceededException,
    );
    await assert.rejects(
      client.send(new iam.CreateSAMLProviderCommand({ Name: 'x', SAMLMetadataDocument: 'x'.repeat(1000) })),
      /CreateSAMLProvider/,
    );
  });

  it('pages through users', async () => {
    for (let index = 0; index < 5; index++)
      await client.send(new iam.CreateUserCommand({ UserName: `page-${index}`, Path: '/pages/' }));
    const names: (string | undefined)[] = [];
    for await (const page of iam.paginateListUsers({ client, pageSize: 2 }, { PathPrefix: '/pages/' })) {
      names.push(...(page.Users ?? []).map(({ UserName }) => UserName));
    }
    assert.deepEqual(names, ['page-0', 'page-1', 'page-2', 'page-3', 'page-4']);
  });

  it('simulates policies', async () => {
    const { EvaluationResults } = await client.send(
      new iam.SimulateCustomPolicyCommand({
        PolicyInputList: [policyOf({ Effect: 'Allow', Action: 's3:Get*', Resource: '*' })],
        ActionNames: ['s3:GetObject', 's3:PutObject'],
      }),
    );
    assert.deepEqual(
      EvaluationResults?.map(({ EvalDecision }) => EvalDecision),
      ['allowed', 'implicitDeny'],
    );
  });
});

describe('IAM by the AWS CLI', { skip: withoutCli }, () => {
  it('manages policies and profiles', async () => {
    const { cliJson: cli } = server;
    const document = policyOf({ Effect: 'Allow', Action: 'sqs:*', Resource: '*' });
    const { Policy } = await cli(['iam', 'create-policy', '--policy-name', 'cli', '--policy-document', document]);
    const { PolicyVersion } = await cli([
      'iam',
      'get-policy-version',
      '--policy-arn',
      Policy.Arn,
      '--version-id',
      'v1',
    ]);
    assert.deepEqual(PolicyVersion.Document, JSON.parse(document));
    await cli(['iam', 'create-role', '--role-name', 'cli', '--assume-role-policy-document', TRUST]);
    await cli(['iam', 'create-instance-profile', '--instance-profile-name', 'cli']);
    await cli(['iam', 'add-role-to-instance-profile', '--instance-profile-name', 'cli', '--role-name', 'cli']);
    const { InstanceProfile } = await cli(['iam', 'get-instance-profile', '--instance-profile-name', 'cli']);
    assert.equal(InstanceProfile.Roles[0].AssumeRolePolicyDocument.Statement[0].Action, 'sts:AssumeRole');
    await assert.rejects(cli(['iam', 'delete-role', '--role-name', 'cli']), /DeleteConflict/);
    await assert.rejects(
      cli(['iam', 'get-user', '--user-name', 'nobody']),
      /NoSuchEntity.*The user with name nobody cannot be found/s,
    );
  });
});

describe('IAM by boto3', { skip: withoutBoto3 }, () => {
  it('manages users, groups and keys', async () => {
    const output = await server.boto3(`
iam = client("iam")
iam.create_group(GroupName="boto")
iam.create_user(UserName="boto", Tags=[{"Key": "a", "Value": "b"}])
iam.add_user_to_group(GroupName="boto", UserName="boto")
iam.put_group_policy(GroupName="boto", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}))
print(iam.get_group_policy(GroupName="boto", PolicyName="p")["PolicyDocument"]["Statement"][0]["Action"])
print(iam.get_group(GroupName="boto")["Users"][0]["UserName"])
key = iam.create_access_key(UserName="boto")["AccessKey"]
print(len(key["SecretAccessKey"]), iam.list_access_keys(UserName="boto")["AccessKeyMetadata"][0]["AccessKeyId"] == key["AccessKeyId"])
print(iam.list_user_tags(UserName="boto")["Tags"])
try:
    iam.delete_user(UserName="boto")
except iam.exceptions.DeleteConflictException as error:
    print(error.response["ResponseMetadata"]["HTTPStatusCode"])
`);
    assert.equal(output, "s3:*\nboto\n40 True\n[{'Key': 'a', 'Value': 'b'}]\n409");
  });
});

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import * as logs from '@aws-sdk/client-cloudwatch-logs';
import * as iam from '@aws-sdk/client-iam';
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListBucketsCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import * as sts from '@aws-sdk/client-sts';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { type Keys, type RunningKobune, runKobune, withoutBoto3, withoutCli } from '../support/running-kobune.ts';

const policyOf = (...statements: object[]): string => JSON.stringify({ Version: '2012-10-17', Statement: statements });

function keysOf(credentials: sts.Credentials | undefined): Keys {
  return {
    accessKeyId: credentials!.AccessKeyId!,
    secretAccessKey: credentials!.SecretAccessKey!,
    sessionToken: credentials!.SessionToken!,
  };
}

describe('STS without enforcement', () => {
  let server: RunningKobune;
  before(async () => {
    server = await runKobune();
  });
  after(() => server?.[Symbol.asyncDispose]());

  it('takes the account from the key, by the AWS SDK', async () => {
    const client = new sts.STSClient(server.settings({ accessKeyId: '123456789012', secretAccessKey: 'x' }));
    const { Account, Arn } = await client.send(new sts.GetCallerIdentityCommand({}));
    assert.deepEqual([Account, Arn], ['123456789012', 'arn:aws:iam::123456789012:root']);
    client.destroy();
  });

  it('assumes a role, and is then that role, by the AWS SDK', async () => {
    const client = new sts.STSClient(server.settings());
    const { Credentials } = await client.send(
      new sts.AssumeRoleCommand({ RoleArn: 'arn:aws:iam::222222222222:role/other', RoleSessionName: 'work' }),
    );
    client.destroy();
    const assumed = new sts.STSClient(server.settings(keysOf(Credentials)));
    const { Arn } = await assumed.send(new sts.GetCallerIdentityCommand({}));
    assert.equal(Arn, 'arn:aws:sts::222222222222:assumed-role/other/work');
    assumed.destroy();
  });

  it('tells who asks, by the AWS CLI', { skip: withoutCli }, async () => {
    const { Account } = await server.cliJson(['sts', 'get-caller-identity']);
    assert.equal(Account, '000000000000');
    const { Account: owner } = await server.cliJson([
      'sts',
      'get-access-key-info',
      '--access-key-id',
      'AKIAQAAAAAAAAAAAAAAA',
    ]);
    assert.equal(owner, '000000000000');
    const tooLong = [
      'sts',
      'assume-role',
      '--role-arn',
      'arn:aws:iam::000000000000:role/x',
      '--role-session-name',
      'abc',
      '--duration-seconds',
      '43201',
    ];
    await assert.rejects(server.cliJson(tooLong), /ValidationError/);
  });

  it('tells who asks, by boto3', { skip: withoutBoto3 }, async () => {
    const output = await server.boto3('print(client("sts").get_caller_identity()["Arn"])');
    assert.equal(output, 'arn:aws:iam::000000000000:root');
  });
});

describe('Enforced policies', () => {
  let server: RunningKobune;
  let admin: iam.IAMClient;
  let bob: Keys;

  before(async () => {
    server = await runKobune({ iam: 'enforce' });
    admin = new iam.IAMClient(server.settings());
    await admin.send(new iam.CreateUserCommand({ UserName: 'bob' }));
    const { AccessKey } = await admin.send(new iam.CreateAccessKeyCommand({ UserName: 'bob' }));
    bob = { accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! };
    const s3 = new S3Client({ ...server.settings(), forcePathStyle: true });
    await s3.send(new CreateBucketCommand({ Bucket: 'photos' }));
    await s3.send(new PutObjectCommand({ Bucket: 'photos', Key: 'a/cat.jpg', Body: 'cat' }));
    s3.destroy();
  });
  after(async () => {
    admin?.destroy();
    await server?.[Symbol.asyncDispose]();
  });

  const get = async (keys: Keys, Key = 'a/cat.jpg'): Promise<string | undefined> => {
    const s3 = new S3Client({ ...server.settings(keys), forcePathStyle: true });
    try {
      return await (await s3.send(new GetObjectCommand({ Bucket: 'photos', Key }))).Body?.transformToString();
    } finally {
      s3.destroy();
    }
  };
  const allowBob = (PolicyDocument: string) =>
    admin.send(new iam.PutUserPolicyCommand({ UserName: 'bob', PolicyName: 'p', PolicyDocument }));

  it('refuse unknown keys and wrong secrets', async () => {
    await assert.rejects(get({ accessKeyId: 'AKIAUNKNOWN000000000', secretAccessKey: 'x' }), {
      name: 'InvalidAccessKeyId',
    });
    await assert.rejects(get({ ...bob, secretAccessKey: 'x' }), { name: 'SignatureDoesNotMatch' });
    await assert.rejects(get({ accessKeyId: '000000000000', secretAccessKey: 'x' }), { name: 'InvalidAccessKeyId' });
  });

  it('let a user do what its policies allow, and say what is missing', async () => {
    await assert.rejects(get(bob), {
      name: 'AccessDenied',
      message:
        'User: arn:aws:iam::000000000000:user/bob is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::photos/a/cat.jpg" because no identity-based policy allows the s3:GetObject action',
    });
    await allowBob(policyOf({ Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::photos/a/*' }));
    assert.equal(await get(bob), 'cat');
    const s3 = new S3Client(server.settings(bob));
    await assert.rejects(s3.send(new ListBucketsCommand({})), { name: 'AccessDenied' });
    s3.destroy();
    const user = new iam.IAMClient(server.settings(bob));
    await assert.rejects(user.send(new iam.CreateUserCommand({ UserName: 'eve' })), { name: 'AccessDenied' });
    user.destroy();
    const reader = new logs.CloudWatchLogsClient(server.settings(bob));
    await assert.rejects(reader.send(new logs.CreateLogGroupCommand({ logGroupName: 'g' })), {
      name: 'AccessDeniedException',
    });
    reader.destroy();
  });

  it('let a role be assumed by those whom it trusts, with a session policy that limits it', async () => {
    await admin.send(
      new iam.CreateRoleCommand({
        RoleName: 'reader',
        AssumeRolePolicyDocument: policyOf({
          Effect: 'Allow',
          Principal: { AWS: 'arn:aws:iam::000000000000:user/bob' },
          Action: 'sts:AssumeRole',
          Condition: { StringEquals: { 'sts:ExternalId': 'secret' } },
        }),
      }),
    );
    await admin.send(
      new iam.AttachRolePolicyCommand({
        RoleName: 'reader',
        PolicyArn: 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess',
      }),
    );
    await allowBob(policyOf({ Effect: 'Deny', Action: 's3:*', Resource: '*' }));
    const client = new sts.STSClient(server.settings(bob));
    const input = { RoleArn: 'arn:aws:iam::000000000000:role/reader', RoleSessionName: 'work' };
    await assert.rejects(client.send(new sts.AssumeRoleCommand(input)), { name: 'AccessDenied' });
    const { Credentials } = await client.send(new sts.AssumeRoleCommand({ ...input, ExternalId: 'secret' }));
    assert.equal(await get(keysOf(Credentials)), 'cat');
    const limited = await client.send(
      new sts.AssumeRoleCommand({
        ...input,
        ExternalId: 'secret',
        Policy: policyOf({ Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::photos/b/*' }),
      }),
    );
    await assert.rejects(get(keysOf(limited.Credentials)), {
      name: 'AccessDenied',
      message: /no session policy allows/,
    });
    await assert.rejects(get({ ...keysOf(Credentials), sessionToken: 'forged' }), { name: 'InvalidToken' });
    client.destroy();
  });

  it('give a web identity the role that trusts its issuer', async () => {
    const keys = await generateKeyPair('ES256');
    const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'k', alg: 'ES256' };
    const issuerServer = createServer((request, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(request.url === '/keys' ? { keys: [jwk] } : { issuer, jwks_uri: `${issuer}/keys` }));
    });
    await new Promise<void>((resolve) => issuerServer.listen(0, '127.0.0.1', resolve));
    const issuer = `http://127.0.0.1:${(issuerServer.address() as AddressInfo).port}`;
    const name = issuer.slice('http://'.length);
    try {
      const { OpenIDConnectProviderArn } = await admin.send(
        new iam.CreateOpenIDConnectProviderCommand({ Url: issuer, ClientIDList: ['sts.amazonaws.com'] }),
      );
      await admin.send(
        new iam.CreateRoleCommand({
          RoleName: 'pod',
          AssumeRolePolicyDocument: policyOf({
            Effect: 'Allow',
            Principal: { Federated: OpenIDConnectProviderArn },
            Action: 'sts:AssumeRoleWithWebIdentity',
            Condition: { StringEquals: { [`${name}:sub`]: 'system:serviceaccount:app:web' } },
          }),
        }),
      );
      await admin.send(
        new iam.AttachRolePolicyCommand({
          RoleName: 'pod',
          PolicyArn: 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess',
        }),
      );
      const token = (subject: string) =>
        new SignJWT({})
          .setProtectedHeader({ alg: 'ES256', kid: 'k' })
          .setIssuer(issuer)
          .setSubject(subject)
          .setAudience('sts.amazonaws.com')
          .setIssuedAt()
          .setExpirationTime('10m')
          .sign(keys.privateKey);
      const client = new sts.STSClient({ endpoint: server.endpoint, region: 'us-east-1', maxAttempts: 1 });
      const assume = async (subject: string) =>
        client.send(
          new sts.AssumeRoleWithWebIdentityCommand({
            RoleArn: 'arn:aws:iam::000000000000:role/pod',
            RoleSessionName: 'web',
            WebIdentityToken: await token(subject),
          }),
        );
      const { Credentials } = await assume('system:serviceaccount:app:web');
      assert.equal(await get(keysOf(Credentials)), 'cat');
      await assert.rejects(assume('system:serviceaccount:app:other'), { name: 'AccessDenied' });
      client.destroy();
    } finally {
      issuerServer.closeAllConnections();
      await new Promise((resolve) => issuerServer.close(resolve));
    }
  });

  it('let the AWS CLI and boto3 in with the root key', { skip: withoutCli || withoutBoto3 }, async () => {
    assert.equal((await server.cliJson(['sts', 'get-caller-identity'])).Arn, 'arn:aws:iam::000000000000:root');
    assert.equal(
      await server.boto3('print(client("sts").get_caller_identity()["Arn"])', bob),
      'arn:aws:iam::000000000000:user/bob',
    );
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { CreateAccessKeyCommand, CreateUserCommand, IAMClient, PutUserPolicyCommand } from '@aws-sdk/client-iam';
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeletePublicAccessBlockCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutBucketNotificationConfigurationCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  PutPublicAccessBlockCommand,
  S3Client,
  type S3ServiceException,
} from '@aws-sdk/client-s3';
import { CreateQueueCommand, ReceiveMessageCommand, SetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';

const Bucket = 'guarded';
let server: RunningKobune;
let root: S3Client;
let ada: S3Client;

const denied = (error: S3ServiceException) => error.name === 'AccessDenied' && error.$metadata.httpStatusCode === 403;

before(async () => {
  server = await runKobune({ iam: 'enforce' });
  root = new S3Client({ ...server.settings(), forcePathStyle: true });
  const iam = new IAMClient(server.settings());
  await iam.send(new CreateUserCommand({ UserName: 'ada' }));
  const policy = {
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: ['s3:GetObject', 's3:PutObject'], Resource: `arn:aws:s3:::${Bucket}/home/ada/*` },
      {
        Effect: 'Allow',
        Action: 's3:ListBucket',
        Resource: `arn:aws:s3:::${Bucket}`,
        Condition: { StringLike: { 's3:prefix': 'home/ada/*' } },
      },
    ],
  };
  const name = { UserName: 'ada', PolicyName: 'home' };
  await iam.send(new PutUserPolicyCommand({ ...name, PolicyDocument: JSON.stringify(policy) }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: 'ada' }));
  iam.destroy();
  const keys = { accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! };
  ada = new S3Client({ ...server.settings(keys), forcePathStyle: true });
  await root.send(new CreateBucketCommand({ Bucket }));
  await root.send(new PutObjectCommand({ Bucket, Key: 'secret', Body: 'secret' }));
});
after(async () => {
  root?.destroy();
  ada?.destroy();
  await server[Symbol.asyncDispose]();
});

describe('S3 when policies are enforced', () => {
  it('lets a user do what the policy allows, and nothing else', async () => {
    await ada.send(new PutObjectCommand({ Bucket, Key: 'home/ada/x', Body: 'mine' }));
    const got = await ada.send(new GetObjectCommand({ Bucket, Key: 'home/ada/x' }));
    assert.equal(await got.Body!.transformToString(), 'mine');
    const listed = await ada.send(new ListObjectsV2Command({ Bucket, Prefix: 'home/ada/' }));
    assert.equal(listed.KeyCount, 1);
    await assert.rejects(ada.send(new ListObjectsV2Command({ Bucket })), denied);
    await assert.rejects(ada.send(new GetObjectCommand({ Bucket, Key: 'secret' })), denied);
    await assert.rejects(ada.send(new PutObjectCommand({ Bucket, Key: 'home/bob/x', Body: 'x' })), denied);
    await assert.rejects(ada.send(new DeleteObjectCommand({ Bucket, Key: 'home/ada/x' })), denied);
    await assert.rejects(ada.send(new CreateBucketCommand({ Bucket: 'another' })), denied);
  });

  it('asks for the source of a copy too', async () => {
    const copy = new CopyObjectCommand({ Bucket, Key: 'home/ada/copy', CopySource: `${Bucket}/secret` });
    await assert.rejects(ada.send(copy), denied);
  });

  it('takes an explicit denial in the bucket policy over everything', async () => {
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Deny',
          Principal: { AWS: 'arn:aws:iam::000000000000:user/ada' },
          Action: 's3:PutObject',
          Resource: `arn:aws:s3:::${Bucket}/home/ada/locked/*`,
        },
      ],
    });
    await root.send(new PutBucketPolicyCommand({ Bucket, Policy }));
    await assert.rejects(ada.send(new PutObjectCommand({ Bucket, Key: 'home/ada/locked/x', Body: 'x' })), denied);
    await ada.send(new PutObjectCommand({ Bucket, Key: 'home/ada/free', Body: 'x' }));
  });

  it('notifies a queue only when its policy lets S3 in', async () => {
    const queues = new SQSClient(server.settings());
    const { QueueUrl } = await queues.send(new CreateQueueCommand({ QueueName: 'told' }));
    const QueueArn = 'arn:aws:sqs:us-east-1:000000000000:told';
    const notify = () =>
      root.send(
        new PutBucketNotificationConfigurationCommand({
          Bucket,
          NotificationConfiguration: { QueueConfigurations: [{ QueueArn, Events: ['s3:ObjectCreated:*'] }] },
        }),
      );
    const letIn = (SourceArn: string) => {
      const Policy = JSON.stringify({
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Principal: { Service: 's3.amazonaws.com' },
            Action: 'sqs:SendMessage',
            Resource: QueueArn,
            Condition: { ArnEquals: { 'aws:SourceArn': SourceArn } },
          },
        ],
      });
      return queues.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy } }));
    };
    const refused = { name: 'InvalidArgument', message: /^Unable to validate the following destination/ };
    await assert.rejects(notify(), refused);
    await letIn('arn:aws:s3:::another');
    await assert.rejects(notify(), refused);
    await letIn(`arn:aws:s3:::${Bucket}`);
    await notify();
    const { Messages } = await queues.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }));
    assert.equal(JSON.parse(Messages![0]!.Body!).Event, 's3:TestEvent');
    queues.destroy();
  });

  it('lets anybody read only what a public policy says, unless that is restricted', async () => {
    const Public = 'for-everybody';
    await root.send(new CreateBucketCommand({ Bucket: Public }));
    await root.send(new PutObjectCommand({ Bucket: Public, Key: 'site/index.html', Body: 'welcome' }));
    await root.send(new PutObjectCommand({ Bucket: Public, Key: 'private', Body: 'not' }));
    const read = async (key: string) => {
      const answer = await fetch(`${server.endpoint}/${Public}/${key}`);
      return [answer.status, answer.ok ? await answer.text() : (await answer.text()).match(/<Code>(.*)<\/Code>/)?.[1]];
    };
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: `arn:aws:s3:::${Public}/site/*` },
      ],
    });
    const set = () => root.send(new PutBucketPolicyCommand({ Bucket: Public, Policy }));
    await assert.rejects(set(), denied);
    assert.deepEqual(await read('site/index.html'), [403, 'AccessDenied']);
    await root.send(new DeletePublicAccessBlockCommand({ Bucket: Public }));
    await set();
    assert.deepEqual(await read('site/index.html'), [200, 'welcome']);
    assert.deepEqual(await read('private'), [403, 'AccessDenied']);
    const restrict = { RestrictPublicBuckets: true };
    const block = new PutPublicAccessBlockCommand({ Bucket: Public, PublicAccessBlockConfiguration: restrict });
    await root.send(block);
    assert.deepEqual(await read('site/index.html'), [403, 'AccessDenied']);
  });

  it('refuses a wrong secret', async () => {
    const keys = { ...server.root, secretAccessKey: 'wrong' };
    const forger = new S3Client({ ...server.settings(keys), forcePathStyle: true });
    await assert.rejects(forger.send(new ListObjectsV2Command({ Bucket })), { name: 'SignatureDoesNotMatch' });
    forger.destroy();
  });
});

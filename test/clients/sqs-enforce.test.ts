import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { CreateAccessKeyCommand, CreateUserCommand, IAMClient, PutUserPolicyCommand } from '@aws-sdk/client-iam';
import * as sqs from '@aws-sdk/client-sqs';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';

let server: RunningKobune;
let root: sqs.SQSClient;
let ada: sqs.SQSClient;
let ben: sqs.SQSClient;
let QueueUrl: string;

const denied = (error: sqs.SQSServiceException) => {
  assert.match(error.name, /^AccessDenied/);
  assert.match(error.message, /is not authorized to perform: sqs:\w+ on resource: arn:aws:sqs:us-east-1:000000000000:/);
  return true;
};

before(async () => {
  server = await runKobune({ iam: 'enforce' });
  root = new sqs.SQSClient(server.settings());
  const iam = new IAMClient(server.settings());
  const user = async (UserName: string, Statement: object[]): Promise<sqs.SQSClient> => {
    await iam.send(new CreateUserCommand({ UserName }));
    if (Statement.length > 0) {
      const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement });
      await iam.send(new PutUserPolicyCommand({ UserName, PolicyName: 'p', PolicyDocument }));
    }
    const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
    const keys = { accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! };
    return new sqs.SQSClient(server.settings(keys));
  };
  const Resource = 'arn:aws:sqs:us-east-1:000000000000:shared';
  ada = await user('ada', [{ Effect: 'Allow', Action: ['sqs:SendMessage', 'sqs:GetQueueUrl'], Resource }]);
  ben = await user('ben', []);
  iam.destroy();
  QueueUrl = (await root.send(new sqs.CreateQueueCommand({ QueueName: 'shared' }))).QueueUrl!;
});
after(async () => {
  for (const client of [root, ada, ben]) client?.destroy();
  await server[Symbol.asyncDispose]();
});

describe('SQS when policies are enforced', () => {
  it('lets a user do what its policy allows, in batches too, and nothing else', async () => {
    await ada.send(new sqs.GetQueueUrlCommand({ QueueName: 'shared' }));
    await ada.send(new sqs.SendMessageCommand({ QueueUrl, MessageBody: 'x' }));
    await ada.send(new sqs.SendMessageBatchCommand({ QueueUrl, Entries: [{ Id: 'a', MessageBody: 'x' }] }));
    await assert.rejects(ada.send(new sqs.ReceiveMessageCommand({ QueueUrl })), denied);
    await assert.rejects(ada.send(new sqs.DeleteQueueCommand({ QueueUrl })), denied);
    const other = QueueUrl.replace('shared', 'other');
    await assert.rejects(ada.send(new sqs.SendMessageCommand({ QueueUrl: other, MessageBody: 'x' })), denied);
  });

  it('lets a user do what the policy of the queue allows', async () => {
    await assert.rejects(ben.send(new sqs.ReceiveMessageCommand({ QueueUrl })), denied);
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Principal: { AWS: 'arn:aws:iam::000000000000:user/ben' },
          Action: 'sqs:ReceiveMessage',
          Resource: 'arn:aws:sqs:us-east-1:000000000000:shared',
        },
      ],
    });
    await root.send(new sqs.SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy } }));
    const { Messages } = await ben.send(new sqs.ReceiveMessageCommand({ QueueUrl }));
    assert.equal(Messages?.length, 1);
    const [{ ReceiptHandle }] = Messages as [sqs.Message];
    await assert.rejects(ben.send(new sqs.DeleteMessageCommand({ QueueUrl, ReceiptHandle })), denied);
  });
});

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { CreateAccessKeyCommand, CreateUserCommand, IAMClient, PutUserPolicyCommand } from '@aws-sdk/client-iam';
import * as sns from '@aws-sdk/client-sns';
import { CreateQueueCommand, ReceiveMessageCommand, SetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';

const TopicArn = 'arn:aws:sns:us-east-1:000000000000:guarded';
const QUEUE = 'arn:aws:sqs:us-east-1:000000000000:guarded';

let server: RunningKobune;
let root: sns.SNSClient;
let ada: sns.SNSClient;
let ben: sns.SNSClient;
let sqs: SQSClient;

const document = (...statements: object[]): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: statements.map((more) => ({ Effect: 'Allow', ...more })) });

const denied = (action: string) => (error: sns.SNSServiceException) => {
  assert.ok(error instanceof sns.AuthorizationErrorException, error.name);
  assert.ok(error.message.includes(`is not authorized to perform: ${action} on resource: `), error.message);
  return true;
};

before(async () => {
  server = await runKobune({ iam: 'enforce' });
  root = new sns.SNSClient(server.settings());
  sqs = new SQSClient(server.settings());
  const iam = new IAMClient(server.settings());
  const user = async (UserName: string, ...statements: object[]): Promise<sns.SNSClient> => {
    await iam.send(new CreateUserCommand({ UserName }));
    if (statements.length > 0) {
      const PolicyDocument = document(...statements);
      await iam.send(new PutUserPolicyCommand({ UserName, PolicyName: 'p', PolicyDocument }));
    }
    const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
    const keys = { accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! };
    return new sns.SNSClient(server.settings(keys));
  };
  ada = await user(
    'ada',
    { Action: 'sns:Publish', Resource: TopicArn },
    { Action: 'sns:Subscribe', Resource: TopicArn, Condition: { StringEquals: { 'sns:Protocol': 'sqs' } } },
  );
  ben = await user('ben');
  iam.destroy();
  await root.send(new sns.CreateTopicCommand({ Name: 'guarded' }));
  await sqs.send(new CreateQueueCommand({ QueueName: 'guarded' }));
});
after(async () => {
  for (const client of [root, ada, ben, sqs]) client?.destroy();
  await server?.[Symbol.asyncDispose]();
});

const publish = (client: sns.SNSClient, Message: string) => client.send(new sns.PublishCommand({ TopicArn, Message }));
const subscribe = (client: sns.SNSClient, Protocol: string, Endpoint: string) =>
  client.send(new sns.SubscribeCommand({ TopicArn, Protocol, Endpoint, ReturnSubscriptionArn: true }));
const receive = async () =>
  (await sqs.send(new ReceiveMessageCommand({ QueueUrl: 'guarded', WaitTimeSeconds: 1 }))).Messages ?? [];

describe('SNS when policies are enforced', () => {
  it('lets a user do what its policy allows, and nothing else', async () => {
    await publish(ada, 'm');
    const entries = [{ Id: 'a', Message: 'm' }];
    await ada.send(new sns.PublishBatchCommand({ TopicArn, PublishBatchRequestEntries: entries }));
    await assert.rejects(ada.send(new sns.DeleteTopicCommand({ TopicArn })), denied('SNS:DeleteTopic'));
    await assert.rejects(ada.send(new sns.ListTopicsCommand({})), denied('SNS:ListTopics'));
    await assert.rejects(subscribe(ada, 'email', 'ada@example.com'), denied('SNS:Subscribe'));
    const PhoneNumber = '+4915112345678';
    await assert.rejects(ada.send(new sns.PublishCommand({ PhoneNumber, Message: 'm' })), denied('SNS:Publish'));
  });

  it('lets a user do what the policy of the topic allows', async () => {
    await assert.rejects(publish(ben, 'm'), denied('SNS:Publish'));
    const AttributeValue = document({
      Principal: { AWS: 'arn:aws:iam::000000000000:user/ben' },
      Action: 'SNS:Publish',
      Resource: TopicArn,
    });
    await root.send(new sns.SetTopicAttributesCommand({ TopicArn, AttributeName: 'Policy', AttributeValue }));
    await publish(ben, 'm');
    await assert.rejects(ben.send(new sns.GetTopicAttributesCommand({ TopicArn })), denied('SNS:GetTopicAttributes'));
  });

  it('reaches a queue whose policy lets this topic in', async () => {
    const { SubscriptionArn } = await subscribe(ada, 'sqs', QUEUE);
    await publish(root, 'refused');
    assert.deepEqual(await receive(), []);
    const Policy = document({
      Principal: { Service: 'sns.amazonaws.com' },
      Action: 'sqs:SendMessage',
      Resource: QUEUE,
      Condition: { ArnEquals: { 'aws:SourceArn': TopicArn } },
    });
    await sqs.send(new SetQueueAttributesCommand({ QueueUrl: 'guarded', Attributes: { Policy } }));
    await publish(root, 'let in');
    const [message] = await receive();
    assert.equal(JSON.parse(message!.Body!).Message, 'let in');
    await assert.rejects(ada.send(new sns.UnsubscribeCommand({ SubscriptionArn })), denied('SNS:Unsubscribe'));
  });

  it('takes confirmations and ends of subscriptions by their addresses, unsigned, and nothing else', async () => {
    const bodies = Promise.withResolvers<string>();
    const endpoint = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        response.end();
        bodies.resolve(body);
      });
    });
    await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve));
    const { port } = endpoint.address() as AddressInfo;
    const { SubscriptionArn } = await subscribe(root, 'http', `http://127.0.0.1:${port}/`);
    const { SubscribeURL } = JSON.parse(await bodies.promise);
    assert.equal((await fetch(SubscribeURL)).status, 200);
    const address = `${server.endpoint}/?Action=Unsubscribe&SubscriptionArn=${SubscriptionArn}`;
    assert.equal((await fetch(address)).status, 200);
    const unsigned = await fetch(`${server.endpoint}/?Action=ListTopics&Version=2010-03-31`);
    assert.equal(unsigned.status, 403);
    assert.match(await unsigned.text(), /MissingAuthenticationToken/);
    endpoint.close();
    endpoint.closeAllConnections();
  });
});

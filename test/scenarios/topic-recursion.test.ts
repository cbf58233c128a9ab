import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as lambda from '@aws-sdk/client-lambda';
import { CreateTopicCommand, PublishCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { runKobune } from '../support/running-kobune.ts';
import { zipOf } from '../support/zip.ts';

/** Publishes to the topic that invoked it, one more each time. */
const CODE = `
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
const sns = new SNSClient({});
export const handler = async ({ Records: [{ Sns }] }) =>
  sns.send(new PublishCommand({ TopicArn: Sns.TopicArn, Message: String(Number(Sns.Message) + 1) }));
`;

describe('a function that publishes to the topic that invokes it', () => {
  it('is stopped after sixteen invocations', { timeout: 60_000 }, async () => {
    await using server = await runKobune();
    const functions = new lambda.LambdaClient(server.settings());
    const sns = new SNSClient(server.settings());
    const sqs = new SQSClient(server.settings());
    await sqs.send(new CreateQueueCommand({ QueueName: 'stopped' }));
    const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: 'loop' }));
    const { FunctionArn } = await functions.send(
      new lambda.CreateFunctionCommand({
        FunctionName: 'loop',
        Runtime: 'nodejs22.x',
        Handler: 'index.handler',
        Role: 'arn:aws:iam::000000000000:role/r',
        Code: { ZipFile: await zipOf({ 'index.mjs': CODE }) },
        Timeout: 30,
      }),
    );
    await functions.send(
      new lambda.PutFunctionEventInvokeConfigCommand({
        FunctionName: 'loop',
        DestinationConfig: { OnFailure: { Destination: 'arn:aws:sqs:us-east-1:000000000000:stopped' } },
      }),
    );
    await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'lambda', Endpoint: FunctionArn! }));
    await sns.send(new PublishCommand({ TopicArn, Message: '0' }));
    const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: 'stopped', WaitTimeSeconds: 20 }));
    const { requestContext, requestPayload } = JSON.parse(Messages![0]!.Body!);
    assert.equal(requestContext.condition, 'RecursiveInvocationException');
    assert.equal(requestPayload.Records[0].Sns.Message, '16');
    for (const client of [functions, sns, sqs]) client.destroy();
  });
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import * as events from '@aws-sdk/client-eventbridge';
import * as iam from '@aws-sdk/client-iam';
import { CreateKeyCommand, DisableKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { moveClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { type Keys, type RunningKobune, runKobune } from '../support/running-kobune.ts';

const ACCOUNT = '000000000000';
const ARN = `arn:aws:events:us-east-1:${ACCOUNT}`;

const document = (...statements: object[]): string => JSON.stringify({ Version: '2012-10-17', Statement: statements });

let server: RunningKobune;
let admin: iam.IAMClient;
let root: events.EventBridgeClient;
let sqs: SQSClient;

before(async () => {
  server = await runKobune({ iam: 'enforce' });
  admin = new iam.IAMClient(server.settings());
  root = new events.EventBridgeClient(server.settings());
  sqs = new SQSClient(server.settings());
});
after(async () => {
  for (const client of [admin, root, sqs]) client?.destroy();
  await server?.[Symbol.asyncDispose]();
});

async function makeQueue(name: string, ...statements: object[]) {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: name }));
  if (statements.length > 0) await setPolicy(QueueUrl!, ...statements);
  return { url: QueueUrl!, arn: `arn:aws:sqs:us-east-1:${ACCOUNT}:${name}` };
}

const setPolicy = (QueueUrl: string, ...statements: object[]) =>
  sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy: document(...statements) } }));

/** Lets EventBridge send to a queue, for one rule. */
const allowRule = (resource: string, rule: string) => ({
  Effect: 'Allow',
  Principal: { Service: 'events.amazonaws.com' },
  Action: 'sqs:SendMessage',
  Resource: resource,
  Condition: { ArnEquals: { 'aws:SourceArn': `${ARN}:rule/${rule}` } },
});

async function receive(url: string, seconds = 10) {
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({ QueueUrl: url, WaitTimeSeconds: seconds, MessageAttributeNames: ['All'] }),
  );
  for (const { ReceiptHandle } of Messages) await sqs.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle }));
  return Messages.map(({ Body, MessageAttributes }) => ({
    detail: JSON.parse(Body!).detail,
    code: MessageAttributes?.ERROR_CODE?.StringValue,
  }));
}

async function rule(Name: string, source: string, target: Omit<events.Target, 'Id'>, EventBusName?: string) {
  await root.send(
    new events.PutRuleCommand({ Name, EventBusName, EventPattern: JSON.stringify({ source: [source] }) }),
  );
  await root.send(new events.PutTargetsCommand({ Rule: Name, EventBusName, Targets: [{ Id: '1', ...target }] }));
}

const put = (client: events.EventBridgeClient, Source: string, EventBusName?: string) =>
  client.send(new events.PutEventsCommand({ Entries: [{ Source, DetailType: 'T', Detail: '{"n":1}', EventBusName }] }));

async function makeUser(UserName: string, ...statements: object[]): Promise<events.EventBridgeClient> {
  await admin.send(new iam.CreateUserCommand({ UserName }));
  if (statements.length > 0) {
    const PolicyDocument = document(...statements);
    await admin.send(new iam.PutUserPolicyCommand({ UserName, PolicyName: 'p', PolicyDocument }));
  }
  const { AccessKey } = await admin.send(new iam.CreateAccessKeyCommand({ UserName }));
  const keys: Keys = { accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! };
  return new events.EventBridgeClient(server.settings(keys));
}

const denied = (action: string) => (error: Error) =>
  error.name === 'AccessDeniedException' && error.message.includes(`not authorized to perform: ${action} on resource`);

describe('EventBridge when policies are enforced', () => {
  it('sends to queues whose policy lets the rule, and otherwise to the dead-letter queue', async () => {
    const letters = await makeQueue('letters');
    await setPolicy(letters.url, allowRule(letters.arn, 'guarded'));
    const queue = await makeQueue('guarded');
    await rule('guarded', 'app', { Arn: queue.arn, DeadLetterConfig: { Arn: letters.arn } });
    await put(root, 'app');
    assert.deepEqual(await receive(letters.url), [{ detail: { n: 1 }, code: 'NO_PERMISSIONS' }]);
    await setPolicy(queue.url, allowRule(queue.arn, 'other'));
    await put(root, 'app');
    assert.equal((await receive(letters.url))[0]!.code, 'NO_PERMISSIONS');
    await setPolicy(queue.url, allowRule(queue.arn, 'guarded'));
    await put(root, 'app');
    assert.deepEqual(await receive(queue.url), [{ detail: { n: 1 }, code: undefined }]);
  });

  it('lets callers do what their policies allow, by source and detail type', async () => {
    const dev = await makeUser(
      'dev',
      {
        Effect: 'Allow',
        Action: 'events:PutEvents',
        Resource: `${ARN}:event-bus/default`,
        Condition: { StringEquals: { 'events:source': 'mine' } },
      },
      { Effect: 'Allow', Action: ['events:PutRule', 'events:PutTargets'], Resource: `${ARN}:rule/dev-*` },
    );
    assert.equal((await put(dev, 'mine')).FailedEntryCount, 0);
    await assert.rejects(put(dev, 'yours'), denied('events:PutEvents'));
    await assert.rejects(put(dev, 'mine', 'other'), denied('events:PutEvents'));
    const EventPattern = '{"source":["mine"]}';
    await dev.send(new events.PutRuleCommand({ Name: 'dev-1', EventPattern }));
    await assert.rejects(
      dev.send(new events.PutRuleCommand({ Name: 'other', EventPattern })),
      denied('events:PutRule'),
    );
    const Targets = [
      { Id: '1', Arn: `arn:aws:sqs:us-east-1:${ACCOUNT}:guarded`, RoleArn: `arn:aws:iam::${ACCOUNT}:role/r` },
    ];
    await assert.rejects(dev.send(new events.PutTargetsCommand({ Rule: 'dev-1', Targets })), denied('iam:PassRole'));
    dev.destroy();
  });

  it('lets whom the policy of a bus names put events on it', async () => {
    await root.send(new events.CreateEventBusCommand({ Name: 'shared' }));
    const guest = await makeUser('guest');
    await assert.rejects(put(guest, 'app', 'shared'), denied('events:PutEvents'));
    const statement = {
      Sid: 'guest',
      Effect: 'Allow',
      Principal: { AWS: `arn:aws:iam::${ACCOUNT}:user/guest` },
      Action: 'events:PutEvents',
      Resource: `${ARN}:event-bus/shared`,
    };
    await root.send(new events.PutPermissionCommand({ EventBusName: 'shared', Policy: document(statement) }));
    assert.equal((await put(guest, 'app', `${ARN}:event-bus/shared`)).FailedEntryCount, 0);
    const far = 'arn:aws:events:us-east-1:111122223333:event-bus/default';
    await assert.rejects(put(root, 'app', far), denied('events:PutEvents'));
    guest.destroy();
  });

  it('brings events from bus to bus in the name of a role', async () => {
    const queue = await makeQueue('far-end');
    await setPolicy(queue.url, allowRule(queue.arn, 'inner/take'));
    const letters = await makeQueue('far-letters');
    await setPolicy(letters.url, allowRule(letters.arn, 'forward'));
    await root.send(new events.CreateEventBusCommand({ Name: 'inner' }));
    await rule('take', 'hop', { Arn: queue.arn }, 'inner');
    const { Role } = await admin.send(
      new iam.CreateRoleCommand({
        RoleName: 'forwarder',
        AssumeRolePolicyDocument: document({
          Effect: 'Allow',
          Principal: { Service: 'events.amazonaws.com' },
          Action: 'sts:AssumeRole',
        }),
      }),
    );
    await rule('forward', 'hop', {
      Arn: `${ARN}:event-bus/inner`,
      RoleArn: Role!.Arn,
      DeadLetterConfig: { Arn: letters.arn },
    });
    await put(root, 'hop');
    assert.equal((await receive(letters.url))[0]!.code, 'NO_PERMISSIONS');
    await admin.send(
      new iam.PutRolePolicyCommand({
        RoleName: 'forwarder',
        PolicyName: 'p',
        PolicyDocument: document({ Effect: 'Allow', Action: 'events:PutEvents', Resource: `${ARN}:event-bus/inner` }),
      }),
    );
    await put(root, 'hop');
    assert.deepEqual(await receive(queue.url), [{ detail: { n: 1 }, code: undefined }]);
  });

  it('invokes API destinations in the name of a role, with secrets kept by a key of KMS', async () => {
    const seen: (string | undefined)[] = [];
    const endpoint = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.end();
    }).listen(0, '127.0.0.1');
    await once(endpoint, 'listening');
    const kms = new KMSClient(server.settings());
    const letters = await makeQueue('api-letters');
    await setPolicy(letters.url, allowRule(letters.arn, 'api'));
    try {
      const { KeyMetadata } = await kms.send(new CreateKeyCommand({}));
      const { ConnectionArn, ConnectionState } = await root.send(
        new events.CreateConnectionCommand({
          Name: 'c',
          AuthorizationType: 'BASIC',
          AuthParameters: { BasicAuthParameters: { Username: 'u', Password: 'p' } },
        }),
      );
      assert.equal(ConnectionState, 'AUTHORIZED');
      const { ApiDestinationArn } = await root.send(
        new events.CreateApiDestinationCommand({
          Name: 'api',
          ConnectionArn,
          InvocationEndpoint: `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/`,
          HttpMethod: 'POST',
        }),
      );
      const { Role } = await admin.send(
        new iam.CreateRoleCommand({
          RoleName: 'invoker',
          AssumeRolePolicyDocument: document({
            Effect: 'Allow',
            Principal: { Service: 'events.amazonaws.com' },
            Action: 'sts:AssumeRole',
          }),
        }),
      );
      await rule('api', 'api', { Arn: ApiDestinationArn, RoleArn: Role!.Arn, DeadLetterConfig: { Arn: letters.arn } });
      await put(root, 'api');
      assert.equal((await receive(letters.url))[0]!.code, 'NO_PERMISSIONS');
      await admin.send(
        new iam.PutRolePolicyCommand({
          RoleName: 'invoker',
          PolicyName: 'p',
          PolicyDocument: document({
            Effect: 'Allow',
            Action: 'events:InvokeApiDestination',
            Resource: ApiDestinationArn,
          }),
        }),
      );
      await put(root, 'api');
      assert.equal(await eventually(async () => seen.shift()), `Basic ${Buffer.from('u:p').toString('base64')}`);
      // Another password, under a key of one's own.
      await root.send(
        new events.UpdateConnectionCommand({
          Name: 'c',
          KmsKeyIdentifier: KeyMetadata!.Arn,
          AuthParameters: { BasicAuthParameters: { Password: 'q' } },
        }),
      );
      await put(root, 'api');
      assert.equal(await eventually(async () => seen.shift()), `Basic ${Buffer.from('u:q').toString('base64')}`);
      await kms.send(new DisableKeyCommand({ KeyId: KeyMetadata!.KeyId }));
      await moveClock(server, 61_000);
      await put(root, 'api');
      assert.equal((await receive(letters.url))[0]!.code, 'NO_PERMISSIONS');
    } finally {
      endpoint.close();
      kms.destroy();
    }
  });
});

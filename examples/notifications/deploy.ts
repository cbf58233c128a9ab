import {
  CreateEventBusCommand,
  EventBridgeClient,
  PutRuleCommand,
  PutTargetsCommand,
  ResourceAlreadyExistsException,
} from '@aws-sdk/client-eventbridge';
import { IAMClient } from '@aws-sdk/client-iam';
import { AddPermissionCommand, LambdaClient, ResourceConflictException } from '@aws-sdk/client-lambda';
import { BucketAlreadyOwnedByYou, CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import {
  CreatePlatformApplicationCommand,
  CreatePlatformEndpointCommand,
  CreateTopicCommand,
  SNSClient,
  SubscribeCommand,
} from '@aws-sdk/client-sns';
import { type Connection, fromEnvironment, settingsOf } from './clients.ts';
import { deployFunction } from './functions.ts';
import type { Preferences } from './preferences.ts';
import { createRole } from './roles.ts';

const BUS = 'shop';
const RULE = 'order-notices';
const CUSTOMERS = 'customers';

/** Which events of the bus become notices. */
const PATTERN = { source: ['shop.orders'], 'detail-type': ['Order Shipped', 'Order Delayed'] };

/** What the function gets of an event. */
const TRANSFORMER = {
  InputPathsMap: { customer: '$.detail.customer', order: '$.detail.order', kind: '$.detail-type', day: '$.detail.day' },
  InputTemplate:
    '{"customer": <customer>, "subject": "<kind>", "text": "about your order <order>: <kind>. Expect it on <day>."}',
};

/** Makes bus, rule, function, topic, platform application and the customers, or updates them when they are there. */
export async function deploy(connection: Connection): Promise<void> {
  const settings = settingsOf(connection);
  const clients = {
    events: new EventBridgeClient(settings),
    iam: new IAMClient(settings),
    lambda: new LambdaClient(settings),
    s3: new S3Client({ ...settings, forcePathStyle: true }),
    sns: new SNSClient(settings),
  };
  try {
    await deployWith(clients, connection.print);
  } finally {
    for (const client of Object.values(clients)) client.destroy();
  }
}

interface Clients {
  readonly events: EventBridgeClient;
  readonly iam: IAMClient;
  readonly lambda: LambdaClient;
  readonly s3: S3Client;
  readonly sns: SNSClient;
}

async function deployWith({ events, iam, lambda, s3, sns }: Clients, print: (line: string) => void): Promise<void> {
  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: 'shop-notices' }));
  const { PlatformApplicationArn } = await sns.send(
    new CreatePlatformApplicationCommand({
      Name: 'shop-app',
      Platform: 'GCM',
      Attributes: { PlatformCredential: process.env.FIREBASE_CREDENTIAL ?? 'no-firebase-project' },
    }),
  );
  const { EndpointArn } = await sns.send(
    new CreatePlatformEndpointCommand({ PlatformApplicationArn, Token: 'the-token-of-adas-phone' }),
  );
  const customers: Record<string, Preferences> = {
    ada: { name: 'Ada', channels: ['email', 'push'], email: 'ada@example.com', device: EndpointArn! },
    bob: { name: 'Bob', channels: ['sms'], phone: '+4915112345678' },
    cleo: { name: 'Cleo', channels: [] },
  };

  await s3.send(new CreateBucketCommand({ Bucket: CUSTOMERS })).catch((error) => {
    if (!(error instanceof BucketAlreadyOwnedByYou)) throw error;
  });
  for (const [customer, preferences] of Object.entries(customers)) {
    const Body = JSON.stringify(preferences);
    await s3.send(new PutObjectCommand({ Bucket: CUSTOMERS, Key: `${customer}.json`, Body }));
    if (preferences.email === undefined) continue;
    await sns.send(
      new SubscribeCommand({
        TopicArn,
        Protocol: 'email',
        Endpoint: preferences.email,
        Attributes: { FilterPolicy: JSON.stringify({ customer: [customer] }) },
      }),
    );
    print(`${preferences.email} has been asked to confirm its subscription to ${TopicArn}.`);
  }

  const role = await createRole(iam, 'notify', 'lambda.amazonaws.com', [
    { Action: 's3:GetObject', Resource: `arn:aws:s3:::${CUSTOMERS}/*` },
    // A phone number is no resource: who may send SMS may send it to anybody.
    { Action: 'sns:Publish', Resource: '*' },
  ]);
  const functionArn = await deployFunction(lambda, {
    name: 'notify',
    file: 'notify/handler.py',
    role,
    environment: { CUSTOMERS_BUCKET: CUSTOMERS, TOPIC_ARN: TopicArn! },
    timeout: 10,
  });

  await events.send(new CreateEventBusCommand({ Name: BUS })).catch((error) => {
    if (!(error instanceof ResourceAlreadyExistsException)) throw error;
  });
  const { RuleArn } = await events.send(
    new PutRuleCommand({ Name: RULE, EventBusName: BUS, EventPattern: JSON.stringify(PATTERN) }),
  );
  await lambda
    .send(
      new AddPermissionCommand({
        FunctionName: 'notify',
        StatementId: RULE,
        Action: 'lambda:InvokeFunction',
        Principal: 'events.amazonaws.com',
        SourceArn: RuleArn,
      }),
    )
    .catch((error) => {
      if (!(error instanceof ResourceConflictException)) throw error;
    });
  await events.send(
    new PutTargetsCommand({
      Rule: RULE,
      EventBusName: BUS,
      Targets: [{ Id: 'notify', Arn: functionArn, InputTransformer: TRANSFORMER }],
    }),
  );
  print(`Events ${PATTERN['detail-type'].join(' and ')} on bus ${BUS} invoke notify.`);
}

if (import.meta.main) await deploy(fromEnvironment);

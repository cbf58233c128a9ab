import { randomBytes } from 'node:crypto';
import { IAMClient } from '@aws-sdk/client-iam';
import {
  CreateEventSourceMappingCommand,
  LambdaClient,
  ListEventSourceMappingsCommand,
  ResourceConflictException,
} from '@aws-sdk/client-lambda';
import { BucketAlreadyOwnedByYou, CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  ResourceExistsException,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { type Connection, fromEnvironment, settingsOf } from './clients.ts';
import { deployFunction } from './functions.ts';
import { createRole } from './roles.ts';

const RECEIPTS = 'receipts';
const CURRENCIES = '/shop/currencies';
const KEY = 'shop/payment-key';
const FUNCTION_TIMEOUT = 5;

/** Makes queues, secret, parameter, bucket, role and function, or updates them when they are there. */
export async function deploy(connection: Connection): Promise<void> {
  const settings = settingsOf(connection);
  const clients = {
    iam: new IAMClient(settings),
    lambda: new LambdaClient(settings),
    s3: new S3Client({ ...settings, forcePathStyle: true }),
    secrets: new SecretsManagerClient(settings),
    sqs: new SQSClient(settings),
    ssm: new SSMClient(settings),
  };
  try {
    await deployWith(clients, connection.print);
  } finally {
    for (const client of Object.values(clients)) client.destroy();
  }
}

interface Clients {
  readonly iam: IAMClient;
  readonly lambda: LambdaClient;
  readonly s3: S3Client;
  readonly secrets: SecretsManagerClient;
  readonly sqs: SQSClient;
  readonly ssm: SSMClient;
}

async function deployWith(
  { iam, lambda, s3, secrets, sqs, ssm }: Clients,
  print: (line: string) => void,
): Promise<void> {
  const deadLetterArn = await createQueue(sqs, 'orders-failed.fifo', {});
  const queueArn = await createQueue(sqs, 'orders.fifo', {
    // The same order sent twice within five minutes is one order.
    ContentBasedDeduplication: 'true',
    // Six times the function's time limit, as AWS advises.
    VisibilityTimeout: String(6 * FUNCTION_TIMEOUT),
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: deadLetterArn, maxReceiveCount: 3 }),
  });
  print('Queue orders.fifo is there; after three tries an order goes to orders-failed.fifo.');

  await s3.send(new CreateBucketCommand({ Bucket: RECEIPTS })).catch((error) => {
    if (!(error instanceof BucketAlreadyOwnedByYou)) throw error;
  });
  await secrets
    .send(new CreateSecretCommand({ Name: KEY, SecretString: randomBytes(32).toString('base64') }))
    .catch((error) => {
      if (!(error instanceof ResourceExistsException)) throw error;
    });
  const { ARN: secretArn } = await secrets.send(new DescribeSecretCommand({ SecretId: KEY }));
  await ssm.send(new PutParameterCommand({ Name: CURRENCIES, Value: 'EUR,USD', Type: 'String', Overwrite: true }));
  print(`Secret ${KEY} and parameter ${CURRENCIES} (EUR,USD) are there.`);

  const account = queueArn.split(':')[4];
  const region = queueArn.split(':')[3];
  const role = await createRole(iam, 'order-payment', 'lambda.amazonaws.com', [
    { Action: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'], Resource: queueArn },
    { Action: 'secretsmanager:GetSecretValue', Resource: secretArn! },
    { Action: 'ssm:GetParameter', Resource: `arn:aws:ssm:${region}:${account}:parameter${CURRENCIES}` },
    { Action: 's3:PutObject', Resource: `arn:aws:s3:::${RECEIPTS}/*` },
  ]);
  await deployFunction(lambda, {
    name: 'payment',
    file: 'payment/handler.ts',
    role,
    environment: { CURRENCIES_PARAMETER: CURRENCIES, KEY_SECRET: KEY, RECEIPTS_BUCKET: RECEIPTS },
    timeout: FUNCTION_TIMEOUT,
  });
  await connect(lambda, queueArn);
  print('Function payment gets up to ten orders at a time and reports those that fail.');
}

async function createQueue(sqs: SQSClient, QueueName: string, attributes: Record<string, string>): Promise<string> {
  const Attributes = { FifoQueue: 'true', ...attributes };
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName, Attributes }));
  const got = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }));
  return got.Attributes!.QueueArn!;
}

/** Lets the function be invoked with what comes into the queue. */
async function connect(lambda: LambdaClient, EventSourceArn: string): Promise<void> {
  const FunctionName = 'payment';
  const { EventSourceMappings } = await lambda.send(
    new ListEventSourceMappingsCommand({ EventSourceArn, FunctionName }),
  );
  if (EventSourceMappings!.length > 0) return;
  const mapping = {
    EventSourceArn,
    FunctionName,
    BatchSize: 10,
    FunctionResponseTypes: ['ReportBatchItemFailures'],
  } as const;
  await lambda
    .send(
      new CreateEventSourceMappingCommand({ ...mapping, FunctionResponseTypes: [...mapping.FunctionResponseTypes] }),
    )
    .catch((error) => {
      if (!(error instanceof ResourceConflictException)) throw error;
    });
}

if (import.meta.main) await deploy(fromEnvironment);

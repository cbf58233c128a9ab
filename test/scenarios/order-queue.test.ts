import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { GetQueueAttributesCommand, GetQueueUrlCommand, SQSClient } from '@aws-sdk/client-sqs';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { deploy } from '../../examples/order-queue/deploy.ts';
import type { Order } from '../../examples/order-queue/order.ts';
import { placeOrders } from '../../examples/order-queue/place-orders.ts';
import { redrive } from '../../examples/order-queue/redrive.ts';
import { moveClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';

describe('order-queue example', () => {
  for (const iam of ['off', 'enforce'] as const) {
    it(`pays orders, sets the bad one aside and pays it later, with --iam ${iam}`, { timeout: 120_000 }, async () => {
      await using server = await runKobune({ iam });
      await using shop = connect(server);
      const { connection } = shop;
      await deploy(connection);
      await deploy(connection);
      const orders = await placeOrders(connection);
      const bad = orders.find(({ currency }) => currency === 'CHF')!;
      await shop.paid(orders.length - 1);
      for (const attempt of [1, 2, 3]) {
        await shop.refused(`not paid, try ${attempt}: {"id":"${bad.id}"`);
        // The others of its batch are done with.
        await shop.inFlight('orders.fifo', 1);
        await moveClock(server, 31_000);
      }
      await shop.waiting('orders-failed.fifo', 1);
      assert.equal((await shop.receipts()).includes(`${bad.id}.json`), false);

      await shop.acceptFrancs();
      await redrive(connection);
      await shop.paid(orders.length);
      await shop.waiting('orders-failed.fifo', 0);
      await shop.checkReceipt(bad);
    });
  }
});

/** What the test looks at, and what an operator does. */
function connect(server: RunningKobune) {
  // A second attempt signs with the time of the server, which is not this machine's any more.
  const settings = { ...server.settings(), maxAttempts: 2 };
  const clients = {
    logs: new CloudWatchLogsClient(settings),
    s3: new S3Client({ ...settings, forcePathStyle: true }),
    secrets: new SecretsManagerClient(settings),
    sqs: new SQSClient(settings),
    ssm: new SSMClient(settings),
  };
  const { logs, s3, secrets, sqs, ssm } = clients;
  const attributes = async (QueueName: string) => {
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName }));
    return (await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }))).Attributes!;
  };
  const receipts = async () => {
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: 'receipts' }));
    return (Contents ?? []).map(({ Key = '' }) => Key);
  };
  return {
    connection: { endpoint: server.endpoint, credentials: server.root, print: () => {} },
    receipts,
    /** Waits until so many orders are paid. */
    paid: (count: number) => eventually(async () => (await receipts()).length === count || undefined),
    /** Waits until a queue has so many messages. */
    waiting: (name: string, count: number) =>
      eventually(async () => Number((await attributes(name)).ApproximateNumberOfMessages) === count || undefined),
    /** Waits until so many messages of a queue have been received and not deleted. */
    inFlight: (name: string, count: number) =>
      eventually(
        async () => Number((await attributes(name)).ApproximateNumberOfMessagesNotVisible) === count || undefined,
      ),
    /** Waits until the function has written a line. */
    refused: (line: string) =>
      eventually(async () => {
        const request = { logGroupName: '/aws/lambda/payment', filterPattern: '"not paid"' };
        const { events } = await logs.send(new FilterLogEventsCommand(request));
        return events?.some(({ message }) => message?.includes(line)) || undefined;
      }),
    acceptFrancs: () =>
      ssm.send(new PutParameterCommand({ Name: '/shop/currencies', Value: 'EUR,USD,CHF', Overwrite: true })),
    checkReceipt: async (order: Order) => {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'receipts', Key: `${order.id}.json` }));
      const { signature, ...payment } = JSON.parse(await Body!.transformToString());
      assert.deepEqual(payment, order);
      const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId: 'shop/payment-key' }));
      assert.equal(signature, createHmac('sha256', SecretString!).update(JSON.stringify(order)).digest('hex'));
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of Object.values(clients)) client.destroy();
    },
  };
}

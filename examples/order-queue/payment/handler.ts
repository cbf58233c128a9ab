import { createHmac } from 'node:crypto';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import type { Order } from '../order.ts';

const s3 = new S3Client({});
const secrets = new SecretsManagerClient({});
const parameters = new SSMClient({});
const { CURRENCIES_PARAMETER, KEY_SECRET, RECEIPTS_BUCKET } = process.env;

/**
 * Pays up to ten orders. Those that fail are reported one by one: the others are done with. After a failure the later
 * orders of the same customer wait, too, so that a customer's orders are paid in the order in which they came.
 */
export async function handler(event: SQSEvent): Promise<SQSBatchResponse> {
  const [key, currencies] = await Promise.all([paymentKey(), acceptedCurrencies()]);
  const failed: string[] = [];
  const waiting = new Set<string>();
  for (const { attributes, body, messageId } of event.Records) {
    const customer = attributes.MessageGroupId!;
    try {
      if (waiting.has(customer)) throw new Error('an earlier order of the customer has failed');
      await pay(JSON.parse(body), key, currencies);
    } catch (error) {
      waiting.add(customer);
      failed.push(messageId);
      console.error(`not paid, try ${attributes.ApproximateReceiveCount}: ${body}: ${error}`);
    }
  }
  console.log(`paid ${event.Records.length - failed.length} of ${event.Records.length} orders`);
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
}

/** Writes the receipt, once: an order that comes again has been paid already. */
async function pay(order: Order, key: string, currencies: readonly string[]): Promise<void> {
  if (!currencies.includes(order.currency)) throw new Error(`${order.currency} is not accepted`);
  const payment = JSON.stringify(order);
  const signature = createHmac('sha256', key).update(payment).digest('hex');
  const Body = JSON.stringify({ ...order, signature });
  await s3
    .send(new PutObjectCommand({ Bucket: RECEIPTS_BUCKET, Key: `${order.id}.json`, Body, IfNoneMatch: '*' }))
    .catch((error) => {
      if (error.name !== 'PreconditionFailed') throw error;
    });
}

let knownKey: Promise<string> | undefined;

/** Read once for each environment. */
function paymentKey(): Promise<string> {
  knownKey ??= secrets
    .send(new GetSecretValueCommand({ SecretId: KEY_SECRET }))
    .then(({ SecretString }) => SecretString!);
  return knownKey;
}

/** Read for each batch: a new currency counts at once. */
async function acceptedCurrencies(): Promise<readonly string[]> {
  const { Parameter } = await parameters.send(new GetParameterCommand({ Name: CURRENCIES_PARAMETER }));
  return Parameter!.Value!.split(',');
}

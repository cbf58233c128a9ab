import { GetQueueUrlCommand, SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import { type Connection, fromEnvironment, settingsOf } from './clients.ts';
import type { Order } from './order.ts';

const CUSTOMERS = ['ada', 'bob', 'cleo', 'dan', 'eve'];
const COUNT = 25;
const BATCH = 10;
/** Cleo's last one: what she orders after it would wait. */
const BAD = 22;

/** Sends 25 orders of five customers. One of them is in Swiss francs, which nobody has told the shop to accept. */
export async function placeOrders(connection: Connection): Promise<readonly Order[]> {
  const orders: Order[] = Array.from({ length: COUNT }, (_, index) => ({
    id: `order-${String(index + 1).padStart(3, '0')}`,
    customer: CUSTOMERS[index % CUSTOMERS.length]!,
    amount: 10 + index,
    currency: index === BAD ? 'CHF' : 'EUR',
  }));
  const sqs = new SQSClient(settingsOf(connection));
  try {
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: 'orders.fifo' }));
    for (let start = 0; start < orders.length; start += BATCH) {
      const Entries = orders.slice(start, start + BATCH).map((order) => ({
        Id: order.id,
        MessageBody: JSON.stringify(order),
        // What a customer orders is paid in this order; customers do not wait for each other.
        MessageGroupId: order.customer,
      }));
      const { Failed } = await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
      if (Failed?.length) throw new Error(`not sent: ${JSON.stringify(Failed)}`);
    }
  } finally {
    sqs.destroy();
  }
  connection.print(`${orders.length} orders are in the queue; ${orders[BAD]!.id} is in CHF.`);
  return orders;
}

if (import.meta.main) await placeOrders(fromEnvironment);

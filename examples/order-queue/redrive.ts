import {
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  SQSClient,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import { type Connection, fromEnvironment, settingsOf } from './clients.ts';

/** Sends what is in the dead-letter queue back to the queue that it came from. */
export async function redrive(connection: Connection): Promise<void> {
  const sqs = new SQSClient(settingsOf(connection));
  try {
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: 'orders-failed.fifo' }));
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn', 'ApproximateNumberOfMessages'] }),
    );
    await sqs.send(new StartMessageMoveTaskCommand({ SourceArn: Attributes!.QueueArn }));
    connection.print(`${Attributes!.ApproximateNumberOfMessages} orders are on their way back to orders.fifo.`);
  } finally {
    sqs.destroy();
  }
}

if (import.meta.main) await redrive(fromEnvironment);

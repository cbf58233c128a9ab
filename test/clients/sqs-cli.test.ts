import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type RunningKobune, runKobune, withoutCli } from '../support/running-kobune.ts';

describe('SQS by the AWS CLI', { skip: withoutCli }, () => {
  let server: RunningKobune;
  before(async () => {
    server = await runKobune();
  });
  after(() => server[Symbol.asyncDispose]());

  const sqs = (...args: string[]) => server.cliJson(['sqs', ...args]);

  it('sends, receives, deletes and counts', async () => {
    const { QueueUrl } = await sqs('create-queue', '--queue-name', 'cli', '--attributes', 'DelaySeconds=0');
    const sent = await sqs('send-message', '--queue-url', QueueUrl, '--message-body', 'Grüße');
    const { Messages } = await sqs('receive-message', '--queue-url', QueueUrl, '--attribute-names', 'All');
    assert.equal(Messages[0].Body, 'Grüße');
    assert.equal(Messages[0].MessageId, sent.MessageId);
    const handle = ['--queue-url', QueueUrl, '--receipt-handle', Messages[0].ReceiptHandle];
    await server.cli(['sqs', 'change-message-visibility', ...handle, '--visibility-timeout', '5']);
    await server.cli(['sqs', 'delete-message', ...handle]);
    const name = 'ApproximateNumberOfMessagesNotVisible';
    const { Attributes } = await sqs('get-queue-attributes', '--queue-url', QueueUrl, '--attribute-names', name);
    assert.deepEqual(Attributes, { [name]: '0' });
  });

  it('shows errors by their codes', async () => {
    await assert.rejects(
      sqs('get-queue-url', '--queue-name', 'none'),
      /AWS\.SimpleQueueService\.NonExistentQueue\).*The specified queue does not exist/s,
    );
    await assert.rejects(sqs('create-queue', '--queue-name', 'a b'), /InvalidParameterValue/);
  });
});

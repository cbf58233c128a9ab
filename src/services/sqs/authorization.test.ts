import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ACCOUNT, arnOf, context, policyOf, TestSqs, urlOf } from './test-sqs.ts';

let world: TestSqs;
beforeEach(() => {
  world = new TestSqs();
});
afterEach(() => world.close());

const questions = (operation: string, input: object, account = ACCOUNT) =>
  world.sqs.service.authorization!(operation, input as never, { ...context, account });

describe('SQS authorization', () => {
  it('asks about the queue, with its policy, in the account that owns it', async () => {
    const Policy = policyOf('q', 'sqs:SendMessage');
    await world.create('q', { Policy });
    const own = { resource: arnOf('q'), resourceAccount: ACCOUNT, resourcePolicy: Policy };
    for (const [operation, action] of [
      ['SendMessage', 'sqs:SendMessage'],
      ['SendMessageBatch', 'sqs:SendMessage'],
      ['DeleteMessageBatch', 'sqs:DeleteMessage'],
      ['ChangeMessageVisibilityBatch', 'sqs:ChangeMessageVisibility'],
      ['GetQueueAttributes', 'sqs:GetQueueAttributes'],
    ] as const) {
      const asked = await questions(operation, { QueueUrl: urlOf('q') }, '111111111111');
      assert.deepEqual(asked, [{ action, ...own }]);
    }
    const named = { QueueName: 'q', QueueOwnerAWSAccountId: ACCOUNT };
    assert.deepEqual(await questions('GetQueueUrl', named, '111111111111'), [{ action: 'sqs:GetQueueUrl', ...own }]);
  });

  it('asks about tags at creation, and all that a move task does', async () => {
    const actions = async (operation: string, input: object) =>
      (await questions(operation, input)).map(({ action, resource }) => [action, resource]);
    assert.deepEqual(await actions('CreateQueue', { QueueName: 'q', tags: { a: 'b' } }), [
      ['sqs:CreateQueue', arnOf('q')],
      ['sqs:TagQueue', arnOf('q')],
    ]);
    assert.deepEqual(await actions('ListQueues', {}), [['sqs:ListQueues', '*']]);
    const move = { SourceArn: arnOf('dead'), DestinationArn: arnOf('q') };
    assert.deepEqual(await actions('StartMessageMoveTask', move), [
      ['sqs:StartMessageMoveTask', arnOf('dead')],
      ['sqs:ReceiveMessage', arnOf('dead')],
      ['sqs:DeleteMessage', arnOf('dead')],
      ['sqs:GetQueueAttributes', arnOf('dead')],
      ['sqs:SendMessage', arnOf('q')],
    ]);
    const TaskHandle = Buffer.from(JSON.stringify({ taskId: 't', sourceArn: arnOf('dead') })).toString('base64');
    assert.deepEqual(await actions('CancelMessageMoveTask', { TaskHandle }), [
      ['sqs:CancelMessageMoveTask', arnOf('dead')],
    ]);
  });
});

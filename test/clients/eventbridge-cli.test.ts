import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type RunningKobune, runKobune, withoutCli } from '../support/running-kobune.ts';

describe('EventBridge by the AWS CLI', { skip: withoutCli }, () => {
  let server: RunningKobune;
  const events = (...args: string[]) => server.cliJson(['events', ...args]);
  before(async () => {
    server = await runKobune();
  });
  after(() => server?.[Symbol.asyncDispose]());

  it('makes rules and puts events as the guide shows it', async () => {
    const { QueueUrl } = await server.cliJson(['sqs', 'create-queue', '--queue-name', 'q']);
    const pattern = JSON.stringify({ source: ['com.example'] });
    const { RuleArn } = await events('put-rule', '--name', 'r', '--event-pattern', pattern);
    assert.equal(RuleArn, 'arn:aws:events:us-east-1:000000000000:rule/r');
    const target = 'Id=1,Arn=arn:aws:sqs:us-east-1:000000000000:q';
    assert.deepEqual(await events('put-targets', '--rule', 'r', '--targets', target), {
      FailedEntryCount: 0,
      FailedEntries: [],
    });
    const entry = JSON.stringify([{ Source: 'com.example', DetailType: 'Note', Detail: '{"text":"hello"}' }]);
    const { Entries } = await events('put-events', '--entries', entry);
    const { Messages } = await server.cliJson([
      'sqs',
      'receive-message',
      '--queue-url',
      QueueUrl,
      '--wait-time-seconds',
      '5',
    ]);
    const body = JSON.parse(Messages[0].Body);
    assert.deepEqual([body.id, body.detail], [Entries[0].EventId, { text: 'hello' }]);
    const { Rules } = await events('list-rules', '--name-prefix', 'r');
    assert.deepEqual(Rules, [
      { Name: 'r', Arn: RuleArn, EventPattern: pattern, State: 'ENABLED', EventBusName: 'default' },
    ]);
  });

  it('lets another account send events, and takes that back', async () => {
    const permission = ['--action', 'events:PutEvents', '--principal', '111122223333', '--statement-id', 'them'];
    await events('put-permission', ...permission);
    const { Policy } = await events('describe-event-bus');
    assert.deepEqual(JSON.parse(Policy).Statement, [
      {
        Sid: 'them',
        Effect: 'Allow',
        Principal: { AWS: 'arn:aws:iam::111122223333:root' },
        Action: 'events:PutEvents',
        Resource: 'arn:aws:events:us-east-1:000000000000:event-bus/default',
      },
    ]);
    await events('remove-permission', '--statement-id', 'them');
    assert.equal((await events('describe-event-bus')).Policy, undefined);
    await assert.rejects(
      events('remove-permission', '--statement-id', 'them'),
      /Statement with the provided id does not exist/,
    );
  });
});

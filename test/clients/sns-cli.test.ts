import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { type RunningKobune, runKobune, withoutCli } from '../support/running-kobune.ts';

interface OutboxMessage {
  readonly subject: string;
  readonly body: string;
  readonly confirmationUrl?: string;
}

describe('SNS by the AWS CLI', { skip: withoutCli }, () => {
  let server: RunningKobune;
  before(async () => {
    server = await runKobune();
  });
  after(() => server[Symbol.asyncDispose]());

  const sns = (...args: string[]) => server.cliJson(['sns', ...args]);
  const mails = async (to: string): Promise<OutboxMessage[]> =>
    (
      (await (await fetch(`${server.endpoint}/_kobune/outbox?kind=email&to=${to}`)).json()) as {
        messages: OutboxMessage[];
      }
    ).messages;

  it('subscribes an e-mail address, which is confirmed by its link', async () => {
    const { TopicArn: topic } = await sns('create-topic', '--name', 'mail', '--attributes', 'DisplayName=News');
    const subscribe = ['subscribe', '--topic-arn', topic, '--protocol', 'email'];
    const answer = await sns(...subscribe, '--notification-endpoint', 'ada@example.com');
    assert.deepEqual(answer, { SubscriptionArn: 'pending confirmation' });
    const [asked] = await eventually(async () => {
      const found = await mails('ada@example.com');
      return found.length > 0 ? found : undefined;
    });
    assert.equal((await fetch(asked!.confirmationUrl!)).status, 200);
    const { Attributes } = await sns('get-topic-attributes', '--topic-arn', topic);
    assert.equal(Attributes.SubscriptionsConfirmed, '1');
    await sns('publish', '--topic-arn', topic, '--subject', 'today', '--message', 'sun');
    const mail = await eventually(async () => (await mails('ada@example.com'))[1]);
    assert.equal(mail.subject, 'today');
    assert.match(mail.body, /^sun\n/);
  });

  it('sets attributes, permissions and tags', async () => {
    const { TopicArn: topic } = await sns('create-topic', '--name', 'settings', '--tags', 'Key=a,Value=1');
    const of = ['--topic-arn', topic];
    await sns('set-topic-attributes', ...of, '--attribute-name', 'DisplayName', '--attribute-value', 'S');
    const account = ['--aws-account-id', '111111111111', '--action-name', 'Publish'];
    await sns('add-permission', ...of, '--label', 'give', ...account);
    const { Attributes } = await sns('get-topic-attributes', ...of);
    assert.equal(Attributes.DisplayName, 'S');
    assert.equal(JSON.parse(Attributes.Policy).Statement[1].Sid, 'give');
    await sns('remove-permission', ...of, '--label', 'give');
    await sns('tag-resource', '--resource-arn', topic, '--tags', 'Key=b,Value=2');
    await sns('untag-resource', '--resource-arn', topic, '--tag-keys', 'a');
    assert.deepEqual(await sns('list-tags-for-resource', '--resource-arn', topic), {
      Tags: [{ Key: 'b', Value: '2' }],
    });
    await sns('delete-topic', ...of);
    await assert.rejects(sns('get-topic-attributes', ...of), /\(NotFound\).*Topic does not exist/);
    await assert.rejects(
      sns('create-topic', '--name', 'x', '--attributes', 'TracingConfig=Active'),
      /\(NotImplemented\).*TracingConfig/,
    );
  });

  it('sends text messages', async () => {
    const { MessageId } = await sns('publish', '--phone-number', '+4915112345678', '--message', 'hi');
    assert.match(MessageId, /^[\da-f-]{36}$/);
    await assert.rejects(sns('publish', '--phone-number', '1', '--message', 'hi'), /is not valid to publish to/);
  });
});

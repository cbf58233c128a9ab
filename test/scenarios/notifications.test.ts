import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deploy } from '../../examples/notifications/deploy.ts';
import { sendEvents } from '../../examples/notifications/send-events.ts';
import { eventually } from '../support/eventually.ts';
import { confirmSubscription, type OutboxMessage, readOutbox } from '../support/outbox.ts';
import { runKobune, withoutBoto3 } from '../support/running-kobune.ts';

describe('notifications example', { skip: withoutBoto3 }, () => {
  for (const iam of ['off', 'enforce'] as const) {
    it(`tells each customer as he or she prefers, with --iam ${iam}`, { timeout: 120_000 }, async () => {
      await using server = await runKobune({ iam });
      const connection = { endpoint: server.endpoint, credentials: server.root, print: () => {} };
      await deploy(connection);
      await confirmSubscription(await eventually(async () => (await readOutbox(server))[0]));
      await deploy(connection);
      await sendEvents(connection);
      const notices = await eventually(async () => {
        const sent = (await readOutbox(server)).filter(({ body }) => body.includes('about your order'));
        return sent.length >= 3 ? sent : undefined;
      });
      const of = (kind: OutboxMessage['kind']) => notices.filter((message) => message.kind === kind);
      const [email, sms, push] = [of('email'), of('sms'), of('push')];
      assert.deepEqual([email.length, sms.length, push.length], [1, 1, 1]);
      assert.deepEqual([email[0]!.to, email[0]!.subject], ['ada@example.com', 'Order Shipped']);
      assert.match(email[0]!.body, /^Dear Ada, about your order A-1: Order Shipped\. Expect it on Friday\./);
      assert.equal(sms[0]!.to, '+4915112345678');
      assert.equal(sms[0]!.body, 'Dear Bob, about your order B-7: Order Delayed. Expect it on Monday.');
      assert.match(push[0]!.body, /Dear Ada, about your order A-1/);
    });
  }
});

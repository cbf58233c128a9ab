import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { PendingDelivery } from '../../events/index.ts';
import { messages, startTestLogs, type TestLogs } from './test-logs.ts';

let test: TestLogs;
beforeEach(() => {
  test = startTestLogs();
});
afterEach(() => test.close());

describe('log groups as targets of events', () => {
  const deliver = (account: string, targetArn: string) => {
    const sent = { source: 'events', id: 'd1', enqueuedAt: 0, attempts: 0, region: 'us-east-1' };
    const delivery: PendingDelivery = { ...sent, account, targetArn, payload: Buffer.from('{"n":1}') };
    return test.logs.deliveryTarget.deliver!(delivery, new AbortController().signal);
  };
  const arn = 'arn:aws:logs:us-east-1:000000000000:log-group:/aws/events/x';

  it('get each event as a log event, but none of other accounts', async () => {
    await test.call('CreateLogGroup', { logGroupName: '/aws/events/x' });
    assert.equal((await deliver('000000000000', arn)).type, 'delivered');
    const foreign = await deliver('111122223333', arn);
    assert.deepEqual([foreign.type, 'code' in foreign && foreign.code], ['rejected', 'AccessDeniedException']);
    const missing = await deliver('000000000000', `${arn}-none`);
    assert.deepEqual([missing.type, 'code' in missing && missing.code], ['rejected', 'ResourceNotFoundException']);
    assert.deepEqual(messages(await test.call('FilterLogEvents', { logGroupName: '/aws/events/x' })), ['{"n":1}']);
  });
});

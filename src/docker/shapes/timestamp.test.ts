import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readExactTime, readPast, readTimestamp } from './timestamp.ts';

describe('times in parameters', () => {
  it('are epoch seconds with fractions, or RFC 3339', () => {
    assert.equal(readTimestamp('1700000000.5', 'since'), 1_700_000_000.5);
    assert.equal(readTimestamp('2023-11-14T22:13:20Z', 'since'), 1_700_000_000);
    assert.equal(readTimestamp('', 'since'), undefined);
    assert.throws(() => readTimestamp('yesterday', 'since'), {
      status: 400,
      message: 'invalid value for since: "yesterday"',
    });
  });

  it('are kept to the nanosecond where lines are chosen by them', () => {
    assert.equal(readExactTime('1700000000.123456789', 'since'), '2023-11-14T22:13:20.123456789Z');
    assert.equal(readExactTime('2023-11-14T22:13:20.1234567891Z', 'since'), '2023-11-14T22:13:20.123456789Z');
    assert.equal(readExactTime('1700000000', 'since'), '2023-11-14T22:13:20.000000000Z');
    assert.throws(() => readExactTime('999999999999999', 'since'), { status: 400 });
  });

  it('of filters may be how long ago', () => {
    const now = Date.UTC(2026, 0, 1);
    assert.equal(readPast('1h30m', now, 'until'), now - 5_400_000);
    assert.equal(readPast('24h', now, 'until'), now - 86_400_000);
    assert.equal(readPast('1700000000', now, 'until'), 1_700_000_000_000);
    assert.throws(() => readPast('1 day', now, 'until'), { status: 400 });
  });
});

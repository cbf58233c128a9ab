import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PollerScale } from './poller-scale.ts';

describe('The scale of an SQS event source', () => {
  it('is five, then three hundred more in each busy minute, up to 1,250', () => {
    const scale = new PollerScale(undefined);
    assert.equal(scale.limit(0), 5);
    assert.equal(scale.limit(3_600_000), 5, 'nothing to do: nothing grows');
    assert.equal(scale.busy(0), 200);
    assert.equal(scale.limit(199), 5);
    assert.equal(scale.limit(200), 6);
    assert.equal(scale.busy(200), 400);
    assert.equal(scale.limit(60_000), 305);
    assert.equal(scale.limit(3_600_000), 1250);
    assert.equal(scale.busy(3_600_000), undefined);
    scale.calm();
    assert.equal(scale.limit(3_600_000), 5);
  });

  it('does not exceed the mapping’s own bound', () => {
    const scale = new PollerScale(2);
    assert.equal(scale.limit(0), 2);
    assert.equal(scale.busy(0), undefined);
    assert.equal(scale.limit(60_000), 2);
  });

  it('is halved by each failure, and grows again from there', () => {
    const scale = new PollerScale(undefined);
    scale.busy(0);
    assert.equal(scale.limit(1000), 10);
    scale.backOff(1000);
    assert.equal(scale.limit(1000), 5);
    for (let failures = 0; failures < 5; failures += 1) scale.backOff(1000);
    assert.equal(scale.limit(61_000), 1);
    scale.busy(61_000);
    assert.equal(scale.limit(62_000), 6);
  });
});

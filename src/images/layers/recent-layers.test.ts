import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { RecentLayers } from './recent-layers.ts';

const GIBIBYTE = 2 ** 30;

describe('layers that were wanted a short while ago', () => {
  let over: string[][];
  let recent: RecentLayers;
  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout'] });
    over = [];
    recent = new RecentLayers((chains) => over.push([...chains]));
  });
  afterEach(() => mock.timers.reset());

  const layers = (...sizes: [string, number][]) => sizes.map(([chain, size]) => ({ chain, size }));

  it('stay until no build has wanted any for ten minutes', () => {
    recent.note(layers(['base', 10], ['top', 10]));
    mock.timers.tick(9 * 60_000);
    recent.note(layers(['other', 10]));
    mock.timers.tick(9 * 60_000);
    assert.ok(recent.has('base') && recent.has('top') && recent.has('other'));
    mock.timers.tick(60_000);
    assert.deepEqual(
      over.map((chains) => chains.toSorted()),
      [['base', 'other', 'top']],
    );
    assert.equal(recent.has('base'), false);
  });

  it('give way to newer ones when there are too many bytes, the top before what it stands on', () => {
    recent.note(layers(['base', 1], ['middle', 0.4 * GIBIBYTE], ['top', 0.4 * GIBIBYTE]));
    recent.note(layers(['new', 0.5 * GIBIBYTE]));
    assert.deepEqual(over, [['top']]);
    recent.note(layers(['middle', 0.4 * GIBIBYTE]));
    recent.note(layers(['newer', 0.5 * GIBIBYTE]));
    assert.deepEqual(over, [['top'], ['new', 'base']]);
    assert.ok(recent.has('middle') && recent.has('newer'));
  });

  it('go when they are forgotten, and all at once', () => {
    recent.note(layers(['base', 10], ['top', 10], ['other', 10]));
    recent.forget(['other', 'unknown']);
    assert.equal(recent.has('other'), false);
    assert.deepEqual(recent.clear(), ['base', 'top']);
    mock.timers.tick(3600_000);
    assert.deepEqual(over, []);
  });
});

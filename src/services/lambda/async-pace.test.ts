import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AsyncPace } from './async-pace.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Events that run until they are told to end. */
class Events {
  readonly pace: AsyncPace;
  readonly leave: (() => void)[] = [];
  idle = 0;

  constructor() {
    this.pace = new AsyncPace({ first: 2, idle: () => this.idle });
  }

  async enter(count: number, functionArn = 'f'): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      void this.pace.enter(functionArn).then((leave) => this.leave.push(leave));
    }
    await turn();
  }
}

describe('the pace of queued events', () => {
  it('lets a few run, and the next one when one has ended', async () => {
    const events = new Events();
    await events.enter(5);
    assert.equal(events.leave.length, 2);
    events.leave[0]!();
    await turn();
    assert.equal(events.leave.length, 3);
  });

  it('counts each function by itself', async () => {
    const events = new Events();
    await events.enter(3, 'f');
    await events.enter(3, 'g');
    assert.equal(events.leave.length, 4);
  });

  it('lets more run while processors are idle', async (context) => {
    context.mock.timers.enable({ apis: ['setInterval'] });
    const events = new Events();
    await events.enter(20);
    context.mock.timers.tick(50);
    await turn();
    assert.equal(events.leave.length, 2, 'they are busy');
    events.idle = 0.9;
    const running: number[] = [];
    for (let step = 0; step < 6; step += 1) {
      context.mock.timers.tick(50);
      await turn();
      running.push(events.leave.length);
    }
    assert.deepEqual(running, [3, 5, 8, 12, 18, 20]);
  });

  it('lets one more run each second, however busy the machine is', async (context) => {
    context.mock.timers.enable({ apis: ['setInterval'] });
    const events = new Events();
    await events.enter(5);
    context.mock.timers.tick(1000);
    await turn();
    assert.equal(events.leave.length, 3);
  });

  it('begins with a few again after a rest', async (context) => {
    context.mock.timers.enable({ apis: ['setInterval'] });
    const events = new Events();
    events.idle = 1;
    await events.enter(4);
    context.mock.timers.tick(100);
    await turn();
    assert.equal(events.leave.length, 4);
    for (const leave of events.leave.splice(0)) leave();
    await events.enter(4);
    assert.equal(events.leave.length, 2);
  });
});

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createManualClock, type ManualClock } from '../base/system-clock.ts';
import { openMemoryStore, type Store } from '../store/index.ts';
import { Agenda } from './agenda.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
const prefix = ['test', 'due'];

let store: Store;
let clock: ManualClock;
let agenda: Agenda;
let done: string[];
/** Items that cannot be done for now. */
let failing: Set<string>;

function make(): Agenda {
  return new Agenda({
    store,
    clock,
    logger: silent,
    prefix,
    run: async ([name], due) => {
      done.push(`${name}@${clock.now()}`);
      if (failing.has(name!)) throw new Error('not yet');
      await store.transact(async (transaction) => agenda.move(transaction, [name!], due, undefined));
    },
  });
}

async function put(name: string, time: number, from?: number): Promise<void> {
  await store.transact(async (transaction) => agenda.move(transaction, [name], from, time));
  agenda.changed(time);
}

async function advance(ms: number): Promise<void> {
  await clock.advanceAsync(ms);
  await agenda.idle();
}

beforeEach(async () => {
  store = openMemoryStore();
  clock = createManualClock(1000);
  done = [];
  failing = new Set();
  agenda = make();
  await agenda.start();
});
afterEach(async () => {
  await agenda.close();
  await store.close();
});

describe('an agenda', () => {
  it('does each thing at its time', async () => {
    await put('b', 3000);
    await put('a', 2000);
    await advance(999);
    assert.deepEqual(done, []);
    await advance(1);
    assert.deepEqual(done, ['a@2000']);
    await advance(1000);
    assert.deepEqual(done, ['a@2000', 'b@3000']);
    assert.deepEqual(await store.range({ prefix }), []);
  });

  it('does at once what is due already, and what a jump passes in order', async () => {
    await put('now', 500);
    await advance(0);
    await put('late', 9000);
    await put('early', 4000);
    await advance(100_000);
    assert.deepEqual(
      done.map((entry) => entry.split('@')[0]),
      ['now', 'early', 'late'],
    );
  });

  it('forgets what is moved', async () => {
    await put('a', 2000);
    await put('a', 5000, 2000);
    await advance(2000);
    assert.deepEqual(done, []);
    await advance(2000);
    assert.deepEqual(done, ['a@5000']);
  });

  it('tries again in a minute what failed, and does the rest meanwhile', async () => {
    failing.add('bad');
    await put('bad', 2000);
    await put('good', 2000);
    await advance(1000);
    assert.deepEqual(done, ['bad@2000', 'good@2000']);
    await put('later', 10_000);
    await advance(8000);
    assert.deepEqual(done.slice(2), ['bad@10000', 'later@10000']);
    failing.clear();
    await advance(60_000);
    assert.deepEqual(done.slice(4), ['bad@70000']);
    await advance(600_000);
    assert.equal(done.length, 5);
  });

  it('goes on after a restart', async () => {
    await put('a', 5000);
    await agenda.close();
    clock.advance(10_000);
    assert.deepEqual(done, []);
    agenda = make();
    await agenda.start();
    await advance(0);
    assert.deepEqual(done, ['a@11000']);
  });
});

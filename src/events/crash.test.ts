import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { createLogger } from '../base/json-logger.ts';
import { createSystemClock } from '../base/system-clock.ts';
import { createSystemRandom } from '../base/system-random.ts';
import { openLmdbStore } from '../store/index.ts';
import { createDelivery } from './index.ts';

const ROUNDS = 5;

/** Enqueues without end, tells each id that was committed, and delivers some of them. */
const WRITER = `
import { openLmdbStore } from ${JSON.stringify(new URL('../store/index.ts', import.meta.url).href)};
import { createDelivery } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
import { createSystemClock } from ${JSON.stringify(new URL('../base/system-clock.ts', import.meta.url).href)};
import { createSystemRandom } from ${JSON.stringify(new URL('../base/system-random.ts', import.meta.url).href)};
const logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
const store = await openLmdbStore({ directory: process.argv[1] });
const delivery = createDelivery({ store, clock: createSystemClock({ keepAlive: true }), random: createSystemRandom(), logger });
delivery.registerTarget('lambda', async () => ({
  deliver: async ({ id }) => {
    if (Math.random() < 0.5) return new Promise(() => {});
    process.stdout.write('delivered ' + id + '\\n');
    return { type: 'delivered' };
  },
}));
delivery.registerSource('test', async () => ({
  policy: async () => ({ maximumRetries: 0, maximumAgeSeconds: 3600, backoffMs: () => 1 }),
  finished: async () => {},
}));
await delivery.start();
for (;;) {
  const id = await store.transact(async (transaction) =>
    delivery.enqueue(transaction, {
      source: 'test', targetArn: 'arn:aws:lambda:us-east-1:000000000000:function:f',
      payload: Buffer.from('x'), account: '000000000000', region: 'us-east-1',
    }));
  process.stdout.write('enqueued ' + id + '\\n');
}
`;

describe('Delivery when the process is killed', () => {
  it('delivers every event that was accepted', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'delivery-crash-'));
    const enqueued = new Set<string>();
    const delivered = new Set<string>();
    try {
      for (let round = 1; round <= ROUNDS; round += 1) {
        await writeAndKill(directory, round * 37, enqueued, delivered);
      }
      assert.ok(enqueued.size >= ROUNDS * 37);
      assert.ok(delivered.size > 0 && delivered.size < enqueued.size);
      const store = await openLmdbStore({ directory });
      const clock = createSystemClock();
      const delivery = createDelivery({
        store,
        clock,
        random: createSystemRandom(),
        logger: createLogger({ level: 'error', format: 'text', write: (line) => process.stderr.write(line) }),
      });
      const all = Promise.withResolvers<void>();
      delivery.registerTarget('lambda', async () => ({
        deliver: async ({ id }) => {
          delivered.add(id);
          return { type: 'delivered' };
        },
      }));
      delivery.registerSource('test', async () => ({
        policy: async () => ({ maximumRetries: 0, maximumAgeSeconds: 3600, backoffMs: () => 1 }),
        finished: async () => {
          if ([...enqueued].every((id) => delivered.has(id))) all.resolve();
        },
      }));
      await delivery.start();
      await all.promise;
      await delivery.close();
      clock.close();
      await store.close();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

/** Lets a child accept events and kills it once it has told of `count` more. */
async function writeAndKill(
  directory: string,
  count: number,
  enqueued: Set<string>,
  delivered: Set<string>,
): Promise<void> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', WRITER, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  let told = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [what, id] = line.split(' ') as [string, string];
    if (what === 'delivered') delivered.add(id);
    else {
      enqueued.add(id);
      told += 1;
      if (told === count) child.kill('SIGKILL');
    }
  }
  const [code, signal] = (await exited) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL', `the child ended with ${code}`);
}

/** Goes on with what is left, in order: `number` of each key is written down by the target, and only once. */
const ORDERED = `
import { openLmdbStore } from ${JSON.stringify(new URL('../store/index.ts', import.meta.url).href)};
import { createDelivery } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
import { createSystemClock } from ${JSON.stringify(new URL('../base/system-clock.ts', import.meta.url).href)};
import { createSystemRandom } from ${JSON.stringify(new URL('../base/system-random.ts', import.meta.url).href)};
const logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
const store = await openLmdbStore({ directory: process.argv[1] });
const delivery = createDelivery({ store, clock: createSystemClock({ keepAlive: true }), random: createSystemRandom(), logger });
delivery.registerTarget('sqs', async () => ({
  accept: async ({ attributes: { key, number } }, transaction) => {
    const last = await transaction.get(['last', key]);
    transaction.put(['last', key], number);
    if (number !== (last?.value ?? -1) + 1) transaction.put(['wrong', key, number], last?.value ?? -1);
    return { type: 'delivered', committed: () => process.stdout.write('delivered\\n') };
  },
}));
delivery.registerSource('test', async () => ({
  policy: async () => ({ maximumRetries: 9, maximumAgeSeconds: 3600, backoffMs: () => 1 }),
}));
await delivery.start();
let key = 0;
for (;;) {
  key = (key + 1) % 20;
  await store.transact(async (transaction) => {
    const next = (await transaction.get(['next', key]))?.value ?? 0;
    transaction.put(['next', key], next + 1);
    delivery.enqueue(transaction, {
      source: 'test', targetArn: 'arn:aws:sqs:us-east-1:000000000000:q', orderingKey: 'k' + key,
      payload: Buffer.from('x'), account: '000000000000', region: 'us-east-1', attributes: { key, number: next },
    });
  });
}
`;

describe('Deliveries in order when the process is killed', () => {
  it('reach their target in order, each exactly once', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'delivery-order-'));
    try {
      for (let round = 1; round <= ROUNDS; round += 1) {
        const child = spawn(process.execPath, ['--input-type=module', '-e', ORDERED, directory], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        const exited = once(child, 'exit');
        let told = 0;
        for await (const _ of createInterface({ input: child.stdout })) {
          told += 1;
          if (told === round * 41) child.kill('SIGKILL');
        }
        assert.equal((await exited)[1], 'SIGKILL');
      }
      const store = await openLmdbStore({ directory });
      assert.deepEqual(await store.range({ prefix: ['wrong'] }), []);
      const pending = (await store.range({ prefix: ['delivery'] })).length;
      const sum = async (name: string, add: number): Promise<number> =>
        (await store.range<number>({ prefix: [name] })).reduce((total, { value }) => total + value + add, 0);
      assert.equal((await sum('next', 0)) - (await sum('last', 1)), pending);
      assert.ok((await sum('last', 1)) > ROUNDS * 41);
      await store.close();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

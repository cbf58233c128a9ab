import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { openLmdbStore } from '../../store/index.ts';

const START = Date.UTC(2026, 0, 1);
const DAY = 86_400_000;
const SCHEDULES = 3;
/** Invocations after which the process is killed, in each round; the last one ends by itself. */
const KILLED_AFTER = [1, 300, 700, 1200, Number.POSITIVE_INFINITY];

const source = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);

/** Makes schedules and moves the clock by a day, or goes on where another run was killed; tells of each invocation. */
const RUN = `
import { openLmdbStore } from ${source('../../store/index.ts')};
import { createDelivery } from ${source('../../events/index.ts')};
import { createManualClock } from ${source('../../base/system-clock.ts')};
import { createSystemRandom } from ${source('../../base/system-random.ts')};
import { createScheduler } from ${source('./index.ts')};
const [directory, start, advance] = [process.argv[1], Number(process.argv[2]), Number(process.argv[3])];
const logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
const base = { store: await openLmdbStore({ directory }), clock: createManualClock(start), random: createSystemRandom(), logger };
const delivery = createDelivery(base);
const scheduler = createScheduler({ ...base, delivery, access: { allows: async () => true }, enforce: false });
delivery.registerTarget('sqs', async () => ({
  accept: async (pending, transaction) => {
    const key = ['seen', Buffer.from(pending.payload).toString()];
    transaction.put(key, ((await transaction.get(key))?.value ?? 0) + 1);
    return { type: 'delivered', committed: () => process.stdout.write('.\\n') };
  },
}));
delivery.registerSource('scheduler', async () => scheduler.deliverySource);
await scheduler.start();
await delivery.start();
if (advance > 0) {
  for (let count = 0; count < ${SCHEDULES}; count += 1) {
    await scheduler.service.operations.CreateSchedule({
      Name: 's' + count, ScheduleExpression: 'cron(* * * * ? *)', FlexibleTimeWindow: { Mode: 'OFF' },
      Target: {
        Arn: 'arn:aws:sqs:us-east-1:000000000000:q', RoleArn: 'arn:aws:iam::000000000000:role/r',
        Input: 's' + count + ' <aws.scheduler.scheduled-time>',
      },
    }, { account: '000000000000', region: 'us-east-1' });
  }
  base.clock.advance(advance);
}
const empty = async (prefix, before) => (await base.store.range({ prefix, limit: 1, ...(before ? { before } : {}) })).length === 0;
while (!(await empty(['scheduler', 'due'], ['scheduler', 'due', base.clock.now() + 1])) || !(await empty(['delivery']))) {
  await new Promise((resolve) => setImmediate(resolve));
}
await delivery.close();
await scheduler.close();
await base.store.close();
`;

describe('Scheduler when the process is killed', () => {
  it('invokes each time of each schedule exactly once', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'scheduler-crash-'));
    try {
      for (const [round, killedAfter] of KILLED_AFTER.entries()) {
        const first = round === 0;
        await run(directory, first ? START : START + DAY, first ? DAY : 0, killedAfter);
      }
      const store = await openLmdbStore({ directory });
      const seen = await store.range<number>({ prefix: ['seen'] });
      await store.close();
      assert.equal(seen.length, SCHEDULES * 1440);
      assert.deepEqual(
        seen.filter(({ value }) => value !== 1),
        [],
      );
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

async function run(directory: string, start: number, advance: number, killedAfter: number): Promise<void> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', RUN, directory, String(start), String(advance)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  let told = 0;
  for await (const _ of createInterface({ input: child.stdout })) {
    told += 1;
    if (told === killedAfter) child.kill('SIGKILL');
  }
  const [code, signal] = (await exited) as [number | null, string | null];
  if (killedAfter === Number.POSITIVE_INFINITY) assert.equal(code, 0);
  else assert.equal(signal, 'SIGKILL', `the child ended with ${code} after ${told}`);
}

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
const ARCHIVED = 700;
/** Invocations after which the process is killed, in each round; the last one ends by itself. */
const KILLED_AFTER = [1, 250, 600, 900, Number.POSITIVE_INFINITY];

const source = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);

/**
 * Archives events, moves the clock by a day over a rule for each minute and replays the archive; or goes on where another
 * run was killed. Tells of each invocation.
 */
const RUN = `
import { openLmdbStore } from ${source('../../store/index.ts')};
import { createDelivery } from ${source('../../events/index.ts')};
import { createManualClock } from ${source('../../base/system-clock.ts')};
import { createSystemRandom } from ${source('../../base/system-random.ts')};
import { createEventBridge } from ${source('./index.ts')};
const [directory, start, advance] = [process.argv[1], Number(process.argv[2]), Number(process.argv[3])];
const logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
const base = { store: await openLmdbStore({ directory }), clock: createManualClock(start), random: createSystemRandom(), logger };
const delivery = createDelivery(base);
const eventbridge = createEventBridge({ ...base, delivery, encryption: {}, access: { allows: async () => true }, enforce: false });
delivery.registerTarget('sqs', async () => ({
  accept: async (pending, transaction) => {
    const event = JSON.parse(Buffer.from(pending.payload));
    const key = ['seen', event.source, event.source === 'app' ? String(event.detail.n) : event.time];
    transaction.put(key, ((await transaction.get(key))?.value ?? 0) + 1);
    return { type: 'delivered', committed: () => process.stdout.write('.\\n') };
  },
}));
delivery.registerSource('events', async () => eventbridge.deliverySource);
await eventbridge.start();
await delivery.start();
if (advance > 0) {
  const context = { account: '000000000000', region: 'us-east-1', headers: {} };
  const call = (operation, input) => eventbridge.service.operations[operation](input, context);
  const bus = 'arn:aws:events:us-east-1:000000000000:event-bus/default';
  const Targets = [{ Id: 'q', Arn: 'arn:aws:sqs:us-east-1:000000000000:q' }];
  await call('CreateArchive', { ArchiveName: 'a', EventSourceArn: bus });
  for (let n = 0; n < ${ARCHIVED}; n += 10) {
    await call('PutEvents', {
      Entries: Array.from({ length: 10 }, (_, i) => ({ Source: 'app', DetailType: 'T', Detail: JSON.stringify({ n: n + i }) })),
    });
  }
  await call('PutRule', { Name: 'replayed', EventPattern: '{"source":["app"]}' });
  await call('PutTargets', { Rule: 'replayed', Targets });
  await call('PutRule', { Name: 'minutes', ScheduleExpression: 'rate(1 minute)' });
  await call('PutTargets', { Rule: 'minutes', Targets });
  await call('StartReplay', {
    ReplayName: 'r', EventSourceArn: 'arn:aws:events:us-east-1:000000000000:archive/a', Destination: { Arn: bus },
    EventStartTime: new Date(start - 1000), EventEndTime: new Date(start + 1000),
  });
  base.clock.advance(advance);
}
const empty = async (prefix, before) => (await base.store.range({ prefix, limit: 1, ...(before ? { before } : {}) })).length === 0;
const deadline = performance.now() + 60_000;
while (
  !(await empty(['events', 'rule-due'], ['events', 'rule-due', base.clock.now() + 1])) ||
  !(await empty(['events', 'replay-active'])) || !(await empty(['delivery']))
) {
  if (performance.now() > deadline) throw new Error('it never came to rest');
  await new Promise((resolve) => setImmediate(resolve));
}
await delivery.close();
await eventbridge.close();
await base.store.close();
`;

describe('EventBridge when the process is killed', () => {
  it('invokes each time of a rule, and replays each event, exactly once', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'eventbridge-crash-'));
    try {
      for (const [round, killedAfter] of KILLED_AFTER.entries()) {
        const first = round === 0;
        await run(directory, first ? START : START + DAY, first ? DAY : 0, killedAfter);
      }
      const store = await openLmdbStore({ directory });
      const seen = await store.range<number>({ prefix: ['seen'] });
      await store.close();
      const of = (sender: string) => seen.filter(({ key }) => key[1] === sender).length;
      assert.equal(of('app'), ARCHIVED);
      assert.equal(of('aws.events'), 1440);
      assert.deepEqual(
        seen.filter(({ value }) => value !== 1),
        [],
      );
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

/** Runs until it has ended, or until it has told of so many invocations. */
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
  const [code, signal] = await exited;
  if (killedAfter === Number.POSITIVE_INFINITY) assert.equal(code, 0, String(signal));
}

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { createManualClock } from '../../base/system-clock.ts';
import { openLmdbStore } from '../../store/index.ts';
import { ACCOUNT, REGION, TestSqs } from './test-sqs.ts';

const ROUNDS = 8;
const GROUPS = 4;

/** Sends, receives and deletes without end, and says on standard output what was acknowledged. */
const CHILD = `
import { writeSync } from 'node:fs';
import { createSystemClock } from ${JSON.stringify(new URL('../../base/system-clock.ts', import.meta.url).href)};
import { openLmdbStore } from ${JSON.stringify(new URL('../../store/index.ts', import.meta.url).href)};
import { TestSqs } from ${JSON.stringify(new URL('./test-sqs.ts', import.meta.url).href)};
const [directory, first] = process.argv.slice(1);
const say = (...words) => writeSync(1, words.join(' ') + '\\n');
const store = await openLmdbStore({ directory });
const world = new TestSqs(store, createSystemClock({ keepAlive: true }));
await world.sqs.start();
let next = Number(first);
const sending = async (queue, group) => {
  for (;;) {
    const n = next++;
    const more = group === undefined ? {} : { MessageGroupId: group, MessageDeduplicationId: String(n) };
    await world.send(queue, group === undefined ? String(n) : group + ' ' + n, more);
    say('sent', queue, n);
  }
};
const reading = async (queue) => {
  for (;;) {
    const received = await world.receive(queue, { WaitTimeSeconds: 1, VisibilityTimeout: 3600 });
    for (const { Attributes, Body, ReceiptHandle } of received) {
      const n = Body.split(' ').pop();
      say('received', queue, n, Attributes.ApproximateReceiveCount);
      if (Number(n) % 3 === 0) continue;
      say('deleting', queue, n);
      await world.delete(queue, ReceiptHandle);
      say('deleted', queue, n);
    }
  }
};
say('open');
await Promise.all([
  ...Array.from({ length: 4 }, () => sending('plain')),
  ...Array.from({ length: ${GROUPS} }, (_, group) => sending('ordered.fifo', 'g' + group)),
  reading('plain'),
  reading('plain'),
  reading('ordered.fifo'),
]);
`;

const FAST = {
  SqsManagedSseEnabled: 'false',
  ContentBasedDeduplication: 'false',
  DeduplicationScope: 'messageGroup',
  FifoThroughputLimit: 'perMessageGroupId',
};

interface Message {
  acknowledged: boolean;
  receives: number;
  deletion: 'none' | 'begun' | 'done';
}

/** What has been said of a queue's messages, by number. */
class Told {
  readonly messages = new Map<number, Message>();

  of(n: number): Message {
    let message = this.messages.get(n);
    if (!message) {
      message = { acknowledged: false, receives: 0, deletion: 'none' };
      this.messages.set(n, message);
    }
    return message;
  }
}

type ToldQueues = Readonly<Record<string, Told>>;

describe('SQS when the process is killed', () => {
  it('keeps what was acknowledged: messages, deletions, receives, visibility and the order of groups', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'sqs-crash-'));
    const told = { plain: new Told(), 'ordered.fifo': new Told() };
    try {
      await withWorld(directory, async (world) => {
        await world.create('plain', { SqsManagedSseEnabled: 'false' });
        await world.create('ordered.fifo', FAST);
      });
      for (let round = 1; round <= ROUNDS; round += 1) {
        await runAndKill(directory, round, told);
        await withWorld(directory, (world) => check(world, told));
      }
      await withWorld(directory, (world) => drain(world, told));
      const all = [...told.plain.messages.values(), ...told['ordered.fifo'].messages.values()];
      assert.ok(all.filter(({ acknowledged }) => acknowledged).length > ROUNDS * 10);
      assert.ok(all.some(({ deletion }) => deletion === 'done'));
      assert.ok(all.some(({ receives }) => receives > 0));
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

/** At a clock that begins with the real time, as that is what the child sees. */
async function withWorld(directory: string, use: (world: TestSqs) => Promise<void>): Promise<void> {
  const store = await openLmdbStore({ directory });
  const world = new TestSqs(store, createManualClock(Date.now()));
  try {
    await world.sqs.start();
    await use(world);
  } finally {
    await world.close();
  }
}

async function runAndKill(directory: string, round: number, told: ToldQueues): Promise<void> {
  const args = ['--input-type=module', '-e', CHILD, directory, String(round * 1_000_000)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let lines = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [what, queue, n, count] = line.split(' ') as [string, string, string, string];
    if (what === 'open') continue;
    const message = told[queue]!.of(Number(n));
    if (what === 'sent') message.acknowledged = true;
    else if (what === 'received') message.receives = Math.max(message.receives, Number(count));
    else if (what === 'deleting') message.deletion = 'begun';
    else message.deletion = 'done';
    lines += 1;
    if (lines === 40 + round * 23) child.kill('SIGKILL');
  }
  const [code, signal] = (await exited) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL', `the child ended with ${code}`);
}

/** Compares what is kept with what was said. */
async function check(world: TestSqs, told: ToldQueues): Promise<void> {
  for (const [queue, { messages }] of Object.entries(told)) {
    const receives = await receivesOf(world, queue);
    let hidden = 0;
    for (const [n, message] of messages) {
      const kept = receives.get(n);
      if (message.deletion === 'done') assert.equal(kept, undefined, `${queue} ${n} was deleted`);
      if (message.deletion !== 'none') continue;
      if (message.acknowledged || message.receives > 0) assert.notEqual(kept, undefined, `${queue} ${n} is gone`);
      assert.ok((kept ?? 0) >= message.receives, `${queue} ${n} was received ${message.receives} times`);
      if (message.receives > 0) hidden += 1;
    }
    // What was received is still hidden; what the kill caught between receive and answer may be, too.
    const [, inFlight = 0] = await world.counts(queue);
    assert.ok(inFlight >= hidden, `${queue}: ${inFlight} in flight, ${hidden} were received`);
  }
}

/** How often each message that is kept was received, by its number. */
async function receivesOf(world: TestSqs, queue: string): Promise<Map<number, number>> {
  const record = await world.store.get<{ readonly id: string }>(['sqs', 'queue', ACCOUNT, REGION, queue]);
  const { id } = record!.value;
  const receipts = await world.store.range<{ readonly count: number }>({ prefix: ['sqs', 'receipt', id] });
  const counts = new Map(receipts.map(({ key, value }) => [key.at(-1), value.count]));
  const messages = await world.store.range<{ readonly body: string }>({ prefix: ['sqs', 'message', id] });
  return new Map(messages.map(({ key, value }) => [numberOf(value.body), counts.get(key.at(-1)) ?? 0]));
}

const numberOf = (body: string): number => Number(body.split(' ').at(-1));

/** When all visibility is over, each message that is left comes once, those of a group in order. */
async function drain(world: TestSqs, told: ToldQueues): Promise<void> {
  world.seconds(3600);
  for (const [queue, { messages }] of Object.entries(told)) {
    const last = new Map<string, number>();
    const seen = new Set<number>();
    for (;;) {
      const received = await world.receive(queue);
      if (received.length === 0) break;
      for (const { Attributes, Body, ReceiptHandle } of received) {
        const n = numberOf(Body);
        assert.ok(!seen.has(n), `${queue} ${n} came twice`);
        seen.add(n);
        const { MessageGroupId: group } = Attributes;
        if (group !== undefined) {
          assert.ok(n > (last.get(group) ?? 0), `${queue} ${n} came after ${last.get(group)}`);
          last.set(group, n);
        }
        await world.delete(queue, ReceiptHandle);
      }
      // A second's requests to a FIFO queue may be used up.
      world.seconds(0.1);
    }
    for (const [n, { acknowledged, deletion }] of messages) {
      if (acknowledged && deletion === 'none') assert.ok(seen.has(n), `${queue} ${n} did not come`);
    }
  }
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createLogger } from '../src/base/json-logger.ts';
import { createSystemClock } from '../src/base/system-clock.ts';
import { createSystemRandom } from '../src/base/system-random.ts';
import { createDelivery, type DeliverySource, type DeliveryTarget } from '../src/events/index.ts';
import { openLmdbStore, type Store } from '../src/store/index.ts';
import { type Row, report, spread } from './report.ts';

/*
 * The durable delivery alone, on this machine's disk: events enqueued by transactions and handed over to targets in the store,
 * 1 KB each; 10,000 that become due at once; and what 100,000 that wait cost a start.
 */

const PAYLOAD = Buffer.alloc(1024, 'x');
const random = createSystemRandom();
const logger = createLogger({ level: 'error', format: 'text', write: (line) => process.stderr.write(line) });
/** What is not used any more is not counted as memory. */
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const arn = (lane: number): string => `arn:aws:sqs:us-east-1:000000000000:queue${lane}`;

interface Run {
  readonly store: Store;
  readonly delivery: ReturnType<typeof createDelivery>;
  readonly clock: ReturnType<typeof createSystemClock>;
  /** Ends (ms of `performance.now()`) by the number that is in the attributes. */
  readonly ended: number[];
  readonly started: number[];
  /** Resolves when so many have ended. */
  until(count: number): Promise<void>;
  close(): Promise<void>;
}

async function open(directory: string): Promise<Run> {
  const store = await openLmdbStore({ directory });
  const clock = createSystemClock({ keepAlive: true });
  const delivery = createDelivery({ store, clock, random, logger });
  const [ended, started]: number[][] = [[], []];
  let count = 0;
  let wanted = { count: Number.POSITIVE_INFINITY, resolve: (): void => {} };
  const source: DeliverySource = {
    policy: async () => ({ maximumRetries: 3, maximumAgeSeconds: 3600, backoffMs: () => 1000 }),
  };
  const target: DeliveryTarget = {
    accept: async ({ attributes, id, payload }, transaction) => {
      const number = attributes!.number as number;
      started![number] ??= performance.now();
      transaction.put(['message', id], { payload });
      return {
        type: 'delivered',
        committed: () => {
          ended![number] = performance.now();
          count += 1;
          if (count >= wanted.count) wanted.resolve();
        },
      };
    },
  };
  delivery.registerSource('bench', async () => source);
  delivery.registerTarget('sqs', async () => target);
  return {
    store,
    delivery,
    clock,
    ended: ended!,
    started: started!,
    until: (target) =>
      new Promise((resolve) => {
        wanted = { count: target, resolve };
        if (count >= target) resolve();
      }),
    close: async () => {
      await delivery.close();
      clock.close();
      await store.close();
    },
  };
}

interface Sending {
  readonly count: number;
  readonly lanes: number;
  readonly ordered?: boolean;
  readonly notBefore?: number;
  /** Told when the number's commit is durable. */
  readonly enqueued?: (number: number) => void;
}

/** 64 senders at once, ten deliveries in each transaction. */
async function send({ delivery, store }: Run, sending: Sending): Promise<void> {
  let next = 0;
  const sender = async (): Promise<void> => {
    while (next < sending.count) {
      const first = next;
      next += 10;
      await store.transact(async (transaction) => {
        for (let number = first; number < first + 10; number += 1) {
          delivery.enqueue(transaction, {
            source: 'bench',
            targetArn: arn(number % sending.lanes),
            payload: PAYLOAD,
            account: '000000000000',
            region: 'us-east-1',
            attributes: { number },
            ...(sending.ordered ? { orderingKey: 'k' } : {}),
            ...(sending.notBefore === undefined ? {} : { notBefore: sending.notBefore }),
          });
        }
      });
      for (let number = first; number < first + 10; number += 1) sending.enqueued?.(number);
    }
  };
  await Promise.all(Array.from({ length: 64 }, sender));
}

async function within<T>(body: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-deliveries-'));
  try {
    return await body(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const throughput = (what: string, sending: Sending): Promise<Row> =>
  within(async (directory) => {
    const run = await open(directory);
    await run.delivery.start();
    const enqueued: number[] = [];
    const start = performance.now();
    const all = run.until(sending.count);
    await send(run, { ...sending, enqueued: (number) => (enqueued[number] = performance.now()) });
    await all;
    const seconds = (performance.now() - start) / 1000;
    await run.close();
    return {
      what,
      ...spread(run.ended.map((end, number) => Math.max(0, end - enqueued[number]!))),
      throughput: { value: sending.count / seconds, unit: '/s' },
      note: 'from enqueued to durable at the target, with senders at full speed',
    };
  });

const dueAtOnce = (count: number, ordered: boolean): Promise<Row> =>
  within(async (directory) => {
    const run = await open(directory);
    await run.delivery.start();
    const due = Math.ceil((Date.now() + 4000) / 1000) * 1000;
    await send(run, { count, lanes: 100, ordered, notBefore: due });
    const ahead = due - Date.now();
    if (ahead < 200) throw new Error('the deliveries were due before all were enqueued');
    const dueAt = performance.now() + ahead;
    await run.until(count);
    await run.close();
    const last = Math.max(...run.ended) - dueAt;
    return {
      what: `${count.toLocaleString('en-US')} deliveries due in the same second, 100 targets${ordered ? ', in order' : ''}`,
      ...spread(run.ended.map((end) => end - dueAt)),
      throughput: { value: last, unit: 'ms until the last' },
      floor: '2,000 ms',
      reached: last <= 2000,
    };
  });

const backlog = (count: number): Promise<Row> =>
  within(async (directory) => {
    const first = await open(directory);
    await send(first, { count, lanes: 1000, notBefore: Date.now() + 3_600_000 });
    await first.close();
    collectGarbage();
    const before = process.memoryUsage();
    const second = await open(directory);
    const start = performance.now();
    await second.delivery.start();
    const took = performance.now() - start;
    collectGarbage();
    const memory = process.memoryUsage();
    await second.close();
    return {
      what: `start with ${count.toLocaleString('en-US')} deliveries that wait`,
      p50: took,
      memory: memory.heapUsed + memory.external - before.heapUsed - before.external,
    };
  });

report([
  await throughput('deliveries, 100 targets', { count: 30_000, lanes: 100 }),
  await throughput('deliveries, 1,000 targets', { count: 30_000, lanes: 1000 }),
  await throughput('deliveries in order, 1,000 targets', { count: 30_000, lanes: 1000, ordered: true }),
  await dueAtOnce(10_000, false),
  await dueAtOnce(10_000, true),
  await backlog(100_000),
]);

/*
 * The store alone, on this machine's disk: `node bench/store.ts [seconds per row]`. Records are 1 KB unless told.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { createSystemRandom } from '../src/base/system-random.ts';
import { type BlobStore, openBlobStore, openLmdbStore, type Store } from '../src/store/index.ts';
import { report } from './report.ts';

interface Measured {
  readonly what: string;
  readonly perSecond: number;
  readonly unit: string;
  readonly p50: number;
  readonly p99: number;
  /** Busy cores, 1 = one core. */
  readonly cores: number;
}

const SECONDS = Number(process.argv.slice(2).find((word) => !word.startsWith('--')) ?? 2);
const BODY = randomBytes(1024);
const record = (n: number) => ({
  name: `object-${n}`,
  size: 1024,
  contentType: 'image/png',
  at: 1_767_225_600_000,
  body: BODY,
});

async function measure(
  what: string,
  inFlight: number,
  unit: string,
  each: (n: number) => Promise<number>,
): Promise<Measured> {
  const latencies: number[] = [];
  let total = 0;
  let n = 0;
  const cpu = process.cpuUsage();
  const start = performance.now();
  const end = start + SECONDS * 1000;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (performance.now() < end) {
        const from = performance.now();
        const done = await each(n++);
        total += done;
        latencies.push(performance.now() - from);
      }
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  return {
    what: `${what}, ${inFlight} in flight`,
    perSecond: total / seconds,
    unit,
    p50: latencies[Math.floor(latencies.length * 0.5)]!,
    p99: latencies[Math.floor(latencies.length * 0.99)]!,
    cores: (user + system) / 1e6 / seconds,
  };
}

async function measureStore(name: string, store: Store): Promise<Measured[]> {
  const rows: Measured[] = [];
  // A stride that visits keys in no order, as clients do.
  const key = (n: number) => ['s3', '000000000000', 'bucket', `photos/${(n * 7919) % 50_021}.png`];
  for (const inFlight of [1, 64, 256]) {
    rows.push(
      await measure(`${name}: put`, inFlight, '/s', async (n) => {
        await store.put(key(n), record(n));
        return 1;
      }),
    );
  }
  rows.push(
    await measure(`${name}: transaction (get, put, put)`, 64, '/s', async (n) => {
      await store.transact(async (transaction) => {
        await transaction.get(key(n));
        transaction.put(key(n), record(n));
        transaction.put(['index', n % 50_021], n);
      });
      return 1;
    }),
  );
  rows.push(
    await measure(`${name}: one hot counter`, 64, '/s', async () => {
      await store.transact(async (transaction) => {
        transaction.put(['counter'], ((await transaction.get<number>(['counter']))?.value ?? 0) + 1);
      });
      return 1;
    }),
  );
  rows.push(
    await measure(`${name}: get`, 1, '/s', async (n) => {
      for (let i = 0; i < 100; i++) await store.get(key(n * 100 + i));
      return 100;
    }),
  );
  rows.push(
    await measure(`${name}: scan in pages of 1,000`, 1, 'entries/s', async (n) => {
      return (await store.range({ prefix: ['s3'], from: key(n), limit: 1000 })).length;
    }),
  );
  return rows;
}

async function measureBlobs(blobs: BlobStore): Promise<Measured[]> {
  const MB = 1024 * 1024;
  const rows: Measured[] = [];
  // The same memory again and again, as a server's socket buffers are; only the first bytes differ.
  const pool = Array.from({ length: 17 }, () => Buffer.alloc(MB, 7));
  const large = Buffer.alloc(64 * MB, 7);
  const fresh = (bytes: Buffer) => {
    bytes.writeUInt32LE(++count);
    return bytes;
  };
  async function* chunked(bytes: Buffer, hash: ReturnType<typeof createHash>) {
    for (let at = 0; at < bytes.length; at += 65_536) {
      const chunk = bytes.subarray(at, at + 65_536);
      hash.update(chunk);
      yield chunk;
    }
  }
  let count = 0;
  const digests: string[] = [];
  let largest: string | undefined;
  for (const inFlight of [1, 4, 16]) {
    rows.push(
      await measure('blob: write of 1 MB, with MD5', inFlight, 'MB/s', async () => {
        const bytes = pool.pop()!;
        const md5 = createHash('md5');
        const blob = await blobs.write(chunked(fresh(bytes), md5));
        md5.digest();
        digests.push(blob.digest);
        pool.push(bytes);
        return 1;
      }),
    );
  }
  rows.push(
    await measure('blob: write of 64 MB, with MD5', 1, 'MB/s', async () => {
      const blob = await blobs.write(chunked(fresh(large), createHash('md5')));
      largest = blob.digest;
      return 64;
    }),
  );
  rows.push(
    await measure('blob: stream of 64 MB', 1, 'MB/s', async () => {
      let bytes = 0;
      for await (const chunk of await blobs.open(largest!)) bytes += (chunk as Buffer).length;
      return bytes / MB;
    }),
  );
  rows.push(
    await measure(
      'blob: read of 1 MB',
      4,
      'MB/s',
      async (n) => (await blobs.read(digests[n % digests.length]!)).length / MB,
    ),
  );
  rows.push(
    await measure('blob: stream of 1 MB', 4, 'MB/s', async (n) => {
      let bytes = 0;
      for await (const chunk of await blobs.open(digests[n % digests.length]!)) bytes += (chunk as Buffer).length;
      return bytes / MB;
    }),
  );
  return rows;
}

const directory = await mkdtemp(join(tmpdir(), 'kobune-bench-'));
try {
  const rows: Measured[] = [];
  const store = await openLmdbStore({ directory: join(directory, 'store') });
  rows.push(...(await measureStore('lmdb', store)));
  const blobs = await openBlobStore({ directory: join(directory, 'blobs'), store, random: createSystemRandom() });
  rows.push(...(await measureBlobs(blobs)));
  await blobs.close();
  await store.close();
  report(
    rows.map(({ what, perSecond, unit, p50, p99, cores }) => ({
      what: `store, ${what}`,
      p50,
      p99,
      throughput: { value: perSecond, unit },
      note: `${cores.toFixed(1)} cores busy`,
    })),
  );
} finally {
  await rm(directory, { recursive: true, force: true });
}

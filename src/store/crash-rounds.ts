import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createSeededRandom } from '../base/system-random.ts';
import { ACCOUNTS, isWhole, PUT_KEYS, type sealed } from './crash-records.ts';
import { openBlobStore, openLmdbStore, type Store } from './index.ts';

const WRITER = fileURLToPath(new URL('./crash-writer.ts', import.meta.url));
/** Numbers that one round may use up. */
const STRIDE = 10_000_000;

export interface CrashCounts {
  rounds: number;
  /** Rounds killed before the store was open. */
  killedEarly: number;
  acknowledged: number;
  orphansCollected: number;
  temporaryFilesFound: number;
}

/**
 * Lets a process write to the store in `directory`, kills it with SIGKILL at a random moment, opens what it left and
 * checks it; again and again in the same directory. Throws an AssertionError at the first thing that is not right.
 */
export async function runCrashRounds(
  directory: string,
  rounds: number,
  seed: number,
  onRound?: (counts: CrashCounts) => void,
): Promise<CrashCounts> {
  const random = createSeededRandom(seed);
  const counts = { rounds: 0, killedEarly: 0, acknowledged: 0, orphansCollected: 0, temporaryFilesFound: 0 };
  const promises = new Promises();
  for (let round = 1; round <= rounds; round++) {
    const early = random.fraction() < 0.15;
    const when = early ? { afterMs: random.fraction() * 120 } : { afterLines: 1 + random.fraction() * 120 };
    const lines = await writeAndKill([directory, String(round * STRIDE), String(seed + round)], when);
    counts.rounds++;
    if (!lines.includes('open')) counts.killedEarly++;
    counts.acknowledged += promises.note(lines);
    await check(directory, promises, counts);
    onRound?.(counts);
  }
  return counts;
}

/**
 * Kills the writer while it starts, or when it has said so many lines: what it is doing at that moment is as random, and
 * how much it has done does not depend on how busy the machine is.
 */
async function writeAndKill(args: string[], when: { afterMs?: number; afterLines?: number }): Promise<string[]> {
  const child = spawn(process.execPath, [WRITER, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout });
  const ended = once(reader, 'close');
  reader.on('line', (line) => {
    if (lines.push(line) >= (when.afterLines ?? Number.POSITIVE_INFINITY)) child.kill('SIGKILL');
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), when.afterMs ?? 60_000);
  const [code, signal] = (await exited) as [number | null, string | null];
  clearTimeout(timer);
  assert.equal(signal, 'SIGKILL', `the writer ended by itself, with code ${code}`);
  await ended;
  return lines;
}

/** What has been acknowledged over all rounds. */
class Promises {
  readonly puts = new Map<number, number>();
  readonly gone = new Set<number>();
  readonly blobs = new Map<number, string>();
  /** Their deletion has begun: they may be there or not. */
  readonly unsure = new Set<number>();
  revision = 0;
  moves = 0;

  note(lines: readonly string[]): number {
    let acknowledged = 0;
    for (const line of lines) {
      const [what, n, third] = line.split(' ');
      const number = Number(n);
      if (what !== 'open' && what !== 'unblobbing') acknowledged++;
      if (what === 'put') {
        this.puts.set(number % PUT_KEYS, Math.max(number, this.puts.get(number % PUT_KEYS) ?? 0));
        this.revision = Math.max(this.revision, Number(third));
      } else if (what === 'gone') this.gone.add(number);
      else if (what === 'move') this.moves = Math.max(this.moves, number);
      else if (what === 'blob') this.blobs.set(number, third!);
      else if (what === 'unblobbing') this.unsure.add(number);
      else if (what === 'unblobbed') this.blobs.delete(number);
    }
    return acknowledged;
  }
}

async function check(directory: string, promises: Promises, counts: CrashCounts): Promise<void> {
  const temporary = await listed(join(directory, 'blobs', 'temporary'));
  counts.temporaryFilesFound += temporary.length;
  const store = await openLmdbStore({ directory: join(directory, 'store'), history: { revisions: 2000 } });
  try {
    await checkRecords(store, promises);
    await checkHistory(store);
    const blobs = await openBlobStore({
      directory: join(directory, 'blobs'),
      store,
      random: createSeededRandom(store.revision),
    });
    const objects = new Map(
      (await store.range<string>({ prefix: ['object'] })).map(({ key, value }) => [key[1] as number, value]),
    );
    for (const [n, digest] of promises.blobs) {
      if (!promises.unsure.has(n)) assert.equal(objects.get(n), digest, `object ${n} was acknowledged`);
    }
    counts.orphansCollected += (await blobs.collect()).deleted;
    for (const digest of new Set(objects.values())) {
      const hash = createHash('sha256');
      for await (const chunk of await blobs.open(digest)) hash.update(chunk as Buffer);
      assert.equal(`sha256:${hash.digest('hex')}`, digest);
    }
    const files = (await listed(join(directory, 'blobs', 'sha256'))).map((name) => `sha256:${name}`);
    assert.deepEqual(files.sort(), [...new Set(objects.values())].sort(), 'no orphan stays, and nothing is missing');
    assert.deepEqual(await listed(join(directory, 'blobs', 'temporary')), []);
    // Kept few, so that a round stays short: all but the last ones are deleted here.
    for (const [n, digest] of [...objects].slice(0, -5)) {
      await store.transact(async (transaction) => {
        blobs.dereference(transaction, digest, ['object', String(n)]);
        transaction.delete(['object', n]);
      });
      promises.blobs.delete(n);
    }
    await blobs.close();
  } finally {
    await store.close();
  }
}

async function checkRecords(store: Store, promises: Promises): Promise<void> {
  assert.ok(store.revision >= promises.revision, `revision ${promises.revision} was acknowledged`);
  const puts = await store.range<ReturnType<typeof sealed>>({ prefix: ['put'] });
  const found = new Map(puts.map(({ key, value }) => [key[1] as number, value]));
  for (const value of found.values()) assert.ok(isWhole(value), `put ${value.n} is torn`);
  for (const [key, n] of promises.puts) {
    assert.ok((found.get(key)?.n ?? -1) >= n, `put ${n} was acknowledged, found ${found.get(key)?.n}`);
  }
  for (const { key } of await store.range({ prefix: ['gone'] })) {
    assert.ok(!promises.gone.has(key[1] as number), `the deletion of ${key[1]} was acknowledged`);
  }
  const accounts = await store.range<number>({ prefix: ['account'] });
  assert.ok(accounts.length <= ACCOUNTS);
  assert.equal(
    accounts.reduce((sum, { value }) => sum + value, 0),
    0,
    'a transaction is there in half',
  );
  const moves = (await store.get<number>(['moves']))?.value ?? 0;
  assert.ok(moves >= promises.moves, `move ${promises.moves} was acknowledged`);
}

/** Replays the last revisions over the state before them, and must arrive at the present one. */
async function checkHistory(store: Store): Promise<void> {
  const from = Math.max(0, store.revision - 1000);
  if (from === store.revision) return;
  const state = new Map<string, number>();
  for (const { key, modRevision } of await store.range({ prefix: [], revision: from })) {
    state.set(JSON.stringify(key), modRevision);
  }
  let expected = from;
  const watch = store.watch({ prefix: [], fromRevision: from });
  for await (const { revision, events } of watch) {
    assert.equal(revision, ++expected);
    for (const event of events) {
      if (event.type === 'put') state.set(JSON.stringify(event.entry.key), event.entry.modRevision);
      else state.delete(JSON.stringify(event.key));
    }
    if (revision === store.revision) break;
  }
  const present = await store.range({ prefix: [] });
  assert.deepEqual(state.size, present.length);
  for (const { key, modRevision } of present) assert.equal(state.get(JSON.stringify(key)), modRevision);
}

async function listed(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

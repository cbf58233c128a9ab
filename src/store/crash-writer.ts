/*
 * The process that crash-rounds.ts kills: writes to a store and its blobs as fast as it can, and says on standard output
 * what has been acknowledged. Arguments: directory, first number, seed.
 */
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { createSeededRandom } from '../base/system-random.ts';
import { ACCOUNTS, PUT_KEYS, sealed } from './crash-records.ts';
import { openBlobStore, openLmdbStore } from './index.ts';

const [directory, first, seed] = process.argv.slice(2) as [string, string, string];
const random = createSeededRandom(Number(seed));
const pick = (below: number) => Math.floor(random.fraction() * below);
const store = await openLmdbStore({ directory: join(directory, 'store'), history: { revisions: 2000 } });
const blobs = await openBlobStore({ directory: join(directory, 'blobs'), store, random });
let next = Number(first);

/** One line, in the pipe when this returns: it survives the process. */
function say(...words: (string | number)[]): void {
  writeSync(1, `${words.join(' ')}\n`);
}

async function put(): Promise<void> {
  const n = next++;
  const revision = await store.put(['put', n % PUT_KEYS], sealed(n, pick(3000)));
  say('put', n, revision);
}

async function remove(): Promise<void> {
  const n = next++;
  await store.put(['gone', n], 1);
  await store.delete(['gone', n]);
  say('gone', n);
}

async function move(): Promise<void> {
  const [from, to] = [pick(ACCOUNTS), pick(ACCOUNTS)];
  const count = await store.transact(async (transaction) => {
    const amount = pick(100);
    const balance = async (i: number) => (await transaction.get<number>(['account', i]))?.value ?? 0;
    transaction.put(['account', from], (await balance(from)) - amount);
    transaction.put(['account', to], (await balance(to)) + amount);
    const moves = ((await transaction.get<number>(['moves']))?.value ?? 0) + 1;
    transaction.put(['moves'], moves);
    return moves;
  });
  say('move', count);
}

async function writeBlob(): Promise<void> {
  const n = next++;
  const size = pick(4) === 0 ? pick(3_000_000) : pick(20_000);
  const blob = await blobs.write(
    (async function* () {
      // Half of them have content that others have too.
      const content = Buffer.alloc(size, pick(2) ? n : n % 4);
      for (let at = 0; at < size; at += 65_536) yield content.subarray(at, at + 65_536);
    })(),
  );
  await store.transact(async (transaction) => {
    blobs.reference(transaction, blob.digest, ['object', String(n)]);
    transaction.put(['object', n], blob.digest);
  });
  blob.release();
  say('blob', n, blob.digest);
  if (pick(3) === 0) return;
  say('unblobbing', n);
  await store.transact(async (transaction) => {
    blobs.dereference(transaction, blob.digest, ['object', String(n)]);
    transaction.delete(['object', n]);
  });
  say('unblobbed', n);
}

async function forever(work: () => Promise<unknown>, times: number): Promise<never> {
  for (;;) await Promise.all(Array.from({ length: times }, work));
}

say('open');
await Promise.all([
  forever(put, 1),
  forever(put, 8),
  forever(remove, 2),
  forever(move, 4),
  forever(writeBlob, 2),
  forever(() => blobs.collect(), 1),
]);

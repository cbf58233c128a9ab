/*
 * Kills a writing process with SIGKILL at random moments and checks what it left: `node bench/store-crash.ts [rounds]`.
 * Exits with 1 at the first write that was acknowledged and is gone, torn value, broken transaction or orphan.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CrashCounts, runCrashRounds } from '../src/store/crash-rounds.ts';
import { report } from './report.ts';

const numbers = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const rounds = Number(numbers[0] ?? 200);
const seed = Number(numbers[1] ?? Date.now() % 1_000_000);
const directory = await mkdtemp(join(tmpdir(), 'kobune-crash-'));
console.error(`${rounds} rounds, seed ${seed}`);
try {
  const progress = (counts: CrashCounts) => {
    if (counts.rounds % 20 === 0) console.error(`${counts.rounds} rounds: ${counts.acknowledged} acknowledged`);
  };
  const counts = await runCrashRounds(directory, rounds, seed, progress);
  report([
    {
      what: `store: ${counts.rounds} times kill -9 while it writes`,
      throughput: { value: counts.acknowledged, unit: 'acknowledged writes' },
      floor: '200 rounds, none lost',
      reached: counts.rounds >= 200,
      note: `every one there; ${counts.killedEarly} kills before the store was open, ${counts.orphansCollected} orphan blobs collected`,
    },
  ]);
} finally {
  await rm(directory, { recursive: true, force: true });
}

/*
 * Kills a writing process with SIGKILL at random moments and checks what it left: `node bench/store-crash.ts [rounds]`.
 * Exits with 1 at the first write that was acknowledged and is gone, torn value, broken transaction or orphan.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CrashCounts, runCrashRounds } from '../src/store/crash-rounds.ts';

const rounds = Number(process.argv[2] ?? 200);
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);
const directory = await mkdtemp(join(tmpdir(), 'kobune-crash-'));
console.log(`${rounds} rounds, seed ${seed}`);
try {
  const report = (counts: CrashCounts) => {
    if (counts.rounds % 20 === 0) console.log(`${counts.rounds} rounds: ${counts.acknowledged} acknowledged`);
  };
  const counts = await runCrashRounds(directory, rounds, seed, report);
  console.log(
    `${counts.rounds} kills (${counts.killedEarly} before the store was open): ${counts.acknowledged} acknowledged ` +
      `writes, all there; ${counts.orphansCollected} orphan blobs collected; ` +
      `${counts.temporaryFilesFound} temporary files removed`,
  );
} finally {
  await rm(directory, { recursive: true, force: true });
}

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { runCrashRounds } from './crash-rounds.ts';

describe('store: a process killed with SIGKILL', { timeout: 120_000 }, () => {
  it('loses nothing acknowledged, tears nothing and leaves no orphan, in 20 rounds', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'kobune-crash-'));
    try {
      const counts = await runCrashRounds(directory, 20, 1);
      assert.equal(counts.rounds, 20);
      assert.ok(counts.acknowledged > 500, `only ${counts.acknowledged} writes were acknowledged`);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

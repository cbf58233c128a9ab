import assert from 'node:assert/strict';
import { appendFileSync, readdirSync, readlinkSync, renameSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { GrowingFile } from './growing-file.ts';

async function withFile(work: (path: string, file: GrowingFile) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'kobune-growing-'));
  try {
    const path = join(directory, 'file');
    await work(path, await GrowingFile.create(path));
    const open = readdirSync('/proc/self/fd').filter((fd) => targetOf(fd).startsWith(directory));
    assert.deepEqual(open, [], 'it is closed');
  } finally {
    await rm(directory, { recursive: true });
  }
}

function targetOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}

async function textOf(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const piece of pieces) parts.push(piece);
  return Buffer.concat(parts).toString();
}

describe('a file that grows', () => {
  it('is read by several while it is written, and after it was moved', () =>
    withFile(async (path, file) => {
      await using one = file.read();
      const reading = textOf(one.pieces);
      appendFileSync(path, 'a'.repeat(300_000));
      file.grew(300_000);
      await new Promise((resolve) => setImmediate(resolve));
      appendFileSync(path, 'b not yet told');
      file.grew(1);
      await using two = file.read();
      await file.finish('its digest');
      renameSync(path, `${path}-moved`);
      const whole = `${'a'.repeat(300_000)}b`;
      assert.equal(await file.digest, 'its digest');
      assert.deepEqual([await reading, await textOf(two.pieces), file.size], [whole, whole, 300_001]);
    }));

  it('fails its readers when it cannot be completed', () =>
    withFile(async (_path, file) => {
      await using reader = file.read();
      const reading = textOf(reader.pieces);
      await file.abandon(new Error('the disk is full'));
      await assert.rejects(reading, /the disk is full/);
      await assert.rejects(file.digest, /the disk is full/);
    }));

  it('has no more for who has left, even if he waits', () =>
    withFile(async (_path, file) => {
      const reader = file.read();
      const reading = textOf(reader.pieces);
      await new Promise((resolve) => setImmediate(resolve));
      await reader[Symbol.asyncDispose]();
      assert.equal(await reading, '');
      await file.finish('its digest');
    }));

  it('is closed when nobody reads on', () =>
    withFile(async (_path, file) => {
      const reader = file.read();
      await file.finish('its digest');
      await reader[Symbol.asyncDispose]();
      await reader[Symbol.asyncDispose]();
    }));
});

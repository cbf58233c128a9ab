import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { noRootsReason, openTestImages } from '../test-support.ts';
import { spreadApart } from './spread-apart.ts';

/** The letters of `lsattr`; `undefined` where the file system has none. */
function attributesOf(directory: string): string | undefined {
  try {
    return execFileSync('lsattr', ['-d', directory], { encoding: 'utf8', stdio: 'pipe' }).split(' ')[0];
  } catch {
    return undefined;
  }
}

/** Whether directories here can be told to be apart. */
async function isHeeded(): Promise<boolean> {
  const directory = await mkdtemp(join(tmpdir(), 'kobune-apart-'));
  try {
    execFileSync('chattr', ['+T', directory], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  } finally {
    await rm(directory, { recursive: true });
  }
}

const skip = noRootsReason ?? ((await isHeeded()) ? false : 'the file system has no such attribute');

describe('directories that the file system spreads', { skip }, () => {
  it('are those that layers are unpacked in and those of roots', async () => {
    await using at = await openTestImages();
    for (const name of ['unpacking', 'roots']) {
      assert.match(attributesOf(join(at.directory, 'images', name)) ?? '', /T/, name);
    }
    assert.doesNotMatch(attributesOf(join(at.directory, 'images', 'layers')) ?? '', /T/);
  });

  it('keep what else is said of them', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'kobune-apart-'));
    try {
      execFileSync('chattr', ['+d', directory]);
      spreadApart(directory);
      spreadApart(directory);
      assert.match(attributesOf(directory) ?? '', /d.*T/);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

describe('spreading what cannot be spread', () => {
  it('leaves it as it is', () => spreadApart('/proc'));
});

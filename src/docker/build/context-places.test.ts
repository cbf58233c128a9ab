import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { pack } from 'tar-stream';
import { createSystemRandom } from '../../base/system-random.ts';
import { unpackContext } from './context-directory.ts';
import { ContextPlaces, SMALL_CONTEXT_BYTES } from './context-places.ts';

const MEMORY = '/dev/shm';

describe('the place of a build context', () => {
  let directory: string;
  let places: ContextPlaces;
  const open = (memory = MEMORY) =>
    new ContextPlaces({ directory, instance: 'c0ffee', random: createSystemRandom() }, memory);
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kobune-places-'));
    places = open();
  });
  afterEach(async () => {
    await places.remove();
    await rm(directory, { recursive: true, force: true });
  });

  const unpacked = (bytes: number) => {
    const archive = pack();
    archive.entry({ name: 'file' }, Buffer.alloc(bytes));
    archive.finalize();
    return unpackContext(Readable.from(archive), (small) => places.make(small));
  };

  it('is memory for a small one and the data directory for others, and nobody else looks into it', async () => {
    const small = await unpacked(1000);
    const large = await unpacked(SMALL_CONTEXT_BYTES);
    assert.deepEqual([dirname(small), dirname(large)], [MEMORY, join(directory, 'contexts')]);
    for (const path of [small, large]) assert.equal(statSync(path).mode & 0o777, 0o700);
    await places.remove();
    for (const path of [small, large]) assert.equal(existsSync(path), false);
  });

  it('is the data directory when there is no memory to be had', async () => {
    places = open(join(directory, 'nowhere'));
    assert.equal(dirname(await places.make(true)), join(directory, 'contexts'));
    // On a disk.
    places = open('/proc');
    assert.equal(dirname(await places.make(true)), join(directory, 'contexts'));
  });

  const isRoot = process.getuid?.() === 0;
  it('is cleared of what killed runs have left, and of nothing else', { skip: !isRoot }, async () => {
    const ended = spawn('true');
    await once(ended, 'exit');
    const left = join(MEMORY, `kobune-c0ffee-${ended.pid}-${'0'.repeat(16)}`);
    const others = [process.pid, 1].map((pid) => join(MEMORY, `kobune-c0ffee-${pid}-${'1'.repeat(16)}`));
    const anothers = join(MEMORY, `kobune-c0ffee-${ended.pid}-${'2'.repeat(16)}`);
    others.push(anothers);
    const onDisk = join(directory, 'contexts/left');
    for (const path of [left, onDisk, ...others]) mkdirSync(path, { recursive: true });
    chownSync(anothers, 65534, 65534);
    writeFileSync(join(left, 'file'), '');
    try {
      const made = await places.make(false);
      assert.deepEqual([left, onDisk, ...others].map(existsSync), [false, false, true, true, true]);
      assert.deepEqual(await readdir(dirname(made)), [made.slice(dirname(made).length + 1)]);
    } finally {
      for (const path of others) await rm(path, { recursive: true });
    }
  });
});

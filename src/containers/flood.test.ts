import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { noContainersReason, TestEngine } from './testing/test-engine.ts';

const MEBIBYTE = 1024 * 1024;

describe('a container that floods', { skip: noContainersReason }, () => {
  let world: TestEngine;
  before(async () => {
    world = await TestEngine.open();
  });
  after(() => world[Symbol.asyncDispose]());

  it('has a log that stays small, takes no disk besides, and leaves time for others', async () => {
    const log = { driver: 'json-file', maxSizeBytes: 2 * MEBIBYTE, maxFiles: 3 } as const;
    const line = 'a line of a hundred letters, as programs print them that have much to tell about what they are doing';
    const id = await world.create(`yes "${line}" | head -c ${60 * MEBIBYTE}; echo; echo end`, { log });
    const { logPath } = await world.engine.get(id);
    const ended = world.engine.wait(id, 'next-exit');
    await world.engine.startContainer(id);
    let [most, longest, last] = [0, 0, performance.now()];
    const spool = join(dirname(logPath), 'run/spool');
    const looking = setInterval(() => {
      most = Math.max(most, (statSync(spool, { throwIfNoEntry: false })?.blocks ?? 0) * 512);
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 5);
    assert.equal((await ended).exitCode, 0);
    clearInterval(looking);
    const kept = [logPath, `${logPath}.1`, `${logPath}.2`].map((path) => statSync(path).size);
    assert.ok(
      kept.every((size) => size < 2.2 * MEBIBYTE),
      kept.join(' '),
    );
    assert.ok(most < 100 * MEBIBYTE, `${most} bytes of disk`);
    const lines: string[] = [];
    for await (const { bytes } of world.engine.logs(id, { stdout: true, stderr: true, follow: false, tail: 2 })) {
      lines.push(Buffer.from(bytes).toString());
    }
    assert.equal(lines.at(-1), 'end\n');
  });
});

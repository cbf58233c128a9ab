import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

describe('the policy against services while packages are installed', () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kobune-policy-'));
  });
  after(() => rm(directory, { recursive: true }));

  /** A process that forbids them, and ends by a signal or when it is told to. */
  async function forbidding(path: string) {
    const module = JSON.stringify(new URL('../setup/service-policy.mjs', import.meta.url).href);
    const script = `const allow = (await import(${module})).forbidServices(process.argv[1]);
      process.stdin.on('end', allow).resume(); process.stdout.write('forbidden');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, path], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    return {
      end: async (how: 'SIGINT' | 'SIGTERM' | 'SIGKILL' | 'done') => {
        const exited = once(child, 'exit');
        if (how === 'done') child.stdin.end();
        else child.kill(how);
        return (await exited) as [number | null, NodeJS.Signals | null];
      },
    };
  }

  it('goes at the end, also when a signal ends it; what a killed one left goes with the next', async () => {
    const path = join(directory, 'policy');
    for (const how of ['done', 'SIGINT', 'SIGTERM'] as const) {
      const setup = await forbidding(path);
      assert.match(await readFile(path, 'utf8'), /^exit 101$/m);
      assert.deepEqual(await setup.end(how), how === 'done' ? [0, null] : [null, how]);
      assert.equal(existsSync(path), false, how);
    }
    await (await forbidding(path)).end('SIGKILL');
    assert.ok(existsSync(path));
    await (await forbidding(path)).end('done');
    assert.equal(existsSync(path), false);
  });

  it("leaves the machine's own as it is", async () => {
    const path = join(directory, 'own');
    await writeFile(path, '#!/bin/sh\nexit 104\n');
    for (const how of ['done', 'SIGINT'] as const) await (await forbidding(path)).end(how);
    assert.equal(await readFile(path, 'utf8'), '#!/bin/sh\nexit 104\n');
  });
});

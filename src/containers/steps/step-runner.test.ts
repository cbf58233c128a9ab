import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { silentLogger } from '../../base/json-logger.ts';
import { createSystemRandom } from '../../base/system-random.ts';
import type { Root, Step, StepRunner } from '../../images/index.ts';
import { noContainersReason, TestEngine } from '../testing/test-engine.ts';
import { createStepRunner } from './step-runner.ts';

describe('a build step', { skip: noContainersReason }, () => {
  let world: TestEngine;
  let directory: string;
  let runner: StepRunner;
  let root: Root;
  before(async () => {
    world = await TestEngine.open();
    directory = await mkdtemp(join(tmpdir(), 'kobune-steps-'));
    runner = createStepRunner({
      networks: world.networks,
      random: createSystemRandom(),
      logger: silentLogger,
      directory,
      instance: world.instance,
    });
    root = await world.at.images.roots.create('step-test', (await world.at.images.get('busybox')).layers);
  });
  after(async () => {
    await root.remove();
    await world[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  async function run(script: string, changes: Partial<Step> = {}) {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const step: Step = {
      id: 'x',
      root,
      command: ['/bin/sh', '-c', script],
      environment: ['A=1'],
      workingDirectory: '/',
      user: '',
      mounts: [],
      network: 'none',
      extraHosts: [],
      stdout,
      stderr,
      ...changes,
    };
    const texts = Promise.all([text(stdout), text(stderr)]);
    const result = await runner.run(step).finally(() => {
      stdout.end();
      stderr.end();
    });
    const [out, err] = await texts;
    return { ...result, out, err };
  }

  it('tells what it printed and how it ended, and changes the root', async () => {
    const { exitCode, out, err } = await run('echo $A; echo err >&2; touch /made; exit 3');
    assert.deepEqual([exitCode, out, err], [3, '1\n', 'err\n']);
    assert.ok(existsSync(join(root.path, 'made')));
    // A first process does not take such a signal of its own; one that it started does.
    assert.equal((await run("sh -c 'kill -TERM $$'; exit $?")).signal, 'SIGTERM');
  });

  it('sees its mounts, names, limits and working directory, which is made', async () => {
    await writeFile(join(directory, 'secret'), 'hush');
    const { out } = await run(
      'cat /run/secret; echo; df -k /cache | tail -1; grep db /etc/hosts; ulimit -n; pwd; id -u',
      {
        mounts: [
          { type: 'bind', source: join(directory, 'secret'), target: '/run/secret', readOnly: true },
          { type: 'tmpfs', target: '/cache', sizeBytes: 1024 * 1024 },
        ],
        extraHosts: ['db:10.0.0.1'],
        ulimits: [{ name: 'nofile', soft: 77, hard: 77 }],
        workingDirectory: '/deep/down',
        user: '12',
      },
    );
    assert.match(out, /^hush\ntmpfs +1024 .*\n10\.0\.0\.1\tdb\n77\n\/deep\/down\n12\n$/);
  });

  it('is on the network that it asks for', async () => {
    assert.match((await run('ip -o -4 addr', { network: 'default' })).out, /eth0 +inet 172\./);
    assert.doesNotMatch((await run('ip -o -4 addr')).out, /eth0/);
    assert.equal((await world.networks.find('bridge'))!.endpoints.size, 0);
  });

  it('that cannot be started says why', async () => {
    await assert.rejects(run('', { command: ['nothing'] }), { code: 'CannotStart', members: { exitCode: 127 } });
  });

  it('is not begun when it was told to end while it was prepared', async () => {
    const stopping = new AbortController();
    const running = run('touch /begun', { signal: stopping.signal });
    stopping.abort(new Error('too late'));
    await assert.rejects(running, /too late/);
    assert.equal(existsSync(join(root.path, 'begun')), false);
    assert.deepEqual(await readdir(join(directory, 'steps')), []);
  });

  it('ends when it is told to, with all that it has started', async () => {
    const stopping = new AbortController();
    const running = run('sleep 1000 & sleep 1000', { signal: stopping.signal });
    setTimeout(() => stopping.abort(new Error('enough')), 150);
    await assert.rejects(running, /enough/);
    assert.deepEqual(await readdir(join(directory, 'steps')), []);
    assert.equal(existsSync(`/sys/fs/cgroup/pids/kobune-${world.instance}-steps`), false);
    assert.equal(existsSync(`/run/kobune/steps/${world.instance}`), false);
    assert.equal((await run('echo again')).out, 'again\n');
  });
});

import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { CreateBucketCommand, ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { DOCKER_28, noDockerReason } from '../../src/docker/testing/test-docker.ts';
import { importBusybox, withoutBusybox } from '../support/busybox-image.ts';
import { docker } from '../support/docker-client.ts';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';
import { NO_TRACES, tracesOf } from '../support/traces.ts';

const skip = noDockerReason(DOCKER_28) || withoutBusybox;

describe('Resetting containers', { skip, timeout: 120_000 }, () => {
  /** A Kobune with a container that runs, in a network and with a volume of its own. */
  async function busy(): Promise<{ kobune: RunningKobune; pid: number }> {
    const kobune = await runKobune({ ephemeral: false });
    const { run, socket } = clientOf(kobune);
    await importBusybox(socket, 'box:1');
    await run('network', 'create', 'own');
    await run('run', '-d', '--name', 'runs', '--network', 'own', '-v', 'kept:/kept', 'box:1', 'sleep', '1000');
    const pid = Number(await run('inspect', '-f', '{{.State.Pid}}', 'runs'));
    assert.ok(existsSync(`/proc/${pid}`));
    return { kobune, pid };
  }

  function clientOf({ scratch }: RunningKobune) {
    const socket = join(scratch, 'data/docker.sock');
    return {
      socket,
      run: (...words: string[]) => docker({ HOME: scratch, DOCKER_HOST: `unix://${socket}` }, ...words),
    };
  }

  async function reset({ endpoint }: RunningKobune, service?: string): Promise<void> {
    const headers = { 'x-kobune-admin': '1', 'content-type': 'application/json' };
    const answer = await fetch(`${endpoint}/_kobune/reset`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ service }),
    });
    assert.ok(answer.ok, await answer.text());
  }

  for (const service of ['containers', undefined]) {
    it(`${service ?? 'and everything else'}: ends them, and removes images, networks and volumes`, async () => {
      const { kobune, pid } = await busy();
      await using _kobune = kobune;
      const s3 = new S3Client(kobune.settings());
      await s3.send(new CreateBucketCommand({ Bucket: 'beside' }));
      const { run, socket } = clientOf(kobune);
      await reset(kobune, service);
      assert.ok(!existsSync(`/proc/${pid}`), 'the container still runs');
      for (const words of [
        ['ps', '-aq'],
        ['images', '-aq'],
        ['volume', 'ls', '-q'],
      ]) {
        assert.equal(await run(...words), '', words.join(' '));
      }
      const networks = (await run('network', 'ls', '--format', '{{.Name}}')).split('\n').sort();
      assert.deepEqual(networks, ['bridge', 'host', 'none']);
      const { mounts, processes } = tracesOf(join(kobune.scratch, 'data'));
      assert.deepEqual({ mounts, processes }, { mounts: NO_TRACES.mounts, processes: NO_TRACES.processes });
      const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
      s3.destroy();
      assert.equal(Buckets.length, service === undefined ? 0 : 1);
      // What was removed can be made again.
      await importBusybox(socket, 'box:1');
      assert.equal(await run('run', '--rm', '-v', 'kept:/kept', 'box:1', 'ls', '/kept'), '');
    });
  }

  it('of another service leaves them running', async () => {
    const { kobune, pid } = await busy();
    await using _kobune = kobune;
    await reset(kobune, 's3');
    assert.ok(existsSync(`/proc/${pid}`));
    const { run } = clientOf(kobune);
    assert.equal(await run('exec', 'runs', 'echo', 'still'), 'still');
    assert.notDeepEqual(readdirSync(join(kobune.scratch, 'data/docker/containers')), []);
    await reset(kobune, 'containers');
    assert.ok(!existsSync(`/proc/${pid}`));
  });
});

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { DOCKER_28, noDockerReason } from '../../src/docker/testing/test-docker.ts';
import { importBusybox, withoutBusybox } from '../support/busybox-image.ts';
import { moveClock } from '../support/clock.ts';
import { docker } from '../support/docker-client.ts';
import { runKobune } from '../support/running-kobune.ts';

const DAY_MS = 86_400_000;

describe('Docker, when Kobune’s time is moved', { skip: noDockerReason(DOCKER_28) || withoutBusybox }, () => {
  it('prunes by the time of the machine, by which containers, networks and images are made', async () => {
    await using kobune = await runKobune();
    const socket = join(kobune.scratch, 'data/docker.sock');
    const at = { HOME: kobune.scratch, DOCKER_HOST: `unix://${socket}` };
    await importBusybox(socket, 'made:1');
    await docker(at, 'run', '--name', 'ended', 'made:1', 'true');
    await docker(at, 'network', 'create', 'idle');
    await moveClock(kobune, 2 * DAY_MS);
    for (const kind of ['container', 'network', 'image'])
      await docker(at, kind, 'prune', '--force', ...(kind === 'image' ? ['--all'] : []), '--filter', 'until=24h');
    assert.equal(await docker(at, 'ps', '--all', '--format', '{{.Names}}'), 'ended');
    assert.match(await docker(at, 'network', 'ls', '--format', '{{.Name}}'), /^idle$/m);
    await docker(at, 'rm', 'ended');
    await docker(at, 'image', 'prune', '--all', '--force', '--filter', 'until=24h');
    assert.equal(await docker(at, 'images', '--format', '{{.Repository}}'), 'made');
  });
});

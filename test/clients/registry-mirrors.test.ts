import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { DOCKER_28, noDockerReason } from '../../src/docker/testing/test-docker.ts';
import { importBusybox, withoutBusybox } from '../support/busybox-image.ts';
import { docker } from '../support/docker-client.ts';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';

describe('Mirrors of registries, of a whole Kobune', { skip: noDockerReason(DOCKER_28) || withoutBusybox }, () => {
  it('give images under the name of the registry that they mirror', async () => {
    const socketOf = ({ scratch }: RunningKobune) => join(scratch, 'data/docker.sock');
    const at = (kobune: RunningKobune) => ({ HOME: kobune.scratch, DOCKER_HOST: `unix://${socketOf(kobune)}` });
    await using mirror = await runKobune();
    const name = `localhost:${mirror.port}/library/mirrored:1`;
    await importBusybox(socketOf(mirror), 'made:1');
    await docker(at(mirror), 'tag', 'made:1', name);
    await docker(at(mirror), 'push', '-q', name);
    await using kobune = await runKobune({ registryMirrors: [`docker.io=http://127.0.0.1:${mirror.port}`] });
    await docker(at(kobune), 'pull', '-q', 'mirrored:1');
    const ids = [mirror, kobune].map((one) => docker(at(one), 'image', 'inspect', '-f', '{{.Id}}', 'mirrored:1'));
    await assert.rejects(ids[0]!);
    assert.equal(await ids[1], await docker(at(mirror), 'image', 'inspect', '-f', '{{.Id}}', 'made:1'));
  });
});

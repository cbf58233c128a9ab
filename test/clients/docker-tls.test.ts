import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createLogger } from '../../src/base/json-logger.ts';
import { DOCKER_28, noDockerReason } from '../../src/docker/testing/test-docker.ts';
import { docker } from '../support/docker-client.ts';
import { runKobune } from '../support/running-kobune.ts';

describe('The Docker API by TLS, of a whole Kobune', { skip: noDockerReason(DOCKER_28) }, () => {
  it('is for who has the certificate of its data directory; the log tells where it is', async () => {
    const lines: string[] = [];
    const logger = createLogger({ level: 'info', format: 'json', write: (line) => lines.push(line) });
    await using kobune = await runKobune({ dockerPort: 0, logger });
    await using other = await runKobune({ dockerPort: 0 });
    const told = lines.map((line) => JSON.parse(line)).find(({ port, certificates }) => port && certificates);
    assert.ok(told, lines.join(''));
    assert.notEqual(told.port, 0);
    assert.equal(told.certificates, join(kobune.scratch, 'data/docker-tls'));
    const as = (certificates: string, host = '127.0.0.1') => ({
      HOME: kobune.scratch,
      DOCKER_HOST: `tcp://${host}:${told.port}`,
      DOCKER_TLS_VERIFY: '1',
      DOCKER_CERT_PATH: certificates,
    });
    for (const host of ['127.0.0.1', 'localhost']) {
      const version = await docker(as(told.certificates, host), 'version', '--format', '{{.Server.Version}}');
      assert.match(version, /^\d+\.\d+\.\d+/);
    }
    await assert.rejects(docker(as(join(other.scratch, 'data/docker-tls')), 'version'), /certificate/);
    await assert.rejects(docker({ ...as(''), DOCKER_TLS_VERIFY: '' }, 'version'), /HTTPS|HTTP request|EOF|reset/i);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf, startTestRegistry } from './testing/test-registry.ts';

const HOUR = 3_600_000;

describe('the registry while garbage is collected', { timeout: 60_000 }, () => {
  it('takes pushes, and gives everything that it took', async () => {
    await using registry = await startTestRegistry();
    let over = false;
    let deleted = 0;
    const collector = (async () => {
      while (!over) {
        registry.clock.advance(HOUR / 10);
        deleted += (await registry.repositories.collect()).deleted;
      }
      registry.clock.advance(48 * HOUR);
      deleted += (await registry.repositories.collect()).deleted;
    })();
    // Layers that several repositories share, come and go while others are on their way.
    const worker = async (number: number) => {
      for (let i = 0; i < 8; i++) {
        const name = `app${(number + i) % 3}`;
        const digest = await registry.pushImage(name, `t${i % 4}`, {
          layers: [`shared ${i % 4}`, `own ${number} ${i}`],
        });
        const manifest = await registry.ask('GET', `/v2/${name}/manifests/${digest}`);
        assert.equal(manifest.status, 200);
        for (const layer of manifest.json.layers) {
          const { body } = await registry.ask('GET', `/v2/${name}/blobs/${layer.digest}`);
          assert.equal(digestOf(body), layer.digest);
        }
        if (i % 3 === 0) {
          assert.equal((await registry.ask('DELETE', `/v2/${name}/manifests/${digest}`)).status, 202);
        }
      }
    };
    await Promise.all(Array.from({ length: 6 }, (_, number) => worker(number)));
    over = true;
    await collector;
    assert.ok(deleted > 0);
    assert.deepEqual(registry.failures, []);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertNothingKept, noRootsReason, openTestImages, refusedWith } from '../test-support.ts';
import { layerOf, refuse, TestRegistry } from './test-registry.ts';

const skip = noRootsReason;

describe('pulling over a bad connection', { skip }, () => {
  it('goes on where a download was cut', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    const { layers } = registry.addImage('app:1', [layerOf('a', 500_000)]);
    const bytes = registry.blobs.get(layers[0]!)!;
    let cuts = 0;
    registry.intercept = ({ path, headers }, response) => {
      if (!path.endsWith(layers[0]!) || cuts === 3) return false;
      cuts++;
      const start = Number(/\d+/.exec(headers.range ?? '0'));
      response.writeHead(start ? 206 : 200, {
        'content-length': bytes.length - start,
        'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}`,
      });
      response.write(bytes.subarray(start, start + 100_000), () => response.destroy());
      return true;
    };
    await at.images.pull(`${registry.host}/app:1`);
    const ranges = registry.requests
      .filter(({ path }) => path.endsWith(layers[0]!))
      .map(({ headers }) => headers.range);
    assert.deepEqual(ranges, [undefined, 'bytes=100000-', 'bytes=200000-', 'bytes=300000-']);
  });

  it('begins anew at a registry without ranges', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    const { layers } = registry.addImage('app:1', [layerOf('a', 300_000)]);
    registry.ignoreRanges = true;
    const bytes = registry.blobs.get(layers[0]!)!;
    let cut = false;
    registry.intercept = ({ path }, response) => {
      if (!path.endsWith(layers[0]!) || cut) return false;
      cut = true;
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, 70_000), () => response.destroy());
      return true;
    };
    await at.images.pull(`${registry.host}/app:1`);
  });

  it('tries again what fails for reasons that pass, and nothing else', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    const { layers } = registry.addImage('app:1', [layerOf('a')]);
    const failures = [503, 429, 500, 0];
    registry.intercept = ({ path }, response) => {
      if (!path.includes('/manifests/') && !path.includes('/blobs/')) return false;
      const status = failures.shift();
      if (status === undefined) return false;
      if (status === 0) response.destroy();
      else refuse(response, status, 'TOOMANYREQUESTS');
      return true;
    };
    await at.images.pull(`${registry.host}/app:1`);
    assert.equal(registry.made(/manifests/).length, 5);
    registry.intercept = ({ path }, response) => {
      if (!path.includes('/manifests/')) return false;
      refuse(response, 400, 'NAME_INVALID');
      return true;
    };
    await assert.rejects(at.images.pull(`${registry.host}/app:1`), refusedWith('RegistryError', /name invalid/));
    assert.equal(registry.made(/manifests/).length, 6);
    assert.equal(registry.made(new RegExp(layers[0]!)).length, 1);
  });

  it('gives up after some attempts, and leaves nothing behind', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    const { layers } = registry.addImage('app:1', [layerOf('a'), layerOf('b', 200_000)]);
    registry.intercept = ({ path }, response) => {
      if (!path.endsWith(layers[1]!)) return false;
      refuse(response, 503, 'UNAVAILABLE');
      return true;
    };
    await assert.rejects(at.images.pull(`${registry.host}/app:1`), refusedWith('RegistryError', /unavailable/));
    assert.equal(registry.made(new RegExp(layers[1]!)).length, 5);
    await assertNothingKept(at);
  });

  it('stops when it is aborted, and leaves nothing behind', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    const { layers } = registry.addImage('app:1', [layerOf('a'), layerOf('b', 500_000)]);
    const bytes = registry.blobs.get(layers[1]!)!;
    let closed = () => {};
    const over = new Promise<void>((resolve) => {
      closed = resolve;
    });
    registry.intercept = ({ path }, response) => {
      if (!path.endsWith(layers[1]!)) return false;
      response.on('close', closed);
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, 100_000));
      return true;
    };
    const abort = new AbortController();
    const pulling = at.images.pull(`${registry.host}/app:1`, {
      signal: abort.signal,
      onProgress: ({ status, current }) => {
        if (status === 'Downloading' && (current ?? 0) > 50_000) abort.abort();
      },
    });
    await assert.rejects(pulling, { name: 'AbortError' });
    await over;
    await assertNothingKept(at);
    registry.intercept = () => false;
    await at.images.pull(`${registry.host}/app:1`);
    await assert.rejects(at.images.pull(`${registry.host}/app:1`, { signal: AbortSignal.abort() }), {
      name: 'AbortError',
    });
  });

  it('goes on for others when one of them aborts', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    const { layers } = registry.addImage('app:1', [layerOf('a', 500_000)]);
    const bytes = registry.blobs.get(layers[0]!)!;
    let sent = 0;
    let send = (_count: number) => {};
    registry.intercept = ({ path }, response) => {
      if (!path.endsWith(layers[0]!)) return false;
      response.writeHead(200, { 'content-length': bytes.length });
      send = (count) => {
        response.write(bytes.subarray(sent, sent + count));
        sent += count;
      };
      send(10_000);
      return true;
    };
    /** Pulls, and tells when the download has brought something. */
    const pull = (signal?: AbortSignal) => {
      let loading = () => {};
      let begin = () => {};
      const begun = new Promise<void>((resolve) => {
        begin = resolve;
      });
      const downloading = new Promise<void>((resolve) => {
        loading = resolve;
      });
      const pulling = at.images.pull(`${registry.host}/app:1`, {
        ...(signal && { signal }),
        onProgress: ({ status }) => {
          if (status === 'Pulling fs layer') begin();
          if (status === 'Downloading') loading();
        },
      });
      return { pulling, begun, downloading };
    };
    const abort = new AbortController();
    const first = pull(abort.signal);
    await first.downloading;
    const second = pull();
    await second.begun;
    let joined = false;
    const joining = second.downloading.then(() => {
      joined = true;
    });
    // It hears of what comes once it waits for the same download.
    for (let i = 0; i < 4500 && !joined; i++) {
      send(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await joining;
    abort.abort();
    await assert.rejects(first.pulling, { name: 'AbortError' });
    send(bytes.length - sent);
    await second.pulling;
    assert.equal(registry.made(new RegExp(layers[0]!)).length, 1);
  });

  it('goes on for others when one of them aborts before the registry has answered at all', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    registry.addImage('app:1', [layerOf('a')]);
    const asked = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<void>();
    registry.intercept = async ({ path }) => {
      if (path !== '/v2/') return false;
      asked.resolve();
      await aborted.promise;
      return false;
    };
    const abort = new AbortController();
    const first = at.images.pull(`${registry.host}/app:1`, { signal: abort.signal });
    const second = at.images.pull(`${registry.host}/app:1`);
    await asked.promise;
    abort.abort();
    await assert.rejects(first, { name: 'AbortError' });
    aborted.resolve();
    await second;
    assert.equal(registry.made(/ \/v2\/$/).length, 1);
  });
});

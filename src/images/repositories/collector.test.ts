import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSeededRandom } from '../../base/system-random.ts';
import { MEDIA_TYPES } from '../oci.ts';
import { descriptorOf, digestOf, imageOf, openTestRepositories } from './testing/test-repositories.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const hex = (digest: string) => digest.split(':')[1]!;

describe('registry: garbage collection', { timeout: 30_000 }, () => {
  it('keeps what a manifest is made of, for ever', async () => {
    await using at = await openTestRepositories();
    const digest = await at.push('app', 'v1', 'layer');
    at.clock.advance(400 * DAY);
    await at.repositories.collect();
    assert.deepEqual(await at.files(), [digest, digestOf('layer'), digestOf('{}')].map(hex).sort());
    assert.equal((await at.repositories.getManifest('app', 'v1')).descriptor.digest, digest);
  });

  it('keeps manifests without a tag', async () => {
    await using at = await openTestRepositories();
    const digest = await at.push('app', undefined, 'layer');
    at.clock.advance(400 * DAY);
    await at.repositories.collect();
    await at.repositories.getManifest('app', digest);
  });

  it('takes the blobs of a deleted image, but not those that others are made of', async () => {
    await using at = await openTestRepositories();
    const first = await at.push('app', 'v1', 'first');
    await at.push('app', 'v2', 'second');
    await at.push('other', 'v1', 'first');
    at.clock.advance(2 * DAY);
    await at.repositories.deleteManifest('app', first);
    await at.repositories.collect();
    await assert.rejects(at.repositories.statBlob('app', digestOf('first')), { code: 'BLOB_UNKNOWN' });
    await at.repositories.statBlob('app', digestOf('second'));
    await at.repositories.statBlob('app', digestOf('{}'));
    await at.repositories.statBlob('other', digestOf('first'));
    assert.ok((await at.files()).includes(hex(digestOf('first'))));
    await at.repositories.deleteManifest('other', 'v1', { lastTag: true });
    at.clock.advance(DAY);
    await at.repositories.collect();
    assert.ok(!(await at.files()).includes(hex(digestOf('first'))));
  });

  it('gives a push a day, from the last time that its client asked about the blob', async () => {
    await using at = await openTestRepositories();
    const [early, asked] = [digestOf('early'), digestOf('asked')];
    await at.repositories.putBlob('app', early, Buffer.from('early'));
    await at.repositories.putBlob('app', asked, Buffer.from('asked'));
    at.clock.advance(DAY - HOUR);
    await at.repositories.collect();
    await at.repositories.statBlob('app', asked);
    at.clock.advance(HOUR);
    await at.repositories.collect();
    await assert.rejects(at.repositories.statBlob('app', early), { code: 'BLOB_UNKNOWN' });
    await at.repositories.statBlob('app', asked);
    assert.deepEqual(await at.files(), [hex(asked)]);
  });

  it('happens by itself, by the clock, until nothing is left to wait for', async () => {
    await using at = await openTestRepositories();
    const left = async () => [await at.files(), await at.uploads(), await at.repositories.list()].map((x) => x.length);
    const until = async (expected: readonly number[]) => {
      while (String(await left()) !== String(expected)) await new Promise(setImmediate);
    };
    await at.repositories.putBlob('app', digestOf('x'), Buffer.from('x'));
    await at.repositories.startUpload('app');
    at.clock.advance(DAY);
    await until([0, 1, 1]);
    at.clock.advance(7 * DAY);
    await until([0, 0, 0]);
  });

  it('keeps empty repositories that somebody has made, or pushes to', async () => {
    await using at = await openTestRepositories();
    await at.repositories.create('made');
    await at.repositories.putBlob('pushed', digestOf('x'), Buffer.from('x'));
    at.clock.advance(3 * DAY);
    const upload = await at.repositories.startUpload('pushed');
    await at.repositories.collect();
    assert.deepEqual(await at.repositories.list(), ['made', 'pushed']);
    await at.repositories.cancelUpload('pushed', upload.id);
    await at.repositories.collect();
    assert.deepEqual(await at.repositories.list(), ['made', 'pushed'], 'for a day after the last push');
    at.clock.advance(DAY);
    await at.repositories.collect();
    assert.deepEqual(await at.repositories.list(), ['made']);
  });

  it('gives up uploads that stood still for a week', async () => {
    await using at = await openTestRepositories();
    const [left, used] = [await at.repositories.startUpload('app'), await at.repositories.startUpload('app')];
    at.clock.advance(4 * DAY);
    await at.repositories.appendUpload('app', used.id, chunks('abc'));
    at.clock.advance(4 * DAY);
    await at.repositories.collect();
    await assert.rejects(at.repositories.getUpload('app', left.id), { code: 'BLOB_UPLOAD_UNKNOWN' });
    assert.equal((await at.repositories.getUpload('app', used.id)).offset, 3);
    assert.equal((await at.uploads()).length, 1);
  });

  it('gives up no upload when it is cut short by a stop', async () => {
    await using at = await openTestRepositories();
    const { id } = await at.repositories.startUpload('app');
    const cut = Promise.allSettled([at.repositories.collect()]);
    const again = await at.restart();
    await cut;
    assert.equal((await again.getUpload('app', id)).offset, 0);
  });

  it('erases what a deleted repository held; one of the same name is another one', async () => {
    await using at = await openTestRepositories();
    await at.push('app', 'v1', 'layer');
    await at.push('app', 'v2', 'second', {
      subject: { mediaType: MEDIA_TYPES.ociManifest, digest: digestOf(imageOf('layer')), size: 1 },
    });
    await at.repositories.getManifest('app', 'v1', { pulled: true });
    const upload = await at.repositories.startUpload('app');
    await at.repositories.delete('app');
    assert.equal(await at.repositories.exists('app'), false);
    await assert.rejects(at.repositories.getManifest('app', 'v1'), { code: 'NAME_UNKNOWN' });
    await at.push('app', 'new', 'new');
    await assert.rejects(at.repositories.getManifest('app', 'v1'), { code: 'MANIFEST_UNKNOWN' });
    await assert.rejects(at.repositories.statBlob('app', digestOf('layer')), { code: 'BLOB_UNKNOWN' });
    await assert.rejects(at.repositories.getUpload('app', upload.id), { code: 'BLOB_UPLOAD_UNKNOWN' });
    await at.repositories.collect();
    assert.deepEqual(await at.uploads(), []);
    assert.deepEqual(await at.files(), [digestOf(imageOf('new')), digestOf('new'), digestOf('{}')].map(hex).sort());
    await at.repositories.delete('app');
    await at.repositories.collect();
    const left = await at.store.range({ prefix: ['registry'] });
    assert.deepEqual(left, []);
    assert.deepEqual(await at.files(), []);
  });

  it('leaves no record behind when everything is deleted', async () => {
    await using at = await openTestRepositories();
    const image = await at.push('app', 'v1', 'layer');
    const index = JSON.stringify({
      schemaVersion: 2,
      manifests: [descriptorOf(imageOf('layer'), MEDIA_TYPES.ociManifest)],
      subject: descriptorOf(imageOf('layer'), MEDIA_TYPES.ociManifest),
    });
    await at.repositories.putManifest('app', 'index', { mediaType: undefined, bytes: Buffer.from(index) });
    await at.repositories.getManifest('app', 'index', { pulled: true });
    await at.repositories.deleteManifest('app', digestOf(index));
    await at.repositories.deleteManifest('app', image);
    at.clock.advance(2 * DAY);
    await at.repositories.collect();
    assert.deepEqual(await at.store.range({ prefix: [] }), []);
  });

  it('never takes what is pushed, mounted or deleted meanwhile, and nothing is left in the end', async () => {
    await using at = await openTestRepositories();
    const random = createSeededRandom(7);
    const pick = (below: number) => Math.floor(random.fraction() * below);
    const names = ['a', 'b', 'c'];
    let over = false;
    let collected = 0;
    const collector = (async () => {
      while (!over) {
        at.clock.advance(DAY);
        collected += (await at.repositories.collect()).deleted;
      }
    })();
    const expected = /^(?:MANIFEST_UNKNOWN|NAME_UNKNOWN|MANIFEST_BLOB_UNKNOWN|BLOB_UNKNOWN)$/;
    const tolerate = async (act: () => Promise<unknown>) => {
      try {
        await act();
      } catch (error) {
        // The clock runs a day with each collection, so a slow pusher may be too late. It is told.
        assert.match((error as { code: string }).code, expected);
      }
    };
    const worker = async () => {
      for (let i = 0; i < 60; i++) {
        const [name, other, layer] = [names[pick(3)]!, names[pick(3)]!, `layer ${pick(5)}`];
        const act = pick(4);
        if (act === 0) await tolerate(() => at.push(name, `t${pick(3)}`, layer));
        if (act === 1) await tolerate(() => at.repositories.deleteManifest(name, digestOf(imageOf(layer))));
        if (act === 2) await tolerate(() => at.repositories.mountBlob(name, digestOf(layer), other));
        if (act === 3) {
          // All that a manifest names is there, and readable.
          await tolerate(async () => {
            const { bytes } = await at.repositories.getManifest(name, `t${pick(3)}`);
            const manifest = JSON.parse(Buffer.from(bytes).toString());
            for (const { digest } of [manifest.config, ...manifest.layers]) {
              let found: Buffer | undefined;
              try {
                found = await at.content.read(digest);
              } catch (error) {
                const gone = await at.repositories.statManifest(name, digestOf(bytes)).then(
                  () => false,
                  () => true,
                );
                if (!gone) throw error;
              }
              if (found) assert.equal(digestOf(found), digest);
            }
          });
        }
      }
    };
    await Promise.all([worker(), worker(), worker(), worker()]);
    over = true;
    await collector;
    assert.ok(collected > 0, 'there was something to collect');
    for (const name of await at.repositories.list()) {
      for (const { descriptor } of await at.repositories.listManifests(name)) {
        const { bytes } = await at.repositories.getManifest(name, descriptor.digest);
        for (const layer of JSON.parse(Buffer.from(bytes).toString()).layers) await at.content.read(layer.digest);
        await at.repositories.deleteManifest(name, descriptor.digest);
      }
    }
    at.clock.advance(2 * DAY);
    await at.repositories.collect();
    assert.deepEqual([await at.files(), await at.uploads(), await at.repositories.list()], [[], [], []]);
  });
});

async function* chunks(...parts: readonly string[]) {
  for (const part of parts) yield Buffer.from(part);
}

import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { ServiceError } from '../../base/errors.ts';
import type { ManifestPush, RepositoryEvent } from './repositories.ts';
import { digestOf, imageOf, openTestRepositories } from './testing/test-repositories.ts';

describe('registry: manifests as retention sees them', { timeout: 20_000 }, () => {
  it('tell when they were pushed and pulled, their tags and how much they hold', async () => {
    await using at = await openTestRepositories();
    const pushed = at.clock.now();
    const first = await at.push('app', 'v1', 'first layer');
    at.clock.advance(1000);
    const second = await at.push('app', 'v2', 'second');
    await at.push('app', 'v3', 'second');
    at.clock.advance(120_000);
    await at.repositories.getManifest('app', 'v2', { pulled: true });
    const pulled = at.clock.now();
    at.clock.advance(10_000);
    await at.repositories.getManifest('app', 'v2', { pulled: true });
    await at.repositories.statManifest('app', 'v1');
    await at.repositories.getManifest('app', 'v1');
    const infos = await at.repositories.listManifests('app');
    const seen = infos.map(({ descriptor, pushedAt, lastPulledAt, tags, contentSize }) => ({
      digest: descriptor.digest,
      pushedAt,
      lastPulledAt,
      tags,
      contentSize,
    }));
    assert.deepEqual(
      seen.sort((a, b) => a.pushedAt - b.pushedAt),
      [
        { digest: first, pushedAt: pushed, lastPulledAt: undefined, tags: ['v1'], contentSize: 13 },
        { digest: second, pushedAt: pushed + 1000, lastPulledAt: pulled, tags: ['v2', 'v3'], contentSize: 8 },
      ],
    );
    assert.deepEqual((await at.repositories.getManifest('app', 'v2')).tags, ['v2', 'v3']);
  });

  it('go with their last tag when that is asked for', async () => {
    await using at = await openTestRepositories();
    const digest = await at.push('app', 'v1', 'layer');
    await at.push('app', 'v2', 'layer');
    assert.deepEqual(await at.repositories.deleteManifest('app', 'v1', { lastTag: true }), []);
    await at.repositories.getManifest('app', digest);
    assert.deepEqual(await at.repositories.deleteManifest('app', 'v2', { lastTag: true }), [digest]);
    await assert.rejects(at.repositories.getManifest('app', digest), { code: 'MANIFEST_UNKNOWN' });
  });
});

describe('registry: manifests that go while somebody uses them', { timeout: 20_000 }, () => {
  it('stay when they were pushed again since they were looked at', async () => {
    await using at = await openTestRepositories();
    const digest = await at.push('app', undefined, 'layer');
    const judged = at.clock.now();
    at.clock.advance(1);
    await at.push('app', 'kept', 'layer');
    const { repositories } = at;
    assert.deepEqual(await repositories.deleteManifest('app', digest, { ifNotPushedSince: judged }), []);
    assert.deepEqual((await repositories.statManifest('app', 'kept')).tags, ['kept']);
    const gone = await repositories.deleteManifest('app', digest, { ifNotPushedSince: at.clock.now() });
    assert.deepEqual(gone, [digest]);
  });

  it('are not known any more once their content has gone', async () => {
    await using at = await openTestRepositories();
    const digest = await at.push('app', 'v1', 'layer');
    await rm(await at.content.path(digest));
    await assert.rejects(at.repositories.getManifest('app', 'v1'), { code: 'MANIFEST_UNKNOWN', status: 404 });
  });
});

describe('registry: policy of repositories', { timeout: 20_000 }, () => {
  it('decides whether a push makes a repository', async () => {
    await using at = await openTestRepositories({
      policy: async (name) => (name.startsWith('open/') ? undefined : { mayCreate: async () => false }),
    });
    const bytes = Buffer.from('x');
    await assert.rejects(at.repositories.putBlob('closed', digestOf(bytes), bytes), { code: 'NAME_UNKNOWN' });
    await assert.rejects(at.repositories.startUpload('closed'), { code: 'NAME_UNKNOWN' });
    await at.repositories.putBlob('open/app', digestOf(bytes), bytes);
    await at.repositories.create('closed');
    await at.repositories.putBlob('closed', digestOf(bytes), bytes);
    assert.equal(await at.repositories.mountBlob('closed', digestOf(bytes), 'open/app'), true);
    assert.deepEqual(await at.repositories.repositoriesOfBlob(digestOf(bytes), 10), ['closed', 'open/app'].sort());
  });

  it('may refuse a manifest, knowing what its tag names; then nothing changes', async () => {
    const asked: ManifestPush[] = [];
    await using at = await openTestRepositories({
      policy: async () => ({
        beforeManifest: async (push) => {
          asked.push(push);
          if (push.previousDigest !== undefined) throw new ServiceError('TAG_TAKEN', 'no');
        },
      }),
    });
    const first = await at.push('app', 'v1', '1');
    await assert.rejects(at.push('app', 'v1', '2'), { code: 'TAG_TAKEN' });
    assert.equal((await at.repositories.statManifest('app', 'v1')).descriptor.digest, first);
    await assert.rejects(at.repositories.statManifest('app', digestOf(imageOf('2'))), { code: 'MANIFEST_UNKNOWN' });
    assert.deepEqual(
      asked.map(({ tag, previousDigest, known }) => [tag, previousDigest, known]),
      [
        ['v1', undefined, false],
        ['v1', first, false],
      ],
    );
  });

  it('is told of each change within its transaction, listeners after it', async () => {
    const events: RepositoryEvent[] = [];
    await using at = await openTestRepositories({
      policy: async () => ({
        changed: async (event, transaction) =>
          transaction.put(['told', event.action, event.tag ?? event.digest], event.tags),
      }),
    });
    const stop = at.repositories.onEvent((event) => events.push(event));
    const digest = await at.push('app', 'v1', 'layer');
    await at.push('app', 'v2', 'layer');
    await at.repositories.getManifest('app', 'v2', { pulled: true });
    await at.repositories.deleteManifest('app', 'v1');
    await at.repositories.deleteManifest('app', digest);
    stop();
    await at.push('app', 'v3', 'layer');
    assert.deepEqual(
      events.map(({ action, tag, tags }) => [action, tag, tags]),
      [
        ['push', 'v1', ['v1']],
        ['push', 'v2', ['v2']],
        ['pull', 'v2', ['v2']],
        ['delete', 'v1', ['v1']],
        ['delete', undefined, ['v2']],
      ],
    );
    const told = await at.store.range({ prefix: ['told'] });
    assert.deepEqual(
      told.map(({ key }) => key.slice(1)),
      [
        ['delete', digest],
        ['delete', 'v1'],
        ['push', 'v1'],
        ['push', 'v2'],
        ['push', 'v3'],
      ],
    );
  });
});

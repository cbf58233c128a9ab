import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MEDIA_TYPES } from '../images/index.ts';
import { descriptorOf, digestOf, imageOf, startTestRegistry, type TestRegistry } from './testing/test-registry.ts';

const status = async (registry: TestRegistry, path: string) => (await registry.ask('GET', path)).status;

/** OCI Distribution Specification 1.1, "Content Management". */
describe('OCI deletion', { timeout: 20_000 }, () => {
  it('deletes a tag alone (end-9)', async () => {
    await using registry = await startTestRegistry();
    const digest = await registry.pushImage('app', 'v1');
    await registry.pushImage('app', 'v2');
    assert.equal((await registry.ask('DELETE', '/v2/app/manifests/v1')).status, 202);
    assert.equal(await status(registry, '/v2/app/manifests/v1'), 404);
    assert.equal(await status(registry, '/v2/app/manifests/v2'), 200);
    await registry.ask('DELETE', '/v2/app/manifests/v2');
    assert.equal(await status(registry, `/v2/app/manifests/${digest}`), 200);
    assert.deepEqual((await registry.ask('GET', '/v2/app/tags/list')).json.tags, []);
  });

  it('deletes a manifest with its tags (end-9)', async () => {
    await using registry = await startTestRegistry();
    const digest = await registry.pushImage('app', 'v1');
    await registry.pushImage('app', 'v2');
    const other = await registry.pushImage('app', 'v3', { layers: ['other'] });
    assert.equal((await registry.ask('DELETE', `/v2/app/manifests/${digest}`)).status, 202);
    for (const reference of ['v1', 'v2', digest]) {
      assert.equal(await status(registry, `/v2/app/manifests/${reference}`), 404);
    }
    assert.deepEqual((await registry.ask('GET', '/v2/app/tags/list')).json.tags, ['v3']);
    assert.equal(await status(registry, `/v2/app/manifests/${other}`), 200);
    assert.equal((await registry.ask('DELETE', `/v2/app/manifests/${digest}`)).status, 404);
  });

  it('answers 404 for what is not there', async () => {
    await using registry = await startTestRegistry();
    await registry.pushImage('app', 'v1');
    for (const path of [
      '/v2/app/manifests/none',
      `/v2/app/manifests/${digestOf('none')}`,
      `/v2/app/blobs/${digestOf('none')}`,
      '/v2/none/manifests/v1',
      `/v2/none/blobs/${digestOf('layer')}`,
    ]) {
      assert.equal((await registry.ask('DELETE', path)).status, 404, path);
    }
  });

  it('deletes a blob (end-10), but none that an image is made of', async () => {
    await using registry = await startTestRegistry();
    const blob = await registry.pushBlob('app', 'content');
    assert.equal((await registry.ask('DELETE', `/v2/app/blobs/${blob}`)).status, 202);
    assert.equal(await status(registry, `/v2/app/blobs/${blob}`), 404);
    const image = await registry.pushImage('app', 'v1');
    const refused = await registry.ask('DELETE', `/v2/app/blobs/${digestOf('layer')}`);
    assert.deepEqual([refused.status, refused.codes], [405, ['DENIED']]);
    assert.equal(refused.json.errors[0].detail.by, image);
    await registry.ask('DELETE', `/v2/app/manifests/${image}`);
    assert.equal((await registry.ask('DELETE', `/v2/app/blobs/${digestOf('layer')}`)).status, 202);
  });

  it('deletes no manifest that an index lists', async () => {
    await using registry = await startTestRegistry();
    const child = await registry.pushImage('app', 'v1');
    const index = JSON.stringify({
      schemaVersion: 2,
      manifests: [descriptorOf(imageOf({}).bytes, MEDIA_TYPES.ociManifest)],
    });
    await registry.ask('PUT', '/v2/app/manifests/multi', { body: index });
    const refused = await registry.ask('DELETE', `/v2/app/manifests/${child}`);
    assert.deepEqual([refused.status, refused.codes], [405, ['DENIED']]);
    assert.equal((await registry.ask('DELETE', '/v2/app/manifests/v1')).status, 202, 'its tag may go');
    assert.equal((await registry.ask('DELETE', `/v2/app/manifests/${digestOf(index)}`)).status, 202);
    assert.equal((await registry.ask('DELETE', `/v2/app/manifests/${child}`)).status, 202);
  });

  it('deletes what is about a manifest along with it, and what is about that', async () => {
    await using registry = await startTestRegistry();
    const subjectOf = (digest: string) => ({ subject: { mediaType: MEDIA_TYPES.ociManifest, digest, size: 1 } });
    const image = await registry.pushImage('app', 'v1');
    const sbom = await registry.pushImage('app', 'sbom', { layers: ['sbom'], more: subjectOf(image) });
    const signature = await registry.pushImage('app', 'signature', { layers: ['sig'], more: subjectOf(sbom) });
    const other = await registry.pushImage('app', 'other', { layers: ['other'], more: subjectOf(digestOf('else')) });
    await registry.ask('DELETE', '/v2/app/manifests/v1');
    assert.equal(await status(registry, `/v2/app/manifests/${sbom}`), 200, 'a tag of the image is not the image');
    await registry.ask('DELETE', `/v2/app/manifests/${image}`);
    for (const digest of [sbom, signature]) assert.equal(await status(registry, `/v2/app/manifests/${digest}`), 404);
    assert.equal(await status(registry, `/v2/app/manifests/${other}`), 200);
    assert.deepEqual((await registry.ask('GET', '/v2/app/tags/list')).json.tags, ['other']);
    assert.deepEqual((await registry.ask('GET', `/v2/app/referrers/${sbom}`)).json.manifests, []);
  });

  it('deletes signatures that are tied to an image by their tag alone, and lists of referrers', async () => {
    await using registry = await startTestRegistry();
    const image = await registry.pushImage('app', 'v1');
    const tag = image.replace(':', '-');
    const signature = await registry.pushImage('app', `${tag}.sig`, { layers: ['signature'] });
    const kept = await registry.pushImage('app', `${tag}.att`, { layers: ['attestation'] });
    await registry.pushImage('app', 'keep', { layers: ['attestation'] });
    const listed = await registry.pushImage('app', 'listed', {
      layers: ['listed'],
      more: { subject: { mediaType: MEDIA_TYPES.ociManifest, digest: image, size: 1 } },
    });
    const list = JSON.stringify({
      schemaVersion: 2,
      manifests: [{ mediaType: MEDIA_TYPES.ociManifest, ...(await sizeOf(registry, listed)) }],
    });
    await registry.ask('PUT', `/v2/app/manifests/${tag}`, { body: list });
    await registry.ask('DELETE', `/v2/app/manifests/${image}`);
    for (const reference of [signature, `${tag}.att`, tag, listed, digestOf(list)]) {
      assert.equal(await status(registry, `/v2/app/manifests/${reference}`), 404, reference);
    }
    assert.equal(await status(registry, `/v2/app/manifests/${kept}`), 200, 'it has a name of its own');
  });
});

async function sizeOf(registry: TestRegistry, digest: string) {
  const { headers } = await registry.ask('HEAD', `/v2/app/manifests/${digest}`);
  return { digest, size: Number(headers['content-length']) };
}

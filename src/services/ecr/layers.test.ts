import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf, fails, HOST, startTestEcr } from './testing/test-ecr.ts';

const name = { repositoryName: 'team/app' };

describe('ECR layers', { timeout: 20_000 }, () => {
  it('are checked in batches', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    await at.push('team/app', 'v1');
    const layerDigests = [digestOf('layer'), digestOf('none'), 'sha256:x'];
    const { layers, failures } = await at.call('BatchCheckLayerAvailability', { ...name, layerDigests });
    assert.deepEqual(layers, [
      { layerDigest: digestOf('layer'), layerAvailability: 'AVAILABLE', layerSize: 5 },
      { layerDigest: digestOf('none'), layerAvailability: 'UNAVAILABLE' },
    ]);
    assert.equal(failures[0].failureCode, 'InvalidLayerDigest');
  });

  it('come in parts of at most 20 MiB', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    const { uploadId, partSize } = await at.call('InitiateLayerUpload', name);
    const upload = (bytes: number) =>
      at.call('UploadLayerPart', {
        ...name,
        uploadId,
        partFirstByte: 0,
        partLastByte: bytes - 1,
        layerPartBlob: Buffer.alloc(bytes),
      });
    await assert.rejects(upload(partSize + 1), fails('InvalidParameterException'));
    assert.equal((await upload(partSize)).lastByteReceived, partSize - 1);
  });

  it('have addresses that are good for an hour, for this layer alone', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    await at.push('team/app', 'v1');
    const get = (overrides = {}) =>
      at.call('GetDownloadUrlForLayer', { ...name, layerDigest: digestOf('layer') }, overrides);
    const url = new URL((await get()).downloadUrl);
    assert.equal(url.host, 'localhost:4566');
    assert.equal(url.pathname, `/v2/${HOST}/team/app/blobs/${digestOf('layer')}`);
    const permits = (digest = digestOf('layer'), query = url.searchParams, repository = `${HOST}/team/app`) =>
      at.ecr.registry.permitsDownload(repository, digest, query);
    assert.equal(await permits(), true);
    assert.equal(await permits(digestOf('{}')), false);
    assert.equal(await permits(undefined, undefined, `${HOST}/team/other`), false);
    assert.equal(await permits(undefined, new URLSearchParams()), false);
    const later = new URLSearchParams(url.searchParams);
    later.set('X-Expires', String(Number(later.get('X-Expires')) + 1));
    assert.equal(await permits(undefined, later), false);
    at.clock.advance(3_600_000);
    assert.equal(await permits(), false);
    const inside = new URL((await get({ host: 'api.ecr.us-east-1.amazonaws.com', secure: true })).downloadUrl);
    assert.equal(inside.origin + inside.pathname, `https://${HOST}/v2/team/app/blobs/${digestOf('layer')}`);
    const missing = at.call('GetDownloadUrlForLayer', { ...name, layerDigest: digestOf('none') });
    await assert.rejects(missing, fails('LayersNotFoundException'));
  });
});

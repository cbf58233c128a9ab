import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf, fails, imageOf, startTestEcr } from './testing/test-ecr.ts';

const name = { repositoryName: 'team/app' };

describe('ECR images', { timeout: 20_000 }, () => {
  it('are put with their layers by the API alone', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    const config = '{}';
    const layer = 'a layer in two parts';
    for (const part of [config, layer]) {
      const { uploadId, partSize } = await at.call('InitiateLayerUpload', name);
      assert.equal(partSize, 20_971_520);
      const upload = (start: number, end: number) =>
        at.call('UploadLayerPart', {
          ...name,
          uploadId,
          partFirstByte: start,
          partLastByte: end,
          layerPartBlob: Buffer.from(part).subarray(start, end + 1),
        });
      if (part === layer) {
        assert.equal((await upload(0, 9)).lastByteReceived, 9);
        await assert.rejects(upload(5, 14), (error: Error & { code: string; members: Record<string, unknown> }) => {
          assert.equal(error.code, 'InvalidLayerPartException');
          assert.equal(error.members.lastValidByteReceived, 9);
          return true;
        });
      }
      await upload(part === layer ? 10 : 0, part.length - 1);
      const complete = { ...name, uploadId, layerDigests: [digestOf(part)] };
      assert.equal((await at.call('CompleteLayerUpload', complete)).layerDigest, digestOf(part));
      await assert.rejects(at.call('CompleteLayerUpload', complete), fails('UploadNotFoundException'));
    }
    const put = { ...name, imageManifest: imageOf(layer), imageTag: 'v1' };
    const { image } = await at.call('PutImage', put);
    assert.deepEqual(image.imageId, { imageDigest: digestOf(imageOf(layer)), imageTag: 'v1' });
    await assert.rejects(at.call('PutImage', put), fails('ImageAlreadyExistsException'));
    await at.call('PutImage', { ...put, imageTag: 'v2' });
    const { images } = await at.call('BatchGetImage', { ...name, imageIds: [{ imageTag: 'v2' }] });
    assert.equal(images[0].imageManifest, imageOf(layer));
    assert.equal(images[0].imageManifestMediaType, 'application/vnd.oci.image.manifest.v1+json');
  });

  it('are refused when something of them is missing or wrong', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    const { uploadId } = await at.call('InitiateLayerUpload', name);
    const complete = { ...name, uploadId, layerDigests: [digestOf('x')] };
    await assert.rejects(at.call('CompleteLayerUpload', complete), fails('EmptyUploadException'));
    const bytes = { partFirstByte: 0, partLastByte: 0, layerPartBlob: Buffer.from('y') };
    await assert.rejects(
      at.call('UploadLayerPart', { ...name, uploadId, ...bytes, partLastByte: 3 }),
      fails('InvalidParameterException'),
    );
    await at.call('UploadLayerPart', { ...name, uploadId, ...bytes });
    await assert.rejects(at.call('CompleteLayerUpload', complete), fails('InvalidLayerException'));
    const gone = at.call('UploadLayerPart', { ...name, uploadId, ...bytes });
    await assert.rejects(gone, fails('UploadNotFoundException'));
    const put = (imageManifest: string, more = {}) => at.call('PutImage', { ...name, imageManifest, ...more });
    await assert.rejects(put(imageOf('none')), fails('LayersNotFoundException'));
    const index = JSON.stringify({
      schemaVersion: 2,
      manifests: [{ mediaType: 'a/b', digest: digestOf('none'), size: 4 }],
    });
    await assert.rejects(put(index), fails('ReferencedImagesNotFoundException'));
    await assert.rejects(put('{}'), fails('InvalidParameterException'));
    const wrong = put(imageOf('none'), { imageDigest: digestOf('else') });
    await assert.rejects(wrong, fails('ImageDigestDoesNotMatchException'));
    await assert.rejects(put(imageOf('none'), { imageTag: '.x' }), fails('InvalidParameterException'));
    await at.push('team/app', 'v1');
    const again = await at.call('InitiateLayerUpload', name);
    const part = { partFirstByte: 0, partLastByte: 4, layerPartBlob: Buffer.from('layer') };
    await at.call('UploadLayerPart', { ...name, uploadId: again.uploadId, ...part });
    const known = { ...name, uploadId: again.uploadId, layerDigests: [digestOf('layer')] };
    await assert.rejects(at.call('CompleteLayerUpload', known), fails('LayerAlreadyExistsException'));
  });

  it('are got in batches, each with its own failure', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    const digest = await at.push('team/app', 'v1');
    const other = await at.push('team/app', 'v2', 'other');
    const { images, failures } = await at.call('BatchGetImage', {
      ...name,
      imageIds: [
        { imageTag: 'v1' },
        { imageDigest: other },
        { imageDigest: digest, imageTag: 'v1' },
        { imageDigest: digest, imageTag: 'v2' },
        { imageTag: 'none' },
        { imageDigest: 'sha256:1' },
        { imageTag: 'no tag' },
        {},
      ],
    });
    assert.deepEqual(
      images.map(({ imageId }: { imageId: object }) => imageId),
      [{ imageDigest: digest, imageTag: 'v1' }, { imageDigest: other }, { imageDigest: digest, imageTag: 'v1' }],
    );
    assert.deepEqual(
      failures.map(({ failureCode }: { failureCode: string }) => failureCode),
      ['ImageTagDoesNotMatchDigest', 'ImageNotFound', 'InvalidImageDigest', 'InvalidImageTag', 'MissingDigestAndTag'],
    );
    const docker = { acceptedMediaTypes: ['application/vnd.docker.distribution.manifest.v2+json'] };
    const refused = await at.call('BatchGetImage', { ...name, imageIds: [{ imageTag: 'v1' }], ...docker });
    assert.equal(refused.failures[0].failureCode, 'ImageNotFound');
    await assert.rejects(at.call('BatchGetImage', { ...name, imageIds: [] }), fails('InvalidParameterException'));
  });

  it('are listed and described, tagged or not', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    const pushed = at.clock.now();
    const digest = await at.push('team/app', 'v1', 'layer', { artifactType: 'application/vnd.example' });
    await at.push('team/app', 'v1b', 'layer', { artifactType: 'application/vnd.example' });
    const untagged = await at.push('team/app', undefined, 'longer layer');
    const index = await at.pushIndex('team/app', 'multi', [digest, untagged]);
    at.clock.advance(5000);
    await at.call('BatchGetImage', { ...name, imageIds: [{ imageTag: 'v1' }] });
    const list = async (filter?: object) =>
      (await at.call('ListImages', { ...name, filter })).imageIds
        .map(
          ({ imageDigest, imageTag = '' }: { imageDigest: string; imageTag?: string }) => `${imageDigest} ${imageTag}`,
        )
        .sort();
    const all = [`${digest} v1`, `${digest} v1b`, `${untagged} `, `${index} multi`].sort();
    assert.deepEqual(await list(), all);
    assert.deepEqual(await list({ tagStatus: 'UNTAGGED' }), [`${untagged} `]);
    assert.deepEqual(
      await list({ tagStatus: 'TAGGED' }),
      all.filter((text: string) => !text.endsWith(' ')),
    );
    assert.deepEqual(await list({ imageStatus: 'ARCHIVED' }), []);
    const { imageDetails } = await at.call('DescribeImages', { ...name, imageIds: [{ imageTag: 'v1b' }] });
    assert.deepEqual(imageDetails, [
      {
        registryId: '000000000000',
        repositoryName: 'team/app',
        imageDigest: digest,
        imageTags: ['v1', 'v1b'],
        imageSizeInBytes: 7,
        imagePushedAt: new Date(pushed),
        imageManifestMediaType: 'application/vnd.oci.image.manifest.v1+json',
        artifactMediaType: 'application/vnd.example',
        lastRecordedPullTime: new Date(pushed + 5000),
        imageStatus: 'ACTIVE',
      },
    ]);
    const multi = await at.call('DescribeImages', { ...name, imageIds: [{ imageTag: 'multi' }] });
    assert.equal(multi.imageDetails[0].imageSizeInBytes, 14, 'the largest of what the index lists');
    const first = await at.call('DescribeImages', { ...name, maxResults: 2 });
    const second = await at.call('DescribeImages', { ...name, maxResults: 2, nextToken: first.nextToken });
    assert.deepEqual([first.imageDetails.length, second.imageDetails.length, second.nextToken], [2, 1, undefined]);
    const missing = at.call('DescribeImages', { ...name, imageIds: [{ imageTag: 'none' }] });
    await assert.rejects(missing, fails('ImageNotFoundException'));
    for (const bad of [
      { filter: { tagStatus: 'tagged' } },
      { filter: { imageStatus: 'none' } },
      { maxResults: 1001 },
      { imageIds: [] },
      { imageIds: [{ imageTag: 'v1' }], maxResults: 1 },
      { imageIds: [{ imageTag: 'v1' }], nextToken: first.nextToken },
    ]) {
      const refused = at.call('DescribeImages', { ...name, ...bad });
      await assert.rejects(refused, fails('InvalidParameterException'), JSON.stringify(bad));
    }
  });

  it('are deleted by tag or digest', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    const digest = await at.push('team/app', 'v1');
    await at.push('team/app', 'v2');
    const remove = (...imageIds: object[]) => at.call('BatchDeleteImage', { ...name, imageIds });
    assert.deepEqual((await remove({ imageTag: 'v1' })).imageIds, [{ imageDigest: digest, imageTag: 'v1' }]);
    assert.deepEqual(await at.tags('team/app'), ['v2']);
    await remove({ imageTag: 'v2' });
    assert.deepEqual((await at.call('ListImages', name)).imageIds, [], 'an image goes with its last tag');
    for (const tag of ['v1', 'v2']) await at.push('team/app', tag);
    const { imageIds } = await remove({ imageDigest: digest });
    assert.deepEqual(imageIds, [
      { imageDigest: digest, imageTag: 'v1' },
      { imageDigest: digest, imageTag: 'v2' },
    ]);
    assert.equal((await remove({ imageDigest: digest })).failures[0].failureCode, 'ImageNotFound');
  });

  it('stay while an index lists them, and may go together with it', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    const child = await at.push('team/app', undefined);
    const index = await at.pushIndex('team/app', 'multi', [child]);
    const remove = (...imageIds: object[]) => at.call('BatchDeleteImage', { ...name, imageIds });
    const { failures } = await remove({ imageDigest: child });
    assert.equal(failures[0].failureCode, 'ImageReferencedByManifestList');
    assert.match(failures[0].failureReason, new RegExp(index));
    const both = await remove({ imageDigest: child }, { imageDigest: index });
    assert.deepEqual(both.failures, []);
    assert.deepEqual((await at.call('ListImages', name)).imageIds, []);
  });

  it('have referrers', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    const digest = await at.push('team/app', 'v1');
    const subject = { mediaType: 'a/b', digest, size: 1 };
    const annotations = { a: 'b' };
    const sbom = await at.push('team/app', undefined, 'sbom', { subject, artifactType: 'a/sbom', annotations });
    await at.push('team/app', undefined, 'sig', { subject, artifactType: 'a/sig' });
    const list = async (filter?: object) =>
      (await at.call('ListImageReferrers', { ...name, subjectId: { imageDigest: digest }, filter })).referrers;
    assert.equal((await list()).length, 2);
    const [only] = await list({ artifactTypes: ['a/sbom'] });
    assert.equal(only.digest, sbom);
    assert.deepEqual([only.artifactType, only.annotations, only.artifactStatus], ['a/sbom', annotations, 'ACTIVE']);
    assert.deepEqual(await list({ artifactStatus: 'ARCHIVED' }), []);
    await assert.rejects(list({ artifactStatus: 'GONE' }), fails('InvalidParameterException'));
    await assert.rejects(
      list({ artifactTypes: ['a/1', 'a/2', 'a/3', 'a/4', 'a/5', 'a/6'] }),
      fails('InvalidParameterException'),
    );
    const noDigest = at.call('ListImageReferrers', { ...name, subjectId: { imageDigest: 'sha256:x' } });
    await assert.rejects(noDigest, fails('InvalidParameterException'));
  });

  it('have referrers that are listed in pages of at most 50, of 20 unless told', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    const digest = await at.push('team/app', 'v1');
    const subject = { mediaType: 'a/b', digest, size: 1 };
    for (let i = 0; i < 21; i++) await at.push('team/app', undefined, `sbom ${i}`, { subject });
    const list = (more: object) =>
      at.call('ListImageReferrers', { ...name, subjectId: { imageDigest: digest }, ...more });
    const first = await list({});
    const second = await list({ nextToken: first.nextToken });
    assert.deepEqual([first.referrers.length, second.referrers.length, second.nextToken], [20, 1, undefined]);
    assert.equal((await list({ maxResults: 50 })).referrers.length, 21);
    await assert.rejects(list({ maxResults: 51 }), fails('InvalidParameterException'));
  });

  it('tell EventBridge when they are pushed and deleted', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    const digest = await at.push('team/app', 'v1');
    const [push, ...none] = at.events();
    assert.deepEqual(none, []);
    assert.deepEqual(push, {
      type: 'ECR Image Action',
      account: '000000000000',
      region: 'us-east-1',
      resources: [],
      detail: {
        result: 'SUCCESS',
        'repository-name': 'team/app',
        'image-digest': digest,
        'action-type': 'PUSH',
        'image-tag': 'v1',
        'manifest-media-type': 'application/vnd.oci.image.manifest.v1+json',
        'artifact-media-type': 'application/vnd.oci.image.config.v1+json',
      },
    });
    await at.push('team/app', 'v2');
    at.events();
    await at.call('BatchDeleteImage', { ...name, imageIds: [{ imageDigest: digest }] });
    const deleted = at.events().map(({ detail }) => [detail['action-type'], detail['image-tag']]);
    assert.deepEqual(deleted, [
      ['DELETE', 'v1'],
      ['DELETE', 'v2'],
    ]);
  });
});

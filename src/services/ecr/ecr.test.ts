import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf, HOST, imageOf, startTestEcr } from './test-ecr.ts';

const name = { repositoryName: 'team/app' };
const fails = (code: string, status = 400) => ({ code, status });

describe('ECR repositories', { timeout: 20_000 }, () => {
  it('are made, described and deleted', async () => {
    await using at = await startTestEcr();
    const made = await at.call('CreateRepository', { ...name, tags: [{ Key: 'team', Value: 'red' }] });
    const expected = {
      repositoryArn: 'arn:aws:ecr:us-east-1:000000000000:repository/team/app',
      registryId: '000000000000',
      repositoryName: 'team/app',
      repositoryUri: `${HOST}/team/app`,
      createdAt: new Date(at.clock.now()),
      imageTagMutability: 'MUTABLE',
      imageTagMutabilityExclusionFilters: undefined,
      imageScanningConfiguration: { scanOnPush: false },
      encryptionConfiguration: { encryptionType: 'AES256' },
    };
    assert.deepEqual(made.repository, expected);
    await assert.rejects(at.call('CreateRepository', name), fails('RepositoryAlreadyExistsException'));
    assert.deepEqual((await at.call('DescribeRepositories', {})).repositories, [expected]);
    assert.deepEqual(await at.repositories.list(), [`${HOST}/team/app`]);
    assert.deepEqual((await at.call('DeleteRepository', name)).repository, expected);
    await assert.rejects(at.call('DeleteRepository', name), fails('RepositoryNotFoundException'));
    assert.deepEqual(await at.repositories.list(), []);
  });

  it('are of an account and a region', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    await at.call('CreateRepository', name, { region: 'eu-west-1' });
    await at.call('CreateRepository', name, { account: '111122223333' });
    const other = await at.call('DescribeRepositories', { registryId: '111122223333' });
    assert.equal(other.repositories[0].repositoryUri, '111122223333.dkr.ecr.us-east-1.amazonaws.com/team/app');
    await at.call('DeleteRepository', { ...name, registryId: '111122223333' });
    assert.equal((await at.call('DescribeRepositories', {}, { region: 'eu-west-1' })).repositories.length, 1);
    assert.equal((await at.call('DescribeRepositories', {})).repositories.length, 1);
  });

  it('are listed in pages, or by name', async () => {
    await using at = await startTestEcr();
    for (const repository of ['c1', 'a1', 'b1']) await at.create(repository);
    const names = (answer: { repositories: { repositoryName: string }[] }) =>
      answer.repositories.map(({ repositoryName }) => repositoryName);
    const first = await at.call('DescribeRepositories', { maxResults: 2 });
    assert.deepEqual(names(first), ['a1', 'b1']);
    const second = await at.call('DescribeRepositories', { maxResults: 2, nextToken: first.nextToken });
    assert.deepEqual([names(second), second.nextToken], [['c1'], undefined]);
    assert.deepEqual(names(await at.call('DescribeRepositories', { repositoryNames: ['c1', 'a1'] })), ['c1', 'a1']);
    const missing = at.call('DescribeRepositories', { repositoryNames: ['a1', 'none'] });
    await assert.rejects(missing, fails('RepositoryNotFoundException'));
    await assert.rejects(at.call('DescribeRepositories', { nextToken: 'x' }), fails('InvalidParameterException'));
    await assert.rejects(at.call('DescribeRepositories', { maxResults: 0 }), fails('InvalidParameterException'));
  });

  it('have names of a certain form', async () => {
    await using at = await startTestEcr();
    for (const repositoryName of [
      'a',
      'A1',
      'a//b',
      '/ab',
      'ab/',
      '../ab',
      'a b',
      '-ab',
      'a..b',
      'a'.repeat(257),
      'é1',
    ]) {
      await assert.rejects(at.call('CreateRepository', { repositoryName }), fails('InvalidParameterException'));
    }
    await at.create('a.b_c-d/e2');
    const long = 'a'.repeat(230);
    await assert.rejects(at.call('CreateRepository', { repositoryName: long }), /255 characters/);
  });

  it('are not deleted with images in them, unless forced', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    await at.push('team/app', 'v1');
    await assert.rejects(at.call('DeleteRepository', name), fails('RepositoryNotEmptyException'));
    await at.call('DeleteRepository', { ...name, force: true });
    await at.create('team/app');
    assert.deepEqual((await at.call('ListImages', name)).imageIds, []);
  });

  it('have tags', async () => {
    await using at = await startTestEcr();
    await at.create('team/app', { tags: [{ Key: 'a', Value: '1' }] });
    const resourceArn = 'arn:aws:ecr:us-east-1:000000000000:repository/team/app';
    await at.call('TagResource', { resourceArn, tags: [{ Key: 'b', Value: '' }] });
    await at.call('UntagResource', { resourceArn, tagKeys: ['a', 'none'] });
    assert.deepEqual((await at.call('ListTagsForResource', { resourceArn })).tags, [{ Key: 'b', Value: '' }]);
    const many = Array.from({ length: 50 }, (_, i) => ({ Key: `k${i}`, Value: 'v' }));
    await assert.rejects(at.call('TagResource', { resourceArn, tags: many }), fails('TooManyTagsException'));
    const reserved = [{ Key: 'aws:x', Value: 'v' }];
    const refused = at.call('TagResource', { resourceArn, tags: reserved });
    await assert.rejects(refused, fails('InvalidTagParameterException'));
    for (const arn of ['x', 'arn:aws:s3:::bucket', 'arn:aws:ecr:us-east-1:000000000000:registry/x']) {
      await assert.rejects(at.call('ListTagsForResource', { resourceArn: arn }), fails('InvalidParameterException'));
    }
  });

  it('refuse by name what would not act', async () => {
    await using at = await startTestEcr();
    await at.create('team/app', { imageScanningConfiguration: { scanOnPush: false } });
    const refusals: readonly (readonly [string, object])[] = [
      ['CreateRepository', { repositoryName: 'other', imageScanningConfiguration: { scanOnPush: true } }],
      ['CreateRepository', { repositoryName: 'other', encryptionConfiguration: { encryptionType: 'KMS' } }],
      ['PutImageScanningConfiguration', { ...name, imageScanningConfiguration: { scanOnPush: true } }],
      ['PutRegistryScanningConfiguration', { scanType: 'ENHANCED', rules: [] }],
      ['PutAccountSetting', { name: 'BASIC_SCAN_TYPE_VERSION', value: 'CLAIR' }],
    ];
    for (const [operation, input] of refusals) {
      await assert.rejects(at.call(operation, input), fails('NotImplemented', 501), operation);
    }
    await at.call('PutImageScanningConfiguration', { ...name, imageScanningConfiguration: { scanOnPush: false } });
    const { scanningConfigurations, failures } = await at.call('BatchGetRepositoryScanningConfiguration', {
      repositoryNames: ['team/app', 'none'],
    });
    assert.equal(scanningConfigurations[0].scanOnPush, false);
    assert.equal(failures[0].failureCode, 'REPOSITORY_NOT_FOUND');
  });
});

describe('ECR tag mutability', { timeout: 20_000 }, () => {
  it('keeps a tag with its image where tags are immutable', async () => {
    await using at = await startTestEcr();
    await at.create('team/app', { imageTagMutability: 'IMMUTABLE' });
    const digest = await at.push('team/app', 'v1', 'one');
    await at.push('team/app', 'v1', 'one');
    await assert.rejects(at.push('team/app', 'v1', 'two'), fails('ImageTagAlreadyExistsException'));
    const { imageDetails } = await at.call('DescribeImages', { ...name, imageIds: [{ imageTag: 'v1' }] });
    assert.equal(imageDetails[0].imageDigest, digest);
    await at.call('PutImageTagMutability', { ...name, imageTagMutability: 'MUTABLE' });
    await at.push('team/app', 'v1', 'two');
  });

  it('has exceptions by wildcard, both ways', async () => {
    await using at = await startTestEcr();
    const filters = (...patterns: string[]) => ({
      imageTagMutabilityExclusionFilters: patterns.map((filter) => ({ filterType: 'WILDCARD', filter })),
    });
    await at.create('team/app', { imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION', ...filters('latest', 'dev-*') });
    for (const tag of ['latest', 'dev-1', 'v1']) await at.push('team/app', tag, 'one');
    for (const tag of ['latest', 'dev-1']) await at.push('team/app', tag, 'two');
    await assert.rejects(at.push('team/app', 'v1', 'two'), fails('ImageTagAlreadyExistsException'));
    await at.call('PutImageTagMutability', {
      ...name,
      imageTagMutability: 'MUTABLE_WITH_EXCLUSION',
      ...filters('*-final'),
    });
    await at.push('team/app', 'v1', 'two');
    await at.push('team/app', 'v1-final', 'one');
    await assert.rejects(at.push('team/app', 'v1-final', 'two'), fails('ImageTagAlreadyExistsException'));
    for (const bad of [
      { imageTagMutability: 'IMMUTABLE', ...filters('x') },
      { imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION' },
      { imageTagMutability: 'MUTABLE_WITH_EXCLUSION', ...filters('*a*b*c') },
      { imageTagMutability: 'MUTABLE_WITH_EXCLUSION', ...filters('a/b') },
      { imageTagMutability: 'MUTABLE_WITH_EXCLUSION', ...filters('a', 'b', 'c', 'd', 'e', 'f') },
      { imageTagMutability: 'SOMETIMES' },
    ]) {
      await assert.rejects(at.call('PutImageTagMutability', { ...name, ...bad }), fails('InvalidParameterException'));
    }
  });
});

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

describe('ECR authorization tokens', { timeout: 20_000 }, () => {
  it('say who asked for them, and expire after twelve hours of the clock', async () => {
    await using at = await startTestEcr();
    const { authorizationData } = await at.call('GetAuthorizationToken');
    const [{ authorizationToken, expiresAt, proxyEndpoint }] = authorizationData;
    assert.equal(proxyEndpoint, `https://${HOST}`);
    assert.ok(Math.abs(expiresAt.getTime() - at.clock.now() - 12 * 3_600_000) < 1000);
    const [user, password] = Buffer.from(authorizationToken, 'base64').toString().split(':') as [string, string];
    assert.equal(user, 'AWS');
    const principal = await at.ecr.registry.identify(password);
    assert.equal(principal?.arn, 'arn:aws:iam::000000000000:root');
    await at.restart();
    assert.ok(await at.ecr.registry.identify(password), 'also after a restart');
    for (const wrong of ['', 'x', `${password}x`, password.split('.').slice(0, 2).join('.')]) {
      assert.equal(await at.ecr.registry.identify(wrong), undefined);
    }
    at.clock.advance(12 * 3_600_000 + 1000);
    assert.equal(await at.ecr.registry.identify(password), undefined);
    const { authorizationData: open } = await at.call('GetAuthorizationToken');
    const given = Buffer.from(open[0].authorizationToken, 'base64').toString().slice('AWS:'.length);
    await at.restart({ enforce: true });
    assert.equal(
      await at.ecr.registry.identify(given),
      undefined,
      'what any key has got is nothing where policies decide',
    );
    const many = await at.call('GetAuthorizationToken', { registryIds: ['111122223333', '444455556666'] });
    assert.equal(many.authorizationData[1].proxyEndpoint, 'https://444455556666.dkr.ecr.us-east-1.amazonaws.com');
  });
});

describe('ECR policies and settings', { timeout: 20_000 }, () => {
  const policy = (more = {}) =>
    JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        { Sid: 'pull it', Effect: 'Allow', Principal: { AWS: '111122223333' }, Action: ['ecr:BatchGetImage'], ...more },
      ],
    });

  it('of repositories are set, got and deleted', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    await assert.rejects(at.call('GetRepositoryPolicy', name), fails('RepositoryPolicyNotFoundException'));
    await at.call('SetRepositoryPolicy', { ...name, policyText: policy() });
    assert.equal((await at.call('GetRepositoryPolicy', name)).policyText, policy());
    const { policy: evaluated } = await at.ecr.registry.subject(`${HOST}/team/app`);
    assert.equal(JSON.parse(evaluated!).Statement[0].Resource, '*', 'it is about its repository');
    for (const bad of [
      '',
      'x',
      '{}',
      policy({ Effect: 'Maybe' }),
      policy({ Action: 's3:GetObject' }),
      policy({ Foo: 1 }),
    ]) {
      const set = at.call('SetRepositoryPolicy', { ...name, policyText: bad });
      await assert.rejects(set, fails('InvalidParameterException'), bad);
    }
    assert.equal((await at.call('DeleteRepositoryPolicy', name)).policyText, policy());
    await assert.rejects(at.call('DeleteRepositoryPolicy', name), fails('RepositoryPolicyNotFoundException'));
  });

  it('of a registry hold for all its repositories once its scope is V2', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    await assert.rejects(at.call('GetRegistryPolicy'), fails('RegistryPolicyNotFoundException'));
    await at.call('PutRegistryPolicy', { policyText: policy({ Resource: '*' }) });
    assert.equal((await at.ecr.registry.subject(`${HOST}/team/app`)).policy, undefined);
    assert.equal((await at.call('GetAccountSetting', { name: 'REGISTRY_POLICY_SCOPE' })).value, 'V1');
    await at.call('PutAccountSetting', { name: 'REGISTRY_POLICY_SCOPE', value: 'V2' });
    assert.match((await at.ecr.registry.subject(`${HOST}/team/app`)).policy!, /111122223333/);
    await at.call('DeleteRegistryPolicy');
    await assert.rejects(at.call('DeleteRegistryPolicy'), fails('RegistryPolicyNotFoundException'));
    assert.equal((await at.call('GetAccountSetting', { name: 'REGISTRY_POLICY_SCOPE' })).value, 'V2');
  });

  it('decide whether blobs of other repositories are mounted', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    const mayMount = () => at.ecr.registry.mayMount(`${HOST}/team/app`, `${HOST}/other`);
    assert.equal(await mayMount(), true);
    await at.call('PutAccountSetting', { name: 'BLOB_MOUNTING', value: 'DISABLED' });
    assert.equal(await mayMount(), false);
    for (const bad of [
      { name: 'BLOB_MOUNTING', value: 'MAYBE' },
      { name: 'toString', value: 'x' },
    ]) {
      await assert.rejects(at.call('PutAccountSetting', bad), fails('InvalidParameterException'));
    }
  });
});

describe('ECR repository creation templates', { timeout: 20_000 }, () => {
  it('make repositories by a push, where they are for that', async () => {
    await using at = await startTestEcr();
    await assert.rejects(at.push('auto/app', 'v1'), fails('NAME_UNKNOWN', 404));
    const template = {
      prefix: 'auto',
      appliedFor: ['CREATE_ON_PUSH'],
      imageTagMutability: 'IMMUTABLE',
      resourceTags: [{ Key: 'made', Value: 'by push' }],
      description: 'for pushes',
    };
    await at.call('CreateRepositoryCreationTemplate', template);
    await assert.rejects(
      at.call('CreateRepositoryCreationTemplate', template),
      fails('TemplateAlreadyExistsException'),
    );
    await at.push('auto/app', 'v1');
    const { repositories } = await at.call('DescribeRepositories', { repositoryNames: ['auto/app'] });
    assert.equal(repositories[0].imageTagMutability, 'IMMUTABLE');
    await assert.rejects(at.push('autonomous/app', 'v1'), fails('NAME_UNKNOWN', 404), 'a prefix is whole parts');
    await at.call('CreateRepositoryCreationTemplate', { prefix: 'ROOT', appliedFor: ['CREATE_ON_PUSH'] });
    await at.push('autonomous/app', 'v1');
    await at.push('auto/more/app', 'v1');
    const more = await at.call('DescribeRepositories', { repositoryNames: ['auto/more/app', 'autonomous/app'] });
    assert.deepEqual(
      more.repositories.map(({ imageTagMutability }: { imageTagMutability: string }) => imageTagMutability),
      ['IMMUTABLE', 'MUTABLE'],
    );
  });

  it('are changed and deleted', async () => {
    await using at = await startTestEcr();
    const prefix = 'auto';
    await at.call('CreateRepositoryCreationTemplate', { prefix, appliedFor: ['REPLICATION'], description: 'a' });
    at.clock.advance(1000);
    const { repositoryCreationTemplate: changed } = await at.call('UpdateRepositoryCreationTemplate', {
      prefix,
      imageTagMutability: 'IMMUTABLE',
    });
    assert.deepEqual([changed.description, changed.imageTagMutability], ['a', 'IMMUTABLE']);
    assert.equal(changed.updatedAt.getTime() - changed.createdAt.getTime(), 1000);
    const { repositoryCreationTemplates } = await at.call('DescribeRepositoryCreationTemplates', {});
    assert.deepEqual(repositoryCreationTemplates, [changed]);
    for (const bad of [
      { customRoleArn: 'arn:aws:iam::000000000000:role/x' },
      { encryptionConfiguration: { encryptionType: 'KMS' } },
    ]) {
      const refused = at.call('UpdateRepositoryCreationTemplate', { prefix, ...bad });
      await assert.rejects(refused, fails('NotImplemented', 501));
    }
    for (const bad of [{ appliedFor: ['NEVER'] }, { lifecyclePolicy: '{}' }, { repositoryPolicy: '{}' }]) {
      const refused = at.call('UpdateRepositoryCreationTemplate', { prefix, ...bad });
      await assert.rejects(refused, fails('InvalidParameterException'));
    }
    await at.call('DeleteRepositoryCreationTemplate', { prefix });
    for (const operation of ['DeleteRepositoryCreationTemplate', 'UpdateRepositoryCreationTemplate']) {
      await assert.rejects(at.call(operation, { prefix }), fails('TemplateNotFoundException'));
    }
  });
});

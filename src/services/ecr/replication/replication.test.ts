import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ServiceError } from '../../../base/errors.ts';
import { MEDIA_TYPES } from '../../../images/index.ts';
import type { AuthorizationRequest } from '../../service.ts';
import { digestOf, HOST, imageOf, startTestEcr, type TestEcr } from '../testing/test-ecr.ts';

const name = { repositoryName: 'team/app' };
const OTHER = '111122223333';

const replicate = (at: TestEcr, destinations: object[], prefixes: readonly string[] = []) =>
  at.call('PutReplicationConfiguration', {
    replicationConfiguration: {
      rules: [
        {
          destinations,
          ...(prefixes.length > 0
            ? { repositoryFilters: prefixes.map((filter) => ({ filter, filterType: 'PREFIX_MATCH' })) }
            : {}),
        },
      ],
    },
  });

const imagesIn = async (at: TestEcr, account: string, region: string) => {
  try {
    const { imageIds } = await at.call('ListImages', name, { account, region });
    return imageIds as { imageDigest: string; imageTag?: string }[];
  } catch (error) {
    if ((error as ServiceError).code === 'RepositoryNotFoundException') return undefined;
    throw error;
  }
};

const statuses = async (at: TestEcr, imageTag: string) =>
  (await at.call('DescribeImageReplicationStatus', { ...name, imageId: { imageTag } })).replicationStatuses;

describe('ECR replication', { timeout: 20_000 }, () => {
  it('copies what is pushed to other regions and accounts', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    const before = await at.push('team/app', 'before');
    await replicate(at, [
      { region: 'eu-west-1', registryId: '000000000000' },
      { region: 'us-east-1', registryId: OTHER },
    ]);
    at.events();
    const digest = await at.push('team/app', 'v1', 'new layer');
    await at.advance(0);
    for (const [account, region] of [
      ['000000000000', 'eu-west-1'],
      [OTHER, 'us-east-1'],
    ] as const) {
      assert.deepEqual(await imagesIn(at, account, region), [{ imageDigest: digest, imageTag: 'v1' }]);
      const host = `${account}.dkr.ecr.${region}.amazonaws.com`;
      const { bytes } = await at.repositories.getManifest(`${host}/team/app`, 'v1');
      for (const layer of JSON.parse(Buffer.from(bytes).toString()).layers) {
        assert.equal((await at.repositories.statBlob(`${host}/team/app`, layer.digest)).size, layer.size);
      }
    }
    assert.deepEqual(await statuses(at, 'v1'), [
      { registryId: '000000000000', region: 'eu-west-1', status: 'COMPLETE' },
      { registryId: OTHER, region: 'us-east-1', status: 'COMPLETE' },
    ]);
    assert.deepEqual(await statuses(at, 'before'), [], `${before} was there before the rule`);
    const copied = at.events().filter(({ type }) => type === 'ECR Replication Action');
    assert.deepEqual(
      copied.map(({ account, region, detail }) => [account, region, detail['image-tag'], detail['source-region']]),
      [
        ['000000000000', 'eu-west-1', 'v1', 'us-east-1'],
        [OTHER, 'us-east-1', 'v1', 'us-east-1'],
      ],
    );
  });

  it('copies an index with all that it lists', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    const child = await at.push('team/app', undefined);
    await replicate(at, [{ region: 'eu-west-1', registryId: '000000000000' }]);
    const index = await at.pushIndex('team/app', 'multi', [child]);
    await at.advance(0);
    const copied = await imagesIn(at, '000000000000', 'eu-west-1');
    assert.deepEqual(new Set(copied!.map(({ imageDigest }) => imageDigest)), new Set([index, child]));
  });

  it('copies only repositories whose names begin so', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    await at.create('other');
    await replicate(at, [{ region: 'eu-west-1', registryId: '000000000000' }], ['team/']);
    await at.push('team/app', 'v1');
    await at.push('other', 'v1');
    await at.advance(0);
    assert.equal((await imagesIn(at, '000000000000', 'eu-west-1'))?.length, 1);
    const { repositories } = await at.call('DescribeRepositories', {}, { region: 'eu-west-1' });
    assert.equal(repositories.length, 1);
  });

  it('copies a copy no further, and deletes nothing', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    await replicate(at, [{ region: 'eu-west-1', registryId: '000000000000' }]);
    const back = {
      rules: [{ destinations: [{ region: 'us-east-1', registryId: '000000000000' }] }],
    };
    await at.call('PutReplicationConfiguration', { replicationConfiguration: back }, { region: 'eu-west-1' });
    const digest = await at.push('team/app', 'v1');
    await at.advance(0);
    assert.deepEqual(await at.store.range({ prefix: ['ecr', 'replication-due'] }), []);
    await at.call('BatchDeleteImage', { ...name, imageIds: [{ imageDigest: digest }] });
    await at.advance(60_000);
    assert.equal((await imagesIn(at, '000000000000', 'eu-west-1'))?.length, 1);
    assert.deepEqual((await at.call('ListImages', name)).imageIds, []);
  });

  it('makes the repository as a template says, and copies without a tag what may not have it', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    const template = { prefix: 'team', appliedFor: ['REPLICATION'], imageTagMutability: 'IMMUTABLE' };
    await at.call('CreateRepositoryCreationTemplate', template, { region: 'eu-west-1' });
    await replicate(at, [{ region: 'eu-west-1', registryId: '000000000000' }]);
    await at.push('team/app', 'v1', 'one');
    await at.advance(0);
    const { repositories } = await at.call('DescribeRepositories', {}, { region: 'eu-west-1' });
    assert.equal(repositories[0].imageTagMutability, 'IMMUTABLE');
    const [first] = (await imagesIn(at, '000000000000', 'eu-west-1'))!;
    at.events();
    const second = await at.push('team/app', 'v1', 'two');
    await at.advance(0);
    assert.equal((await statuses(at, 'v1'))[0].status, 'COMPLETE');
    const images = (await imagesIn(at, '000000000000', 'eu-west-1'))!;
    assert.deepEqual(new Set(images), new Set([first, { imageDigest: second }]));
    const [event] = at.events().filter(({ type }) => type === 'ECR Replication Action');
    assert.equal('image-tag' in event!.detail, false);
  });

  it('leaves a tag that has moved on to the image that has it, in whatever order they are copied', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    await replicate(at, [{ region: 'eu-west-1', registryId: '000000000000' }]);
    await at.ecr.close();
    // Pushed at the same time, they are copied in the order of their digests: the last one first.
    const digestOfImage = (layer: string) => digestOf(imageOf(layer));
    const layers = ['one', 'two', 'three'].sort((a, b) => (digestOfImage(a) < digestOfImage(b) ? 1 : -1));
    const digests: string[] = [];
    for (const layer of layers) digests.push(await at.push('team/app', 'v1', layer));
    await at.restart();
    await at.advance(0);
    const images = (await imagesIn(at, '000000000000', 'eu-west-1'))!;
    assert.equal(images.length, 3);
    assert.deepEqual(
      images.filter(({ imageTag }) => imageTag === 'v1'),
      [{ imageDigest: digests.at(-1), imageTag: 'v1' }],
    );
  });

  it('makes no repository for what has been deleted before it was copied', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    await replicate(at, [{ region: 'eu-west-1', registryId: '000000000000' }]);
    await at.ecr.close();
    const digest = await at.push('team/app', 'v1');
    await at.call('BatchDeleteImage', { ...name, imageIds: [{ imageDigest: digest }] });
    await at.restart();
    await at.advance(0);
    assert.equal(await imagesIn(at, '000000000000', 'eu-west-1'), undefined);
    assert.deepEqual(await at.store.range({ prefix: ['ecr', 'replication-due'] }), []);
  });

  it('tells of what could not be copied', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    await replicate(at, [{ region: 'eu-west-1', registryId: '000000000000' }]);
    const gone = await at.push('team/app', 'gone');
    await at.repositories.deleteManifest(`${HOST}/team/app`, gone);
    const image = { mediaType: MEDIA_TYPES.ociManifest, digest: digestOf('an image that is not here'), size: 2 };
    const bytes = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [image] }),
    );
    await at.repositories.putManifest(`${HOST}/team/app`, 'v1', { mediaType: undefined, bytes }, { sparse: true });
    at.events();
    await at.advance(0);
    assert.equal((await statuses(at, 'v1'))[0].status, 'FAILED');
    const told = at.events().filter(({ type }) => type === 'ECR Replication Action');
    assert.deepEqual(
      told.map(({ region, detail }) => [region, detail.result, detail['image-digest'], detail['image-tag']]),
      [['eu-west-1', 'FAILED', digestOf(bytes), 'v1']],
      'nothing is told of what has been deleted',
    );
  });

  it('asks the other account, where policies decide', async () => {
    const asked: AuthorizationRequest[] = [];
    let allowed = false;
    await using at = await startTestEcr({
      enforce: true,
      authorizer: {
        authorize: async (principal, requests) => {
          assert.equal(principal.arn, 'arn:aws:iam::000000000000:root');
          asked.push(...requests);
          if (!allowed) throw new ServiceError('AccessDenied', 'no', { status: 403 });
        },
      },
    });
    await at.create('team/app');
    await replicate(at, [{ region: 'us-east-1', registryId: OTHER }]);
    await at.push('team/app', 'v1');
    await at.advance(0);
    assert.equal(await imagesIn(at, OTHER, 'us-east-1'), undefined);
    assert.equal((await statuses(at, 'v1'))[0].status, 'FAILED');
    assert.deepEqual(
      asked.map(({ action, resource, resourceAccount }) => [action, resource, resourceAccount]),
      ['ecr:ReplicateImage', 'ecr:CreateRepository'].map((action) => [
        action,
        `arn:aws:ecr:us-east-1:${OTHER}:repository/team/app`,
        OTHER,
      ]),
    );
    allowed = true;
    await at.push('team/app', 'v2');
    await at.advance(0);
    assert.equal((await imagesIn(at, OTHER, 'us-east-1'))?.length, 1);
  });

  it('goes on after a restart with what was pushed before', async () => {
    await using at = await startTestEcr();
    await at.create('team/app');
    await replicate(at, [{ region: 'eu-west-1', registryId: '000000000000' }]);
    await at.ecr.close();
    await at.push('team/app', 'v1');
    assert.equal(await imagesIn(at, '000000000000', 'eu-west-1'), undefined);
    await at.restart();
    await at.advance(0);
    assert.equal((await imagesIn(at, '000000000000', 'eu-west-1'))?.length, 1);
  });

  it('is refused where it makes no sense', async () => {
    await using at = await startTestEcr();
    const here = { region: 'eu-west-1', registryId: '000000000000' };
    for (const bad of [
      replicate(at, []),
      replicate(at, [{ region: 'us-east-1', registryId: '000000000000' }]),
      replicate(at, [{ region: 'eu-west-1', registryId: 'x' }]),
      replicate(at, [{ region: 'nowhere', registryId: OTHER }]),
      replicate(at, [here], ['NO']),
      replicate(
        at,
        Array.from({ length: 26 }, (_, i) => ({ region: 'eu-west-1', registryId: String(111122220000 + i) })),
      ),
    ]) {
      await assert.rejects(bad, { code: 'InvalidParameterException' });
    }
    await replicate(at, [here], ['team']);
    const { replicationConfiguration } = await at.call('DescribeRegistry');
    assert.deepEqual(replicationConfiguration.rules, [
      { destinations: [here], repositoryFilters: [{ filter: 'team', filterType: 'PREFIX_MATCH' }] },
    ]);
  });
});

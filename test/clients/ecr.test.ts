import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as ecr from '@aws-sdk/client-ecr';
import { EventBridgeClient, PutRuleCommand, PutTargetsCommand } from '@aws-sdk/client-eventbridge';
import * as sqs from '@aws-sdk/client-sqs';
import { moveClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { run, without, writeLayout } from '../support/image-tools.ts';
import { refused, sendRaw } from '../support/refusals.ts';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';

const HOST = '000000000000.dkr.ecr.us-east-1.amazonaws.com';
const HOUR = 3_600_000;
let server: RunningKobune;
let client: ecr.ECRClient;
let layout: string;
let digests: { readonly manifest: string; readonly layer: string };

before(async () => {
  server = await runKobune();
  client = new ecr.ECRClient(server.settings());
  layout = join(server.scratch, 'layout');
  digests = await writeLayout(layout, { 'etc/motd': 'hello' });
});
after(async () => {
  client?.destroy();
  await server?.[Symbol.asyncDispose]();
});

const create = (repositoryName: string, more: Partial<ecr.CreateRepositoryCommandInput> = {}) =>
  client.send(new ecr.CreateRepositoryCommand({ repositoryName, ...more }));
const push = (name: string, ...more: string[]) =>
  run('skopeo', [
    'copy',
    '--dest-tls-verify=false',
    ...more,
    `oci:${layout}:v1`,
    `docker://localhost:${server.port}/${HOST}/${name}`,
  ]);

describe('ECR by the AWS SDK', { timeout: 60_000 }, () => {
  it('makes, describes and deletes repositories', async () => {
    const { repository } = await create('sdk/one', { tags: [{ Key: 'team', Value: 'red' }] });
    assert.equal(repository?.repositoryUri, `${HOST}/sdk/one`);
    assert.ok(repository.createdAt instanceof Date);
    await assert.rejects(create('sdk/one'), ecr.RepositoryAlreadyExistsException);
    for (let i = 0; i < 5; i++) await create(`sdk/page/${i}`);
    const names: string[] = [];
    for await (const { repositories } of ecr.paginateDescribeRepositories({ client, pageSize: 2 }, {})) {
      names.push(...repositories!.map(({ repositoryName }) => repositoryName!));
    }
    assert.equal(names.filter((name) => name.startsWith('sdk/page/')).length, 5);
    const { tags } = await client.send(new ecr.ListTagsForResourceCommand({ resourceArn: repository.repositoryArn! }));
    assert.deepEqual(tags, [{ Key: 'team', Value: 'red' }]);
    await client.send(new ecr.DeleteRepositoryCommand({ repositoryName: 'sdk/one' }));
    const gone = client.send(new ecr.DescribeRepositoriesCommand({ repositoryNames: ['sdk/one'] }));
    await assert.rejects(gone, ecr.RepositoryNotFoundException);
    await assert.rejects(create('UPPER'), ecr.InvalidParameterException);
  });

  it('pushes and pulls an image by the API alone, and a layer by its address', async () => {
    await create('sdk/api');
    const digestOf = (content: string) => `sha256:${createHash('sha256').update(content).digest('hex')}`;
    const [config, layer] = ['{}', 'the bytes of a layer'];
    const name = { repositoryName: 'sdk/api' };
    for (const content of [config, layer]) {
      const { uploadId } = await client.send(new ecr.InitiateLayerUploadCommand(name));
      const part = { partFirstByte: 0, partLastByte: content.length - 1, layerPartBlob: Buffer.from(content) };
      await client.send(new ecr.UploadLayerPartCommand({ ...name, uploadId, ...part }));
      await client.send(new ecr.CompleteLayerUploadCommand({ ...name, uploadId, layerDigests: [digestOf(content)] }));
    }
    const imageManifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
      config: { mediaType: 'application/vnd.docker.container.image.v1+json', digest: digestOf(config), size: 2 },
      layers: [
        {
          mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
          digest: digestOf(layer),
          size: layer.length,
        },
      ],
    });
    const { image } = await client.send(new ecr.PutImageCommand({ ...name, imageManifest, imageTag: 'v1' }));
    assert.equal(image?.imageId?.imageDigest, digestOf(imageManifest));
    const { images } = await client.send(new ecr.BatchGetImageCommand({ ...name, imageIds: [{ imageTag: 'v1' }] }));
    assert.equal(images![0]!.imageManifest, imageManifest);
    const { downloadUrl } = await client.send(
      new ecr.GetDownloadUrlForLayerCommand({ ...name, layerDigest: digestOf(layer) }),
    );
    assert.equal(await (await fetch(downloadUrl!)).text(), layer);
  });

  it('takes what docker login and push send, below the name of the registry', { skip: without('skopeo') }, async () => {
    await create('sdk/docker');
    const { authorizationData } = await client.send(new ecr.GetAuthorizationTokenCommand({}));
    const [{ authorizationToken, proxyEndpoint }] = authorizationData as [ecr.AuthorizationData];
    assert.equal(proxyEndpoint, `https://${HOST}`);
    const credentials = Buffer.from(authorizationToken!, 'base64').toString();
    assert.match(credentials, /^AWS:./);
    await push('sdk/docker:v1', '--dest-creds', credentials);
    const { imageDetails } = await client.send(new ecr.DescribeImagesCommand({ repositoryName: 'sdk/docker' }));
    const [detail] = imageDetails as [ecr.ImageDetail];
    assert.deepEqual([detail.imageDigest, detail.imageTags], [digests.manifest, ['v1']]);
    await assert.rejects(push('sdk/none:v1'), /repository name not known|name unknown/);
    const path = '/v2/sdk/docker/manifests/v1';
    const byHost = await sendRaw(server.endpoint, { method: 'HEAD', path, headers: { host: HOST } });
    assert.equal(byHost.headers['docker-content-digest'], digests.manifest, 'or by the host itself');
  });

  it('tells EventBridge of pushes', { skip: without('skopeo') }, async () => {
    const [events, queues] = [new EventBridgeClient(server.settings()), new sqs.SQSClient(server.settings())];
    const { QueueUrl } = await queues.send(new sqs.CreateQueueCommand({ QueueName: 'ecr-events' }));
    const EventPattern = JSON.stringify({ source: ['aws.ecr'], detail: { 'repository-name': ['sdk/events'] } });
    await events.send(new PutRuleCommand({ Name: 'ecr', EventPattern }));
    const Arn = 'arn:aws:sqs:us-east-1:000000000000:ecr-events';
    await events.send(new PutTargetsCommand({ Rule: 'ecr', Targets: [{ Id: 'queue', Arn }] }));
    await create('sdk/events');
    await push('sdk/events:v1');
    const message = await eventually(async () => {
      const { Messages } = await queues.send(new sqs.ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 1 }));
      return Messages?.[0];
    });
    const event = JSON.parse(message.Body!);
    assert.equal(event['detail-type'], 'ECR Image Action');
    assert.equal(event.detail['image-digest'], digests.manifest);
    assert.equal(event.detail['image-tag'], 'v1');
    for (const one of [events, queues]) one.destroy();
  });

  it('carries out a lifecycle policy, by the clock', { skip: without('skopeo') }, async () => {
    await create('sdk/lifecycle');
    const rule = (rulePriority: number, selection: object) => ({
      rulePriority,
      description: 'as the registry of a team has it',
      selection,
      action: { type: 'expire' },
    });
    const lifecyclePolicyText = JSON.stringify({
      rules: [
        rule(1, { tagStatus: 'tagged', tagPrefixList: ['keep-'], countType: 'imageCountMoreThan', countNumber: 1 }),
        rule(2, { tagStatus: 'any', countType: 'sinceImagePushed', countUnit: 'days', countNumber: 1 }),
      ],
    });
    const name = { repositoryName: 'sdk/lifecycle' };
    await client.send(new ecr.PutLifecyclePolicyCommand({ ...name, lifecyclePolicyText }));
    await push('sdk/lifecycle:keep-1');
    await push('sdk/lifecycle:other', '--format', 'v2s2');
    await client.send(new ecr.StartLifecyclePolicyPreviewCommand(name));
    const preview = await client.send(new ecr.GetLifecyclePolicyPreviewCommand(name));
    assert.deepEqual([preview.status, preview.previewResults], ['COMPLETE', []]);
    await moveClock(server, 24 * HOUR);
    const left = await eventually(async () => {
      const { imageIds } = await client.send(new ecr.ListImagesCommand(name));
      return imageIds!.length === 1 ? imageIds : undefined;
    });
    assert.equal(left[0]!.imageTag, 'keep-1');
    const { lastEvaluatedAt } = await client.send(new ecr.GetLifecyclePolicyCommand(name));
    assert.ok(lastEvaluatedAt instanceof Date);
  });

  it('gets errors as the SDK knows them, and refusals by name', async () => {
    await create('sdk/errors', { imageTagMutability: 'IMMUTABLE' });
    const name = { repositoryName: 'sdk/errors' };
    await assert.rejects(client.send(new ecr.GetLifecyclePolicyCommand(name)), ecr.LifecyclePolicyNotFoundException);
    await assert.rejects(client.send(new ecr.GetRepositoryPolicyCommand(name)), ecr.RepositoryPolicyNotFoundException);
    const image = { ...name, imageIds: [{ imageTag: 'none' }] };
    await assert.rejects(client.send(new ecr.DescribeImagesCommand(image)), ecr.ImageNotFoundException);
    const upload = { ...name, uploadId: '00000000-0000-4000-8000-000000000000', layerDigests: [digests.layer] };
    await assert.rejects(client.send(new ecr.CompleteLayerUploadCommand(upload)), ecr.UploadNotFoundException);
    const { uploadId } = await client.send(new ecr.InitiateLayerUploadCommand(name));
    const part = { partFirstByte: 3, partLastByte: 3, layerPartBlob: Buffer.from('x') };
    const early = client.send(new ecr.UploadLayerPartCommand({ ...name, uploadId, ...part }));
    await assert.rejects(early, (error) => {
      assert.ok(error instanceof ecr.InvalidLayerPartException);
      assert.equal(error.lastValidByteReceived, -1);
      return true;
    });
    const scan = client.send(new ecr.StartImageScanCommand({ ...name, imageId: { imageTag: 'v1' } }));
    assert.match((await refused(scan, 'NotImplemented', 501)).message, /not scanned/);
  });
});

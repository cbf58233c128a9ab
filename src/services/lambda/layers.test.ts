import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ACCOUNT, LambdaFixture, REGION, rejects, zip } from './fixture.ts';

let world: LambdaFixture;
beforeEach(async () => {
  world = await LambdaFixture.start();
});
afterEach(() => world.close());

const layer = (name: string, version?: number) =>
  `arn:aws:lambda:${REGION}:${ACCOUNT}:layer:${name}${version === undefined ? '' : `:${version}`}`;
const publish = async (LayerName: string, content = 'one', extra: object = {}) =>
  world.call('PublishLayerVersion', {
    LayerName,
    Content: { ZipFile: await zip({ 'python/lib.py': content }) },
    ...extra,
  });

describe('Lambda layers', () => {
  it('are published in numbered versions that can be fetched', async () => {
    const first = await publish('tools', 'one', { Description: 'd', CompatibleRuntimes: ['python3.12'] });
    assert.equal(first.LayerVersionArn, layer('tools', 1));
    assert.equal(first.LayerArn, layer('tools'));
    const second = await publish('tools', 'two');
    assert.equal(second.Version, 2);
    const got = await world.call<{ Content: { Location: string; CodeSize: number }; Description: string }>(
      'GetLayerVersion',
      { LayerName: 'tools', VersionNumber: 1 },
    );
    assert.equal(got.Description, 'd');
    const url = new URL(got.Content.Location);
    const bytes = await buffer((await world.lambda.downloads.open(`${url.pathname}${url.search}`))!);
    assert.equal(bytes.length, got.Content.CodeSize);
    const byArn = await world.call('GetLayerVersionByArn', { Arn: layer('tools', 2) });
    assert.equal(byArn.Version, 2);
    await rejects(world.call('GetLayerVersion', { LayerName: 'tools', VersionNumber: 3 }), 'ResourceNotFoundException');
  });

  it('are listed, newest version first, and by what they are compatible with', async () => {
    await publish('a', '1', { CompatibleRuntimes: ['python3.12'] });
    await publish('a', '2', { CompatibleRuntimes: ['nodejs22.x'] });
    await publish('b', '1');
    type Layers = { Layers: { LayerName: string; LatestMatchingVersion: { Version: number } }[] };
    const all = await world.call<Layers>('ListLayers', {});
    assert.deepEqual(
      all.Layers.map((item) => [item.LayerName, item.LatestMatchingVersion.Version]),
      [
        ['a', 2],
        ['b', 1],
      ],
    );
    const python = await world.call<Layers>('ListLayers', { CompatibleRuntime: 'python3.12' });
    assert.deepEqual(
      python.Layers.map((item) => [item.LayerName, item.LatestMatchingVersion.Version]),
      [['a', 1]],
    );
    type Versions = { LayerVersions: { Version: number }[]; NextMarker?: string };
    const page = await world.call<Versions>('ListLayerVersions', { LayerName: 'a', MaxItems: 1 });
    assert.deepEqual(
      page.LayerVersions.map((item) => item.Version),
      [2],
    );
    const next = await world.call<Versions>('ListLayerVersions', { LayerName: 'a', Marker: page.NextMarker });
    assert.deepEqual(
      next.LayerVersions.map((item) => item.Version),
      [1],
    );
  });

  it('reach the engine in the order named, and outlive their own deletion in a function', async () => {
    await publish('a');
    await publish('b', 'two');
    await world.create('f', { Layers: [layer('b', 1), layer('a', 1)] });
    const configuration = await world.call<{ Layers: { Arn: string; CodeSize: number }[] }>(
      'GetFunctionConfiguration',
      {
        FunctionName: 'f',
      },
    );
    assert.deepEqual(
      configuration.Layers.map((item) => item.Arn),
      [layer('b', 1), layer('a', 1)],
    );
    const { layers } = world.engine.prepared[0]!;
    assert.equal(await readFile(join(layers[0]!.directory, 'python/lib.py'), 'utf8'), 'two');
    await world.call('DeleteLayerVersion', { LayerName: 'b', VersionNumber: 1 });
    assert.equal((await world.blobs.collect()).deleted, 0);
    world.clock.advance(3_600_000);
    await world.settle();
    await world.call('Invoke', { FunctionName: 'f' });
    assert.equal(
      await readFile(join(world.engine.invocations[0]!.spec.layers[0]!.directory, 'python/lib.py'), 'utf8'),
      'two',
    );
    await rejects(
      world.call('UpdateFunctionConfiguration', { FunctionName: 'f', Layers: [layer('b', 1)] }),
      'InvalidParameterValueException',
      { message: `Layer version ${layer('b', 1)} does not exist.` },
    );
    await world.call('UpdateFunctionConfiguration', { FunctionName: 'f', Layers: [] });
    assert.equal((await world.blobs.collect()).deleted, 1);
  });

  it('may be five, each layer once', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e', 'g']) await publish(name);
    await publish('a', 'two');
    const all = ['a', 'b', 'c', 'd', 'e', 'g'].map((name) => layer(name, 1));
    await rejects(world.create('f', { Layers: all }), 'InvalidParameterValueException', {
      message: 'Cannot reference more than 5 layers.',
    });
    await rejects(world.create('f', { Layers: [layer('a', 1), layer('a', 2)] }), 'InvalidParameterValueException', {
      message: /^Two different versions of the same layer/,
    });
    await world.create('f', { Layers: all.slice(0, 5) });
  });

  it('open to other accounts by their own policy', async () => {
    await publish('a');
    const target = { LayerName: 'a', VersionNumber: 1 };
    const added = await world.call<{ Statement: string }>('AddLayerVersionPermission', {
      ...target,
      StatementId: 's',
      Action: 'lambda:GetLayerVersion',
      Principal: '111111111111',
    });
    assert.equal(JSON.parse(added.Statement).Resource, layer('a', 1));
    const got = await world.call<{ Policy: string }>('GetLayerVersionPolicy', target);
    assert.equal(JSON.parse(got.Policy).Statement.length, 1);
    await world.call('RemoveLayerVersionPermission', { ...target, StatementId: 's' });
    await rejects(world.call('GetLayerVersionPolicy', target), 'ResourceNotFoundException');
  });

  it('are refused when they are not zips or have bad names', async () => {
    await rejects(
      world.call('PublishLayerVersion', { LayerName: 'a', Content: { ZipFile: Buffer.from('x') } }),
      'InvalidParameterValueException',
    );
    await rejects(publish('a b'), 'ValidationException');
    assert.deepEqual(await world.contents(), []);
  });
});

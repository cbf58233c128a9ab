import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ACCOUNT, LambdaFixture, REGION, rejects } from './fixture.ts';

let world: LambdaFixture;
beforeEach(async () => {
  world = await LambdaFixture.start();
});
afterEach(() => world.close());

describe('Lambda tags', () => {
  it('are set, listed and taken away', async () => {
    await world.create('f', { Tags: { a: '1' } });
    const Resource = `arn:aws:lambda:${REGION}:${ACCOUNT}:function:f`;
    await world.call('TagResource', { Resource, Tags: { b: '2', c: '3' } });
    await world.call('UntagResource', { Resource, TagKeys: ['a', 'c'] });
    assert.deepEqual(await world.call('ListTags', { Resource }), { Tags: { b: '2' } });
    await rejects(world.call('TagResource', { Resource, Tags: { 'aws:x': '1' } }), 'InvalidParameterValueException');
    await rejects(world.call('TagResource', { Resource: `${Resource}:1`, Tags: {} }), 'InvalidParameterValueException');
    await rejects(world.call('ListTags', { Resource: `${Resource}x` }), 'ResourceNotFoundException');
  });
});

describe('Lambda runtime management', () => {
  it('keeps what is set for a version', async () => {
    await world.create('f');
    assert.equal((await world.call('GetRuntimeManagementConfig', { FunctionName: 'f' })).UpdateRuntimeOn, 'Auto');
    await world.call('PutRuntimeManagementConfig', { FunctionName: 'f', UpdateRuntimeOn: 'FunctionUpdate' });
    assert.equal(
      (await world.call('GetRuntimeManagementConfig', { FunctionName: 'f' })).UpdateRuntimeOn,
      'FunctionUpdate',
    );
    await rejects(
      world.call('PutRuntimeManagementConfig', { FunctionName: 'f', UpdateRuntimeOn: 'Manual' }),
      'InvalidParameterValueException',
    );
  });
});

describe('the Lambda service', () => {
  it('serves or refuses by name every operation of the SDK', async () => {
    const sdk = await import('@aws-sdk/client-lambda');
    const names = Object.keys(sdk)
      .filter((name) => name.endsWith('Command') && name !== '$Command')
      .map((name) => name.slice(0, -'Command'.length));
    const { operations, refused } = world.lambda;
    assert.ok(names.length > 80);
    assert.deepEqual(
      names.filter((name) => !(name in operations) && !(name in refused)),
      [],
    );
    assert.deepEqual(
      names.filter((name) => name in operations && name in refused),
      [],
    );
  });
});

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ServiceError } from '../../base/errors.ts';
import { LambdaFixture, ROLE, rejects } from './fixture.ts';
import type { FunctionImages } from './ports.ts';

const URI = '000000000000.dkr.ecr.us-east-1.amazonaws.com/shop:1';
const GRACE_MS = 16 * 60_000;

/** A registry's answers, and what is held of them. */
class KnownImages implements FunctionImages {
  readonly held = new Set<string>();
  /** Changes what the tags mean. */
  build = 'a';

  async resolve(uri: string) {
    if (!uri.includes('/shop')) throw new ServiceError('ImageNotFound', `No such image: ${uri}`, { status: 404 });
    const digest = `sha256:${this.build.repeat(64)}`;
    return { id: `sha256:${this.build.repeat(63)}0`, digest, resolvedUri: `${uri.replace(/:[^/:]*$/, '')}@${digest}` };
  }

  async hold(id: string) {
    this.held.add(id);
  }

  async letGo(id: string) {
    this.held.delete(id);
  }
}

describe('Lambda functions from images', () => {
  let images: KnownImages;
  let world: LambdaFixture;
  const base = { FunctionName: 'shop', Role: ROLE, PackageType: 'Image', Code: { ImageUri: URI } };
  beforeEach(async () => {
    images = new KnownImages();
    world = await LambdaFixture.start({ images });
  });
  afterEach(() => world.close());

  it('show the image and what replaces its settings', async () => {
    const ImageConfig = { EntryPoint: ['/entry'], Command: ['app.handler'], WorkingDirectory: '/srv' };
    const created = await world.call('CreateFunction', { ...base, ImageConfig });
    assert.equal(created.PackageType, 'Image');
    assert.equal(created.Runtime, undefined);
    assert.equal(created.Handler, undefined);
    assert.equal(created.CodeSha256, 'a'.repeat(64));
    assert.deepEqual(created.ImageConfigResponse, { ImageConfig });
    const { Code } = await world.call('GetFunction', { FunctionName: 'shop' });
    assert.deepEqual(Code, {
      RepositoryType: 'ECR',
      ImageUri: URI,
      ResolvedImageUri: `000000000000.dkr.ecr.us-east-1.amazonaws.com/shop@sha256:${'a'.repeat(64)}`,
    });
    await world.settle();
    assert.deepEqual(world.engine.prepared.at(-1)?.image, {
      id: `sha256:${'a'.repeat(63)}0`,
      entryPoint: ['/entry'],
      command: ['app.handler'],
      workingDirectory: '/srv',
    });
  });

  it('keep what the tag meant until the code is updated', async () => {
    await world.call('CreateFunction', base);
    images.build = 'b';
    await world.call('UpdateFunctionConfiguration', { FunctionName: 'shop', ImageConfig: { Command: ['other'] } });
    await world.settle();
    assert.equal(world.engine.prepared.at(-1)?.image?.id, `sha256:${'a'.repeat(63)}0`);
    const updated = await world.call('UpdateFunctionCode', { FunctionName: 'shop', ImageUri: URI });
    assert.equal(updated.CodeSha256, 'b'.repeat(64));
    await world.settle();
    assert.equal(world.engine.prepared.at(-1)?.image?.id, `sha256:${'b'.repeat(63)}0`);
  });

  it('hold an image for as long as a version names it', async () => {
    const first = `sha256:${'a'.repeat(63)}0`;
    await world.call('CreateFunction', { ...base, Publish: true });
    images.build = 'b';
    await world.call('UpdateFunctionCode', { FunctionName: 'shop', ImageUri: URI });
    await world.settle();
    world.clock.advance(GRACE_MS);
    await world.settle();
    assert.ok(images.held.has(first), 'the published version names it');
    await world.call('DeleteFunction', { FunctionName: 'shop', Qualifier: '1' });
    world.clock.advance(GRACE_MS);
    await world.until(async () => !images.held.has(first));
    assert.equal(images.held.size, 1);
  });

  it('let an image go that was taken for a function that was refused', async () => {
    await world.call('CreateFunction', base);
    images.build = 'b';
    await rejects(
      world.call('UpdateFunctionCode', { FunctionName: 'shop', ImageUri: URI, RevisionId: 'another' }),
      'PreconditionFailedException',
    );
    assert.equal(images.held.size, 2);
    world.clock.advance(GRACE_MS);
    await world.until(async () => images.held.size === 1);
  });

  it('may come from elsewhere than ECR for programs of this machine alone', async () => {
    const elsewhere = { ...base, Code: { ImageUri: 'localhost:5000/shop:1' } };
    await rejects(world.call('CreateFunction', elsewhere, { sourceIp: '169.254.128.7' }), 'NotImplemented', {
      message: /^ImageUri=localhost:5000\/shop:1 is not supported/,
    });
    await world.call('CreateFunction', elsewhere);
    await world.call('UpdateFunctionCode', { FunctionName: 'shop', ImageUri: URI }, { sourceIp: '169.254.128.7' });
  });

  it('are refused when the image is not there, or with settings of packages', async () => {
    const wrong = 'InvalidParameterValueException';
    await rejects(world.call('CreateFunction', { ...base, Code: { ImageUri: 'nowhere:1' } }), wrong, {
      message: /^Source image nowhere:1 is not valid\. Provide a valid source image\./,
    });
    await rejects(world.call('CreateFunction', { ...base, Layers: ['arn:aws:lambda:us-east-1:0:layer:l:1'] }), wrong);
    await rejects(world.call('CreateFunction', { ...base, ImageConfig: { WorkingDirectory: 'srv' } }), wrong);
    await world.call('CreateFunction', base);
    await rejects(world.call('UpdateFunctionCode', { FunctionName: 'shop', S3Bucket: 'b', S3Key: 'k' }), wrong);
    await rejects(world.call('UpdateFunctionConfiguration', { FunctionName: 'shop', Handler: 'a.b' }), wrong);
  });
});

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ServiceError } from '../../base/errors.ts';
import { LambdaFixture, ROLE, rejects } from './fixture.ts';
import type { FunctionImages, ImageName, ImageUse } from './ports.ts';

const URI = '000000000000.dkr.ecr.us-east-1.amazonaws.com/shop:1';
const GRACE_MS = 16 * 60_000;

/** A registry's answers, and what is held of them. */
class KnownImages implements FunctionImages {
  readonly holding = new Set<string>();
  readonly uses: ImageUse[] = [];
  /** Changes what the tags mean. */
  build = 'a';
  size = 1;
  refusal: ServiceError | undefined;

  async resolve({ reference }: ImageName, use: ImageUse) {
    this.uses.push(use);
    if (this.refusal) throw this.refusal;
    if (!reference.includes('/shop')) {
      throw new ServiceError('NoSuchManifest', `manifest for ${reference} not found`, { status: 404 });
    }
    const id = `sha256:${this.build.repeat(63)}0`;
    this.holding.add(id);
    return { id, digest: `sha256:${this.build.repeat(64)}`, size: this.size };
  }

  async hold(id: string) {
    if (!this.holding.has(id)) throw new ServiceError('NoSuchImage', `No such image: ${id}`, { status: 404 });
  }

  /** Waited for before one is let go. */
  letting: Promise<void> | undefined;
  /** Called when that begins. */
  onLetting = () => {};

  async letGo(id: string) {
    this.onLetting();
    await this.letting;
    this.holding.delete(id);
  }

  async held() {
    return [...this.holding];
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
    assert.ok(images.holding.has(first), 'the published version names it');
    await world.call('DeleteFunction', { FunctionName: 'shop', Qualifier: '1' });
    world.clock.advance(GRACE_MS);
    await world.until(async () => !images.holding.has(first));
    assert.equal(images.holding.size, 1);
  });

  it('let an image go that was taken for a function that was refused', async () => {
    await world.call('CreateFunction', base);
    images.build = 'b';
    await rejects(
      world.call('UpdateFunctionCode', { FunctionName: 'shop', ImageUri: URI, RevisionId: 'another' }),
      'PreconditionFailedException',
    );
    assert.equal(images.holding.size, 2);
    world.clock.advance(GRACE_MS);
    await world.until(async () => images.holding.size === 1);
  });

  it('are served also when an image of former ones cannot be let go', async () => {
    const stuck = new KnownImages();
    stuck.holding.add(`sha256:${'c'.repeat(64)}`);
    stuck.letting = Promise.reject(new Error('the disk is broken'));
    stuck.letting.catch(() => {});
    const other = await LambdaFixture.start({ images: stuck });
    await other.call('CreateFunction', base);
    await other.close();
  });

  it('pull an image again that was let go while it was being pulled', async () => {
    await world.call('CreateFunction', base);
    await world.settle();
    await world.call('DeleteFunction', { FunctionName: 'shop' });
    const gate = Promise.withResolvers<void>();
    const begun = new Promise<void>((resolve) => {
      images.onLetting = resolve;
    });
    images.letting = gate.promise;
    world.clock.advance(GRACE_MS);
    await begun;
    const made = world.call('CreateFunction', base);
    await world.until(async () => images.uses.length === 2);
    gate.resolve();
    await made;
    assert.equal(images.holding.size, 1);
  });

  it('may come from elsewhere than ECR for programs of this machine alone', async () => {
    const elsewhere = { ...base, Code: { ImageUri: 'localhost:5000/shop:1' } };
    await rejects(world.call('CreateFunction', elsewhere, { sourceIp: '169.254.128.7' }), 'NotImplemented', {
      message: /^ImageUri=localhost:5000\/shop:1 is not supported/,
    });
    await world.call('CreateFunction', elsewhere);
    await world.call('UpdateFunctionCode', { FunctionName: 'shop', ImageUri: URI }, { sourceIp: '169.254.128.7' });
  });

  it('can be named by each of the names that the registry has', async () => {
    const names = [
      'localhost:4566/000000000000.dkr.ecr.us-east-1.amazonaws.com/shop:1',
      '000000000000.dkr.ecr.us-east-1.localhost.localstack.cloud:4566/shop:1',
      `000000000000.dkr.ecr.us-east-1.amazonaws.com/shop@sha256:${'a'.repeat(64)}`,
    ];
    for (const [i, ImageUri] of names.entries()) {
      await world.call('CreateFunction', { ...base, FunctionName: `shop${i}`, Code: { ImageUri } });
      const { Code } = await world.call('GetFunction', { FunctionName: `shop${i}` });
      const ResolvedImageUri = `000000000000.dkr.ecr.us-east-1.amazonaws.com/shop@sha256:${'a'.repeat(64)}`;
      assert.deepEqual(Code, { RepositoryType: 'ECR', ImageUri, ResolvedImageUri });
    }
    const { account, functionArn, region } = images.uses[0]!;
    const arn = 'arn:aws:lambda:us-east-1:000000000000:function:shop0';
    assert.deepEqual(
      { account, functionArn, region },
      { account: '000000000000', functionArn: arn, region: 'us-east-1' },
    );
  });

  it('are refused when the image is not there, cannot be one or may not be read', async () => {
    const wrong = 'InvalidParameterValueException';
    const create = (ImageUri: string) => world.call('CreateFunction', { ...base, Code: { ImageUri } });
    const ecr = '000000000000.dkr.ecr.us-east-1.amazonaws.com';
    const other = `${ecr}/other:1`;
    await rejects(create(other), wrong, {
      message: `Source image ${other} does not exist. Provide a valid source image.`,
    });
    const malformed = ['/shop', '/shop:', '/Shop:1', '/:1', '/shop:a/b', '/shop@sha256:12', `/shop:${'x'.repeat(129)}`];
    for (const uri of [...malformed.map((path) => ecr + path), '000000000000.dkr.ecr.eu-west-1.amazonaws.com/shop:1']) {
      await rejects(create(uri), wrong, { message: /^Source image \S+ is not valid\. Provide a valid source image\./ });
    }
    images.refusal = new ServiceError('DENIED', 'no', { status: 403 });
    const denied = 'Lambda does not have permission to access the ECR image. Check the ECR permissions.';
    await rejects(create(URI), 'AccessDeniedException', { message: denied });
    images.refusal = new ServiceError('MultiPlatformImage', 'of two platforms');
    await rejects(create(URI), wrong, {
      message: `The image manifest, config or layer media type for the source image ${URI} is not supported. (of two platforms)`,
    });
    images.refusal = undefined;
    images.size = 10 * 1024 ** 3 + 1;
    await rejects(create(URI), wrong, { message: /its layers have 10737418241 bytes/ });
    assert.equal(images.holding.size, 1);
    world.clock.advance(GRACE_MS);
    await world.until(async () => images.holding.size === 0);
  });

  it('are refused with settings of packages', async () => {
    const wrong = 'InvalidParameterValueException';
    await rejects(world.call('CreateFunction', { ...base, Layers: ['arn:aws:lambda:us-east-1:0:layer:l:1'] }), wrong);
    await rejects(world.call('CreateFunction', { ...base, ImageConfig: { WorkingDirectory: 'srv' } }), wrong);
    const words = Array.from({ length: 1501 }, () => 'word');
    const ImageConfig = { EntryPoint: words, Command: words, WorkingDirectory: `/${'d'.repeat(1000)}` };
    await rejects(world.call('CreateFunction', { ...base, ImageConfig }), 'ValidationException', {
      message: /^3 validation errors detected: .*entryPoint.*1500; .*command.*1500; .*workingDirectory.*1000$/,
    });
    await world.call('CreateFunction', base);
    await rejects(world.call('UpdateFunctionCode', { FunctionName: 'shop', S3Bucket: 'b', S3Key: 'k' }), wrong);
    await rejects(world.call('UpdateFunctionConfiguration', { FunctionName: 'shop', Handler: 'a.b' }), wrong);
  });
});

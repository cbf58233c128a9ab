import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ServiceError } from '../../base/errors.ts';
import { arnOf, LambdaFixture, ROLE, rejects, zip } from './fixture.ts';

let world: LambdaFixture;
beforeEach(async () => {
  world = await LambdaFixture.start();
});
afterEach(() => world.close());

const base = { FunctionName: 'f', Runtime: 'nodejs22.x', Role: ROLE, Handler: 'index.handler' };

const IMAGE = { PackageType: 'Image', Runtime: undefined, Handler: undefined };

describe('Lambda CreateFunction', () => {
  it('takes an inline zip and answers with the configuration, Pending first and Active when prepared', async () => {
    const code = await zip({ 'index.js': 'exports.handler = async () => 1;' });
    const created = await world.call('CreateFunction', {
      ...base,
      Code: { ZipFile: code },
      Environment: { Variables: { STAGE: 'test' } },
      Tags: { team: 'a' },
    });
    assert.equal(created.State, 'Pending');
    assert.equal(created.FunctionArn, arnOf('f'));
    assert.equal(created.Version, '$LATEST');
    assert.equal(created.Timeout, 3);
    assert.equal(created.MemorySize, 128);
    assert.equal(created.CodeSize, code.length);
    assert.match(String(created.LastModified), /^2026-01-02T03:04:05\.000\+0000$/);
    assert.deepEqual(created.Architectures, ['x86_64']);
    assert.deepEqual(created.EphemeralStorage, { Size: 512 });
    assert.deepEqual(created.LoggingConfig, { LogFormat: 'Text', LogGroup: '/aws/lambda/f' });
    await world.active('f');
    const got = await world.call<{ Configuration: Record<string, unknown>; Tags: object }>('GetFunction', {
      FunctionName: 'f',
    });
    assert.equal(got.Configuration.State, 'Active');
    assert.deepEqual(got.Configuration.Environment, { Variables: { STAGE: 'test' } });
    assert.deepEqual(got.Tags, { team: 'a' });
    assert.equal(world.engine.prepared.length, 1);
  });

  it('hands the engine the unpacked code with its modes', async () => {
    await world.create('f', {
      Code: { ZipFile: await zip({ 'bin/run': { content: '#!/bin/sh', mode: 0o100755 }, 'a.txt': 'text' }) },
    });
    const { code } = world.engine.prepared[0]!;
    assert.equal(await readFile(join(code.directory, 'a.txt'), 'utf8'), 'text');
    assert.equal((await stat(join(code.directory, 'bin/run'))).mode & 0o777, 0o755);
    assert.equal((await stat(join(code.directory, 'a.txt'))).mode & 0o777, 0o644);
  });

  it('reads the package from S3', async () => {
    const code = await zip({ 'index.js': '1' });
    world.objects.objects.set('packages/f.zip', code);
    const created = await world.create('f', { Code: { S3Bucket: 'packages', S3Key: 'f.zip' } });
    assert.equal(created.CodeSize, code.length);
    await rejects(
      world.call('CreateFunction', { ...base, FunctionName: 'g', Code: { S3Bucket: 'packages', S3Key: 'none' } }),
      'InvalidParameterValueException',
      { message: /S3 Error Code: NoSuchKey/ },
    );
  });

  it('gives out a download address that works for ten minutes, and only as signed', async () => {
    const code = await zip({ 'index.js': '1' });
    await world.create('f', { Code: { ZipFile: code } });
    const got = await world.call<{ Code: { Location: string } }>('GetFunction', { FunctionName: 'f' });
    const url = new URL(got.Code.Location);
    assert.equal(url.host, '127.0.0.1:4566');
    const path = `${url.pathname}${url.search}`;
    assert.deepEqual(await buffer((await world.lambda.downloads.open(path))!), code);
    assert.equal(await world.lambda.downloads.open(path.replace(/expires=\d+/, 'expires=9999999999999')), undefined);
    world.clock.advance(600_001);
    assert.equal(await world.lambda.downloads.open(path), undefined);
  });

  it('says Failed, with the reason, when the engine cannot prepare the function', async () => {
    world.engine.prepareFails = new ServiceError('RuntimeNotInstalled', 'python3.14 is not installed');
    await world.create('f');
    const got = await world.call('GetFunctionConfiguration', { FunctionName: 'f' });
    assert.equal(got.State, 'Failed');
    assert.equal(got.StateReason, 'python3.14 is not installed');
    await rejects(world.call('Invoke', { FunctionName: 'f' }), 'ResourceConflictException', { status: 409 });
  });

  it('refuses a second function of the same name', async () => {
    await world.create('f');
    await rejects(
      world.call('CreateFunction', { ...base, Code: { ZipFile: await zip({ 'index.js': '1' }) } }),
      'ResourceConflictException',
      { status: 409, message: 'Function already exist: f' },
    );
  });

  it('makes only one of two functions created at once under the same name', async () => {
    const code = { ZipFile: await zip({ 'index.js': '1' }) };
    const outcomes = await Promise.allSettled([
      world.call('CreateFunction', { ...base, Code: code }),
      world.call('CreateFunction', { ...base, Code: code }),
    ]);
    assert.deepEqual(outcomes.map((outcome) => outcome.status).sort(), ['fulfilled', 'rejected']);
  });

  it('refuses what the API model forbids, telling every member', async () => {
    const code = { ZipFile: await zip({ 'index.js': '1' }) };
    const cases: readonly (readonly [object, string, RegExp])[] = [
      [{ MemorySize: 127 }, 'ValidationException', /'127' at 'memorySize'.*greater than or equal to 128/],
      [{ MemorySize: 10_241 }, 'ValidationException', /less than or equal to 10240/],
      [{ Timeout: 901, MemorySize: 1 }, 'ValidationException', /^2 validation errors detected: /],
      [{ Timeout: 0 }, 'ValidationException', /'timeout'/],
      [{ EphemeralStorage: { Size: 511 } }, 'ValidationException', /'ephemeralStorage.size'/],
      [{ Role: 'role' }, 'ValidationException', /'role'/],
      [{ FunctionName: 'a b' }, 'ValidationException', /'functionName'/],
      [{ FunctionName: 'x'.repeat(65) }, 'ValidationException', /less than or equal to 64/],
      [{ Handler: undefined }, 'InvalidParameterValueException', /Runtime and Handler are mandatory/],
      [{ Runtime: 'nodejs12.x' }, 'InvalidParameterValueException', /^Value nodejs12.x at 'runtime'.*nodejs22.x/],
      [{ Environment: { Variables: { AWS_REGION: 'x' } } }, 'InvalidParameterValueException', /request: AWS_REGION$/],
      [{ Environment: { Variables: { '1A': 'x' } } }, 'ValidationException', /environment/],
      [{ Environment: { Variables: { CUT: 'a\0b' } } }, 'InvalidParameterValueException', /CUT has a zero byte/],
      [{ Environment: { Variables: { BIG: 'x'.repeat(4096) } } }, 'InvalidParameterValueException', /4KB limit/],
      [{ VpcConfig: { SubnetIds: ['subnet-1'] } }, 'NotImplemented', /^VpcConfig is not supported/],
      [
        { PackageType: 'Image', Code: { ImageUri: 'x' } },
        'InvalidParameterValueException',
        /^Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image\.$/,
      ],
      [{ PackageType: 'Jar' }, 'ValidationException', /'Jar' at 'packageType'.*\[Zip, Image\]/],
      [{ ...IMAGE, Code: code }, 'InvalidParameterValueException', /^Please provide ImageUri/],
      [{ ...IMAGE, Code: { ImageUri: 'x' } }, 'NotImplemented', /^ImageUri is not supported/],
      [{ Code: { ImageUri: 'x' } }, 'InvalidParameterValueException', /^Please don't provide ImageUri/],
      [{ ImageConfig: { Command: ['x'] } }, 'InvalidParameterValueException', /^ImageConfig/],
      [{ Architectures: ['arm64'] }, 'NotImplemented', /this machine is x86_64/],
      [{ KMSKeyArn: 'arn:aws:kms:us-east-1:000000000000:key/k' }, 'NotImplemented', /KMSKeyArn/],
      [{ SnapStart: { ApplyOn: 'PublishedVersions' } }, 'NotImplemented', /SnapStart/],
      [
        { DeadLetterConfig: { TargetArn: 'arn:aws:sqs:us-east-1:000000000000:q' } },
        'NotImplemented',
        /DeadLetterConfig/,
      ],
      [
        { Layers: ['arn:aws:lambda:us-east-1:000000000000:layer:l:1'] },
        'InvalidParameterValueException',
        /does not exist/,
      ],
      [{ Code: {} }, 'InvalidParameterValueException', /Please provide a source/],
      [{ Code: { ZipFile: Buffer.alloc(0) } }, 'InvalidParameterValueException', /non-empty zip/],
      [{ Code: { S3Bucket: 'hot-reload', S3Key: '/tmp' } }, 'NotImplemented', /hot-reload/],
    ];
    for (const [change, error, message] of cases) {
      await rejects(world.call('CreateFunction', { ...base, Code: code, ...change }), error, { message });
    }
    assert.deepEqual(await world.contents(), []);
    world.clock.advance(3_600_000);
    await world.settle();
    await world.until(async () => (await unpackedFolders()).length === 0);
    assert.equal((await world.blobs.collect()).deleted >= 0, true);
  });

  it('takes settings that turn a feature off', async () => {
    await world.create('f', {
      VpcConfig: { SubnetIds: [], SecurityGroupIds: [] },
      SnapStart: { ApplyOn: 'None' },
      DeadLetterConfig: {},
      KMSKeyArn: '',
    });
  });

  it('leaves nothing behind when the zip is not one', async () => {
    await rejects(
      world.call('CreateFunction', { ...base, Code: { ZipFile: Buffer.from('this is not a zip') } }),
      'InvalidParameterValueException',
      { message: 'Could not unzip uploaded file. Please check your file, then try to upload again.' },
    );
    assert.deepEqual(await world.contents(), []);
    assert.deepEqual(await unpackedFolders(), []);
    assert.equal((await world.blobs.collect()).deleted, 1);
  });

  it('serves a local folder for the bucket name hot-reload where that is allowed', async () => {
    await world.close();
    world = await LambdaFixture.start({ allowHotReload: true });
    const folder = await mkdtemp(join(tmpdir(), 'hot-'));
    try {
      await chmod(folder, 0o755);
      await world.create('f', { Code: { S3Bucket: 'hot-reload', S3Key: folder } });
      const { code } = world.engine.prepared[0]!;
      assert.equal(code.directory, folder);
      assert.equal(code.hotReload, true);
      for (const path of ['relative/path', join(folder, 'none'), '']) {
        await rejects(
          world.call('CreateFunction', { ...base, FunctionName: 'g', Code: { S3Bucket: 'hot-reload', S3Key: path } }),
          'InvalidParameterValueException',
        );
      }
      for (const path of ['/', world.directory, join(world.directory, 'code'), join(world.directory, 'blobs')]) {
        await rejects(
          world.call('CreateFunction', { ...base, FunctionName: 'g', Code: { S3Bucket: 'hot-reload', S3Key: path } }),
          'NotImplemented',
        );
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('Lambda CreateFunction on a full disk', () => {
  const mountable = process.platform === 'linux' && process.getuid?.() === 0;

  it('fails and leaves nothing behind', { skip: mountable ? false : 'only root can mount a small disk' }, async () => {
    const disk = join(world.directory, 'disk');
    await mkdir(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk]);
    try {
      await world.restart({ directory: join(disk, 'code') });
      const code = await zip({ 'index.js': '1', zeros: { content: Buffer.alloc(1024 * 1024) } });
      await rejects(world.call('CreateFunction', { ...base, Code: { ZipFile: code } }), 'ServiceException', {
        status: 500,
        message: /no space left/,
      });
      assert.deepEqual(await world.contents(), []);
      const [boot] = await readdir(join(disk, 'code'));
      assert.deepEqual(await readdir(join(disk, 'code', boot!)), []);
      await world.create('small');
    } finally {
      await world.restart({ directory: join(world.directory, 'code') });
      execFileSync('umount', [disk]);
    }
  });
});

describe('Lambda UpdateFunctionCode', () => {
  it('replaces the code, recycles environments and drops the old package when nothing uses it', async () => {
    const created = await world.create('f');
    const before = world.engine.prepared[0]!;
    const code = await zip({ 'index.js': 'second' });
    const updated = await world.call('UpdateFunctionCode', { FunctionName: 'f', ZipFile: code });
    assert.equal(updated.LastUpdateStatus, 'InProgress');
    assert.notEqual(updated.RevisionId, created.RevisionId);
    assert.notEqual(updated.CodeSha256, created.CodeSha256);
    await world.active('f');
    const after = world.engine.prepared[1]!;
    assert.notEqual(after.revision, before.revision);
    assert.deepEqual(world.engine.retired, [{ arn: arnOf('f', '$LATEST'), keep: after.revision }]);
    await world.call('Invoke', { FunctionName: 'f' });
    assert.equal(world.engine.invocations[0]!.spec.code.digest, after.code.digest);
    assert.equal((await unpackedFolders()).length, 2);
    world.clock.advance(3_600_000);
    await world.until(async () => (await unpackedFolders()).length === 1);
    assert.equal((await world.blobs.collect()).deleted, 1);
  });

  it('changes nothing with DryRun, and nothing against an outdated RevisionId', async () => {
    const created = await world.create('f');
    const ZipFile = await zip({ 'index.js': 'second' });
    const dry = await world.call('UpdateFunctionCode', { FunctionName: 'f', ZipFile, DryRun: true });
    assert.notEqual(dry.CodeSha256, created.CodeSha256);
    await rejects(
      world.call('UpdateFunctionCode', { FunctionName: 'f', ZipFile, RevisionId: 'other' }),
      'PreconditionFailedException',
      { status: 412 },
    );
    const got = await world.call('GetFunctionConfiguration', { FunctionName: 'f' });
    assert.equal(got.CodeSha256, created.CodeSha256);
  });

  it('publishes when asked to', async () => {
    await world.create('f');
    const ZipFile = await zip({ 'index.js': 'second' });
    const updated = await world.call('UpdateFunctionCode', { FunctionName: 'f', ZipFile, Publish: true });
    assert.equal(updated.Version, '1');
    assert.equal(updated.FunctionArn, arnOf('f', '1'));
  });

  it('is refused for a function that is not there', async () => {
    await rejects(
      world.call('UpdateFunctionCode', { FunctionName: 'none', ZipFile: await zip({ a: '1' }) }),
      'ResourceNotFoundException',
      { status: 404, message: `Function not found: ${arnOf('none')}` },
    );
  });
});

describe('Lambda UpdateFunctionConfiguration', () => {
  it('changes what is named and keeps the rest', async () => {
    await world.create('f', { Environment: { Variables: { STAGE: '1' } }, Timeout: 10 });
    await world.call('UpdateFunctionConfiguration', { FunctionName: 'f', MemorySize: 1024, Description: 'bigger' });
    await world.active('f');
    const got = await world.call('GetFunctionConfiguration', { FunctionName: 'f' });
    assert.equal(got.MemorySize, 1024);
    assert.equal(got.Timeout, 10);
    assert.equal(got.Description, 'bigger');
    assert.deepEqual(got.Environment, { Variables: { STAGE: '1' } });
    await world.call('Invoke', { FunctionName: 'f' });
    assert.equal(world.engine.invocations[0]!.spec.memoryMb, 1024);
  });

  it('waits for a preparation that is under way', async () => {
    await world.call('CreateFunction', { ...base, Code: { ZipFile: await zip({ 'index.js': '1' }) } });
    const updated = await world.call('UpdateFunctionConfiguration', { FunctionName: 'f', Timeout: 5 });
    assert.equal(updated.State, 'Active');
    assert.equal(updated.Timeout, 5);
  });
});

describe('Lambda ListFunctions', () => {
  it('pages through the functions of the account and region, and through all their versions', async () => {
    for (const name of ['a', 'b', 'c']) await world.create(name);
    await world.call('PublishVersion', { FunctionName: 'b' });
    type Page = { Functions: { FunctionName: string; FunctionArn: string }[]; NextMarker?: string };
    const first = await world.call<Page>('ListFunctions', { MaxItems: 2 });
    assert.deepEqual(
      first.Functions.map((item) => item.FunctionName),
      ['a', 'b'],
    );
    const second = await world.call<Page>('ListFunctions', { MaxItems: 2, Marker: first.NextMarker });
    assert.deepEqual(
      second.Functions.map((item) => item.FunctionName),
      ['c'],
    );
    assert.equal(second.NextMarker, undefined);
    const all = await world.call<Page>('ListFunctions', { FunctionVersion: 'ALL' });
    assert.deepEqual(
      all.Functions.map((item) => item.FunctionArn),
      [arnOf('a', '$LATEST'), arnOf('b', '1'), arnOf('b', '$LATEST'), arnOf('c', '$LATEST')],
    );
    const elsewhere = await world.call<Page>('ListFunctions', {}, { region: 'eu-west-1' });
    assert.deepEqual(elsewhere.Functions, []);
    const other = await world.call<Page>('ListFunctions', {}, { account: '111111111111' });
    assert.deepEqual(other.Functions, []);
    await rejects(world.call('ListFunctions', { Marker: 'junk' }), 'InvalidParameterValueException');
  });
});

describe('Lambda DeleteFunction', () => {
  it('removes the function with everything that belongs to it', async () => {
    await world.create('f', { Publish: true });
    await world.call('CreateAlias', { FunctionName: 'f', Name: 'live', FunctionVersion: '1' });
    await world.call('AddPermission', {
      FunctionName: 'f',
      StatementId: 's',
      Action: 'lambda:InvokeFunction',
      Principal: 's3.amazonaws.com',
    });
    assert.deepEqual(await world.call('DeleteFunction', { FunctionName: 'f' }), { StatusCode: 204 });
    assert.deepEqual(await world.contents(), []);
    assert.deepEqual(world.engine.retired.map((item) => item.arn).sort(), [arnOf('f', '$LATEST'), arnOf('f', '1')]);
    await rejects(world.call('Invoke', { FunctionName: 'f' }), 'ResourceNotFoundException', { status: 404 });
    await rejects(world.call('DeleteFunction', { FunctionName: 'f' }), 'ResourceNotFoundException');
    assert.equal((await world.blobs.collect()).deleted, 1);
  });

  it('removes one version, unless an alias uses it', async () => {
    await world.create('f', { Publish: true });
    await world.call('CreateAlias', { FunctionName: 'f', Name: 'live', FunctionVersion: '1' });
    await rejects(world.call('DeleteFunction', { FunctionName: 'f', Qualifier: '1' }), 'ResourceConflictException', {
      status: 409,
    });
    await rejects(world.call('DeleteFunction', { FunctionName: 'f:$LATEST' }), 'InvalidParameterValueException', {
      message: '$LATEST version cannot be deleted without deleting the function.',
    });
    await world.call('DeleteAlias', { FunctionName: 'f', Name: 'live' });
    await world.call('DeleteFunction', { FunctionName: 'f:1' });
    await rejects(world.call('GetFunction', { FunctionName: 'f:1' }), 'ResourceNotFoundException');
    await world.call('GetFunction', { FunctionName: 'f' });
  });
});

describe('Lambda after a restart', () => {
  it('still has its functions, and goes on with what was being prepared', async () => {
    await world.create('f', { Publish: true });
    const key = ['lambda', '000000000000', 'us-east-1', 'version', 'f', '$LATEST'];
    const entry = await world.store.get<object>(key);
    await world.store.put(key, { ...entry!.value, lastUpdateStatus: 'InProgress', specRevision: 'unprepared' });
    await world.restart();
    await world.active('f');
    assert.ok(world.engine.prepared.some((spec) => spec.revision === 'unprepared'));
    const result = await world.call('Invoke', { FunctionName: 'f:1' });
    assert.equal(result.StatusCode, 200);
  });

  it('unpacks a package again when its folder is gone', async () => {
    await world.create('f');
    await rm(join(world.directory, 'code'), { recursive: true });
    await world.restart();
    await world.call('Invoke', { FunctionName: 'f' });
    const { code } = world.engine.invocations[0]!.spec;
    assert.match(await readFile(join(code.directory, 'index.js'), 'utf8'), /exports.handler/);
  });

  it('removes folders that no function uses', async () => {
    await world.create('f');
    await world.create('g', { Code: { ZipFile: await zip({ 'index.js': 'other' }) } });
    await world.call('DeleteFunction', { FunctionName: 'g' });
    assert.equal((await unpackedFolders()).length, 2);
    await world.restart();
    assert.equal((await unpackedFolders()).length, 1);
  });
});

async function unpackedFolders(): Promise<string[]> {
  const code = join(world.directory, 'code');
  const found: string[] = [];
  for (const boot of await readdir(code)) found.push(...(await readdir(join(code, boot))));
  return found.filter((name) => !name.endsWith('.size'));
}

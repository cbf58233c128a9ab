import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  CreateFunctionCommand,
  type CreateFunctionCommandInput,
  GetFunctionCommand,
  InvokeCommand,
  LambdaClient,
  ListFunctionsCommand,
  ListLayersCommand,
  PublishLayerVersionCommand,
  UpdateFunctionCodeCommand,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { refused } from '../support/refusals.ts';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';
import { descendants, filesOf } from '../support/traces.ts';
import { zipOf } from '../support/zip.ts';

const MIB = 1024 * 1024;
const HANDLER = 'exports.handler = async () => "fine";';
let server: RunningKobune;
let s3: S3Client;
let lambda: LambdaClient;
let good: Buffer;
let bomb: Buffer;
let climbing: Buffer;

before(async () => {
  server = await runKobune({ ephemeral: false });
  s3 = new S3Client({ ...server.settings(), forcePathStyle: true });
  lambda = new LambdaClient(server.settings());
  good = await zipOf({ 'index.js': HANDLER });
  bomb = await zipOf({ 'index.js': HANDLER, zeros: Buffer.alloc(251 * MIB) });
  climbing = renamed(await zipOf({ 'index.js': HANDLER, 'xx/xx/xx/evil': 'out' }), 'xx/xx/xx/evil', '../../../evil');
});
after(async () => {
  s3?.destroy();
  lambda?.destroy();
  await server?.[Symbol.asyncDispose]();
});

/** A zip whose entry has a name of the same length that no writer of zips would give it. */
function renamed(archive: Buffer, from: string, to: string): Buffer {
  return Buffer.from(archive.toString('latin1').replaceAll(from, to), 'latin1');
}

const create = (changes: Partial<CreateFunctionCommandInput>) =>
  lambda.send(
    new CreateFunctionCommand({
      FunctionName: 'refused',
      Runtime: 'nodejs22.x',
      Handler: 'index.handler',
      Role: 'arn:aws:iam::000000000000:role/r',
      Code: { ZipFile: good },
      ...changes,
    }),
  );

const data = () => join(server.scratch, 'data');
/** The files that are there once those have gone that no record names: they do a minute later. */
async function settled(): Promise<readonly string[]> {
  for (let turns = 0; turns < 50 && filesOf(data()).length > 0; turns++) {
    const headers = { 'x-kobune-admin': '1', 'content-type': 'application/json' };
    await fetch(`${server.endpoint}/_kobune/clock`, { method: 'POST', headers, body: '{"advanceMs": 60000}' });
  }
  return filesOf(data());
}

async function assertNothingStays(): Promise<void> {
  assert.deepEqual((await lambda.send(new ListFunctionsCommand({}))).Functions, []);
  assert.deepEqual(await settled(), []);
  assert.deepEqual(descendants(process.pid), []);
  assert.ok(!existsSync(join(server.scratch, 'evil')) && !existsSync(join(data(), 'evil')));
}

describe('a deployment package', () => {
  const UNZIP = 'Could not unzip uploaded file. Please check your file, then try to upload again.';

  it('that is not a zip, is cut off, empty or damaged is refused, and nothing of it stays', async () => {
    const damaged = Buffer.from(good).fill(0xff, 12, 60);
    for (const ZipFile of [Buffer.from('not a zip'), good.subarray(0, -12), damaged, Buffer.alloc(100_000, 'PK')]) {
      const error = await refused(create({ Code: { ZipFile } }), 'InvalidParameterValueException', 400);
      assert.equal(error.message, UNZIP);
    }
    await refused(create({ Code: { ZipFile: new Uint8Array() } }), 'InvalidParameterValueException', 400);
    await assertNothingStays();
  });

  it('with a path that climbs out of it is refused, and writes nothing anywhere', async () => {
    const error = await refused(create({ Code: { ZipFile: climbing } }), 'InvalidParameterValueException', 400);
    assert.equal(error.message, UNZIP);
    const absolute = renamed(await zipOf({ 'xtmp/kobune-evil': 'out' }), 'xtmp/kobune-evil', '/tmp/kobune-evil');
    await refused(create({ Code: { ZipFile: absolute } }), 'InvalidParameterValueException', 400);
    assert.ok(!existsSync('/tmp/kobune-evil'));
    await assertNothingStays();
  });

  it('that is a bomb is refused, and what was unpacked of it goes', async () => {
    assert.ok(bomb.length < MIB);
    const error = await refused(create({ Code: { ZipFile: bomb } }), 'InvalidParameterValueException', 400);
    assert.equal(error.message, 'Unzipped size must be smaller than 262144000 bytes');
    await assertNothingStays();
  });

  it('of more than 50 MB inline is refused', async () => {
    const ZipFile = Buffer.alloc(50 * MIB + 1);
    await refused(create({ Code: { ZipFile } }), 'RequestEntityTooLargeException', 413);
    await assertNothingStays();
  });

  it('that S3 does not have, or no source at all, is refused', async () => {
    const error = await refused(
      create({ Code: { S3Bucket: 'no-such-bucket', S3Key: 'k' } }),
      'InvalidParameterValueException',
      400,
    );
    assert.match(error.message, /^Error occurred while GetObject\. S3 Error Code: NoSuchBucket\./);
    await refused(create({ Code: {} }), 'InvalidParameterValueException', 400);
    await assertNothingStays();
  });

  it('from S3 is judged like one that is inline', async () => {
    await s3.send(new CreateBucketCommand({ Bucket: 'packages' }));
    for (const [Key, Body] of Object.entries({ bomb, climbing, text: Buffer.from('not a zip') })) {
      await s3.send(new PutObjectCommand({ Bucket: 'packages', Key, Body }));
      await refused(create({ Code: { S3Bucket: 'packages', S3Key: Key } }), 'InvalidParameterValueException', 400);
    }
    assert.deepEqual((await lambda.send(new ListFunctionsCommand({}))).Functions, []);
    assert.deepEqual(
      filesOf(data()).filter((path) => path.startsWith('code/')),
      [],
    );
  });

  it('of a layer is judged like one of a function', async () => {
    for (const ZipFile of [Buffer.from('not a zip'), climbing, bomb]) {
      await refused(
        lambda.send(new PublishLayerVersionCommand({ LayerName: 'l', Content: { ZipFile } })),
        'InvalidParameterValueException',
        400,
      );
    }
    assert.deepEqual((await lambda.send(new ListLayersCommand({}))).Layers, []);
  });
});

describe('a function', () => {
  it('without a handler, of a wrong runtime, or out of range is refused, and is not there', async () => {
    await refused(create({ Handler: undefined }), 'InvalidParameterValueException', 400);
    const wrong = await refused(create({ Runtime: 'cobol85' as 'nodejs22.x' }), 'InvalidParameterValueException', 400);
    assert.match(
      wrong.message,
      /Value cobol85 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set/,
    );
    await refused(create({ Runtime: undefined }), 'InvalidParameterValueException', 400);
    await refused(create({ MemorySize: 127 }), 'ValidationException', 400);
    await refused(create({ MemorySize: 10_241 }), 'ValidationException', 400);
    await refused(create({ Timeout: 901 }), 'ValidationException', 400);
    await refused(create({ EphemeralStorage: { Size: 511 } }), 'ValidationException', 400);
    await refused(create({ FunctionName: '../../etc' }), 'ValidationException', 400);
    await refused(create({ Role: 'not an ARN' }), 'ValidationException', 400);
    await refused(
      create({ Environment: { Variables: { AWS_REGION: 'mine' } } }),
      'InvalidParameterValueException',
      400,
    );
    await refused(
      create({ Environment: { Variables: { LARGE: 'x'.repeat(4_097) } } }),
      'InvalidParameterValueException',
      400,
    );
    assert.deepEqual((await lambda.send(new ListFunctionsCommand({}))).Functions, []);
    assert.deepEqual(descendants(process.pid), []);
  });

  it('of a name that is taken is refused, and the first stays as it is; so does one whose update is refused', async () => {
    const FunctionName = 'taken';
    await create({ FunctionName });
    await waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 30, minDelay: 0.05 }, { FunctionName });
    const before = await lambda.send(new GetFunctionCommand({ FunctionName }));
    const other = await zipOf({ 'index.js': 'exports.handler = async () => "another";' });
    const error = await refused(create({ FunctionName, Code: { ZipFile: other } }), 'ResourceConflictException', 409);
    assert.equal(error.message, `Function already exist: ${FunctionName}`);
    const update = (ZipFile: Uint8Array) => lambda.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile }));
    for (const ZipFile of [Buffer.from('not a zip'), climbing, bomb])
      await refused(update(ZipFile), 'InvalidParameterValueException', 400);
    const { Configuration } = await lambda.send(new GetFunctionCommand({ FunctionName }));
    assert.deepEqual(Configuration, before.Configuration);
    const { Payload } = await lambda.send(new InvokeCommand({ FunctionName }));
    assert.equal(Payload?.transformToString(), '"fine"');
  });
});

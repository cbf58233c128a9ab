import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CloudWatchLogsClient, CreateLogGroupCommand } from '@aws-sdk/client-cloudwatch-logs';
import {
  CreateFunctionCommand,
  InvokeCommand,
  LambdaClient,
  ListFunctionsCommand,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { createLogger } from '../../src/base/json-logger.ts';
import { type Kobune, startKobune } from '../../src/main.ts';
import type { Refused } from '../support/refusals.ts';
import { filesOf } from '../support/traces.ts';
import { zipOf } from '../support/zip.ts';

const PROGRAM = join(import.meta.dirname, '../../src/cli/kobune.ts');
const MIB = 1024 * 1024;
const mountable = process.platform === 'linux' && process.getuid?.() === 0;
const Bucket = 'kept';
let scratch: string;
let disk: string;
let data: string;
let kobune: Kobune;
let s3: S3Client;
let lambda: LambdaClient;
let logs: CloudWatchLogsClient;

async function start(): Promise<void> {
  kobune = await startKobune({
    dataDirectory: data,
    ephemeral: false,
    host: '127.0.0.1',
    port: 0,
    iam: 'off',
    unsandboxed: false,
    hosts: [],
    origins: [],
    // What fails for want of space is in the log; here it is expected.
    logger: createLogger({ level: 'error', format: 'text', write: () => {} }),
    environment: process.env,
    onShutdown: () => {},
  });
  const settings = {
    endpoint: kobune.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  };
  s3 = new S3Client({ ...settings, forcePathStyle: true });
  lambda = new LambdaClient(settings);
  logs = new CloudWatchLogsClient(settings);
}

async function stop(): Promise<void> {
  for (const client of [s3, lambda, logs]) client?.destroy();
  await kobune?.close();
}

/** Takes what is left of the disk, but for so many bytes. */
function fill(leaving = 0): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(join(disk, 'ballast'), Buffer.alloc(Math.max(0, bavail * bsize - leaving)));
}
const makeRoom = () => rmSync(join(disk, 'ballast'), { force: true });

const put = (Key: string, size: number) => s3.send(new PutObjectCommand({ Bucket, Key, Body: Buffer.alloc(size, 7) }));
const keys = async () => ((await s3.send(new ListObjectsV2Command({ Bucket }))).Contents ?? []).map(({ Key }) => Key);
const create = async (FunctionName: string, padding: number) =>
  lambda.send(
    new CreateFunctionCommand({
      FunctionName,
      Runtime: 'nodejs22.x',
      Handler: 'index.handler',
      Role: 'arn:aws:iam::000000000000:role/r',
      Code: {
        ZipFile: await zipOf({ 'index.js': 'exports.handler = async () => "fine";', padding: Buffer.alloc(padding) }),
      },
    }),
  );

/** Refused as a fault of the server: a documented code with a 5xx status, which tells clients to try again. */
async function failsForSpace(call: Promise<unknown>, codes: readonly string[]): Promise<void> {
  const error = (await call.then(
    () => assert.fail('it was accepted on a full disk'),
    (reason: unknown) => reason,
  )) as Refused;
  assert.ok(codes.includes(error.name), `${error.name}: ${error.message}`);
  assert.ok([500, 503, 507].includes(error.$metadata?.httpStatusCode ?? 0), String(error.$metadata?.httpStatusCode));
}

/** As `failsForSpace`, for writes so small that the store may have pages left for some of them. */
async function failsInTheEnd(write: (index: number) => Promise<unknown>, code: string): Promise<void> {
  for (let index = 0; index < 500; index++) {
    const error = await write(index).then(
      () => undefined,
      (reason: Refused) => reason,
    );
    if (error === undefined) continue;
    assert.deepEqual([error.name, error.$metadata?.httpStatusCode], [code, 500], error.message);
    return;
  }
  assert.fail('500 writes were accepted on a full disk');
}

describe('a full disk below the data directory', {
  skip: mountable ? false : 'only root can mount a small disk',
}, () => {
  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'kobune-full-'));
    disk = join(scratch, 'disk');
    data = join(disk, 'data');
    await mkdir(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', disk]);
    await start();
    await s3.send(new CreateBucketCommand({ Bucket }));
    await put('before', 3 * MIB);
    await create('before', 0);
    await waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 30, minDelay: 0.05 }, { FunctionName: 'before' });
  });
  after(async () => {
    await stop().finally(() => {
      execFileSync('umount', ['--lazy', disk]);
    });
    await rm(scratch, { recursive: true });
  });

  it('refuses what is too large for what is left, and keeps nothing of it', async () => {
    fill(2 * MIB);
    const before = filesOf(data);
    await failsForSpace(put('large', 8 * MIB), ['InternalError', 'ServiceUnavailable', 'InsufficientStorage']);
    await failsForSpace(create('large', 6 * MIB), ['ServiceException']);
    assert.deepEqual(
      filesOf(data).filter((path) => !before.includes(path) && !path.startsWith('blobs/sha256/')),
      [],
    );
    assert.deepEqual(await keys(), ['before']);
    makeRoom();
  });

  it('refuses every write once nothing is left, and still answers reads and invocations', async () => {
    fill();
    await failsInTheEnd((i) => put(`small-${i}`, 2_000), 'InternalError');
    await failsForSpace(put('large', MIB), ['InternalError']);
    await failsForSpace(create('other', 0), ['ServiceException']);
    await failsInTheEnd((i) => s3.send(new CreateBucketCommand({ Bucket: `other-${i}` })), 'InternalError');
    await failsInTheEnd(
      (i) => logs.send(new CreateLogGroupCommand({ logGroupName: `${'other'.repeat(80)}-${i}` })),
      'InternalFailure',
    );
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: 'before' }));
    assert.deepEqual(Buffer.from(await Body!.transformToByteArray()), Buffer.alloc(3 * MIB, 7));
    assert.deepEqual(
      (await lambda.send(new ListFunctionsCommand({}))).Functions?.map(({ FunctionName }) => FunctionName),
      ['before'],
    );
    const { Payload, FunctionError } = await lambda.send(new InvokeCommand({ FunctionName: 'before' }));
    assert.deepEqual([FunctionError, Payload?.transformToString()], [undefined, '"fine"']);
  });

  it('takes writes again when there is room, with all that was acknowledged, also after a restart', async () => {
    const kept = await keys();
    makeRoom();
    await put('after', 3 * MIB);
    await create('after', MIB);
    assert.deepEqual(await keys(), ['after', ...kept]);
    await stop();
    await start();
    assert.deepEqual(await keys(), ['after', ...kept]);
    for (const Key of ['before', 'after']) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
      assert.equal((await Body!.transformToByteArray()).length, 3 * MIB);
    }
    assert.deepEqual(
      (await lambda.send(new ListFunctionsCommand({}))).Functions?.map(({ FunctionName }) => FunctionName).sort(),
      ['after', 'before'],
    );
  });

  it('keeps one from starting, with the reason, and from leaving half a store behind', async () => {
    await stop();
    for (const [leaving, place] of [
      [0, data],
      [16 * 1024, join(disk, 'fresh')],
    ] as const) {
      makeRoom();
      fill(leaving);
      const up = spawnSync(process.execPath, [PROGRAM, 'up', '--port', '0', '--data', place], { encoding: 'utf8' });
      assert.equal(up.status, 1, up.stderr);
      assert.match(up.stderr, /^kobune: .*its disk is full\n {2}\S/);
      makeRoom();
      const again = spawnSync(process.execPath, [PROGRAM, 'up', '--detach', '--port', '0', '--data', place]);
      assert.equal(again.status, 0, String(again.stderr));
      spawnSync(process.execPath, [PROGRAM, 'down', '--data', place]);
    }
  });
});

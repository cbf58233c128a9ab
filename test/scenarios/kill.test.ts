import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import {
  CreateFunctionCommand,
  GetFunctionCommand,
  InvokeCommand,
  LambdaClient,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  waitUntilObjectExists,
} from '@aws-sdk/client-s3';
import { zipOf } from '../support/zip.ts';

const PROGRAM = join(import.meta.dirname, '../../src/cli/kobune.ts');

interface Instance {
  readonly pid: number;
  readonly endpoint: string;
}

async function up(data: string): Promise<Instance> {
  const args = [PROGRAM, 'up', '--detach', '--port', '0', '--data', data, '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout);
}

async function down(data: string): Promise<void> {
  await promisify(execFile)(process.execPath, [PROGRAM, 'down', '--data', data]);
}

/** Ends it as a power cut would, and resolves when the kernel has taken it away. */
async function kill(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL');
  for (; existsSync(`/proc/${pid}`); await new Promise((resolve) => setImmediate(resolve))) {
    if (/^State:\s+[ZX]/m.test(readStatus(pid))) return;
  }
}

function readStatus(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return 'State: X';
  }
}

/** Processes whose command line names the data directory: sandboxes and whatever else belongs to an instance. */
function processesOf(data: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .filter((command) => command.includes(data));
}

const clientsOf = ({ endpoint }: Instance) => {
  const settings = { endpoint, region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } };
  return { s3: new S3Client({ ...settings, forcePathStyle: true }), lambda: new LambdaClient(settings) };
};

/** Waits before it leaves its mark, so that the server dies while the invocation is under way. */
const MARKER = `
import time
import boto3

def handler(event, context):
    time.sleep(3)
    boto3.client("s3").put_object(Bucket="kept", Key=event["key"], Body=b"done")
`;

describe('kill -9 of the server', () => {
  it('loses no acknowledged object, function or queued invocation, and leaves no process behind', {
    timeout: 120_000,
  }, async () => {
    const data = await mkdtemp(join(tmpdir(), 'kobune-kill-'));
    try {
      const first = await up(data);
      const before = clientsOf(first);
      await before.s3.send(new CreateBucketCommand({ Bucket: 'kept' }));
      const keys = Array.from({ length: 50 }, (_, index) => `object-${index}`);
      await Promise.all(
        keys.map((Key, index) =>
          before.s3.send(new PutObjectCommand({ Bucket: 'kept', Key, Body: Buffer.alloc(index * 4096, index) })),
        ),
      );
      await before.lambda.send(
        new CreateFunctionCommand({
          FunctionName: 'marker',
          Runtime: 'python3.11',
          Handler: 'marker.handler',
          Role: 'arn:aws:iam::000000000000:role/marker',
          Code: { ZipFile: await zipOf({ 'marker.py': MARKER }) },
          Timeout: 60,
        }),
      );
      await waitUntilFunctionActiveV2(
        { client: before.lambda, maxWaitTime: 30, minDelay: 0.1 },
        { FunctionName: 'marker' },
      );
      const queued = await before.lambda.send(
        new InvokeCommand({ FunctionName: 'marker', InvocationType: 'Event', Payload: '{"key":"after-restart"}' }),
      );
      assert.equal(queued.StatusCode, 202);
      await kill(first.pid);
      for (const client of Object.values(before)) client.destroy();

      const second = await up(data);
      const after = clientsOf(second);
      try {
        const listed = await after.s3.send(new ListObjectsV2Command({ Bucket: 'kept', Prefix: 'object-' }));
        assert.deepEqual(listed.Contents?.map(({ Key }) => Key).sort(), keys.toSorted());
        for (const [index, Key] of keys.entries()) {
          const { Body } = await after.s3.send(new GetObjectCommand({ Bucket: 'kept', Key }));
          assert.deepEqual(Buffer.from(await Body!.transformToByteArray()), Buffer.alloc(index * 4096, index));
        }
        const { Configuration } = await after.lambda.send(new GetFunctionCommand({ FunctionName: 'marker' }));
        assert.equal(Configuration?.State, 'Active');
        await waitUntilObjectExists(
          { client: after.s3, maxWaitTime: 30, minDelay: 0.1, maxDelay: 0.5 },
          { Bucket: 'kept', Key: 'after-restart' },
        );
      } finally {
        for (const client of Object.values(after)) client.destroy();
        await down(data);
      }
      assert.deepEqual(processesOf(data), []);
    } finally {
      await rm(data, { recursive: true, force: true });
    }
  });
});

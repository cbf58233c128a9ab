import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';

const PROGRAM = join(import.meta.dirname, '../../src/cli/kobune.ts');
const MIB = 1024 * 1024;
const SIZE = 5 * 1024 * MIB;
/** By how much a server may grow while bytes pass through it. */
const GROWTH_MIB = 150;
const Bucket = 'large';

let data: string;
let pid: number;
let s3: S3Client;

before(async () => {
  data = await mkdtemp(join(tmpdir(), 'kobune-large-'));
  const args = [PROGRAM, 'up', '--detach', '--port', '0', '--data', data, '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const up = JSON.parse(stdout);
  pid = up.pid;
  s3 = new S3Client({
    endpoint: up.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    forcePathStyle: true,
    maxAttempts: 1,
    // The client then sends the bytes as they come: it signs them as unsigned and adds no checksum.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  await s3.send(new CreateBucketCommand({ Bucket }));
});
after(async () => {
  s3?.destroy();
  await promisify(execFile)(process.execPath, [PROGRAM, 'down', '--data', data]);
  await rm(data, { recursive: true, force: true });
});

/** MiB number `index` of the generated object: no two are alike. */
function block(index: number): Buffer {
  const bytes = Buffer.alloc(MIB, index % 251);
  bytes.writeUInt32LE(index);
  return bytes;
}

function* blocks(count: number, first = 0): Generator<Buffer> {
  for (let index = first; index < first + count; index++) yield block(index);
}

/** A field of the server's status, kB, as MiB. `VmHWM` is the most that `VmRSS` has been. */
function memory(field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)![1]) / 1024;
}

async function assertConstantMemory(test: TestContext, work: () => Promise<void>): Promise<void> {
  // Lets the most that it has been start anew. Source: proc(5), "clear_refs".
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  const before = memory('VmRSS');
  await work();
  const peak = memory('VmHWM');
  test.diagnostic(`the server grew from ${before.toFixed(0)} to ${peak.toFixed(0)} MiB`);
  assert.ok(peak - before < GROWTH_MIB, `from ${before.toFixed(0)} to ${peak.toFixed(0)} MiB`);
}

describe('S3 with objects of 5 GB', () => {
  let md5: string;

  it('takes one in a single PutObject, in constant memory', { timeout: 300_000 }, async (test) => {
    const hash = createHash('md5');
    const flow = function* () {
      for (const bytes of blocks(SIZE / MIB)) {
        hash.update(bytes);
        yield bytes;
      }
    };
    await s3.send(new PutObjectCommand({ Bucket, Key: 'warm-up', Body: block(0) }));
    await assertConstantMemory(test, async () => {
      const Body = Readable.from(flow(), { objectMode: false, highWaterMark: MIB });
      const { ETag } = await s3.send(new PutObjectCommand({ Bucket, Key: 'five', Body, ContentLength: SIZE }));
      md5 = hash.digest('hex');
      assert.equal(ETag, `"${md5}"`);
    });
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'five' }));
    assert.equal(head.ContentLength, SIZE);
  });

  it('gives it out again in constant memory, and any part of it', { timeout: 300_000 }, async (test) => {
    await assertConstantMemory(test, async () => {
      const hash = createHash('md5');
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: 'five' }));
      for await (const chunk of Body as Readable) hash.update(chunk);
      assert.equal(hash.digest('hex'), md5);
    });
    for (const index of [0, 2_047, 4_096, 5_119]) {
      const Range = `bytes=${index * MIB}-${(index + 1) * MIB - 1}`;
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: 'five', Range }));
      assert.deepEqual(Buffer.from(await Body!.transformToByteArray()), block(index));
    }
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'five' }));
  });

  it('refuses one byte more than 5 GB, and keeps nothing of it', async () => {
    const Body = Readable.from(blocks(1), { objectMode: false });
    const put = new PutObjectCommand({ Bucket, Key: 'more', Body, ContentLength: SIZE + 1 });
    await assert.rejects(s3.send(put), ({ name }: Error) => name === 'EntityTooLarge');
    await assert.rejects(s3.send(new HeadObjectCommand({ Bucket, Key: 'more' })));
  });

  it('takes 1 GB in parts, four at a time, in constant memory', { timeout: 300_000 }, async (test) => {
    const [parts, partSize] = [64, 16];
    await assertConstantMemory(test, async () => {
      const upload = { Bucket, Key: 'parts' };
      const { UploadId } = await s3.send(new CreateMultipartUploadCommand(upload));
      const Parts: { PartNumber: number; ETag: string | undefined }[] = [];
      let next = 0;
      const send = async (): Promise<void> => {
        while (next < parts) {
          const number = next++;
          const Body = Readable.from(blocks(partSize, number * partSize), { objectMode: false });
          const input = { ...upload, UploadId, PartNumber: number + 1, Body, ContentLength: partSize * MIB };
          const { ETag } = await s3.send(new UploadPartCommand(input));
          Parts[number] = { PartNumber: number + 1, ETag };
        }
      };
      await Promise.all([send(), send(), send(), send()]);
      const done = { ...upload, UploadId, MultipartUpload: { Parts } };
      const { ETag } = await s3.send(new CompleteMultipartUploadCommand(done));
      assert.match(ETag!, new RegExp(`^"[0-9a-f]{32}-${parts}"$`));
    });
    let index = 0;
    let rest = Buffer.alloc(0);
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: 'parts' }));
    for await (const chunk of Body as Readable) {
      rest = Buffer.concat([rest, chunk]);
      for (; rest.length >= MIB; rest = rest.subarray(MIB)) assert.ok(rest.subarray(0, MIB).equals(block(index++)));
    }
    assert.deepEqual([index, rest.length], [parts * partSize, 0]);
  });
});

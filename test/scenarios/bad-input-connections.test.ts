import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { unverified } from '../support/refusals.ts';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';
import { filesOf } from '../support/traces.ts';

const MIB = 1024 * 1024;
const Bucket = 'kept';
let server: RunningKobune;
let s3: S3Client;
const files = () => filesOf(join(server.scratch, 'data'));

before(async () => {
  server = await runKobune({ ephemeral: false });
  s3 = new S3Client({ ...server.settings(), forcePathStyle: true });
  await s3.send(new CreateBucketCommand({ Bucket }));
});
after(async () => {
  s3?.destroy();
  await server?.[Symbol.asyncDispose]();
});

/** Sends the head of a request and leaves the connection open. */
async function begin(method: string, path: string, headers: Readonly<Record<string, string>>): Promise<Socket> {
  const socket = connect(server.port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  const all = { host: 'localhost', ...unverified('s3'), ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
  return socket;
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < end, what);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function write(socket: Socket, bytes: number): Promise<void> {
  for (let sent = 0; sent < bytes; sent += MIB)
    if (!socket.write(Buffer.alloc(MIB, sent / MIB))) await once(socket, 'drain');
}

describe('a client that goes away', () => {
  it('in the middle of a 50 MB PutObject leaves nothing', async () => {
    const socket = await begin('PUT', `/${Bucket}/large`, { 'content-length': String(50 * MIB) });
    await write(socket, 25 * MIB);
    await until(() => files().length === 1, 'the upload is under way');
    socket.destroy();
    await until(() => files().length === 0, 'its file goes');
    assert.equal((await s3.send(new ListObjectsV2Command({ Bucket }))).KeyCount, 0);
  });

  it('in the middle of an overwrite leaves the object as it was', async () => {
    await s3.send(new PutObjectCommand({ Bucket, Key: 'old', Body: 'as it was' }));
    const socket = await begin('PUT', `/${Bucket}/old`, { 'content-length': String(50 * MIB) });
    await write(socket, 5 * MIB);
    await until(() => files().length === 1, 'the upload is under way');
    socket.destroy();
    await until(() => files().length === 0, 'its file goes');
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: 'old' }));
    assert.equal(await Body!.transformToString(), 'as it was');
  });

  it('in the middle of a part leaves the upload without it', async () => {
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'parts' }));
    const path = `/${Bucket}/parts?partNumber=1&uploadId=${encodeURIComponent(UploadId!)}`;
    const socket = await begin('PUT', path, { 'content-length': String(50 * MIB) });
    await write(socket, 10 * MIB);
    await until(() => files().length === 1, 'the upload is under way');
    socket.destroy();
    await until(() => files().length === 0, 'its file goes');
    const { Parts = [] } = await s3.send(new ListPartsCommand({ Bucket, Key: 'parts', UploadId }));
    assert.deepEqual(Parts, []);
  });

  it('in the middle of a download costs nothing but its connection', async () => {
    await s3.send(new PutObjectCommand({ Bucket, Key: 'download', Body: Buffer.alloc(20 * MIB, 1) }));
    for (let i = 0; i < 20; i++) {
      const socket = await begin('GET', `/${Bucket}/download`, {});
      await once(socket, 'data');
      socket.destroy();
    }
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: 'download' }));
    assert.equal((await Body!.transformToByteArray()).length, 20 * MIB);
  });
});

describe('clients that dawdle', () => {
  it('do not keep others waiting, however many they are', async () => {
    const slow: Socket[] = [];
    try {
      for (let i = 0; i < 300; i++) {
        const socket = connect(server.port, '127.0.0.1');
        socket.on('error', () => {});
        slow.push(socket);
        // Some send a request line letter by letter, some the start of headers, some a body that does not come.
        if (i % 3 === 0) socket.write('P');
        else if (i % 3 === 1) socket.write('PUT /kept/slow HTTP/1.1\r\nhost: localhost\r\nx-');
        else socket.write('PUT /kept/slow HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999\r\n\r\nx');
      }
      await Promise.all(slow.map((socket) => (socket.connecting ? once(socket, 'connect') : undefined)));
      const started = performance.now();
      for (let i = 0; i < 20; i++) {
        await s3.send(new PutObjectCommand({ Bucket, Key: `quick-${i}`, Body: 'quick' }));
        for (const socket of slow) socket.write('x');
      }
      const each = (performance.now() - started) / 20;
      assert.ok(each < 1_000, `a request took ${each.toFixed(0)} ms beside 300 slow ones`);
    } finally {
      for (const socket of slow) socket.destroy();
    }
    await until(() => !files().some((path) => path.startsWith('blobs/temporary')), 'nothing of them stays');
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'slow' }));
    assert.deepEqual(Contents, []);
  });
});

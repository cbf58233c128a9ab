import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { PutBucketPolicyCommand, PutObjectCommand, S3Client, UploadPartCommand } from '@aws-sdk/client-s3';
import { type ChecksumKind, checksum, checksumKinds } from '../base/checksum/index.ts';
import { ServiceError } from '../base/errors.ts';
import type { RequestBody } from '../services/index.ts';
import { type AnyOperation, entry, Served } from './conformance/served.ts';
import { lambdaModel, logsModel, s3Model } from './index.ts';

interface Taken {
  body: Buffer;
  contentLength: number | undefined;
  trailers: Readonly<Record<string, string>>;
  input: Record<string, unknown>;
}

/** S3 that keeps what it was given last. */
async function keeping(): Promise<{ readonly served: Served; readonly taken: Taken[] }> {
  const taken: Taken[] = [];
  const take: AnyOperation = async (input: Record<string, unknown> & { Body: RequestBody }) => {
    const chunks: Buffer[] = [];
    for await (const chunk of input.Body as AsyncIterable<Buffer>) chunks.push(chunk);
    const { contentLength, trailers } = input.Body;
    taken.push({ body: Buffer.concat(chunks), contentLength, trailers, input });
    return { ETag: '"1"' };
  };
  const served = await Served.start({
    services: [
      entry(s3Model, { PutObject: take, UploadPart: take, PutBucketPolicy: async () => ({}) }),
      entry(lambdaModel, { Invoke: async () => ({ StatusCode: 200 }) }),
      entry(logsModel, { PutLogEvents: async () => ({}) }),
    ],
  });
  return { served, taken };
}

function client(served: Served, more: object = {}): S3Client {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  return new S3Client({
    endpoint: served.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    maxAttempts: 1,
    credentials,
    ...more,
  });
}

const code = (body: string): string | undefined => /<Code>(\w+)</.exec(body)?.[1];

/** An `aws-chunked` body with unsigned chunks. */
function chunked(parts: readonly string[], trailer = ''): string {
  return `${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')}0\r\n${trailer}\r\n`;
}

describe('streamed bodies', () => {
  for (const kind of ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const) {
    it(`pass with the SDK's ${kind} checksum, from a buffer and from a stream`, async () => {
      const { served, taken } = await keeping();
      await using _ = served;
      const s3 = client(served);
      const bytes = Buffer.from('é'.repeat(50_000));
      await s3.send(new PutObjectCommand({ Bucket: 'b', Key: 'k', Body: bytes, ChecksumAlgorithm: kind }));
      const stream = Readable.from([bytes.subarray(0, 40_000), bytes.subarray(40_000)]);
      await s3.send(
        new UploadPartCommand({
          Bucket: 'b',
          Key: 'k',
          UploadId: 'u',
          PartNumber: 1,
          Body: stream,
          ContentLength: bytes.length,
          ChecksumAlgorithm: kind,
        }),
      );
      assert.deepEqual(taken[0]!.body, bytes);
      assert.deepEqual(taken[1]!.body, bytes);
      assert.equal(taken[1]!.contentLength, bytes.length);
      assert.equal(
        taken[1]!.trailers[`x-amz-checksum-${kind.toLowerCase()}`],
        checksum(kind, bytes).toString('base64'),
      );
      assert.equal(taken[1]!.input.ContentEncoding, undefined);
    });
  }

  it('are refused when they do not match the checksum, in a header or a trailer', async () => {
    const { served, taken } = await keeping();
    await using _ = served;
    for (const kind of checksumKinds) {
      const name = `x-amz-checksum-${kind.toLowerCase()}`;
      const wrong = checksum(kind as ChecksumKind, Buffer.from('other')).toString('base64');
      const header = await served.send({ method: 'PUT', path: '/b/k', headers: { [name]: wrong }, body: 'body' });
      assert.deepEqual([header.status, code(header.body)], [400, 'BadDigest'], kind);
      const trailer = await served.send({
        method: 'PUT',
        path: '/b/k',
        headers: {
          'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
          'x-amz-decoded-content-length': '4',
          'x-amz-trailer': name,
        },
        body: chunked(['body'], `${name}:${wrong}\r\n`),
      });
      assert.deepEqual([trailer.status, code(trailer.body)], [400, 'BadDigest'], kind);
    }
    assert.equal(taken.length, 0);
  });

  it('are refused when Content-MD5 or x-amz-content-sha256 do not match or are malformed', async () => {
    const { served, taken } = await keeping();
    await using _ = served;
    const put = (headers: Record<string, string>) =>
      served.send({ method: 'PUT', path: '/b/k', headers, body: 'body' });
    const md5 = createHash('md5').update('body').digest('base64');
    assert.equal((await put({ 'content-md5': md5 })).status, 200);
    assert.equal(
      code((await put({ 'content-md5': createHash('md5').update('x').digest('base64') })).body),
      'BadDigest',
    );
    assert.equal(code((await put({ 'content-md5': 'short' })).body), 'InvalidDigest');
    assert.equal(code((await put({ 'x-amz-content-sha256': '0'.repeat(64) })).body), 'XAmzContentSHA256Mismatch');
    assert.equal(code((await put({ 'x-amz-checksum-crc32': 'AA==' })).body), 'InvalidRequest');
    assert.equal(
      code((await put({ 'x-amz-checksum-crc32': 'AAAAAA==', 'x-amz-checksum-sha1': md5 })).body),
      'InvalidRequest',
    );
    const refused = await put({ 'x-amz-checksum-xxhash64': 'AAAAAAAAAAA=' });
    assert.deepEqual([refused.status, code(refused.body)], [501, 'NotImplemented']);
    assert.equal(taken.length, 1);
  });

  it('are refused when their aws-chunked framing is broken', async () => {
    const { served, taken } = await keeping();
    await using _ = served;
    const send = (body: string, length = '8') =>
      served.send({
        method: 'PUT',
        path: '/b/k',
        headers: { 'content-encoding': 'aws-chunked', 'x-amz-decoded-content-length': length },
        body,
      });
    assert.equal((await send(chunked(['four', 'more']))).status, 200);
    assert.equal((await send('4\r\nfour\r\n4\r\nmore\r\n0\r\n')).status, 200, 'no empty line at the end');
    const broken = [
      '4\r\nfour\r\n',
      '4\r\nfour\r\n4\r\nmo',
      '4\r\nfour\r\nzz\r\nmore\r\n0\r\n\r\n',
      '4\r\nfourmore\r\n0\r\n\r\n',
      '-4\r\nfour\r\n',
      `${'4'.repeat(10_000)}\r\n`,
      chunked(['four']),
      chunked(['four', 'more', 'extra']),
      `${chunked(['four', 'more'])}tail`,
      'ffffffffffff\r\nfour',
      '',
    ];
    for (const body of broken) {
      const answer = await send(body);
      assert.deepEqual([answer.status, code(answer.body)], [400, 'IncompleteBody'], JSON.stringify(body.slice(0, 40)));
    }
    const noTrailer = await served.send({
      method: 'PUT',
      path: '/b/k',
      headers: {
        'content-encoding': 'aws-chunked',
        'x-amz-decoded-content-length': '4',
        'x-amz-trailer': 'x-amz-checksum-crc32',
      },
      body: chunked(['four']),
    });
    assert.equal(code(noTrailer.body), 'MalformedTrailerError');
    const noLength = await served.send({
      method: 'PUT',
      path: '/b/k',
      headers: { 'content-encoding': 'aws-chunked' },
      body: chunked(['x']),
    });
    assert.deepEqual([noLength.status, code(noLength.body)], [411, 'MissingContentLength']);
    assert.equal(taken.length, 2);
  });

  it('keep the part of Content-Encoding that is about the object', async () => {
    const { served, taken } = await keeping();
    await using _ = served;
    const bytes = gzipSync('text');
    const body = Readable.from([bytes]);
    await client(served).send(
      new PutObjectCommand({ Bucket: 'b', Key: 'k', Body: body, ContentLength: bytes.length, ContentEncoding: 'gzip' }),
    );
    assert.equal(taken[0]!.input.ContentEncoding, 'gzip');
    assert.deepEqual(taken[0]!.body, bytes);
  });

  it('leave the connection usable when the operation read only their start', async () => {
    await using served = await Served.start({
      services: [
        entry(s3Model, {
          PutObject: async (input: { Body: Readable }) => {
            await once(input.Body, 'readable');
            throw new ServiceError('NoSuchBucket', 'The specified bucket does not exist', { status: 404 });
          },
        }),
      ],
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number | undefined>();
    for (let i = 0; i < 3; i++) {
      const put = request({ agent, port: served.port, method: 'PUT', path: '/b/k' });
      put.end(Buffer.alloc(8 * 1024 * 1024));
      const [response] = (await once(put, 'response')) as [IncomingMessage];
      ports.add(response.socket.localPort);
      assert.equal(response.statusCode, 404);
      await response.resume().toArray();
    }
    agent.destroy();
    assert.equal(ports.size, 1);
  });

  it('stop at once when the client goes away', async () => {
    let ended: Error | undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    await using served = await Served.start({
      services: [
        entry(s3Model, {
          PutObject: async (input: { Body: Readable }, context: { signal: AbortSignal }) => {
            const aborted = once(context.signal, 'abort');
            await input.Body.resume()
              .toArray()
              .catch((error: Error) => {
                ended = error;
              });
            await aborted;
            resolve();
            return {};
          },
        }),
      ],
    });
    const socket = connect(served.port, '127.0.0.1');
    socket.write('PUT /b/k HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\npart');
    await once(socket, 'ready');
    setImmediate(() => socket.destroy());
    await promise;
    assert.ok(ended);
  });

  it('answer at once when the operation fails without reading its body', async () => {
    await using served = await Served.start({
      services: [
        entry(s3Model, {
          PutObject: async () => {
            throw new Error('unexpected');
          },
        }),
      ],
    });
    const answer = await served.send({ method: 'PUT', path: '/b/k', body: Buffer.alloc(100_000) });
    assert.deepEqual([answer.status, code(answer.body)], [500, 'InternalError']);
    assert.doesNotMatch(answer.body, /unexpected/);
    assert.match(JSON.stringify(served.errors), /unexpected/);
  });
});

describe('bodies that are read whole', () => {
  it('are refused past the limit of the service, announced or not', async () => {
    const { served } = await keeping();
    await using _ = served;
    const limit = 8 * 1024 * 1024;
    const headers = { 'x-amz-target': 'Logs_20140328.PutLogEvents', 'content-type': 'application/x-amz-json-1.1' };
    const socket = connect(served.port, '127.0.0.1');
    socket.write(
      `POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: Logs_20140328.PutLogEvents\r\ncontent-length: ${limit + 1}\r\n\r\n`,
    );
    const [first] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    assert.match(first.toString(), /^HTTP\/1\.1 413 /, 'before any of it is sent');
    const chunkedBody = await served.send({
      method: 'POST',
      headers: { ...headers, 'transfer-encoding': 'chunked' },
      body: Buffer.alloc(limit + 1, 32),
    });
    assert.equal(chunkedBody.status, 413);
    assert.match(chunkedBody.body, /RequestEntityTooLargeException/);
  });

  it('may be compressed, within the same limit', async () => {
    const { served } = await keeping();
    await using _ = served;
    const headers = { 'x-amz-target': 'Logs_20140328.PutLogEvents', 'content-encoding': 'gzip' };
    const send = (body: Buffer) => served.send({ method: 'POST', headers, body });
    const events = { logGroupName: 'g', logStreamName: 's', logEvents: [{ timestamp: 1, message: 'm' }] };
    assert.equal((await send(gzipSync(JSON.stringify(events)))).status, 200);
    assert.equal((await send(gzipSync(Buffer.alloc(9 * 1024 * 1024)))).status, 413);
    assert.match((await send(Buffer.from('not gzip'))).body, /SerializationException/);
  });

  it('are checked too where the SDK adds a checksum', async () => {
    const { served } = await keeping();
    await using _ = served;
    await client(served).send(new PutBucketPolicyCommand({ Bucket: 'b', Policy: '{}', ChecksumAlgorithm: 'CRC32C' }));
    const answer = await served.send({
      method: 'PUT',
      path: '/b?policy',
      headers: { 'x-amz-checksum-crc32': 'AAAAAA==' },
      body: '{}',
    });
    assert.equal(code(answer.body), 'BadDigest');
  });
});

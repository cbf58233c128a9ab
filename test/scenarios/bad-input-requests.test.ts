import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { CloudWatchLogsClient, PutLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import {
  CreateBucketCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { refused, sendRaw, unverified } from '../support/refusals.ts';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';
import { descendants, filesOf } from '../support/traces.ts';

const MIB = 1024 * 1024;
let server: RunningKobune;
let s3: S3Client;
let lambda: LambdaClient;

before(async () => {
  server = await runKobune({ ephemeral: false });
  s3 = new S3Client({ ...server.settings(), forcePathStyle: true });
  lambda = new LambdaClient(server.settings());
  await s3.send(new CreateBucketCommand({ Bucket: 'kept' }));
});
after(async () => {
  s3?.destroy();
  lambda?.destroy();
  await server?.[Symbol.asyncDispose]();
});

const send = (method: string, path: string, headers: Readonly<Record<string, string>>, body?: string | Uint8Array) =>
  sendRaw(server.endpoint, { method, path, headers, ...(body === undefined ? {} : { body }) });
const xmlCode = (body: string) => /<Code>([^<]*)</.exec(body)?.[1];

async function assertNothingChanged(): Promise<void> {
  const { Buckets } = await s3.send(new ListBucketsCommand({}));
  assert.deepEqual(
    Buckets?.map(({ Name }) => Name),
    ['kept'],
  );
  assert.equal((await s3.send(new ListObjectsV2Command({ Bucket: 'kept' }))).KeyCount, 0);
  assert.deepEqual((await lambda.send(new ListFunctionsCommand({}))).Functions, []);
  assert.deepEqual(filesOf(join(server.scratch, 'data')), []);
  assert.deepEqual(descendants(process.pid), []);
}

describe('a malformed request', () => {
  it('in JSON is a SerializationException in the services that speak it, and makes nothing', async () => {
    const path = '/2015-03-31/functions';
    for (const body of ['{"FunctionName": ', '{"FunctionName": 7}', '[]', '\u0000', '{"FunctionName":"a"}}']) {
      const answer = await send('POST', path, { ...unverified('lambda'), 'content-type': 'application/json' }, body);
      assert.equal(answer.status, 400, body);
      assert.equal(answer.headers['x-amzn-errortype'], 'SerializationException', body);
      const target = { 'x-amz-target': 'Logs_20140328.CreateLogGroup', 'content-type': 'application/x-amz-json-1.1' };
      const logs = await send('POST', '/', { ...unverified('logs'), ...target }, body.replace('Function', 'logGroup'));
      assert.match(`${logs.status} ${logs.body}`, /^400 .*(?:SerializationException|ValidationException)/, body);
    }
    await assertNothingChanged();
  });

  it('in XML is MalformedXML for S3, and makes nothing', async () => {
    const location = (inner: string) => `<CreateBucketConfiguration>${inner}</CreateBucketConfiguration>`;
    for (const body of ['<CreateBucketConfiguration', location('<LocationConstraint>'), '{}', location('</x>')]) {
      const answer = await send('PUT', '/made', unverified('s3'), body);
      assert.deepEqual([answer.status, xmlCode(answer.body)], [400, 'MalformedXML'], body);
    }
    await assertNothingChanged();
  });

  it('in a form is refused under the names of the query services', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const unknown = await send('POST', '/', { ...unverified('sts'), ...form }, 'Action=Nothing&Version=2011-06-15');
    assert.deepEqual([unknown.status, xmlCode(unknown.body)], [400, 'InvalidAction']);
    const missing = await send('POST', '/', { ...unverified('iam'), ...form }, 'Action=CreateUser&Version=2010-05-08');
    assert.deepEqual([missing.status, xmlCode(missing.body)], [400, 'ValidationError']);
    const garbled = await send('POST', '/', { ...unverified('iam'), ...form }, 'Action=%GG');
    assert.deepEqual([garbled.status, xmlCode(garbled.body)], [400, 'MalformedInput']);
  });

  it('in CBOR is refused by services that do not speak it, never misread', async () => {
    for (const service of ['lambda', 'logs', 's3']) {
      const answer = await send(
        'POST',
        '/service/Logs_20140328/operation/CreateLogGroup',
        { ...unverified(service), 'smithy-protocol': 'rpc-v2-cbor', 'content-type': 'application/cbor' },
        Uint8Array.of(0xbf, 0x61),
      );
      assert.ok(answer.status >= 400 && answer.status < 500, `${service}: ${answer.status} ${answer.body}`);
    }
    await assertNothingChanged();
  });

  it('that is not HTTP is answered with 400, and others go on', async () => {
    const socket = connect(server.port, '127.0.0.1');
    socket.end('\u0001\u0002 nonsense\r\n\r\n');
    assert.match(await text(socket), /^HTTP\/1\.1 400 /);
    await s3.send(new ListBucketsCommand({}));
  });
});

describe('an oversized request', () => {
  it('with too many headers is answered with 431', async () => {
    const headers = { ...unverified('s3'), 'x-filler': 'x'.repeat(40_000) };
    const answer = await send('PUT', '/kept/key', headers, 'body');
    assert.equal(answer.status, 431);
    assert.equal(JSON.parse(answer.body).code, 'RequestHeaderSectionTooLarge');
    await assertNothingChanged();
  });

  it('with more than 2 KB of metadata, or a key of more than 1,024 bytes, is refused by S3', async () => {
    const Metadata = { large: 'x'.repeat(2_048) };
    await refused(
      s3.send(new PutObjectCommand({ Bucket: 'kept', Key: 'k', Body: 'x', Metadata })),
      'MetadataTooLarge',
      400,
    );
    await refused(
      s3.send(new PutObjectCommand({ Bucket: 'kept', Key: 'k'.repeat(1_025), Body: 'x' })),
      'KeyTooLongError',
      400,
    );
    await assertNothingChanged();
  });

  it('of more than 5 GB is refused by S3 before a byte of it is read', async () => {
    const headers = { ...unverified('s3'), 'content-length': String(5 * 1024 ** 3 + 1), expect: '100-continue' };
    const socket = connect(server.port, '127.0.0.1');
    const lines = Object.entries({ host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`PUT /kept/huge HTTP/1.1\r\n${lines.join('')}\r\n`);
    socket.setEncoding('utf8');
    let answer = '';
    for await (const part of socket) {
      answer += part;
      if (answer.includes('</Error>')) break;
    }
    assert.match(answer, /HTTP\/1\.1 400 .*<Code>EntityTooLarge</s);
    await assertNothingChanged();
  });

  it('of more than 6 MB, or 1 MB for an event, is refused by Lambda, also when its length was not announced', async () => {
    const headers = { ...unverified('lambda'), 'transfer-encoding': 'chunked' };
    const path = '/2015-03-31/functions/none/invocations';
    for (const [type, size] of [
      ['RequestResponse', 6 * MIB],
      ['Event', MIB],
    ] as const) {
      const answer = await send('POST', path, { ...headers, 'x-amz-invocation-type': type }, `"${'x'.repeat(size)}"`);
      assert.equal(answer.status, 413, answer.body);
      assert.equal(answer.headers['x-amzn-errortype'], 'RequestTooLargeException');
    }
    const endless = await send('POST', path, headers, 'x'.repeat(80 * MIB));
    assert.equal(endless.status, 413, endless.body);
    await assertNothingChanged();
  });

  it('of more than 1 MB, or 10,000 events, is refused by CloudWatch Logs', async () => {
    const logs = new CloudWatchLogsClient(server.settings());
    const put = (messages: readonly string[]) =>
      logs.send(
        new PutLogEventsCommand({
          logGroupName: 'none',
          logStreamName: 'none',
          logEvents: messages.map((message) => ({ message, timestamp: Date.now() })),
        }),
      );
    await refused(put(Array.from({ length: 5 }, () => 'x'.repeat(250_000))), 'InvalidParameterException', 400);
    await refused(put(Array.from({ length: 10_001 }, () => 'x')), 'InvalidParameterException', 400);
    logs.destroy();
  });
});

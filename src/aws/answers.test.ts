import assert from 'node:assert/strict';
import { Agent, request as httpRequest } from 'node:http';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { CloudWatchLogsClient, StartLiveTailCommand } from '@aws-sdk/client-cloudwatch-logs';
import { InvokeWithResponseStreamCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { ServiceError } from '../base/errors.ts';
import type { RequestContext } from '../services/index.ts';
import { everything } from './conformance/sample-services.ts';
import { type AnyOperation, entry, Served, scoped } from './conformance/served.ts';
import { clockAt } from './conformance/surroundings.ts';
import { lambdaModel, logsModel, s3Model, sqsModel } from './index.ts';

const tell: AnyOperation = async () => ({});

describe('answers', () => {
  it('carry the date of the injected clock', async () => {
    await using served = await Served.start({
      clock: clockAt(() => Date.UTC(2031, 4, 6, 7, 8, 9)),
      services: [entry(s3Model, { ListBuckets: tell })],
    });
    assert.equal((await served.send({})).headers.date, 'Tue, 06 May 2031 07:08:09 GMT');
  });

  it('of S3 are without a body for HEAD, 204 and 304, and name resource and ids otherwise', async () => {
    const fail =
      (code: string, status: number): AnyOperation =>
      async () => {
        throw new ServiceError(code, 'why', { status, members: { Key: 'k<1>' }, headers: { etag: '"e"' } });
      };
    await using served = await Served.start({
      services: [
        entry(s3Model, {
          HeadObject: fail('NotFound', 404),
          GetObject: fail('NotModified', 304),
          DeleteObject: async () => ({ DeleteMarker: true }),
          GetObjectTagging: fail('NoSuchKey', 404),
          GetBucketLocation: async () => ({}),
        }),
      ],
    });
    const head = await served.send({ method: 'HEAD', path: '/b/k' });
    assert.deepEqual([head.status, head.body, head.headers.etag], [404, '', '"e"']);
    const same = await served.send({ path: '/b/k' });
    assert.deepEqual([same.status, same.body, same.headers['content-length']], [304, '', undefined]);
    const gone = await served.send({ method: 'DELETE', path: '/b/k' });
    assert.deepEqual([gone.status, gone.body, gone.headers['x-amz-delete-marker']], [204, '', 'true']);
    const error = await served.send({ path: '/b/k?tagging' });
    assert.match(
      error.body,
      /^<\?xml version="1.0" encoding="UTF-8"\?>\n<Error><Code>NoSuchKey<\/Code><Message>why<\/Message><Key>k&lt;1&gt;<\/Key><Resource>\/b\/k<\/Resource><RequestId>[0-9A-F]{16}<\/RequestId><HostId>[\w+/=]+<\/HostId><\/Error>$/,
    );
    assert.ok(error.headers['x-amz-id-2']);
    const location = await served.send({ path: '/b?location' });
    assert.equal(
      location.body,
      '<?xml version="1.0" encoding="UTF-8"?>\n<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>',
    );
  });

  it('never carry a header that would end early, nor take the program down', async () => {
    let opened: Readable | undefined;
    await using served = await Served.start({
      services: [
        entry(s3Model, {
          GetObject: async (input: { ResponseContentDisposition: string }) => {
            opened = Readable.from(['b']);
            return { Body: opened, ContentDisposition: input.ResponseContentDisposition };
          },
          HeadObject: async () => ({ Metadata: { a: 'é ✓' } }),
          ListBuckets: async (_input: unknown, context: RequestContext) => {
            context.responseHeaders['x-broken'] = 'a\r\nb';
            return {};
          },
        }),
      ],
    });
    const get = (text: string) =>
      served.send({ path: `/b/k?response-content-disposition=${encodeURIComponent(text)}` });
    assert.equal((await get('inline; filename="é"')).status, 200);
    for (const text of ['a\r\nset-cookie: b', 'snow ☃', '\u0000']) {
      const answer = await get(text);
      assert.equal(answer.status, 400);
      assert.equal(opened?.destroyed, true);
      assert.match(answer.body, /<Code>InvalidArgument<\/Code>.*<ArgumentName>ContentDisposition</);
    }
    assert.equal((await served.send({ method: 'HEAD', path: '/b/k' })).status, 400);
    assert.equal((await served.send({})).status, 500);
    assert.match(JSON.stringify(served.errors), /a reply could not be sent/);
  });

  it('of services that once spoke query tell the old code too', async () => {
    await using served = await Served.start({
      services: [
        entry(sqsModel, {
          SendMessage: async () => {
            throw new ServiceError('QueueDoesNotExist', 'The specified queue does not exist.');
          },
        }),
      ],
    });
    const sqs = new SQSClient({
      endpoint: served.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      maxAttempts: 1,
    });
    await assert.rejects(
      sqs.send(new SendMessageCommand({ QueueUrl: served.endpoint, MessageBody: 'm' })),
      (error: Error & { Code?: string }) => {
        assert.equal(error.name, 'QueueDoesNotExist');
        assert.equal(error.Code, 'AWS.SimpleQueueService.NonExistentQueue');
        return true;
      },
    );
    const old = await served.send({
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'Action=SendMessage&Version=2012-11-05&QueueUrl=q&MessageBody=m',
    });
    assert.equal(old.status, 400);
    assert.match(
      old.body,
      /^<ErrorResponse xmlns="http:\/\/queue.amazonaws.com\/doc\/2012-11-05\/"><Error><Type>Sender<\/Type><Code>AWS.SimpleQueueService.NonExistentQueue<\/Code>/,
    );
  });

  it('stream events as they come, and end with an exception that the model has', async () => {
    const config = { region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' }, maxAttempts: 1 };
    await using served = await Served.start({
      services: [
        entry(lambdaModel, {
          InvokeWithResponseStream: async () => ({
            StatusCode: 200,
            EventStream: (async function* () {
              yield { PayloadChunk: { Payload: Buffer.from('one') } };
              yield { PayloadChunk: { Payload: Buffer.from('two') } };
              yield { InvokeComplete: { ErrorCode: 'Unhandled' } };
            })(),
          }),
        }),
        entry(logsModel, {
          StartLiveTail: async () => ({
            responseStream: (async function* () {
              yield { sessionStart: { sessionId: 's' } };
              throw new ServiceError('SessionTimeoutException', 'three hours are over');
            })(),
          }),
        }),
      ],
    });
    const { EventStream } = await new LambdaClient({ ...config, endpoint: served.endpoint }).send(
      new InvokeWithResponseStreamCommand({ FunctionName: 'f' }),
    );
    const chunks: string[] = [];
    for await (const event of EventStream!)
      chunks.push(
        event.PayloadChunk ? Buffer.from(event.PayloadChunk.Payload!).toString() : event.InvokeComplete!.ErrorCode!,
      );
    assert.deepEqual(chunks, ['one', 'two', 'Unhandled']);
    const logs = new CloudWatchLogsClient({ ...config, endpoint: served.endpoint, disableHostPrefix: true });
    const { responseStream } = await logs.send(new StartLiveTailCommand({ logGroupIdentifiers: ['g'] }));
    const seen: unknown[] = [];
    await assert.rejects(
      async () => {
        for await (const event of responseStream!) seen.push(event.sessionStart?.sessionId);
      },
      { name: 'SessionTimeoutException', message: 'three hours are over' },
    );
    assert.deepEqual(seen, ['s']);
  });

  it('are counted, each once, under names that clients cannot make up', async () => {
    const seen: string[] = [];
    await using served = await Served.start({
      services: [entry(lambdaModel, { ListFunctions: tell })],
      onRequest: ({ service, operation, status, durationMs }) => {
        assert.ok(durationMs >= 0);
        seen.push(`${service}:${operation}:${status}`);
      },
    });
    await served.send({ path: '/2015-03-31/functions', headers: scoped('lambda') });
    await served.send({ path: '/made/up', headers: scoped('lambda') });
    await served.send({ path: '/', headers: scoped('madeup') });
    assert.deepEqual(seen, ['lambda:ListFunctions:200', 'lambda:Unknown:404', 'unknown:Unknown:501']);
  });
});

describe('preflight requests', () => {
  it('go to the service with bucket, key and headers', async () => {
    let got: unknown;
    const { served } = await everything({
      preflight: async ({ bucket, key, headers }) => {
        got = [bucket, key, headers.origin];
        return { headers: { 'access-control-allow-origin': '*' } };
      },
    });
    await using _ = served;
    const answer = await served.send({
      method: 'OPTIONS',
      path: '/b/a%20key',
      headers: { origin: 'https://shop.example' },
    });
    assert.deepEqual([answer.status, answer.headers['access-control-allow-origin']], [200, '*']);
    assert.deepEqual(got, ['b', 'a key', 'https://shop.example']);
  });

  it('are refused by a service without cross-origin rules', async () => {
    const { served } = await everything();
    await using _ = served;
    assert.equal((await served.send({ method: 'OPTIONS', path: '/b/k' })).status, 403);
  });
});

describe('one connection', () => {
  it('serves request after request, also after refusals of unread bodies', async () => {
    const { served } = await everything();
    await using _ = served;
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number>();
    for (let i = 0; i < 6; i++) {
      await new Promise<void>((resolve, reject) => {
        const request = httpRequest(
          {
            host: '127.0.0.1',
            port: served.port,
            agent,
            method: 'PUT',
            path: i % 2 ? '/bucket/key?unknown' : '/no/route',
            headers: i % 2 ? {} : scoped('lambda'),
          },
          (response) => {
            ports.add(response.socket.localPort!);
            response.resume().on('end', resolve);
          },
        );
        request.on('error', reject);
        request.end(Buffer.alloc(1000));
      });
    }
    agent.destroy();
    assert.equal(ports.size, 1);
  });
});

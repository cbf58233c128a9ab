import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { request as httpRequest } from 'node:http';
import { describe, it } from 'node:test';
import { CloudWatchLogsClient, StartLiveTailCommand } from '@aws-sdk/client-cloudwatch-logs';
import { InvokeWithResponseStreamCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { ServiceError } from '../base/errors.ts';
import type { RequestContext } from '../services/index.ts';
import { cloudWatchModel, ec2Model } from './conformance/dev-models.ts';
import { type AnyOperation, entry, Served } from './conformance/served.ts';
import { clockAt, fixedRandom, silentLogger } from './conformance/surroundings.ts';
import { createAwsFrontEnd, iamModel, lambdaModel, logsModel, s3Model, sqsModel, stsModel } from './index.ts';

/** An operation that answers with who and where it was asked. */
const told: { context: RequestContext; input: Record<string, unknown> }[] = [];
const tell: AnyOperation = async (input, context) => {
  told.push({ input, context });
  return {};
};

function everything(more: Parameters<typeof entry>[2] = {}): Promise<Served> {
  return Served.start({
    services: [
      entry(
        s3Model,
        {
          ListBuckets: tell,
          ListObjects: tell,
          ListObjectsV2: tell,
          GetObject: tell,
          HeadObject: tell,
          PutObject: tell,
          CopyObject: tell,
          UploadPart: tell,
          UploadPartCopy: tell,
          CreateBucket: tell,
          ListParts: tell,
          CompleteMultipartUpload: tell,
          AbortMultipartUpload: tell,
          DeleteObject: tell,
          GetBucketLocation: tell,
          GetObjectTagging: tell,
        },
        more,
      ),
      entry(
        lambdaModel,
        { ListFunctions: tell, GetFunction: tell, Invoke: tell, ListLayers: tell },
        { refused: { CreateCapacityProvider: 'there are no managed instances here; use a plain function.' } },
      ),
      entry(sqsModel, { SendMessage: tell, ListQueues: tell }),
      entry(logsModel, { DescribeLogGroups: tell }),
      entry(stsModel, { GetCallerIdentity: tell }),
      entry(iamModel, { ListUsers: tell }),
      entry(ec2Model, { DescribeVpcs: tell }),
      entry(cloudWatchModel, { ListMetrics: tell, PutMetricData: tell }),
    ],
  });
}

/** A signature that open mode believes. */
function scoped(service: string, accessKeyId = 'test', region = 'us-east-1'): Record<string, string> {
  return {
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/20260101/${region}/${service}/aws4_request, SignedHeaders=host, Signature=${'0'.repeat(64)}`,
    'x-amz-date': '20260101T000000Z',
  };
}

const last = () => told.at(-1)!;

describe('finding service and operation', () => {
  it('goes by the signature scope, target, host, form version, RPC path, and falls back to S3', async () => {
    await using served = await everything();
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const requests: [expected: string, Parameters<Served['send']>[0]][] = [
      ['lambda:ListFunctions', { path: '/2015-03-31/functions', headers: scoped('lambda') }],
      ['lambda:ListFunctions', { path: '/2015-03-31/functions/', headers: scoped('lambda') }],
      ['lambda:ListFunctions', { path: '/2015-03-31/functions', headers: { host: 'lambda.eu-west-1.amazonaws.com' } }],
      [
        'lambda:GetFunction',
        { path: '/2015-03-31/functions/a%2Fb', headers: { host: 'lambda-fips.us-east-1.amazonaws.com' } },
      ],
      ['logs:DescribeLogGroups', { method: 'POST', headers: { 'x-amz-target': 'Logs_20140328.DescribeLogGroups' } }],
      ['sqs:ListQueues', { method: 'POST', headers: { 'x-amz-target': 'AmazonSQS.ListQueues' } }],
      ['sqs:ListQueues', { method: 'POST', headers: form, body: 'Action=ListQueues&Version=2012-11-05' }],
      ['sqs:ListQueues', { path: '/?Action=ListQueues&Version=2012-11-05' }],
      [
        'sqs:ListQueues',
        {
          method: 'POST',
          path: '/queue/url',
          headers: { ...form, ...scoped('sqs') },
          body: 'Action=ListQueues&Version=2012-11-05',
        },
      ],
      ['sts:GetCallerIdentity', { method: 'POST', headers: form, body: 'Action=GetCallerIdentity&Version=2011-06-15' }],
      [
        'iam:ListUsers',
        { method: 'POST', headers: { ...form, ...scoped('iam') }, body: 'Action=ListUsers&Version=2010-05-08' },
      ],
      ['ec2:DescribeVpcs', { method: 'POST', headers: form, body: 'Action=DescribeVpcs&Version=2016-11-15' }],
      [
        'monitoring:ListMetrics',
        {
          method: 'POST',
          path: '/service/GraniteServiceVersion20100801/operation/ListMetrics',
          headers: { 'smithy-protocol': 'rpc-v2-cbor' },
        },
      ],
      [
        'monitoring:ListMetrics',
        { method: 'POST', headers: { 'x-amz-target': 'GraniteServiceVersion20100801.ListMetrics' } },
      ],
      ['s3:ListBuckets', { path: '/' }],
      ['s3:ListBuckets', { path: '/', headers: { host: 's3.amazonaws.com' } }],
      ['s3:ListObjects', { path: '/bucket' }],
      ['s3:ListObjects', { path: '/bucket/' }],
      ['s3:ListObjectsV2', { path: '/bucket?list-type=2&prefix=a' }],
      ['s3:GetBucketLocation', { path: '/bucket?location' }],
      ['s3:CreateBucket', { method: 'PUT', path: '/bucket' }],
      ['s3:GetObject', { path: '/bucket/key?x-id=GetObject' }],
      ['s3:GetObject', { path: '/bucket/2015-03-31/functions' }],
      ['s3:GetObjectTagging', { path: '/bucket/key?tagging' }],
      ['s3:ListParts', { path: '/bucket/key?uploadId=u' }],
      ['s3:HeadObject', { method: 'HEAD', path: '/bucket/key' }],
      ['s3:PutObject', { method: 'PUT', path: '/bucket/key' }],
      ['s3:UploadPart', { method: 'PUT', path: '/bucket/key?partNumber=1&uploadId=u' }],
      ['s3:CopyObject', { method: 'PUT', path: '/bucket/key', headers: { 'x-amz-copy-source': '/a/b' } }],
      [
        's3:UploadPartCopy',
        { method: 'PUT', path: '/bucket/key?partNumber=1&uploadId=u', headers: { 'x-amz-copy-source': '/a/b' } },
      ],
      ['s3:CompleteMultipartUpload', { method: 'POST', path: '/bucket/key?uploadId=u' }],
      ['s3:AbortMultipartUpload', { method: 'DELETE', path: '/bucket/key?uploadId=u' }],
      ['s3:DeleteObject', { method: 'DELETE', path: '/bucket/key?versionId=null' }],
    ];
    for (const [expected, request] of requests) {
      const before = told.length;
      const answer = await served.send(request);
      assert.equal(told.length, before + 1, `${expected}: ${answer.status} ${answer.body}`);
      assert.equal(`${last().context.service}:${last().context.operation}`, expected);
    }
  });

  it('reads the bucket from the host or the path', async () => {
    await using served = await everything();
    const requests: [host: string, path: string, bucket: string, key: string][] = [
      ['127.0.0.1:4566', '/pictures/a/b%20c', 'pictures', 'a/b c'],
      ['localhost:4566', '/pictures//lead', 'pictures', '/lead'],
      ['pictures.s3.amazonaws.com', '/a/b', 'pictures', 'a/b'],
      ['pictures.s3.eu-west-1.amazonaws.com', '/a/', 'pictures', 'a/'],
      ['my.dotted.bucket.s3-eu-west-1.amazonaws.com', '/k', 'my.dotted.bucket', 'k'],
      ['pictures.s3.dualstack.us-west-2.amazonaws.com', '/k', 'pictures', 'k'],
      ['pictures.s3.localhost.localstack.cloud:4566', '/k', 'pictures', 'k'],
      ['pictures.localhost:4566', '/other/k', 'pictures', 'other/k'],
      ['s3.localhost:4566', '/pictures/k', 'pictures', 'k'],
      ['lambda.s3.amazonaws.com', '/2015-03-31/functions', 'lambda', '2015-03-31/functions'],
    ];
    for (const [host, path, bucket, key] of requests) {
      const answer = await served.send({ path, headers: { host } });
      assert.equal(answer.status, 200, answer.body);
      assert.deepEqual([last().input.Bucket, last().input.Key], [bucket, key], host);
    }
  });

  it('does not take function URLs', () => {
    const frontEnd = createAwsFrontEnd({
      services: [],
      clock: clockAt(() => 0),
      random: fixedRandom(),
      logger: silentLogger,
      mode: 'open',
    });
    const to = (host: string) => frontEnd.matches({ headers: { host } } as IncomingMessage);
    assert.equal(to('abc.lambda-url.us-east-1.localhost:4566'), false);
    assert.equal(to('lambda.us-east-1.amazonaws.com'), true);
  });

  it('loads a service on its first request only, and once for many at a time', async () => {
    let loads = 0;
    const lambda = entry(lambdaModel, { ListFunctions: tell });
    await using served = await Served.start({
      services: [
        {
          ...lambda,
          load: () => {
            loads++;
            return lambda.load();
          },
        },
        entry(stsModel, { GetCallerIdentity: tell }),
      ],
    });
    await served.send({ method: 'POST', headers: scoped('sts'), body: 'Action=GetCallerIdentity' });
    assert.equal(loads, 0);
    const list = () => served.send({ path: '/2015-03-31/functions', headers: scoped('lambda') });
    const answers = await Promise.all([list(), list(), list()]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200],
    );
    assert.equal(loads, 1);
  });
});

describe('account, region and caller', () => {
  it('come from the credential scope, so that accounts and regions are apart', async () => {
    await using served = await everything();
    await served.send({ path: '/2015-03-31/functions', headers: scoped('lambda', '123456789012', 'eu-west-1') });
    assert.deepEqual([last().context.account, last().context.region], ['123456789012', 'eu-west-1']);
    assert.equal(last().context.principal.arn, 'arn:aws:iam::123456789012:root');
    await served.send({ path: '/2015-03-31/functions', headers: scoped('lambda', 'anything') });
    assert.deepEqual([last().context.account, last().context.region], ['000000000000', 'us-east-1']);
    await served.send({ path: '/bucket' });
    assert.equal(last().context.principal.type, 'Anonymous');
  });

  it('come from the credential lookup for keys that were issued here', async () => {
    const principal = {
      type: 'AssumedRole',
      account: '999988887777',
      arn: 'arn:aws:sts::999988887777:assumed-role/r/s',
      userId: 'AROA:s',
      accessKeyId: 'ASIAX',
    } as const;
    let finds = 0;
    await using served = await Served.start({
      services: [entry(lambdaModel, { ListFunctions: tell })],
      credentials: {
        find: async () => {
          finds++;
          return { secretAccessKey: 's', principal };
        },
      },
    });
    for (let i = 0; i < 3; i++)
      await served.send({ path: '/2015-03-31/functions', headers: scoped('lambda', 'ASIAX') });
    assert.equal(last().context.principal.arn, principal.arn);
    assert.equal(last().context.account, '999988887777');
    assert.equal(finds, 1, 'remembered');
  });
});

describe('what is refused', () => {
  it('an unknown operation, under the name of its protocol, naming it', async () => {
    await using served = await everything();
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const cases: [Parameters<Served['send']>[0], number, RegExp][] = [
      [
        { method: 'POST', headers: { 'x-amz-target': 'Logs_20140328.NoSuch' } },
        404,
        /UnknownOperationException.*NoSuch/,
      ],
      [{ method: 'POST', headers: { 'x-amz-target': 'Logs_20140328.__proto__' } }, 404, /UnknownOperationException/],
      [
        { method: 'PATCH', path: '/2015-03-31/functions', headers: scoped('lambda') },
        404,
        /PATCH \/2015-03-31\/functions/,
      ],
      [{ path: '/no/such/path', headers: scoped('lambda') }, 404, /GET \/no\/such\/path/],
      [
        { method: 'POST', headers: { ...form, ...scoped('iam') }, body: 'Action=NoSuch&Version=2010-05-08' },
        400,
        /<Code>InvalidAction<\/Code><Message>Could not find operation NoSuch for version 2010-05-08/,
      ],
      [
        { method: 'POST', headers: { ...form, ...scoped('ec2') }, body: 'Action=NoSuch&Version=2016-11-15' },
        400,
        /<Errors><Error><Code>InvalidAction<\/Code><Message>The action NoSuch is not valid/,
      ],
      [{ method: 'PATCH', path: '/bucket/key' }, 405, /<Code>MethodNotAllowed</],
      [
        {
          method: 'POST',
          path: '/service/GraniteServiceVersion20100801/operation/NoSuch',
          headers: { 'smithy-protocol': 'rpc-v2-cbor' },
        },
        404,
        /UnknownOperationException/,
      ],
    ];
    for (const [request, status, body] of cases) {
      const answer = await served.send(request);
      assert.equal(answer.status, status, answer.body);
      assert.match(answer.body, body);
    }
  });

  it('a service that is not there, by name', async () => {
    await using served = await everything();
    for (const request of [
      { path: '/', headers: scoped('bedrock') },
      { method: 'POST', headers: { 'x-amz-target': 'Bedrock_20230101.DoIt' } },
      { path: '/x', headers: { host: 'bedrock.us-east-1.amazonaws.com' } },
    ]) {
      const answer = await served.send(request);
      assert.equal(answer.status, 501);
      assert.match(answer.body, /Kobune does not serve '[Bb]edrock/);
    }
  });

  it('an operation without behaviour, with the reason', async () => {
    await using served = await everything();
    const body = JSON.stringify({
      CapacityProviderName: 'n',
      VpcConfig: { SubnetIds: ['s'], SecurityGroupIds: ['g'] },
      PermissionsConfig: { CapacityProviderOperatorRoleArn: 'r' },
    });
    const refused = await served.send({
      method: 'POST',
      path: '/2025-11-30/capacity-providers',
      headers: scoped('lambda'),
      body,
    });
    assert.equal(refused.status, 501);
    assert.equal(refused.headers['x-amzn-errortype'], 'NotImplemented');
    assert.match(refused.body, /lambda:CreateCapacityProvider is not supported: there are no managed instances here/);
    const unlisted = await served.send({ path: '/2015-03-31/event-source-mappings', headers: scoped('lambda') });
    assert.match(unlisted.body, /lambda:ListEventSourceMappings is not supported yet/);
  });

  it('inputs that lack required members, at any depth', async () => {
    await using served = await everything();
    const lambda = await served.send({
      method: 'POST',
      path: '/2018-10-31/layers/l/versions',
      headers: scoped('lambda'),
      body: '{}',
    });
    assert.deepEqual([lambda.status, lambda.headers['x-amzn-errortype']], [400, 'ValidationException']);
    assert.match(lambda.body, /Value null at 'content' failed to satisfy constraint: Member must not be null/);
    const batch = await served.send({
      method: 'POST',
      headers: { 'x-amz-target': 'AmazonSQS.SendMessageBatch' },
      body: '{"QueueUrl":"q","Entries":[{"Id":"1"}]}',
    });
    assert.match(batch.body, /MissingParameter.*Entries\.1\.member\.messageBody/s);
  });

  it('an unexpected failure tells a request id and nothing else', async () => {
    await using served = await Served.start({
      services: [
        entry(lambdaModel, {
          ListFunctions: async () => {
            throw new TypeError('secret detail');
          },
        }),
      ],
    });
    const answer = await served.send({ path: '/2015-03-31/functions', headers: scoped('lambda') });
    assert.deepEqual([answer.status, answer.headers['x-amzn-errortype']], [500, 'InternalFailure']);
    assert.ok(answer.headers['x-amzn-requestid']);
    assert.doesNotMatch(answer.body, /secret detail/);
    assert.match(JSON.stringify(served.errors), /secret detail/);
    assert.match(JSON.stringify(served.errors), new RegExp(String(answer.headers['x-amzn-requestid'])));
  });

  it('a service that cannot be loaded is tried again by the next request', async () => {
    let attempts = 0;
    const lambda = entry(lambdaModel, { ListFunctions: tell });
    await using served = await Served.start({
      services: [
        {
          model: lambdaModel,
          load: async () => {
            if (++attempts === 1) throw new Error('store not open');
            return lambda.load();
          },
        },
      ],
    });
    const list = () => served.send({ path: '/2015-03-31/functions', headers: scoped('lambda') });
    assert.equal((await list()).status, 500);
    assert.equal((await list()).status, 200);
  });
});

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
    await using served = await everything({
      preflight: async ({ bucket, key, headers }) => {
        got = [bucket, key, headers.origin];
        return { headers: { 'access-control-allow-origin': '*' } };
      },
    });
    const answer = await served.send({
      method: 'OPTIONS',
      path: '/b/a%20key',
      headers: { origin: 'https://shop.example' },
    });
    assert.deepEqual([answer.status, answer.headers['access-control-allow-origin']], [200, '*']);
    assert.deepEqual(got, ['b', 'a key', 'https://shop.example']);
  });

  it('are refused by a service without cross-origin rules', async () => {
    await using served = await everything();
    assert.equal((await served.send({ method: 'OPTIONS', path: '/b/k' })).status, 403);
  });
});

describe('one connection', () => {
  it('serves request after request, also after refusals of unread bodies', async () => {
    await using served = await everything();
    const { Agent } = await import('node:http');
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

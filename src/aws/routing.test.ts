import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import type { RequestContext } from '../services/index.ts';
import { everything } from './conformance/sample-services.ts';
import { type AnyOperation, entry, Served, scoped } from './conformance/served.ts';
import { clockAt, fixedRandom, silentLogger } from './conformance/surroundings.ts';
import { createAwsFrontEnd, lambdaModel, stsModel } from './index.ts';

const tell: AnyOperation = async () => ({});

describe('finding service and operation', () => {
  it('goes by the signature scope, target, host, form version, RPC path, and falls back to S3', async () => {
    const { served, told } = await everything();
    await using _ = served;
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
      assert.equal(`${told.at(-1)!.context.service}:${told.at(-1)!.context.operation}`, expected);
    }
  });

  it('reads the bucket from the host or the path', async () => {
    const { served, told } = await everything();
    await using _ = served;
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
      assert.deepEqual([told.at(-1)!.input.Bucket, told.at(-1)!.input.Key], [bucket, key], host);
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
    const { served, told } = await everything();
    await using _ = served;
    await served.send({ path: '/2015-03-31/functions', headers: scoped('lambda', '123456789012', 'eu-west-1') });
    assert.deepEqual([told.at(-1)!.context.account, told.at(-1)!.context.region], ['123456789012', 'eu-west-1']);
    assert.equal(told.at(-1)!.context.principal.arn, 'arn:aws:iam::123456789012:root');
    await served.send({ path: '/2015-03-31/functions', headers: scoped('lambda', 'anything') });
    assert.deepEqual([told.at(-1)!.context.account, told.at(-1)!.context.region], ['000000000000', 'us-east-1']);
    await served.send({ path: '/bucket' });
    assert.equal(told.at(-1)!.context.principal.type, 'Anonymous');
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
    let context: RequestContext | undefined;
    await using served = await Served.start({
      services: [
        entry(lambdaModel, {
          ListFunctions: async (_input: unknown, told: RequestContext) => {
            context = told;
            return {};
          },
        }),
      ],
      credentials: {
        find: async () => {
          finds++;
          return { secretAccessKey: 's', principal };
        },
      },
    });
    for (let i = 0; i < 3; i++)
      await served.send({ path: '/2015-03-31/functions', headers: scoped('lambda', 'ASIAX') });
    assert.deepEqual(context?.principal, principal);
    assert.equal(context?.account, '999988887777');
    assert.equal(finds, 1, 'remembered');
  });
});

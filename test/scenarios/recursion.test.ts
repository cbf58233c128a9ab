import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as lambda from '@aws-sdk/client-lambda';
import * as s3 from '@aws-sdk/client-s3';
import { type RunningKobune, runKobune, withoutBoto3 } from '../support/running-kobune.ts';
import { zipOf } from '../support/zip.ts';

/** Functions that put what they are told of below another prefix of the same bucket, as a careless thumbnail function does. */
const LANGUAGES = {
  python: {
    Runtime: 'python3.11',
    file: 'index.py',
    code: `
import os
from urllib.parse import unquote_plus
import boto3

s3 = boto3.client("s3")

def handler(event, context):
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = unquote_plus(record["s3"]["object"]["key"])
        s3.put_object(Bucket=bucket, Key=os.environ["PREFIX"] + key, Body=b"small")
`,
  },
  node: {
    Runtime: 'nodejs22.x',
    file: 'index.mjs',
    code: `
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

const s3 = new S3Client({});

export const handler = async (event) => {
  for (const record of event.Records) {
    const Bucket = record.s3.bucket.name;
    const key = decodeURIComponent(record.s3.object.key.replaceAll('+', ' '));
    await s3.send(new PutObjectCommand({ Bucket, Key: process.env.PREFIX + key, Body: 'small' }));
  }
};
`,
  },
} as const;
type Language = keyof typeof LANGUAGES;

const RECORDS = 'records';
const TIMEOUT = { timeout: 60_000 };

describe('functions that write into the bucket that invokes them', { skip: withoutBoto3 }, () => {
  let server: RunningKobune;
  let functions: lambda.LambdaClient;
  let objects: s3.S3Client;
  before(async () => {
    server = await runKobune();
    functions = new lambda.LambdaClient(server.settings());
    objects = new s3.S3Client({ ...server.settings(), forcePathStyle: true });
    await objects.send(new s3.CreateBucketCommand({ Bucket: RECORDS }));
  });
  after(async () => {
    functions.destroy();
    objects.destroy();
    await server[Symbol.asyncDispose]();
  });

  /** Creates a function that tells of its failures in the bucket for records. Returns its ARN. */
  async function create(language: Language, FunctionName: string, PREFIX: string): Promise<string> {
    const { Runtime, file, code } = LANGUAGES[language];
    const created = await functions.send(
      new lambda.CreateFunctionCommand({
        FunctionName,
        Runtime,
        Handler: 'index.handler',
        Role: 'arn:aws:iam::000000000000:role/thumbnail',
        Code: { ZipFile: await zipOf({ [file]: code }) },
        Environment: { Variables: { PREFIX } },
        Timeout: 30,
      }),
    );
    await functions.send(
      new lambda.PutFunctionEventInvokeConfigCommand({
        FunctionName,
        DestinationConfig: { OnFailure: { Destination: `arn:aws:s3:::${RECORDS}` } },
      }),
    );
    await functions.send(
      new lambda.AddPermissionCommand({
        FunctionName,
        StatementId: 's3',
        Action: 'lambda:InvokeFunction',
        Principal: 's3.amazonaws.com',
      }),
    );
    return created.FunctionArn!;
  }

  /** Creates a bucket that invokes the functions, each for what is put below its prefix. */
  async function bucketFor(Bucket: string, rules: Readonly<Record<string, string>>): Promise<void> {
    await objects.send(new s3.CreateBucketCommand({ Bucket }));
    await notify(Bucket, rules);
  }

  async function notify(Bucket: string, rules: Readonly<Record<string, string>>): Promise<void> {
    const LambdaFunctionConfigurations = Object.entries(rules).map(([prefix, LambdaFunctionArn]) => ({
      LambdaFunctionArn,
      Events: ['s3:ObjectCreated:*' as const],
      Filter: { Key: { FilterRules: [{ Name: 'prefix' as const, Value: prefix }] } },
    }));
    await objects.send(
      new s3.PutBucketNotificationConfigurationCommand({
        Bucket,
        NotificationConfiguration: { LambdaFunctionConfigurations },
      }),
    );
  }

  const put = (Bucket: string, Key: string) => objects.send(new s3.PutObjectCommand({ Bucket, Key, Body: 'picture' }));

  async function keysOf(Bucket: string, Prefix?: string): Promise<string[]> {
    const { Contents = [] } = await objects.send(new s3.ListObjectsV2Command({ Bucket, Prefix }));
    return Contents.map(({ Key }) => Key!);
  }

  /** Asks until there are so many objects. */
  async function until(count: number, Bucket: string, Prefix?: string): Promise<string[]> {
    for (;;) {
      const keys = await keysOf(Bucket, Prefix);
      if (keys.length >= count) return keys;
    }
  }

  /** Waits until Lambda has put the event that it did not run into the bucket for records. */
  async function recordOf(FunctionName: string) {
    const [Key] = await until(1, RECORDS, `aws/lambda/async/${FunctionName}/`);
    const { Body } = await objects.send(new s3.GetObjectCommand({ Bucket: RECORDS, Key }));
    return JSON.parse(await Body!.transformToString());
  }

  for (const language of ['python', 'node'] as const) {
    it(`are stopped after sixteen invocations: ${language}`, TIMEOUT, async () => {
      const arn = await create(language, `${language}-loop`, 'thumbnails/');
      const bucket = `${language}-album`;
      await bucketFor(bucket, { '': arn });
      await put(bucket, 'harbour.jpg');
      const record = await recordOf(`${language}-loop`);
      assert.equal(record.requestContext.condition, 'RecursiveInvocationException');
      assert.equal(record.requestPayload.Records[0].s3.object.key, `${'thumbnails/'.repeat(16)}harbour.jpg`);
      assert.equal((await keysOf(bucket)).length, 1 + 16);
    });

    it(`go on when that is allowed: ${language}`, TIMEOUT, async () => {
      const FunctionName = `${language}-allowed`;
      const arn = await create(language, FunctionName, 'thumbnails/');
      await functions.send(new lambda.PutFunctionRecursionConfigCommand({ FunctionName, RecursiveLoop: 'Allow' }));
      const bucket = `${language}-endless`;
      await bucketFor(bucket, { '': arn });
      await put(bucket, 'harbour.jpg');
      await until(1 + 20, bucket);
      await notify(bucket, {});
      assert.deepEqual(await keysOf(RECORDS, `aws/lambda/async/${FunctionName}/`), []);
    });
  }

  it('are each counted for themselves when they take turns', TIMEOUT, async () => {
    const python = await create('python', 'turn-python', 'node/');
    const node = await create('node', 'turn-node', 'python/');
    await bucketFor('turns', { 'python/': python, 'node/': node });
    await put('turns', 'python/harbour.jpg');
    const record = await recordOf('turn-python');
    assert.equal(record.requestContext.condition, 'RecursiveInvocationException');
    assert.equal((await keysOf('turns')).length, 1 + 2 * 16);
  });
});

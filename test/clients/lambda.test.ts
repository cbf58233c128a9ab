import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import * as lambda from '@aws-sdk/client-lambda';
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { type LambdaServer, ROLE, startLambdaServer, zipOf } from './lambda-server.ts';

let server: LambdaServer;
let client: lambda.LambdaClient;
let s3: S3Client;

before(async () => {
  server = await startLambdaServer();
  const settings = {
    endpoint: server.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  };
  client = new lambda.LambdaClient({ ...settings, maxAttempts: 1 });
  s3 = new S3Client({ ...settings, forcePathStyle: true });
});
after(async () => {
  client?.destroy();
  s3?.destroy();
  await server?.[Symbol.asyncDispose]();
});

const HANDLER = `
exports.handler = async (event, context) => {
  if (event.fail) throw new TypeError('told to fail');
  if (event.environment) return process.env[event.environment] ?? null;
  console.log('handling', JSON.stringify(event));
  return { event, name: context.functionName, version: context.functionVersion, arn: context.invokedFunctionArn, id: context.awsRequestId };
};`;

async function create(name: string, changes: Partial<lambda.CreateFunctionCommandInput> = {}): Promise<void> {
  await client.send(
    new lambda.CreateFunctionCommand({
      FunctionName: name,
      Runtime: 'nodejs22.x',
      Role: ROLE,
      Handler: 'index.handler',
      Code: { ZipFile: await zipOf({ 'index.js': HANDLER }) },
      ...changes,
    }),
  );
  await lambda.waitUntilFunctionActiveV2(
    { client, maxWaitTime: 30, minDelay: 0.02, maxDelay: 0.1 },
    { FunctionName: name },
  );
}

async function invoke(name: string, event: unknown, changes: Partial<lambda.InvokeCommandInput> = {}) {
  const answer = await client.send(
    new lambda.InvokeCommand({ FunctionName: name, Payload: JSON.stringify(event), ...changes }),
  );
  const payload = Buffer.from(answer.Payload ?? []).toString();
  return { ...answer, value: payload === '' ? undefined : (JSON.parse(payload) as Record<string, unknown>) };
}

async function refused(command: Promise<unknown>, name: string, status: number): Promise<Error> {
  let caught: (Error & { $metadata?: { httpStatusCode?: number } }) | undefined;
  await assert.rejects(command, (error: Error) => {
    caught = error;
    return true;
  });
  assert.equal(caught!.name, name, caught!.message);
  assert.equal(caught!.$metadata?.httpStatusCode, status);
  return caught!;
}

describe('Lambda through the AWS SDK', () => {
  before(() => create('echo', { Environment: { Variables: { STAGE: 'test' } } }));

  it('creates, reads and lists a function', async () => {
    const got = await client.send(new lambda.GetFunctionCommand({ FunctionName: 'echo' }));
    assert.equal(got.Configuration?.State, 'Active');
    assert.equal(got.Configuration?.Runtime, 'nodejs22.x');
    const code = await fetch(got.Code!.Location!);
    assert.equal(code.status, 200);
    assert.equal((await code.arrayBuffer()).byteLength, got.Configuration!.CodeSize);
    const names: (string | undefined)[] = [];
    for await (const page of lambda.paginateListFunctions({ client }, {})) {
      names.push(...(page.Functions ?? []).map((item) => item.FunctionName));
    }
    assert.ok(names.includes('echo'));
  });

  it('invokes it and gets the value, the version and the log', async () => {
    const answer = await invoke('echo', { n: 1 }, { LogType: 'Tail' });
    assert.equal(answer.StatusCode, 200);
    assert.equal(answer.ExecutedVersion, '$LATEST');
    assert.equal(answer.FunctionError, undefined);
    assert.deepEqual(answer.value!.event, { n: 1 });
    assert.equal(answer.value!.arn, 'arn:aws:lambda:us-east-1:000000000000:function:echo');
    assert.equal(answer.value!.id, answer.$metadata.requestId);
    const log = Buffer.from(answer.LogResult!, 'base64').toString();
    assert.match(log, /START RequestId: .*handling \{"n":1\}.*END RequestId: .*REPORT RequestId: /s);
    const environment = await invoke('echo', { environment: 'STAGE' });
    assert.equal(environment.value as unknown, 'test');
  });

  it('tells a handler that throws', async () => {
    const answer = await invoke('echo', { fail: true });
    assert.equal(answer.StatusCode, 200);
    assert.equal(answer.FunctionError, 'Unhandled');
    assert.equal(answer.value!.errorType, 'TypeError');
    assert.equal(answer.value!.errorMessage, 'told to fail');
  });

  it('changes code and configuration', async () => {
    await create('changing');
    await client.send(
      new lambda.UpdateFunctionCodeCommand({
        FunctionName: 'changing',
        ZipFile: await zipOf({
          'index.js': 'exports.handler = async () => process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE;',
        }),
      }),
    );
    await lambda.waitUntilFunctionUpdatedV2(
      { client, maxWaitTime: 30, minDelay: 0.02, maxDelay: 0.1 },
      { FunctionName: 'changing' },
    );
    await client.send(new lambda.UpdateFunctionConfigurationCommand({ FunctionName: 'changing', MemorySize: 256 }));
    assert.equal((await invoke('changing', {})).value as unknown, '256');
    await client.send(new lambda.DeleteFunctionCommand({ FunctionName: 'changing' }));
    await refused(invoke('changing', {}), 'ResourceNotFoundException', 404);
  });

  it('runs versions, aliases and layers', async () => {
    const layer = await client.send(
      new lambda.PublishLayerVersionCommand({
        LayerName: 'words',
        Content: {
          ZipFile: await zipOf({ 'nodejs/node_modules/words/index.js': "module.exports = 'from the layer';" }),
        },
      }),
    );
    await create('versioned', {
      Layers: [layer.LayerVersionArn!],
      Code: {
        ZipFile: await zipOf({
          'index.js': "exports.handler = async (e, c) => [require('words'), c.functionVersion];",
        }),
      },
      Publish: true,
    });
    await client.send(new lambda.CreateAliasCommand({ FunctionName: 'versioned', Name: 'live', FunctionVersion: '1' }));
    const answer = await invoke('versioned', {}, { Qualifier: 'live' });
    assert.deepEqual(answer.value as unknown, ['from the layer', '1']);
    assert.equal(answer.ExecutedVersion, '1');
  });

  it('streams a response', async () => {
    await create('streaming', {
      Code: {
        ZipFile: await zipOf({
          'index.js': `exports.handler = awslambda.streamifyResponse(async (event, stream) => {
            stream.write('one ');
            stream.write('two');
            stream.end();
          });`,
        }),
      },
    });
    const answer = await client.send(new lambda.InvokeWithResponseStreamCommand({ FunctionName: 'streaming' }));
    const chunks: Uint8Array[] = [];
    let completed: lambda.InvokeWithResponseStreamCompleteEvent | undefined;
    for await (const event of answer.EventStream!) {
      if (event.PayloadChunk) chunks.push(event.PayloadChunk.Payload!);
      if (event.InvokeComplete) completed = event.InvokeComplete;
    }
    assert.equal(Buffer.concat(chunks).toString(), 'one two');
    assert.equal(completed?.ErrorCode, undefined);
  });

  it('streams an HTTP answer: its metadata before the body to a client, as status and headers on a function URL', async () => {
    await create('streaming-http', {
      Code: {
        ZipFile: await zipOf({
          'index.js': `exports.handler = awslambda.streamifyResponse(async (event, stream) => {
            const out = awslambda.HttpResponseStream.from(stream, { statusCode: 418, headers: { 'x-a': 'b' } });
            out.end('tea');
          });`,
        }),
      },
    });
    const answer = await client.send(new lambda.InvokeWithResponseStreamCommand({ FunctionName: 'streaming-http' }));
    const chunks: Uint8Array[] = [];
    for await (const event of answer.EventStream!) if (event.PayloadChunk) chunks.push(event.PayloadChunk.Payload!);
    const streamed = Buffer.concat(chunks).toString();
    assert.equal(streamed, `{"statusCode":418,"headers":{"x-a":"b"}}${'\0'.repeat(8)}tea`);
    const url = await client.send(
      new lambda.CreateFunctionUrlConfigCommand({
        FunctionName: 'streaming-http',
        AuthType: 'NONE',
        InvokeMode: 'RESPONSE_STREAM',
      }),
    );
    const { host } = new URL(url.FunctionUrl!);
    const seen = await new Promise<unknown>((resolve, reject) => {
      request({ host: '127.0.0.1', port: server.port, headers: { host }, agent: false }, async (response) =>
        resolve([response.statusCode, response.headers['x-a'], await text(response)]),
      )
        .on('error', reject)
        .end();
    });
    assert.deepEqual(seen, [418, 'b', 'tea']);
  });

  it('answers on a function URL', async () => {
    await create('web', {
      Code: {
        ZipFile: await zipOf({
          'index.js': `exports.handler = async (event) => ({
            statusCode: 201, headers: { 'content-type': 'text/plain' }, body: event.requestContext.http.method + ' ' + event.rawPath,
          });`,
        }),
      },
    });
    const url = await client.send(new lambda.CreateFunctionUrlConfigCommand({ FunctionName: 'web', AuthType: 'NONE' }));
    const { host } = new URL(url.FunctionUrl!);
    assert.equal(new URL(url.FunctionUrl!).port, String(server.port));
    // Node does not resolve `*.localhost`, so the name goes into the header only.
    const answer = await new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
      request(
        { host: '127.0.0.1', port: server.port, path: '/a/b', method: 'PUT', headers: { host }, agent: false },
        (response) => {
          text(response).then((body) => resolve({ status: response.statusCode, body }), reject);
        },
      )
        .on('error', reject)
        .end();
    });
    assert.deepEqual(answer, { status: 201, body: 'PUT /a/b' });
  });

  it('takes the package from S3, and puts records of failed events there', async () => {
    await s3.send(new CreateBucketCommand({ Bucket: 'packages' }));
    await s3.send(
      new PutObjectCommand({ Bucket: 'packages', Key: 'f.zip', Body: await zipOf({ 'index.js': HANDLER }) }),
    );
    await create('from-s3', { Code: { S3Bucket: 'packages', S3Key: 'f.zip' } });
    await client.send(
      new lambda.PutFunctionEventInvokeConfigCommand({
        FunctionName: 'from-s3',
        MaximumRetryAttempts: 0,
        DestinationConfig: { OnFailure: { Destination: 'arn:aws:s3:::packages' } },
      }),
    );
    const sent = await invoke('from-s3', { fail: true }, { InvocationType: 'Event' });
    assert.equal(sent.StatusCode, 202);
    const key = await eventually(async () => {
      const list = await s3.send(new ListObjectsV2Command({ Bucket: 'packages', Prefix: 'aws/lambda/async/from-s3/' }));
      return list.Contents?.[0]?.Key;
    });
    const object = await s3.send(new GetObjectCommand({ Bucket: 'packages', Key: key }));
    const record = JSON.parse(await object.Body!.transformToString()) as Record<string, Record<string, unknown>>;
    assert.equal(record.requestContext!.requestId, sent.$metadata.requestId);
    assert.equal(record.requestContext!.condition, 'RetriesExhausted');
    assert.equal(record.responsePayload!.errorMessage, 'told to fail');
  });

  it('is invoked by a new object in a bucket, with the event that S3 makes', async () => {
    await s3.send(new CreateBucketCommand({ Bucket: 'records' }));
    await s3.send(new CreateBucketCommand({ Bucket: 'uploads' }));
    await create('on-upload', {
      Code: { ZipFile: await zipOf({ 'index.js': "exports.handler = async () => { throw new Error('seen'); };" }) },
    });
    await client.send(
      new lambda.PutFunctionEventInvokeConfigCommand({
        FunctionName: 'on-upload',
        MaximumRetryAttempts: 0,
        DestinationConfig: { OnFailure: { Destination: 'arn:aws:s3:::records' } },
      }),
    );
    await s3.send(
      new PutBucketNotificationConfigurationCommand({
        Bucket: 'uploads',
        NotificationConfiguration: {
          LambdaFunctionConfigurations: [
            {
              LambdaFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:on-upload',
              Events: ['s3:ObjectCreated:*'],
              Filter: { Key: { FilterRules: [{ Name: 'suffix', Value: '.jpg' }] } },
            },
          ],
        },
      }),
    );
    await s3.send(new PutObjectCommand({ Bucket: 'uploads', Key: 'note.txt', Body: 'no' }));
    await s3.send(new PutObjectCommand({ Bucket: 'uploads', Key: 'a picture.jpg', Body: 'yes' }));
    const key = await eventually(async () => {
      const list = await s3.send(new ListObjectsV2Command({ Bucket: 'records' }));
      return list.Contents?.[0]?.Key;
    });
    const object = await s3.send(new GetObjectCommand({ Bucket: 'records', Key: key }));
    const record = JSON.parse(await object.Body!.transformToString()) as {
      requestPayload: { Records: { eventName: string; s3: { bucket: { name: string }; object: { key: string } } }[] };
    };
    const [event] = record.requestPayload.Records;
    assert.equal(event!.eventName, 'ObjectCreated:Put');
    assert.equal(event!.s3.bucket.name, 'uploads');
    assert.equal(event!.s3.object.key, 'a+picture.jpg');
  });

  it('runs Python, and tells its errors as Lambda does', async () => {
    await create('snake', {
      Runtime: 'python3.11',
      Handler: 'app.handler',
      Code: {
        ZipFile: await zipOf({
          'app.py':
            "def handler(event, context):\n    if event.get('fail'):\n        raise ValueError('no')\n    return {'n': event['n'] + 1}\n",
        }),
      },
    });
    assert.deepEqual((await invoke('snake', { n: 1 })).value, { n: 2 });
    const failed = await invoke('snake', { fail: 1 });
    assert.equal(failed.FunctionError, 'Unhandled');
    assert.equal(failed.value!.errorType, 'ValueError');
  });
});

describe('Lambda with code in a local folder', () => {
  it('runs what the folder holds now', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hot-reload-'));
    try {
      await chmod(folder, 0o755);
      const write = (answer: string) =>
        writeFile(join(folder, 'index.js'), `exports.handler = async () => '${answer}';`);
      await write('first');
      await create('hot', { Code: { S3Bucket: 'hot-reload', S3Key: folder } });
      assert.equal((await invoke('hot', {})).value as unknown, 'first');
      await write('second');
      await eventually(async () => ((await invoke('hot', {})).value as unknown) === 'second' || undefined);
    } finally {
      await client.send(new lambda.DeleteFunctionCommand({ FunctionName: 'hot' }));
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('Lambda provisioned concurrency', () => {
  it('has environments that were initialised before the first invocation', async () => {
    await create('warm', {
      Code: {
        ZipFile: await zipOf({
          'index.js': 'exports.handler = async () => process.env.AWS_LAMBDA_INITIALIZATION_TYPE;',
        }),
      },
      Publish: true,
    });
    const config = { FunctionName: 'warm', Qualifier: '1' };
    await client.send(
      new lambda.PutProvisionedConcurrencyConfigCommand({ ...config, ProvisionedConcurrentExecutions: 2 }),
    );
    await eventually(async () => {
      const got = await client.send(new lambda.GetProvisionedConcurrencyConfigCommand(config));
      return got.Status === 'READY' || undefined;
    });
    const answer = await invoke('warm', {}, { Qualifier: '1', LogType: 'Tail' });
    assert.equal(answer.value as unknown, 'provisioned-concurrency');
    assert.doesNotMatch(Buffer.from(answer.LogResult!, 'base64').toString(), /Init Duration/);
    assert.equal((await invoke('warm', {})).value as unknown, 'on-demand');
    await client.send(new lambda.DeleteProvisionedConcurrencyConfigCommand(config));
  });
});

describe('bad input to Lambda through the AWS SDK', () => {
  const base = { FunctionName: 'bad', Runtime: 'nodejs22.x', Role: ROLE, Handler: 'index.handler' } as const;
  const make = (changes: object) =>
    client.send(new lambda.CreateFunctionCommand({ ...base, Code: { ZipFile: Buffer.from('x') }, ...changes }));

  it('is refused with the code that AWS documents', async () => {
    const zip = await zipOf({ 'index.js': HANDLER });
    const notZip = await refused(make({}), 'InvalidParameterValueException', 400);
    assert.equal(notZip.message, 'Could not unzip uploaded file. Please check your file, then try to upload again.');
    await refused(make({ Code: { ZipFile: zip }, Runtime: 'cobol' }), 'InvalidParameterValueException', 400);
    await refused(make({ Code: { ZipFile: zip }, Handler: undefined }), 'InvalidParameterValueException', 400);
    await refused(make({ Code: { ZipFile: zip }, MemorySize: 1 }), 'ValidationException', 400);
    const climbing = Buffer.from(
      (await zipOf({ 'xx/evil': '1' })).toString('latin1').replaceAll('xx/evil', '../evil'),
      'latin1',
    );
    await refused(make({ Code: { ZipFile: climbing } }), 'InvalidParameterValueException', 400);
    await refused(make({ Code: { ZipFile: Buffer.alloc(53 * 1024 * 1024) } }), 'RequestEntityTooLargeException', 413);
    const list = await client.send(new lambda.ListFunctionsCommand({}));
    assert.ok(!list.Functions!.some((item) => item.FunctionName === 'bad'));
  });

  it('is refused when it is a zip bomb', async () => {
    const bomb = await zipOf({ zeros: '\0'.repeat(263 * 1024 * 1024) });
    assert.ok(bomb.length < 1024 * 1024);
    const error = await refused(make({ Code: { ZipFile: bomb } }), 'InvalidParameterValueException', 400);
    assert.equal(error.message, 'Unzipped size must be smaller than 262144000 bytes');
  });

  it('is refused for a second function of the same name', async () => {
    await create('twice');
    await refused(create('twice'), 'ResourceConflictException', 409);
  });

  it('is told by the function when the code has a syntax error, no handler, exits or never returns', async () => {
    const cases: readonly [string, string, RegExp][] = [
      ['syntax', 'exports.handler = async () => {', /Runtime\.UserCodeSyntaxError/],
      ['missing', 'exports.other = async () => 1;', /Runtime\.HandlerNotFound/],
      ['exits', 'exports.handler = async () => process.exit(3);', /Runtime\.ExitError/],
      ['hangs', 'exports.handler = () => new Promise(() => setInterval(() => {}, 1000));', /timed out/],
    ];
    for (const [name, code, expected] of cases) {
      await create(name, { Timeout: 1, Code: { ZipFile: await zipOf({ 'index.js': code }) } });
      const answer = await invoke(name, {});
      assert.equal(answer.StatusCode, 200, name);
      assert.equal(answer.FunctionError, 'Unhandled', name);
      assert.match(JSON.stringify(answer.value), expected, name);
    }
  });

  it('is told when a function eats memory or fills its disk, and the next invocation works', async () => {
    await create('greedy', {
      Timeout: 20,
      MemorySize: 256,
      Code: {
        ZipFile: await zipOf({
          'index.js': `const fs = require('fs');
            exports.handler = async (event) => {
              const kept = [];
              while (event.memory) kept.push(Buffer.alloc(16 * 1024 * 1024, 1));
              const chunk = Buffer.alloc(16 * 1024 * 1024);
              for (let mb = 0; mb < (event.disk ?? 0); mb += 16) fs.appendFileSync('/tmp/big', chunk);
              return 'fine';
            };`,
        }),
      },
    });
    const eaten = await invoke('greedy', { memory: true });
    assert.equal(eaten.FunctionError, 'Unhandled');
    assert.match(String(eaten.value!.errorType), /^Runtime\.(ExitError|OutOfMemory)$/);
    assert.equal((await invoke('greedy', {})).value as unknown, 'fine');
    const filled = await invoke('greedy', { disk: 10 * 1024 });
    assert.equal(filled.FunctionError, 'Unhandled');
    assert.match(JSON.stringify(filled.value), /ENOSPC|Runtime\.(ExitError|OutOfMemory)/);
    assert.equal((await invoke('greedy', {})).value as unknown, 'fine');
  });

  it('is refused when the payload is not JSON or too large', async () => {
    await create('payloads');
    const send = (Payload: string, InvocationType?: lambda.InvocationType) =>
      client.send(new lambda.InvokeCommand({ FunctionName: 'payloads', Payload, InvocationType }));
    await refused(send('{a'), 'InvalidRequestContentException', 400);
    await refused(send(`"${'x'.repeat(6_291_456)}"`), 'RequestTooLargeException', 413);
    await refused(send(`"${'x'.repeat(1_048_576)}"`, 'Event'), 'RequestTooLargeException', 413);
  });

  it('names what is not supported', async () => {
    const error = await refused(
      client.send(
        new lambda.PutFunctionCodeSigningConfigCommand({
          FunctionName: 'echo',
          CodeSigningConfigArn: 'arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0',
        }),
      ),
      'NotImplemented',
      501,
    );
    assert.match(error.message, /PutFunctionCodeSigningConfig is not supported/);
  });
});

describe('Lambda throttles', () => {
  it('a function at its reserved concurrency with 429 and the reason', async () => {
    await create('narrow', {
      Timeout: 10,
      Code: {
        ZipFile: await zipOf({ 'index.js': 'exports.handler = () => new Promise((r) => setTimeout(r, 1000));' }),
      },
    });
    await client.send(
      new lambda.PutFunctionConcurrencyCommand({ FunctionName: 'narrow', ReservedConcurrentExecutions: 1 }),
    );
    const outcomes = await Promise.allSettled([invoke('narrow', {}), invoke('narrow', {}), invoke('narrow', {})]);
    const failures = outcomes.filter((outcome) => outcome.status === 'rejected');
    assert.equal(failures.length, 2);
    const error = failures[0]!.reason as lambda.TooManyRequestsException;
    assert.equal(error.name, 'TooManyRequestsException');
    assert.equal(error.Reason, 'ReservedFunctionConcurrentInvocationLimitExceeded');
    assert.equal(error.retryAfterSeconds, '1');
  });
});

/** Looks again until there is something: for what happens behind an answer that has come already. */
async function eventually<T>(look: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) assert.fail('it never came');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

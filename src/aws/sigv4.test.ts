import assert from 'node:assert/strict';
import { createHmac, hash } from 'node:crypto';
import { describe, it } from 'node:test';
import { InvokeCommand, LambdaClient, ListTagsCommand } from '@aws-sdk/client-lambda';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { DeleteMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { Sha256 } from '@smithy/core/checksum';
import { SignatureV4 } from '@smithy/signature-v4';
import { ServiceError } from '../base/errors.ts';
import type { RequestContext } from '../services/index.ts';
import { type AnyOperation, entry, Served } from './conformance/served.ts';
import { clockAt } from './conformance/surroundings.ts';
import { lambdaModel, s3Model, sqsModel, stsModel } from './index.ts';

const account = '111122223333';
const secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const principal = {
  type: 'User',
  account,
  arn: `arn:aws:iam::${account}:user/ann`,
  userId: 'AIDAEXAMPLE',
  accessKeyId: 'AKIAEXAMPLE',
} as const;

interface World {
  readonly now?: () => number;
  readonly machineTime?: () => number;
  readonly operations?: Readonly<Record<string, AnyOperation>>;
  readonly deny?: boolean;
}

/** A front end that verifies, with two keys: a user's, and a temporary one that ends at 2030-01-01. */
function enforcing(world: World = {}): Promise<Served> {
  const who: AnyOperation = async (_input: unknown, context: RequestContext) => ({
    Account: context.account,
    Arn: context.principal.arn,
    UserId: context.principal.userId,
  });
  const put: AnyOperation = async (input: { Body: AsyncIterable<Buffer> }) => {
    const chunks: Buffer[] = [];
    for await (const chunk of input.Body) chunks.push(chunk);
    return { ETag: `"${Buffer.concat(chunks).length}"` };
  };
  return Served.start({
    mode: 'enforce',
    clock: clockAt(world.now ?? Date.now),
    ...(world.machineTime ? { machineTime: world.machineTime } : {}),
    services: [
      entry(stsModel, { GetCallerIdentity: who, AssumeRoleWithWebIdentity: async () => ({}) }),
      entry(s3Model, { PutObject: put, GetObject: async () => ({ Body: Buffer.from('body') }), ...world.operations }),
      entry(sqsModel, { DeleteMessage: async () => ({}) }),
      entry(lambdaModel, {
        ListTags: async (input: { Resource: string }) => ({ Tags: { of: input.Resource } }),
        Invoke: async (input: { Payload: Uint8Array }) => ({ StatusCode: 200, Payload: input.Payload }),
      }),
    ],
    credentials: {
      async find(accessKeyId) {
        if (accessKeyId === 'AKIAEXAMPLE') return { secretAccessKey: secret, principal };
        if (accessKeyId !== 'ASIAEXAMPLE') return undefined;
        return { secretAccessKey: secret, sessionToken: 'the token', principal, expiration: Date.UTC(2030, 0, 1) };
      },
    },
    authorizer: {
      async authorize(who, requests) {
        if (world.deny) {
          const { action, resource } = requests[0]!;
          throw new ServiceError(
            'AccessDenied',
            `User: ${who.arn} is not authorized to perform: ${action} on resource: ${resource}`,
            {
              status: 403,
            },
          );
        }
      },
    },
  });
}

function config(
  served: Served,
  credentials: { accessKeyId?: string; secretAccessKey?: string; sessionToken?: string } = {},
) {
  return {
    endpoint: served.endpoint,
    region: 'eu-central-1',
    maxAttempts: 1,
    forcePathStyle: true,
    credentials: { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: secret, ...credentials },
  };
}

async function failure(
  promise: Promise<unknown>,
): Promise<{ name: string; message: string; status: number | undefined }> {
  const error = await promise.then(
    () => assert.fail('it was accepted'),
    (reason: Error & { $metadata?: { httpStatusCode?: number } }) => reason,
  );
  return { name: error.name, message: error.message, status: error.$metadata?.httpStatusCode };
}

describe('SigV4 in enforce mode', () => {
  it('accepts what every kind of client signs', async () => {
    await using served = await enforcing();
    const identity = await new STSClient(config(served)).send(new GetCallerIdentityCommand({}));
    assert.equal(identity.Arn, principal.arn);
    const lambda = new LambdaClient(config(served));
    const arn = `arn:aws:lambda:eu-central-1:${account}:function:f`;
    assert.deepEqual((await lambda.send(new ListTagsCommand({ Resource: arn }))).Tags, { of: arn });
    const invoked = await lambda.send(
      new InvokeCommand({ FunctionName: 'f', Qualifier: '1', Payload: Buffer.from('{"é":1}') }),
    );
    assert.equal(Buffer.from(invoked.Payload!).toString(), '{"é":1}');
    await new SQSClient(config(served)).send(new DeleteMessageCommand({ QueueUrl: 'q', ReceiptHandle: 'r' }));
  });

  it('accepts S3 keys of every kind', async () => {
    await using served = await enforcing();
    const s3 = new S3Client(config(served));
    for (const key of ['plain', 'a b+c', "q!'()*~", 'é/✓', 'a//b', './x', 'a/../b', 'per%41cent', '&=;,:@$']) {
      const { ETag } = await s3.send(
        new PutObjectCommand({ Bucket: 'bucket', Key: key, Body: 'four', Metadata: { two: '  spaced   out ' } }),
      );
      assert.equal(ETag, '"4"', key);
    }
  });

  it('accepts session tokens and refuses wrong or absent ones', async () => {
    await using served = await enforcing({ now: () => Date.now() });
    const send = (sessionToken?: string) =>
      new STSClient(config(served, { accessKeyId: 'ASIAEXAMPLE', sessionToken })).send(
        new GetCallerIdentityCommand({}),
      );
    assert.equal((await send('the token')).Account, account);
    assert.equal((await failure(send('another'))).name, 'InvalidClientTokenId');
    assert.equal((await failure(send())).name, 'InvalidClientTokenId');
  });

  it('refuses temporary credentials that have expired', async () => {
    const now = Date.UTC(2030, 0, 1, 0, 0, 1);
    await using served = await enforcing({ now: () => now });
    const systemClockOffset = now - Date.now();
    const credentials = { accessKeyId: 'ASIAEXAMPLE', sessionToken: 'the token' };
    const sts = new STSClient({ ...config(served, credentials), systemClockOffset });
    const fail = await failure(sts.send(new GetCallerIdentityCommand({})));
    assert.equal(fail.name, 'ExpiredToken');
    const s3 = new S3Client({ ...config(served, credentials), systemClockOffset });
    assert.deepEqual(await failure(s3.send(new GetObjectCommand({ Bucket: 'bucket', Key: 'k' }))), {
      name: 'ExpiredToken',
      message: 'The provided token has expired.',
      status: 400,
    });
  });

  it('names a wrong secret, an unknown key and a missing signature as each service does', async () => {
    await using served = await enforcing();
    const wrong = config(served, { secretAccessKey: 'wrong' });
    const unknown = config(served, { accessKeyId: 'AKIANOBODY' });
    const kinds = [
      [() => new STSClient(wrong).send(new GetCallerIdentityCommand({})), 'SignatureDoesNotMatch', 403],
      [() => new STSClient(unknown).send(new GetCallerIdentityCommand({})), 'InvalidClientTokenId', 403],
      [() => new LambdaClient(wrong).send(new ListTagsCommand({ Resource: 'r' })), 'InvalidSignatureException', 403],
      [
        () => new LambdaClient(unknown).send(new ListTagsCommand({ Resource: 'r' })),
        'UnrecognizedClientException',
        403,
      ],
      [
        () => new SQSClient(wrong).send(new DeleteMessageCommand({ QueueUrl: 'q', ReceiptHandle: 'r' })),
        'InvalidSignatureException',
        400,
      ],
      [() => new S3Client(wrong).send(new GetObjectCommand({ Bucket: 'b', Key: 'k' })), 'SignatureDoesNotMatch', 403],
      [() => new S3Client(unknown).send(new GetObjectCommand({ Bucket: 'b', Key: 'k' })), 'InvalidAccessKeyId', 403],
    ] as const;
    for (const [send, name, status] of kinds) {
      const fail = await failure(send());
      assert.deepEqual([fail.name, fail.status], [name, status]);
    }
    const bare = await served.send({ path: '/2017-03-31/tags/r', headers: { host: 'lambda.us-east-1.amazonaws.com' } });
    assert.deepEqual([bare.status, bare.headers['x-amzn-errortype']], [403, 'MissingAuthenticationTokenException']);
  });

  it('lets operations through unsigned that need no signature', async () => {
    await using served = await enforcing();
    const answer = await served.send({
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=r&RoleSessionName=s&WebIdentityToken=t',
    });
    assert.equal(answer.status, 200, answer.body);
    const refused = await served.send({
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'Action=GetCallerIdentity&Version=2011-06-15',
    });
    assert.match(refused.body, /<Code>MissingAuthenticationToken<\/Code>/);
  });

  it('refuses a request from more than 15 minutes away, either way', async () => {
    for (const minutes of [-16, 16]) {
      await using served = await enforcing({ now: () => Date.now() + minutes * 60_000 });
      const fail = await failure(new S3Client(config(served)).send(new GetObjectCommand({ Bucket: 'b', Key: 'k' })));
      assert.deepEqual([fail.name, fail.status], ['RequestTimeTooSkewed', 403]);
    }
    await using served = await enforcing({ now: () => Date.now() + 14 * 60_000 });
    await new S3Client(config(served)).send(new GetObjectCommand({ Bucket: 'b', Key: 'k' }));
  });

  it("takes the machine's time, too, when the clock has been moved", async () => {
    const now = () => Date.now() + 86_400_000;
    await using served = await enforcing({ now, machineTime: Date.now });
    await new S3Client(config(served)).send(new GetObjectCommand({ Bucket: 'b', Key: 'k' }));
    await using other = await enforcing({ now, machineTime: () => Date.now() - 16 * 60_000 });
    const fail = await failure(new S3Client(config(other)).send(new GetObjectCommand({ Bucket: 'b', Key: 'k' })));
    assert.equal(fail.name, 'RequestTimeTooSkewed');
  });

  it('lets a client set its clock by the Date header and succeed on its second try', async () => {
    await using served = await enforcing({ now: () => Date.now() + 86_400_000 });
    const s3 = new S3Client({ ...config(served), maxAttempts: 2 });
    await s3.send(new GetObjectCommand({ Bucket: 'b', Key: 'k' }));
  });

  it('tells who may not do what, under the name that the service uses', async () => {
    await using served = await enforcing({ deny: true });
    const lambda = await failure(new LambdaClient(config(served)).send(new ListTagsCommand({ Resource: 'r' })));
    assert.deepEqual([lambda.name, lambda.status], ['AccessDeniedException', 403]);
    assert.match(lambda.message, /not authorized to perform: lambda:ListTags/);
    const sqs = await failure(
      new SQSClient(config(served)).send(new DeleteMessageCommand({ QueueUrl: 'q', ReceiptHandle: 'r' })),
    );
    assert.deepEqual([sqs.name, sqs.status], ['AccessDeniedException', 400]);
    const s3 = await failure(new S3Client(config(served)).send(new GetObjectCommand({ Bucket: 'b', Key: 'k' })));
    assert.deepEqual([s3.name, s3.status], ['AccessDenied', 403]);
    const sts = await failure(new STSClient(config(served)).send(new GetCallerIdentityCommand({})));
    assert.deepEqual([sts.name, sts.status], ['AccessDenied', 403]);
  });

  it('refuses Signature Version 4A and Version 2 by name', async () => {
    await using served = await enforcing();
    const asymmetric = await served.send({
      path: '/2017-03-31/tags/r',
      headers: {
        host: 'lambda.us-east-1.amazonaws.com',
        authorization: 'AWS4-ECDSA-P256-SHA256 Credential=a/20260101/lambda/aws4_request',
      },
    });
    assert.equal(asymmetric.status, 501);
    assert.match(asymmetric.body, /Signature Version 4A/);
    const old = await served.send({
      path: '/bucket/key',
      headers: { authorization: 'AWS AKIAEXAMPLE:frJIUN8DYpKDtOLCwo' },
    });
    assert.deepEqual([old.status, /<Code>(\w+)</.exec(old.body)?.[1]], [400, 'InvalidRequest']);
  });

  it('refuses a header that was added after signing', async () => {
    await using served = await enforcing();
    const headers = await signedHeaders(served, { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' });
    const answer = await served.send({ path: '/bucket/key', headers: { ...headers, 'x-amz-acl': 'public-read' } });
    assert.equal(answer.status, 403);
    assert.match(answer.body, /<HeadersNotSigned>x-amz-acl</);
  });

  it('refuses a body that is not the one signed', async () => {
    await using served = await enforcing();
    const headers = await signedHeaders(served, { 'x-amz-content-sha256': hash('sha256', 'signed') }, 'PUT');
    const answer = await served.send({ method: 'PUT', path: '/bucket/key', headers, body: 'forged' });
    assert.deepEqual([answer.status, /<Code>(\w+)</.exec(answer.body)?.[1]], [400, 'XAmzContentSHA256Mismatch']);
  });
});

describe('a signed form', () => {
  it('is refused when its body is another', async () => {
    await using served = await enforcing();
    const sts = new STSClient(config(served));
    let sent: { headers: Record<string, string>; body: string } | undefined;
    sts.middlewareStack.add(
      (next) => async (args) => {
        sent = args.request as typeof sent;
        return next(args);
      },
      { step: 'finalizeRequest', priority: 'low' },
    );
    await sts.send(new GetCallerIdentityCommand({}));
    const { headers, body } = sent!;
    const again = (text: string) =>
      served.send({ method: 'POST', headers: { ...headers, 'content-length': String(text.length) }, body: text });
    assert.equal((await again(body)).status, 200);
    assert.notEqual((await again(body.replace('GetCallerIdentity', 'GetSessionTokens'))).status, 200);
    assert.match((await again(body.replace('GetCallerIdentity', 'GetSessionTokens'))).body, /Mismatch|DoesNotMatch/);
  });
});

describe('presigned requests', () => {
  it('are accepted until they expire', async () => {
    let now = Date.now();
    await using served = await enforcing({ now: () => now });
    const url = await presigned(served, 60);
    assert.equal((await served.send({ path: url })).body, 'body');
    now += 61_000;
    const late = await served.send({ path: url });
    assert.equal(late.status, 403);
    assert.match(late.body, /<Code>AccessDenied<\/Code><Message>Request has expired<\/Message>/);
  });

  it('are refused when anything in them is changed', async () => {
    await using served = await enforcing();
    const url = await presigned(served, 60);
    const changed = [
      url.replace('/bucket/key', '/bucket/other'),
      url.replace('X-Amz-Expires=60', 'X-Amz-Expires=600'),
      `${url}&versionId=1`,
      url.replace(/Signature=./, (text) => `Signature=${text.endsWith('0') ? '1' : '0'}`),
    ];
    for (const path of changed) {
      const answer = await served.send({ path });
      assert.equal(answer.status, 403, path);
      assert.match(answer.body, /<Code>SignatureDoesNotMatch</);
    }
    assert.equal((await served.send({ path: url.replace('Expires=60', 'Expires=700000') })).status, 400);
  });
});

describe('signed aws-chunked bodies', () => {
  const parts = ['a'.repeat(8192), 'b'.repeat(8192), 'c'.repeat(100)];

  it('are accepted when every chunk is signed', async () => {
    await using served = await enforcing();
    const { headers, body } = await signedChunks(served, parts);
    const answer = await served.send({ method: 'PUT', path: '/bucket/key', headers, body });
    assert.deepEqual([answer.status, answer.headers.etag], [200, `"${parts.join('').length}"`], answer.body);
  });

  it('are refused when a chunk is changed, dropped or moved', async () => {
    await using served = await enforcing();
    const { headers, body, chunks } = await signedChunks(served, parts);
    const changes = [
      body.toString('latin1').replace('aaaa', 'aaab'),
      [chunks[1], chunks[0], chunks[2], chunks[3]].join(''),
      [chunks[0], chunks[2], chunks[3]].join(''),
      body.toString('latin1').replace(/;chunk-signature=[0-9a-f]{64}\r\na/, '\r\na'),
    ];
    for (const changed of changes) {
      const answer = await served.send({
        method: 'PUT',
        path: '/bucket/key',
        headers: { ...headers, 'content-length': String(changed.length) },
        body: Buffer.from(changed, 'latin1'),
      });
      assert.equal(answer.status >= 400, true, answer.body);
      assert.match(answer.body, /<Code>(?:SignatureDoesNotMatch|IncompleteBody)</);
    }
  });

  it('are accepted when their trailer is signed, and refused when it is not the one signed', async () => {
    await using served = await enforcing();
    const { headers, chunks, trailer } = await signedChunks(served, parts, true);
    const send = async (lines: readonly string[]) => {
      const body = Buffer.from([...chunks, ...lines, '\r\n'].join(''), 'latin1');
      const answer = await served.send({
        method: 'PUT',
        path: '/bucket/key',
        headers: { ...headers, 'content-length': String(body.length) },
        body,
      });
      return [answer.status, /<Code>(\w+)</.exec(answer.body)?.[1]];
    };
    const [sum, signature] = trailer as [string, string];
    assert.deepEqual(await send([sum, signature]), [200, undefined]);
    const mismatch = [403, 'SignatureDoesNotMatch'];
    assert.deepEqual(await send([sum.replace(/:./, ':!'), signature]), mismatch);
    assert.deepEqual(await send([sum, 'x-amz-meta-added:1\r\n', signature]), mismatch);
    assert.deepEqual(await send([sum, signature.replace(/[0-9a-f]{64}/, '0'.repeat(64))]), mismatch);
    assert.deepEqual(await send([sum]), mismatch);
    assert.deepEqual(await send([signature]), mismatch);
    assert.deepEqual(await send([]), [400, 'MalformedTrailerError']);
  });
});

const signer = new SignatureV4({
  service: 's3',
  region: 'eu-central-1',
  sha256: Sha256,
  uriEscapePath: false,
  credentials: { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: secret },
});

function plainRequest(served: Served, method: string, headers: Record<string, string>) {
  return {
    method,
    protocol: 'http:',
    hostname: '127.0.0.1',
    port: served.port,
    path: '/bucket/key',
    query: {},
    headers: { host: `127.0.0.1:${served.port}`, ...headers },
  };
}

async function signedHeaders(
  served: Served,
  headers: Record<string, string>,
  method = 'GET',
): Promise<Record<string, string>> {
  return (await signer.sign(plainRequest(served, method, headers))).headers;
}

async function presigned(served: Served, expiresIn: number): Promise<string> {
  const request = plainRequest(served, 'GET', { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' });
  const signed = await signer.presign(request, { expiresIn });
  return `/bucket/key?${new URLSearchParams(signed.query as Record<string, string>).toString().replaceAll('+', '%20')}`;
}

/**
 * A body in signed chunks, made as the S3 API Reference describes it ("Transferring Payload in Multiple Chunks", and "…
 * (Including Trailing Headers)" for one that ends in a checksum).
 */
async function signedChunks(served: Served, parts: readonly string[], withTrailer = false) {
  const headers = await signedHeaders(
    served,
    {
      'x-amz-content-sha256': `STREAMING-AWS4-HMAC-SHA256-PAYLOAD${withTrailer ? '-TRAILER' : ''}`,
      'x-amz-decoded-content-length': String(parts.join('').length),
      'content-encoding': 'aws-chunked',
      ...(withTrailer ? { 'x-amz-trailer': 'x-amz-checksum-sha256' } : {}),
    },
    'PUT',
  );
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const day = headers['x-amz-date']!.slice(0, 8);
  const key = ['eu-central-1', 's3', 'aws4_request'].reduce(hmac, hmac(`AWS4${secret}`, day));
  let previous = /Signature=([0-9a-f]+)/.exec(headers.authorization!)![1]!;
  const sign = (kind: string, hashes: readonly string[]) => {
    const scope = `${day}/eu-central-1/s3/aws4_request`;
    previous = hmac(key, [kind, headers['x-amz-date'], scope, previous, ...hashes].join('\n')).toString('hex');
    return previous;
  };
  const chunks = [...parts, ''].map((part) => {
    const signature = sign('AWS4-HMAC-SHA256-PAYLOAD', [hash('sha256', ''), hash('sha256', part)]);
    const end = withTrailer && part === '' ? '' : '\r\n';
    return `${part.length.toString(16)};chunk-signature=${signature}\r\n${part}${end}`;
  });
  const sum = `x-amz-checksum-sha256:${hash('sha256', parts.join(''), 'base64')}`;
  const trailerSignature = withTrailer ? sign('AWS4-HMAC-SHA256-TRAILER', [hash('sha256', `${sum}\n`)]) : '';
  const trailer = [`${sum}\r\n`, `x-amz-trailer-signature:${trailerSignature}\r\n`];
  const body = Buffer.from(chunks.join(''), 'latin1');
  return { headers: { ...headers, 'content-length': String(body.length) }, body, chunks, trailer };
}

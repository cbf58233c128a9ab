import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CloudWatchLogsClient, CreateLogGroupCommand } from '@aws-sdk/client-cloudwatch-logs';
import { CreateUserCommand, IAMClient, ListUsersCommand } from '@aws-sdk/client-iam';
import { CreateFunctionCommand, LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import {
  CreateBucketCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { refused, sendRaw } from '../support/refusals.ts';
import { type Keys, type RunningKobune, runKobune } from '../support/running-kobune.ts';
import { filesOf } from '../support/traces.ts';

const HOUR_MS = 3_600_000;
let server: RunningKobune;
before(async () => {
  server = await runKobune({ iam: 'enforce', ephemeral: false });
  await withClients({}, ({ s3 }) => s3.send(new CreateBucketCommand({ Bucket: 'kept' })));
});
after(() => server?.[Symbol.asyncDispose]());

interface Changes {
  readonly credentials?: Keys;
  readonly systemClockOffset?: number;
  readonly region?: string;
}

async function withClients<Result>(changes: Changes, use: (clients: Clients) => Promise<Result>): Promise<Result> {
  const settings = { ...server.settings(), ...changes };
  const clients = {
    s3: new S3Client({ ...settings, forcePathStyle: true }),
    lambda: new LambdaClient(settings),
    sts: new STSClient(settings),
    logs: new CloudWatchLogsClient(settings),
    iam: new IAMClient(settings),
  };
  try {
    return await use(clients);
  } finally {
    for (const client of Object.values(clients)) client.destroy();
  }
}

interface Clients {
  readonly s3: S3Client;
  readonly lambda: LambdaClient;
  readonly sts: STSClient;
  readonly logs: CloudWatchLogsClient;
  readonly iam: IAMClient;
}

const attempt = {
  s3: ({ s3 }: Clients) => s3.send(new PutObjectCommand({ Bucket: 'kept', Key: 'k', Body: Buffer.alloc(200_000) })),
  lambda: ({ lambda }: Clients) =>
    lambda.send(
      new CreateFunctionCommand({
        FunctionName: 'f',
        Runtime: 'nodejs22.x',
        Handler: 'index.handler',
        Role: 'arn:aws:iam::000000000000:role/r',
        Code: { ZipFile: Buffer.from('x') },
      }),
    ),
  sts: ({ sts }: Clients) => sts.send(new GetCallerIdentityCommand({})),
  logs: ({ logs }: Clients) => logs.send(new CreateLogGroupCommand({ logGroupName: 'g' })),
  iam: ({ iam }: Clients) => iam.send(new CreateUserCommand({ UserName: 'u' })),
};

async function assertNothingMade(): Promise<void> {
  await withClients({}, async ({ s3, lambda, iam }) => {
    assert.equal((await s3.send(new ListBucketsCommand({}))).Buckets?.length, 1);
    assert.equal((await s3.send(new ListObjectsV2Command({ Bucket: 'kept' }))).KeyCount, 0);
    assert.deepEqual((await lambda.send(new ListFunctionsCommand({}))).Functions, []);
    assert.deepEqual((await iam.send(new ListUsersCommand({}))).Users, []);
  });
  assert.deepEqual(filesOf(join(server.scratch, 'data')), []);
}

type Expected = Readonly<Record<keyof typeof attempt, readonly [code: string, status: number]>>;

async function refusedEverywhere(changes: Changes, expected: Expected): Promise<void> {
  for (const service of Object.keys(attempt) as (keyof typeof attempt)[]) {
    await withClients(changes, (clients) => refused(attempt[service](clients), ...expected[service]));
  }
  await assertNothingMade();
}

describe('a request whose signature is wrong', () => {
  it('made with another secret is refused under the name that each service has for it', async () => {
    const credentials = { ...server.root, secretAccessKey: `${server.root.secretAccessKey}x` };
    await refusedEverywhere(
      { credentials },
      {
        s3: ['SignatureDoesNotMatch', 403],
        lambda: ['InvalidSignatureException', 403],
        sts: ['SignatureDoesNotMatch', 403],
        logs: ['InvalidSignatureException', 400],
        iam: ['SignatureDoesNotMatch', 403],
      },
    );
  });

  it('made with a key that does not exist is refused', async () => {
    await refusedEverywhere(
      { credentials: { accessKeyId: 'AKIAABCDEFGHIJKLMNOP', secretAccessKey: 'wrong' } },
      {
        s3: ['InvalidAccessKeyId', 403],
        lambda: ['UnrecognizedClientException', 403],
        sts: ['InvalidClientTokenId', 403],
        logs: ['UnrecognizedClientException', 400],
        iam: ['InvalidClientTokenId', 403],
      },
    );
  });

  it('made with a session token that is none is refused', async () => {
    await refusedEverywhere(
      { credentials: { ...server.root, sessionToken: 'made-up' } },
      {
        s3: ['InvalidToken', 400],
        lambda: ['UnrecognizedClientException', 403],
        sts: ['InvalidClientTokenId', 403],
        logs: ['UnrecognizedClientException', 400],
        iam: ['InvalidClientTokenId', 403],
      },
    );
  });

  for (const [when, systemClockOffset] of [
    ['an hour ago', -HOUR_MS],
    ['an hour ahead', HOUR_MS],
  ] as const) {
    it(`made ${when} is refused`, async () => {
      await refusedEverywhere(
        { systemClockOffset },
        {
          s3: ['RequestTimeTooSkewed', 403],
          lambda: ['InvalidSignatureException', 403],
          sts: ['SignatureDoesNotMatch', 403],
          logs: ['InvalidSignatureException', 400],
          iam: ['SignatureDoesNotMatch', 403],
        },
      );
    });
  }

  it('is refused when there is none', async () => {
    const { endpoint } = server;
    const s3 = await sendRaw(endpoint, { method: 'PUT', path: '/kept/anonymous', body: 'x' });
    assert.deepEqual([s3.status, /<Code>([^<]*)/.exec(s3.body)?.[1]], [403, 'AccessDenied']);
    const lambda = await sendRaw(endpoint, { method: 'GET', path: '/2015-03-31/functions/' });
    assert.ok(lambda.status === 403, `${lambda.status} ${lambda.body}`);
    await assertNothingMade();
  });

  it('for another region reaches nothing of this one', async () => {
    await withClients({ region: 'eu-west-1' }, async (clients) => {
      assert.deepEqual((await clients.lambda.send(new ListFunctionsCommand({}))).Functions, []);
      const error = await attempt.s3(clients).then(
        () => assert.fail('an object was put into a bucket of another region'),
        (reason: Error & { $metadata: { httpStatusCode: number } }) => reason,
      );
      assert.ok([301, 307, 400].includes(error.$metadata.httpStatusCode), `${error.name}: ${error.message}`);
    });
    await assertNothingMade();
  });
});

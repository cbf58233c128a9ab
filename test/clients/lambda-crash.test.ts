import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import * as lambda from '@aws-sdk/client-lambda';
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { KillableKobune } from '../support/killable-kobune.ts';
import { ROLE, zipOf } from './lambda-server.ts';

interface Running {
  readonly kobune: KillableKobune;
  readonly client: lambda.LambdaClient;
  readonly s3: S3Client;
}

async function start(directory: string): Promise<Running> {
  const kobune = await KillableKobune.start(directory);
  const settings = kobune.settings();
  return { kobune, client: new lambda.LambdaClient(settings), s3: new S3Client({ ...settings, forcePathStyle: true }) };
}

async function stop({ client, kobune, s3 }: Running, how: 'kill' | 'stop'): Promise<void> {
  client.destroy();
  s3.destroy();
  await kobune[how]();
}

describe('Lambda when Kobune is killed', () => {
  it('still has its functions, and runs every event that it had accepted', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'kobune-lambda-crash-'));
    try {
      const first = await start(directory);
      await first.s3.send(new CreateBucketCommand({ Bucket: 'records' }));
      await first.client.send(
        new lambda.CreateFunctionCommand({
          FunctionName: 'slow',
          Runtime: 'nodejs22.x',
          Role: ROLE,
          Handler: 'index.handler',
          Timeout: 20,
          Code: {
            ZipFile: await zipOf({
              'index.js':
                "exports.handler = async () => { await new Promise((r) => setTimeout(r, 1000)); throw new Error('recorded'); };",
            }),
          },
        }),
      );
      await first.client.send(
        new lambda.PutFunctionEventInvokeConfigCommand({
          FunctionName: 'slow',
          MaximumRetryAttempts: 0,
          DestinationConfig: { OnFailure: { Destination: 'arn:aws:s3:::records' } },
        }),
      );
      const accepted = await Promise.all(
        Array.from({ length: 5 }, async (_, n) => {
          const answer = await first.client.send(
            new lambda.InvokeCommand({ FunctionName: 'slow', InvocationType: 'Event', Payload: JSON.stringify({ n }) }),
          );
          assert.equal(answer.StatusCode, 202);
          return answer.$metadata.requestId!;
        }),
      );
      await stop(first, 'kill');

      const second = await start(directory);
      const recorded = await recordedRequests(second.s3, accepted);
      assert.deepEqual([...recorded].sort(), [...accepted].sort());
      await stop(second, 'stop');
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

/** The request ids of the records in the bucket, once all that are wanted have come. */
async function recordedRequests(s3: S3Client, wanted: readonly string[]): Promise<Set<string>> {
  const deadline = performance.now() + 30_000;
  const found = new Set<string>();
  while (found.size < wanted.length && performance.now() < deadline) {
    const list = await s3.send(new ListObjectsV2Command({ Bucket: 'records' }));
    for (const { Key } of list.Contents ?? []) {
      const object = await s3.send(new GetObjectCommand({ Bucket: 'records', Key }));
      const record = JSON.parse(await object.Body!.transformToString()) as { requestContext: { requestId: string } };
      found.add(record.requestContext.requestId);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return found;
}

import { parseArgs } from 'node:util';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { deployEcho } from './echo.ts';
import { report } from './report.ts';
import { startServer } from './server.ts';

/*
 * Five minutes of steady load: synchronous and asynchronous invocations, objects of 1 KB and 256 KB put, read, listed
 * and deleted. Memory after the first fifth (caches filled, pools up) is held against memory in the last fifth.
 */

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '300' }, json: { type: 'boolean' } },
});
const SECONDS = Number(values.seconds);
/** How much the last fifth may lie above the second. */
const TOLERANCE = 0.1;
const WORKERS = 4;
const BUCKET = 'soak';

const small = Buffer.alloc(1024, 's');
const large = Buffer.alloc(256 * 1024, 'l');

/** One worker's round; every answer is checked, so that a server which errs fast does not pass. */
async function round(lambda: LambdaClient, s3: S3Client, worker: number, turn: number): Promise<number> {
  const body = turn % 8 === 0 ? large : small;
  const Key = `${worker}/${turn % 50}`;
  const Payload = JSON.stringify({ worker, turn });
  const answer = await lambda.send(new InvokeCommand({ FunctionName: 'echo', Payload }));
  if (Buffer.from(answer.Payload!).toString() !== Payload) throw new Error('the function gave back something else');
  await lambda.send(new InvokeCommand({ FunctionName: 'echo', InvocationType: 'Event', Payload }));
  await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: body }));
  const got = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key }));
  if ((await got.Body!.transformToByteArray()).length !== body.length) throw new Error('the object has another size');
  if (turn % 10 === 0) await s3.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: `${worker}/` }));
  if (turn % 3 === 0) await s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key }));
  return 4;
}

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;

await using server = await startServer({ iam: 'enforce' });
const lambda = new LambdaClient(server);
const s3 = new S3Client({ ...server, forcePathStyle: true });
await deployEcho(server);
await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
const memory: number[] = [];
let requests = 0;
const started = performance.now();
const until = started + SECONDS * 1000;
const sampler = setInterval(() => memory.push(server.memory()), (SECONDS * 1000) / 100);
await Promise.all(
  Array.from({ length: WORKERS }, async (_, worker) => {
    for (let turn = 0; performance.now() < until; turn++) requests += await round(lambda, s3, worker, turn);
  }),
);
clearInterval(sampler);
lambda.destroy();
s3.destroy();
const fifth = Math.floor(memory.length / 5);
const early = median(memory.slice(fifth, 2 * fifth));
const late = median(memory.slice(-fifth));
report([
  {
    what: `soak, ${SECONDS} s of mixed load: memory allocated by the server at the end`,
    throughput: { value: requests / ((performance.now() - started) / 1000), unit: 'requests/s' },
    memory: late,
    floor: 'flat',
    reached: late <= early * (1 + TOLERANCE),
    note: `${(early / 1e6).toFixed(0)} MB after a fifth of the time, ${(Math.max(...memory) / 1e6).toFixed(0)} MB at most`,
  },
]);

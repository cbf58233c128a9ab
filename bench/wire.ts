import { createHash, createHmac } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import { SignatureV4 } from '@smithy/signature-v4';
import { createAwsFrontEnd, lambdaModel, s3Model, sqsModel } from '../src/aws/index.ts';
import { createSystemRandom } from '../src/base/system-random.ts';
import type { RequestBody } from '../src/services/index.ts';
import { type Row, report } from './report.ts';

/*
 * What the AWS wire itself costs per request, in CPU time: find service and operation, verify SigV4, decode, check,
 * encode. No network and no service: requests are handed to the front end directly, operations return at once.
 */

const ROUNDS = 30_000;
const account = '123456789012';
const secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const principal = {
  type: 'Root',
  account,
  arn: `arn:aws:iam::${account}:root`,
  userId: account,
  accessKeyId: 'AKIABENCH',
} as const;
const silent = { debug() {}, info() {}, warn() {}, error: console.error, child: () => silent };
const clock = { now: () => Date.now(), at: never, sleep: never };

function never(): never {
  throw new Error('not used');
}

function frontEnd(mode: 'open' | 'enforce') {
  const service = (name: string, operations: Record<string, (input: never) => Promise<unknown>>) => async () => ({
    name,
    operations,
    refused: {},
  });
  return createAwsFrontEnd({
    clock,
    random: createSystemRandom(),
    logger: silent,
    mode,
    credentials: { find: async () => ({ secretAccessKey: secret, principal }) },
    authorizer: { authorize: async () => {} },
    services: [
      {
        model: lambdaModel,
        load: service('lambda', {
          Invoke: async ({ Payload }: { Payload: Uint8Array }) => ({
            StatusCode: 200,
            ExecutedVersion: '$LATEST',
            Payload,
          }),
        }),
      },
      {
        model: s3Model,
        load: service('s3', {
          PutObject: async ({ Body }: { Body: RequestBody }) => {
            for await (const _ of Body);
            return { ETag: '"9a0364b9e99bb480dd25e1f0284c8555"' };
          },
        }),
      },
      {
        model: sqsModel,
        load: service('sqs', {
          SendMessage: async () => ({
            MessageId: 'c80e8021-a70a-42c7-a470-796e1186f753',
            MD5OfMessageBody: '9a0364b9e99bb480dd25e1f0284c8555',
          }),
        }),
      },
    ],
  });
}

interface Sample {
  readonly what: string;
  readonly service: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const samples: readonly Sample[] = [
  {
    what: 'Invoke',
    service: 'lambda',
    method: 'POST',
    path: '/2015-03-31/functions/echo/invocations',
    headers: { 'content-type': 'application/octet-stream' },
    body: '{"order":17,"items":["tea","rice"]}',
  },
  {
    what: 'PutObject 1 KB',
    service: 's3',
    method: 'PUT',
    path: '/bucket/folder/key',
    headers: { 'content-type': 'text/plain', 'x-amz-meta-a': 'b' },
    body: 'x'.repeat(1024),
  },
  {
    what: 'SendMessage',
    service: 'sqs',
    method: 'POST',
    path: '/',
    headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.SendMessage' },
    body: JSON.stringify({
      QueueUrl: `http://localhost:4566/${account}/q`,
      MessageBody: 'x'.repeat(200),
      MessageAttributes: { kind: { DataType: 'String', StringValue: 'v' } },
    }),
  },
];

class Sha256 {
  readonly #hash: { update(data: Uint8Array): unknown; digest(): Buffer };
  constructor(key?: Uint8Array) {
    this.#hash = key ? createHmac('sha256', key) : createHash('sha256');
  }
  update(data: Uint8Array): void {
    this.#hash.update(data);
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {}
}

async function signedHeaders(sample: Sample): Promise<Record<string, string>> {
  const signer = new SignatureV4({
    service: sample.service,
    region: 'us-east-1',
    sha256: Sha256 as never,
    uriEscapePath: sample.service !== 's3',
    credentials: { accessKeyId: 'AKIABENCH', secretAccessKey: secret },
  });
  const { headers } = await signer.sign({
    method: sample.method,
    protocol: 'http:',
    hostname: '127.0.0.1',
    path: sample.path,
    query: {},
    body: sample.body,
    headers: { host: '127.0.0.1:4566', ...sample.headers },
  });
  return { ...headers, 'content-length': String(Buffer.byteLength(sample.body)) };
}

/** One request through the front end; resolves when its response has ended. */
function pass(
  front: ReturnType<typeof frontEnd>,
  sample: Sample,
  headers: Record<string, string>,
  body: Buffer,
): Promise<number> {
  return new Promise((resolve) => {
    const message = Object.assign(Readable.from([body], { objectMode: false }), {
      method: sample.method,
      url: sample.path,
      headers: { ...headers },
      trailers: {},
      complete: true,
      socket: { remoteAddress: '127.0.0.1' },
    });
    const response = Object.assign(new PassThrough(), {
      req: message,
      statusCode: 0,
      writeHead(status: number) {
        this.statusCode = status;
        return this;
      },
      end() {
        resolve(this.statusCode);
        return this;
      },
    });
    front.handle(message as unknown as IncomingMessage, response as unknown as ServerResponse);
  });
}

async function microseconds(front: ReturnType<typeof frontEnd>, sample: Sample): Promise<number> {
  const headers = await signedHeaders(sample);
  const body = Buffer.from(sample.body);
  const once = async (rounds: number): Promise<number> => {
    const before = process.cpuUsage();
    for (let i = 0; i < rounds; i++) {
      const status = await pass(front, sample, headers, body);
      if (status !== 200) throw new Error(`${sample.what} answered ${status}`);
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / rounds;
  };
  await once(ROUNDS / 3);
  return once(ROUNDS);
}

/** What the doubles of request and response themselves cost. */
async function overhead(): Promise<number> {
  const sample = samples[0]!;
  const body = Buffer.from(sample.body);
  const nothing = {
    handle: (message: Readable, response: ServerResponse) =>
      message.on('data', () => {}).on('end', () => response.writeHead(200).end()),
  };
  const run = async (rounds: number): Promise<number> => {
    const before = process.cpuUsage();
    for (let i = 0; i < rounds; i++) await pass(nothing as never, sample, {}, body);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / rounds;
  };
  await run(ROUNDS / 3);
  return run(ROUNDS);
}

const own = await overhead();
const rows: Row[] = [];
for (const mode of ['open', 'enforce'] as const) {
  const front = frontEnd(mode);
  for (const sample of samples) {
    const cost = Math.max(0, (await microseconds(front, sample)) - own);
    rows.push({
      what: `wire: ${sample.what}, ${mode === 'open' ? 'any credentials' : 'SigV4 verified'}`,
      throughput: { value: cost, unit: 'µs/request' },
    });
  }
  await front.close();
}
report(rows);

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import {
  AttachRolePolicyCommand,
  CreateRoleCommand,
  EntityAlreadyExistsException,
  GetRoleCommand,
  IAMClient,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam';
import {
  AddPermissionCommand,
  CreateFunctionCommand,
  LambdaClient,
  ResourceConflictException,
  type Runtime,
  UpdateFunctionCodeCommand,
  waitUntilFunctionActiveV2,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';
import {
  BucketAlreadyOwnedByYou,
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  S3Client,
  waitUntilObjectExists,
} from '@aws-sdk/client-s3';
import { packageNodeFunction, packagePythonFunction } from './package-functions.ts';

export interface DemoOptions {
  /** Where the AWS APIs are, e.g. `http://127.0.0.1:4566`. */
  readonly endpoint: string;
  /** The keys of the environment unless told. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Receives one line of text, without a newline. */
  readonly print: (line: string) => void;
}

interface ThumbnailFunction {
  readonly name: string;
  readonly runtime: Runtime;
  readonly handler: string;
  /** Pictures under this prefix are its own. */
  readonly prefix: string;
  readonly zip: () => Promise<Buffer>;
}

const SOURCE = 'pictures';
const TARGET = 'thumbnails';
const REPORT_ATTEMPTS = 50;
const WAIT = { maxWaitTime: 60, minDelay: 0.05, maxDelay: 0.2 } as const;

const functions: readonly ThumbnailFunction[] = [
  {
    name: 'thumbnail-node',
    runtime: 'nodejs24.x',
    handler: 'index.handler',
    prefix: 'node/',
    zip: packageNodeFunction,
  },
  {
    name: 'thumbnail-python',
    runtime: 'python3.11',
    handler: 'handler.handler',
    prefix: 'python/',
    zip: packagePythonFunction,
  },
];

/**
 * Deploys both functions, puts a picture into the bucket twice (a cold and a warm start each) and waits for the
 * thumbnails. Resolves to true when every thumbnail came out as a WebP that fits a 150×150 box.
 */
export async function runDemo({ endpoint, credentials, print }: DemoOptions): Promise<boolean> {
  const client = {
    endpoint,
    region: process.env.AWS_REGION ?? 'us-east-1',
    credentials: credentials ?? {
      accessKeyId: process.env.AWS_ACCESS_KEY_ID ?? '000000000000',
      secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY ?? 'kobune',
    },
  };
  await using clients = disposable({
    s3: new S3Client({ ...client, forcePathStyle: true }),
    lambda: new LambdaClient(client),
    iam: new IAMClient(client),
    logs: new CloudWatchLogsClient(client),
  });
  const { s3 } = clients;
  const began = Date.now();
  for (const Bucket of [SOURCE, TARGET]) await createBucket(s3, Bucket);
  print(`Buckets ${SOURCE} and ${TARGET} are there.`);

  const role = await createRole(clients.iam);
  const arns = await Promise.all(functions.map((definition) => deploy(clients.lambda, definition, role)));
  await s3.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket: SOURCE,
      NotificationConfiguration: {
        LambdaFunctionConfigurations: functions.map(({ prefix }, index) => ({
          LambdaFunctionArn: arns[index],
          Events: ['s3:ObjectCreated:*'],
          Filter: { Key: { FilterRules: [{ Name: 'prefix', Value: prefix }] } },
        })),
      },
    }),
  );
  for (const { name, runtime, prefix } of functions) print(`${name} (${runtime}) runs for s3://${SOURCE}/${prefix}`);

  const picture = await readFile(join(import.meta.dirname, 'harbour.jpg'));
  let good = true;
  for (const temperature of ['cold', 'warm']) {
    for (const definition of functions) {
      const key = `${definition.prefix}harbour-${temperature}.jpg`;
      good = (await thumbnailOf(s3, key, picture, `${definition.name}, ${temperature}`, print)) && good;
    }
  }
  for (const { name } of functions) {
    print('');
    print(`${name}:`);
    for (const line of await reports(clients.logs, name, began)) print(`  ${line}`);
  }
  return good;
}

/** Puts the picture, waits for its thumbnail, prints the time between and checks what came out. */
async function thumbnailOf(
  s3: S3Client,
  key: string,
  picture: Buffer,
  label: string,
  print: (line: string) => void,
): Promise<boolean> {
  const thumbnailKey = `${key}.webp`;
  await s3.send(new DeleteObjectCommand({ Bucket: TARGET, Key: thumbnailKey }));
  const started = performance.now();
  await s3.send(new PutObjectCommand({ Bucket: SOURCE, Key: key, Body: picture, ContentType: 'image/jpeg' }));
  await waitUntilObjectExists({ client: s3, ...WAIT }, { Bucket: TARGET, Key: thumbnailKey });
  const elapsed = performance.now() - started;
  const { Body, ContentType } = await s3.send(new GetObjectCommand({ Bucket: TARGET, Key: thumbnailKey }));
  const thumbnail = Buffer.from(await Body!.transformToByteArray());
  const size = webpSize(thumbnail);
  const good = ContentType === 'image/webp' && size !== undefined && Math.max(size.width, size.height) === 150;
  const shown = size ? `${size.width}×${size.height} WebP` : 'NOT a WebP';
  print(
    `${label}: s3://${TARGET}/${thumbnailKey}, ${shown}, ${thumbnail.length} bytes, ${elapsed.toFixed(0)} ms after the put`,
  );
  return good;
}

/** Width and height of a lossy WebP file. Source: RFC 9649, section 2.5, and RFC 6386, section 9.1. */
function webpSize(file: Buffer): { width: number; height: number } | undefined {
  if (file.toString('latin1', 0, 4) !== 'RIFF' || file.toString('latin1', 8, 12) !== 'WEBP') return undefined;
  const format = file.toString('latin1', 12, 16);
  if (format === 'VP8X') return { width: file.readUIntLE(24, 3) + 1, height: file.readUIntLE(27, 3) + 1 };
  if (format === 'VP8 ') return { width: file.readUInt16LE(26) & 0x3fff, height: file.readUInt16LE(28) & 0x3fff };
  return undefined;
}

async function createBucket(s3: S3Client, Bucket: string): Promise<void> {
  await s3.send(new CreateBucketCommand({ Bucket })).catch((error) => {
    if (!(error instanceof BucketAlreadyOwnedByYou)) throw error;
  });
}

/** The functions' execution role: write logs, read pictures, write thumbnails, and nothing else. */
async function createRole(iam: IAMClient): Promise<string> {
  const RoleName = 'thumbnails';
  const trust = { Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' };
  await iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: policy([trust]) })).catch((error) => {
    if (!(error instanceof EntityAlreadyExistsException)) throw error;
  });
  await iam.send(
    new AttachRolePolicyCommand({
      RoleName,
      PolicyArn: 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole',
    }),
  );
  const statements = [
    { Effect: 'Allow', Action: 's3:GetObject', Resource: `arn:aws:s3:::${SOURCE}/*` },
    { Effect: 'Allow', Action: 's3:PutObject', Resource: `arn:aws:s3:::${TARGET}/*` },
  ];
  await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: 'pictures', PolicyDocument: policy(statements) }));
  const { Role } = await iam.send(new GetRoleCommand({ RoleName }));
  return Role!.Arn!;
}

const policy = (Statement: readonly object[]): string => JSON.stringify({ Version: '2012-10-17', Statement });

/** Creates the function, or updates its code when it is there; resolves to its ARN once it is active. */
async function deploy(lambda: LambdaClient, definition: ThumbnailFunction, role: string): Promise<string> {
  const FunctionName = definition.name;
  const ZipFile = await definition.zip();
  const created = await lambda
    .send(
      new CreateFunctionCommand({
        FunctionName,
        Runtime: definition.runtime,
        Handler: definition.handler,
        Role: role,
        Code: { ZipFile },
        MemorySize: 1024,
        Timeout: 30,
        Environment: { Variables: { TARGET_BUCKET: TARGET } },
      }),
    )
    .catch((error) => {
      if (!(error instanceof ResourceConflictException)) throw error;
      return lambda.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile }));
    });
  await waitUntilFunctionActiveV2({ client: lambda, ...WAIT }, { FunctionName });
  await waitUntilFunctionUpdatedV2({ client: lambda, ...WAIT }, { FunctionName });
  await lambda
    .send(
      new AddPermissionCommand({
        FunctionName,
        StatementId: 'pictures-bucket',
        Action: 'lambda:InvokeFunction',
        Principal: 's3.amazonaws.com',
        SourceArn: `arn:aws:s3:::${SOURCE}`,
      }),
    )
    .catch((error) => {
      if (!(error instanceof ResourceConflictException)) throw error;
    });
  return created.FunctionArn!;
}

/** The two REPORT lines of a function since `startTime`, oldest first: those of the cold and the warm start. */
async function reports(logs: CloudWatchLogsClient, name: string, startTime: number): Promise<string[]> {
  const request = { logGroupName: `/aws/lambda/${name}`, filterPattern: 'REPORT', startTime };
  for (let attempt = 1; ; attempt++) {
    const { events = [] } = await logs.send(new FilterLogEventsCommand(request));
    // A thumbnail is there before its function has ended and that is in the log.
    if (events.length >= 2 || attempt === REPORT_ATTEMPTS) {
      return events.slice(-2).map(({ message }) => message!.trim().replaceAll('\t', '  '));
    }
    await setTimeout(100);
  }
}

type Clients = Record<string, { destroy(): void }>;

function disposable<T extends Clients>(clients: T): T & AsyncDisposable {
  return Object.assign(clients, {
    async [Symbol.asyncDispose]() {
      for (const client of Object.values(clients)) client.destroy?.();
    },
  });
}

if (import.meta.main) {
  const endpoint = process.env.AWS_ENDPOINT_URL ?? 'http://127.0.0.1:4566';
  process.exitCode = (await runDemo({ endpoint, print: console.log })) ? 0 : 1;
}

import { IAMClient } from '@aws-sdk/client-iam';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { BucketAlreadyOwnedByYou, CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import {
  ConflictException,
  CreateScheduleCommand,
  type CreateScheduleCommandInput,
  SchedulerClient,
  UpdateScheduleCommand,
} from '@aws-sdk/client-scheduler';
import { CreateTopicCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import { type Connection, fromEnvironment, settingsOf } from './clients.ts';
import { deployFunction } from './functions.ts';
import { createRole } from './roles.ts';

const SOURCE = 'documents';
const BACKUP = 'documents-backup';
const TIME_ZONE = 'Europe/Berlin';
const RETENTION_DAYS = '7';
const EMAIL = process.env.REPORT_EMAIL ?? 'ops@example.com';

/** `0 2 * * *` and `0 9 * * MON` as AWS writes them: a year more, and `?` for the day that does not count. */
const NIGHTLY = 'cron(0 2 * * ? *)';
const MONDAYS = 'cron(0 9 ? * MON *)';

/** Makes buckets, topic, roles, functions and schedules, or updates them when they are there. */
export async function deploy(connection: Connection): Promise<void> {
  const client = settingsOf(connection);
  const clients = {
    s3: new S3Client({ ...client, forcePathStyle: true }),
    sns: new SNSClient(client),
    iam: new IAMClient(client),
    lambda: new LambdaClient(client),
    scheduler: new SchedulerClient(client),
  };
  try {
    await deployWith(clients, connection.print);
  } finally {
    for (const one of Object.values(clients)) one.destroy();
  }
}

interface Clients {
  readonly s3: S3Client;
  readonly sns: SNSClient;
  readonly iam: IAMClient;
  readonly lambda: LambdaClient;
  readonly scheduler: SchedulerClient;
}

async function deployWith({ iam, lambda, s3, scheduler, sns }: Clients, print: (line: string) => void): Promise<void> {
  for (const Bucket of [SOURCE, BACKUP]) await createBucket(s3, Bucket);
  for (const [Key, Body] of [
    ['contracts/2026-001.txt', 'A contract.'],
    ['letters/to do & done.txt', 'A letter.'],
  ] as const) {
    await s3.send(new PutObjectCommand({ Bucket: SOURCE, Key, Body }));
  }
  print(`Buckets ${SOURCE} and ${BACKUP} are there; ${SOURCE} has two documents.`);

  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: 'storage-reports' }));
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'email', Endpoint: EMAIL }));
  print(`${EMAIL} has been asked to confirm its subscription to ${TopicArn}.`);

  const work = await createRole(iam, 'scheduled-jobs', 'lambda.amazonaws.com', [
    { Action: 's3:ListBucket', Resource: [SOURCE, BACKUP].map((name) => `arn:aws:s3:::${name}`) },
    { Action: 's3:GetObject', Resource: `arn:aws:s3:::${SOURCE}/*` },
    { Action: ['s3:PutObject', 's3:DeleteObject'], Resource: `arn:aws:s3:::${BACKUP}/*` },
    { Action: 'sns:Publish', Resource: TopicArn! },
  ]);
  const environment = { SOURCE_BUCKET: SOURCE, BACKUP_BUCKET: BACKUP };
  const [backup, report] = await Promise.all([
    deployFunction(lambda, {
      name: 'nightly-backup',
      file: 'backup/handler.ts',
      role: work,
      environment: { ...environment, RETENTION_DAYS },
      timeout: 60,
    }),
    deployFunction(lambda, {
      name: 'weekly-report',
      file: 'report/handler.ts',
      role: work,
      environment: { ...environment, TOPIC_ARN: TopicArn! },
      timeout: 60,
    }),
  ]);

  const caller = await createRole(iam, 'scheduled-jobs-scheduler', 'scheduler.amazonaws.com', [
    { Action: 'lambda:InvokeFunction', Resource: [backup, report] },
  ]);
  for (const [Name, ScheduleExpression, Arn] of [
    ['nightly-backup', NIGHTLY, backup],
    ['weekly-report', MONDAYS, report],
  ] as const) {
    await putSchedule(scheduler, {
      Name,
      ScheduleExpression,
      ScheduleExpressionTimezone: TIME_ZONE,
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: { Arn, RoleArn: caller, Input: JSON.stringify({ time: '<aws.scheduler.scheduled-time>' }) },
    });
    print(`${Name} runs at ${ScheduleExpression}, ${TIME_ZONE}.`);
  }
}

async function putSchedule(scheduler: SchedulerClient, schedule: CreateScheduleCommandInput): Promise<void> {
  await scheduler.send(new CreateScheduleCommand(schedule)).catch((error) => {
    if (!(error instanceof ConflictException)) throw error;
    return scheduler.send(new UpdateScheduleCommand(schedule));
  });
}

async function createBucket(s3: S3Client, Bucket: string): Promise<void> {
  await s3.send(new CreateBucketCommand({ Bucket })).catch((error) => {
    if (!(error instanceof BucketAlreadyOwnedByYou)) throw error;
  });
}

if (import.meta.main) await deploy(fromEnvironment);

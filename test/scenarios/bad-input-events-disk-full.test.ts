import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as eventbridge from '@aws-sdk/client-eventbridge';
import * as scheduler from '@aws-sdk/client-scheduler';
import * as sns from '@aws-sdk/client-sns';
import * as sqs from '@aws-sdk/client-sqs';
import { createLogger } from '../../src/base/json-logger.ts';
import { type Kobune, startKobune } from '../../src/main.ts';
import { type Queue, QueueFunctions } from '../support/queue-functions.ts';
import type { Refused } from '../support/refusals.ts';

const mountable = process.platform === 'linux' && process.getuid?.() === 0;
const ROLE = 'arn:aws:iam::000000000000:role/r';
const TIMEOUT = { timeout: 60_000 };
/** Bytes: enough for some writes, and not for all that follows from them. */
const ROOM = 600 * 1024;
/** The store may have pages left for some small writes. */
const MOST_WRITES = 2000;

let scratch: string;
let disk: string;
let kobune: Kobune;
let world: QueueFunctions;
let buses: eventbridge.EventBridgeClient;
let topics: sns.SNSClient;
let schedules: scheduler.SchedulerClient;
let sent: Queue;
let published: Queue;
let events: Queue;
let due: Queue;

async function start(): Promise<void> {
  kobune = await startKobune({
    dataDirectory: join(disk, 'data'),
    ephemeral: false,
    host: '127.0.0.1',
    port: 0,
    iam: 'off',
    unsandboxed: false,
    hosts: [],
    origins: [],
    // What fails for want of space is in the log; here it is expected.
    logger: createLogger({ level: 'error', format: 'text', write: () => {} }),
    environment: process.env,
    onShutdown: () => {},
  });
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const settings = { endpoint: kobune.endpoint, region: 'us-east-1', credentials, maxAttempts: 1 };
  world = new QueueFunctions(settings);
  buses = new eventbridge.EventBridgeClient(settings);
  topics = new sns.SNSClient(settings);
  schedules = new scheduler.SchedulerClient(settings);
}

async function stop(): Promise<void> {
  world?.[Symbol.dispose]();
  for (const client of [buses, topics, schedules]) client?.destroy();
  await kobune?.close();
}

/** Takes what is left of the disk, but for so many bytes. */
function fill(leaving: number): void {
  makeRoom();
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(join(disk, 'ballast'), Buffer.alloc(Math.max(0, bavail * bsize - leaving)));
}
const makeRoom = () => rmSync(join(disk, 'ballast'), { force: true });

const padding = 'x'.repeat(2000);
const send = (n: number) => world.send(sent, `${n} ${padding}`);
const publish = (n: number) =>
  topics.send(new sns.PublishCommand({ TopicArn: 'arn:aws:sns:us-east-1:000000000000:t', Message: `${n} ${padding}` }));
async function putEvent(n: number): Promise<void> {
  const entry = { Source: 'app', DetailType: 'T', Detail: JSON.stringify({ text: `${n} ${padding}` }) };
  const answer = await buses.send(new eventbridge.PutEventsCommand({ Entries: [entry] }));
  assert.equal(answer.FailedEntryCount, 0);
}
const schedule = (n: number) =>
  schedules.send(
    new scheduler.CreateScheduleCommand({
      Name: `s${n}`,
      ScheduleExpression: 'rate(1 day)',
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: { Arn: due.arn, RoleArn: ROLE, Input: `${n} ${padding}` },
    }),
  );

/** Writes until that is refused as a fault of the server, which tells clients to try again; adds what was acknowledged. */
async function untilRefused(write: (n: number) => Promise<unknown>, acknowledged: number[]): Promise<void> {
  for (let tries = 0; tries < MOST_WRITES; tries += 1) {
    const n = acknowledged.length === 0 ? 1 : acknowledged.at(-1)! + 1;
    const error = await write(n).then(
      () => undefined,
      (reason: Refused) => reason,
    );
    if (error === undefined) {
      acknowledged.push(n);
      continue;
    }
    const { name, $metadata } = error;
    assert.ok(
      ['InternalFailure', 'InternalError', 'InternalException', 'InternalServerException'].includes(name),
      name,
    );
    assert.equal($metadata?.httpStatusCode, 500);
    return;
  }
  assert.fail(`${MOST_WRITES} writes were accepted on a full disk`);
}

/** Takes messages until all of the numbers have come. */
async function arrive(queue: Queue, numbers: readonly number[]): Promise<void> {
  const missing = new Set(numbers);
  while (missing.size > 0) {
    const { Messages = [] } = await world.sqs.send(
      new sqs.ReceiveMessageCommand({ QueueUrl: queue.url, MaxNumberOfMessages: 10, WaitTimeSeconds: 20 }),
    );
    assert.notEqual(Messages.length, 0, `lost: ${[...missing]}`);
    for (const { Body = '' } of Messages) missing.delete(Number(/\d+/.exec(Body)![0]));
    const Entries = Messages.map(({ ReceiptHandle }, n) => ({ Id: String(n), ReceiptHandle }));
    await world.sqs.send(new sqs.DeleteMessageBatchCommand({ QueueUrl: queue.url, Entries }));
  }
}

describe('a full disk below queues, topics, event buses and schedules', {
  skip: mountable ? false : 'only root can mount a small disk',
}, () => {
  const acknowledged: Record<'sent' | 'published' | 'events' | 'schedules', number[]> = {
    sent: [],
    published: [],
    events: [],
    schedules: [],
  };
  const kinds = () =>
    [
      [send, acknowledged.sent],
      [publish, acknowledged.published],
      [putEvent, acknowledged.events],
      [schedule, acknowledged.schedules],
    ] as const;

  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'kobune-full-events-'));
    disk = join(scratch, 'disk');
    await mkdir(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk]);
    await start();
    sent = await world.queue('sent');
    published = await world.queue('published');
    events = await world.queue('events');
    due = await world.queue('due');
    const { TopicArn } = await topics.send(new sns.CreateTopicCommand({ Name: 't' }));
    const Attributes = { RawMessageDelivery: 'true' };
    await topics.send(new sns.SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint: published.arn, Attributes }));
    await buses.send(new eventbridge.PutRuleCommand({ Name: 'r', EventPattern: '{"source":["app"]}' }));
    const Targets = [{ Id: '1', Arn: events.arn, InputPath: '$.detail' }];
    await buses.send(new eventbridge.PutTargetsCommand({ Rule: 'r', Targets }));
  });
  after(async () => {
    await stop().finally(() => {
      execFileSync('umount', ['--lazy', disk]);
    });
    await rm(scratch, { recursive: true });
  });

  it('has what is written refused, and what is there answered', TIMEOUT, async () => {
    for (const [write, numbers] of kinds()) {
      fill(ROOM);
      await untilRefused(write, numbers);
      assert.ok(numbers.length > 0, 'there was no room for any of them');
    }
    const { QueueUrls } = await world.sqs.send(new sqs.ListQueuesCommand({}));
    assert.equal(QueueUrls?.length, 4);
  });

  it('loses nothing that was acknowledged, and goes on by itself once there is room', TIMEOUT, async () => {
    makeRoom();
    for (const [write, numbers] of kinds()) {
      const n = (numbers.at(-1) ?? 0) + 2;
      await write(n);
      numbers.push(n);
    }
    await arrive(sent, acknowledged.sent);
    await arrive(published, acknowledged.published);
    await arrive(events, acknowledged.events);
    await arrive(due, acknowledged.schedules);
  });

  it('loses nothing either when the process ends while the disk is full', TIMEOUT, async () => {
    for (const [write, numbers] of kinds()) {
      numbers.splice(0, numbers.length, 10_000);
      fill(ROOM);
      await untilRefused(write, numbers);
    }
    await stop();
    makeRoom();
    await start();
    const urlOf = ({ arn }: Queue) => ({ arn, url: `${kobune.endpoint}/000000000000/${arn.split(':').at(-1)}` });
    await arrive(urlOf(sent), acknowledged.sent.slice(1));
    await arrive(urlOf(published), acknowledged.published.slice(1));
    await arrive(urlOf(events), acknowledged.events.slice(1));
    await arrive(urlOf(due), acknowledged.schedules.slice(1));
  });
});

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as eventbridge from '@aws-sdk/client-eventbridge';
import * as sns from '@aws-sdk/client-sns';
import * as sqs from '@aws-sdk/client-sqs';
import { KillableKobune } from '../support/killable-kobune.ts';

const ROUNDS = 4;
/** Requests that are acknowledged before a round's process is killed. */
const ACKNOWLEDGED = 60;
const WRITERS = 4;
const TIMEOUT = { timeout: 60_000 };

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kobune-kill-events-'));
});
after(() => rm(directory, { recursive: true, force: true }));

interface Clients {
  readonly buses: eventbridge.EventBridgeClient;
  readonly topics: sns.SNSClient;
  readonly queues: sqs.SQSClient;
}

/** Runs a Kobune on the data directory until `use` is over, then kills it, also in the middle of what it is doing. */
async function killed<T>(data: string, use: (clients: Clients, kobune: KillableKobune) => Promise<T>): Promise<T> {
  const kobune = await KillableKobune.start(data);
  const settings = kobune.settings();
  const clients = {
    buses: new eventbridge.EventBridgeClient(settings),
    topics: new sns.SNSClient(settings),
    queues: new sqs.SQSClient(settings),
  };
  try {
    return await use(clients, kobune);
  } finally {
    for (const client of Object.values(clients)) client.destroy();
    await kobune.kill();
  }
}

/**
 * Writers that each send one thing after the other until so many were acknowledged; then the process is killed while all of
 * them have a request under way. A writer that hears nothing of its last request ends.
 */
async function writeAndKill(kobune: KillableKobune, send: (writer: number) => Promise<void>): Promise<void> {
  let acknowledged = 0;
  let over: Promise<void> | undefined;
  const write = async (writer: number): Promise<void> => {
    for (;;) {
      try {
        await send(writer);
      } catch (error) {
        if (over) return;
        throw error;
      }
      acknowledged += 1;
      if (acknowledged >= ACKNOWLEDGED) over ??= kobune.kill();
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
  await over;
}

/** Takes messages until `enough`, deleting each, and hands their bodies on in the order in which they came. */
async function drain(queues: sqs.SQSClient, QueueUrl: string, enough: () => boolean, take: (body: string) => void) {
  while (!enough()) {
    const { Messages = [] } = await queues.send(
      new sqs.ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 10 }),
    );
    assert.notEqual(Messages.length, 0, 'what was acknowledged has not come');
    for (const { Body } of Messages) take(Body!);
    const Entries = Messages.map(({ ReceiptHandle }, n) => ({ Id: String(n), ReceiptHandle }));
    await queues.send(new sqs.DeleteMessageBatchCommand({ QueueUrl, Entries }));
  }
}

const isWithin = (part: ReadonlySet<number>, whole: ReadonlySet<number>) => [...part].every((n) => whole.has(n));
const urlOf = (kobune: KillableKobune, name: string) => `${kobune.endpoint}/000000000000/${name}`;
const arnOf = (service: string, name: string) => `arn:aws:${service}:us-east-1:000000000000:${name}`;

describe('Kobune, killed again and again', () => {
  it('brings each acknowledged message of a FIFO topic to its queue, each group in order', TIMEOUT, async () => {
    const data = join(directory, 'fifo');
    await killed(data, async ({ queues, topics }) => {
      const fifo = { FifoQueue: 'true', DeduplicationScope: 'messageGroup', FifoThroughputLimit: 'perMessageGroupId' };
      await queues.send(new sqs.CreateQueueCommand({ QueueName: 'q.fifo', Attributes: fifo }));
      await topics.send(new sns.CreateTopicCommand({ Name: 't.fifo', Attributes: { FifoTopic: 'true' } }));
      const subscription = { TopicArn: arnOf('sns', 't.fifo'), Protocol: 'sqs', Endpoint: arnOf('sqs', 'q.fifo') };
      const Attributes = { RawMessageDelivery: 'true' };
      await topics.send(new sns.SubscribeCommand({ ...subscription, Attributes }));
    });
    /** Of each group: the last number that was sent, and those that were acknowledged. */
    const sent = Array.from({ length: WRITERS }, () => 0);
    const acknowledged = Array.from({ length: WRITERS }, () => new Set<number>());
    for (let round = 0; round < ROUNDS; round += 1) {
      await killed(data, ({ topics }, kobune) =>
        writeAndKill(kobune, async (group) => {
          sent[group]! += 1;
          const number = sent[group]!;
          await topics.send(
            new sns.PublishCommand({
              TopicArn: arnOf('sns', 't.fifo'),
              Message: `${group} ${number}`,
              MessageGroupId: `g${group}`,
              MessageDeduplicationId: `${group}-${number}`,
            }),
          );
          acknowledged[group]!.add(number);
        }),
      );
    }
    const came = Array.from({ length: WRITERS }, () => [] as number[]);
    const isComplete = () => acknowledged.every((numbers, group) => isWithin(numbers, new Set(came[group])));
    await killed(data, ({ queues }, kobune) =>
      drain(queues, urlOf(kobune, 'q.fifo'), isComplete, (body) => {
        const [group, number] = body.split(' ').map(Number) as [number, number];
        came[group]!.push(number);
      }),
    );
    for (const numbers of came)
      assert.deepEqual(
        numbers,
        [...new Set(numbers)].sort((a, b) => a - b),
      );
  });

  it('brings each acknowledged event to the queue of its rule', TIMEOUT, async () => {
    const data = join(directory, 'events');
    await killed(data, async ({ buses, queues }) => {
      await queues.send(new sqs.CreateQueueCommand({ QueueName: 'q' }));
      await buses.send(new eventbridge.PutRuleCommand({ Name: 'r', EventPattern: '{"source":["app"]}' }));
      const Targets = [{ Id: '1', Arn: arnOf('sqs', 'q'), InputPath: '$.detail' }];
      await buses.send(new eventbridge.PutTargetsCommand({ Rule: 'r', Targets }));
    });
    let sent = 0;
    const acknowledged = new Set<number>();
    for (let round = 0; round < ROUNDS; round += 1) {
      await killed(data, ({ buses }, kobune) =>
        writeAndKill(kobune, async () => {
          sent += 1;
          const n = sent;
          const entry = { Source: 'app', DetailType: 'T', Detail: JSON.stringify({ n }) };
          const { FailedEntryCount } = await buses.send(new eventbridge.PutEventsCommand({ Entries: [entry] }));
          assert.equal(FailedEntryCount, 0);
          acknowledged.add(n);
        }),
      );
    }
    const came = new Set<number>();
    await killed(data, ({ queues }, kobune) =>
      drain(
        queues,
        urlOf(kobune, 'q'),
        () => isWithin(acknowledged, came),
        (body) => came.add(JSON.parse(body).n),
      ),
    );
    assert.ok([...came].every((n) => n >= 1 && n <= sent));
  });
});

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as sns from '@aws-sdk/client-sns';
import { CreateQueueCommand, DeleteMessageBatchCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { KillableKobune } from '../support/killable-kobune.ts';

const ROUNDS = 3;
const PUBLISHERS = 8;
const BEFORE_KILL = 150;

describe('SNS when the process is killed', () => {
  let directory: string;
  let server: KillableKobune;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kobune-sns-crash-'));
    server = await KillableKobune.start(directory);
  });
  after(async () => {
    await server.kill();
    await rm(directory, { recursive: true, force: true });
  });

  /** Publishes until the server is gone; returns what was acknowledged. */
  async function publishUntilKilled(TopicArn: string, round: number, fifo: boolean): Promise<string[]> {
    const client = new sns.SNSClient(server.settings());
    const acknowledged: string[] = [];
    let killed: Promise<void> | undefined;
    const publisher = async (number: number): Promise<void> => {
      for (let index = 0; killed === undefined; index += 1) {
        const Message = `${round}-${number}-${index}`;
        const group = fifo ? { MessageGroupId: `g${number}`, MessageDeduplicationId: Message } : {};
        try {
          await client.send(new sns.PublishCommand({ TopicArn, Message, ...group }));
        } catch {
          return;
        }
        acknowledged.push(Message);
        if (acknowledged.length === BEFORE_KILL) killed = server.kill();
      }
    };
    await Promise.all(Array.from({ length: PUBLISHERS }, (_, number) => publisher(number)));
    await killed;
    client.destroy();
    server = await KillableKobune.start(directory);
    return acknowledged;
  }

  /** Everything that is in the queue, in order. */
  async function drain(QueueUrl: string): Promise<string[]> {
    const client = new SQSClient(server.settings());
    const bodies: string[] = [];
    for (;;) {
      const { Messages = [] } = await client.send(
        new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 }),
      );
      if (Messages.length === 0) break;
      bodies.push(...Messages.map(({ Body }) => Body!));
      const Entries = Messages.map(({ ReceiptHandle }, index) => ({
        Id: String(index),
        ReceiptHandle: ReceiptHandle!,
      }));
      await client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
    }
    client.destroy();
    return bodies;
  }

  async function makeTopic(name: string, fifo: boolean): Promise<string> {
    const client = new sns.SNSClient(server.settings());
    const queues = new SQSClient(server.settings());
    const topicAttributes = fifo ? { Attributes: { FifoTopic: 'true' } } : {};
    const queueAttributes = fifo ? { Attributes: { FifoQueue: 'true' } } : {};
    await queues.send(new CreateQueueCommand({ QueueName: name, ...queueAttributes }));
    const { TopicArn } = await client.send(new sns.CreateTopicCommand({ Name: name, ...topicAttributes }));
    await client.send(
      new sns.SubscribeCommand({
        TopicArn,
        Protocol: 'sqs',
        Endpoint: `arn:aws:sqs:us-east-1:000000000000:${name}`,
        Attributes: { RawMessageDelivery: 'true' },
      }),
    );
    client.destroy();
    queues.destroy();
    return TopicArn!;
  }

  for (const fifo of [false, true]) {
    it(`brings each acknowledged message to the queue exactly once${fifo ? ', in order' : ''}`, async () => {
      const name = fifo ? 'killed.fifo' : 'killed';
      const topic = await makeTopic(name, fifo);
      const acknowledged: string[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        acknowledged.push(...(await publishUntilKilled(topic, round, fifo)));
      }
      const bodies = await drain(name);
      assert.equal(new Set(bodies).size, bodies.length, 'a message came twice');
      const missing = acknowledged.filter((message) => !bodies.includes(message));
      assert.deepEqual(missing, []);
      // One that was not acknowledged may have been under way at each publisher in each round.
      assert.ok(bodies.length <= acknowledged.length + PUBLISHERS * ROUNDS);
      if (!fifo) return;
      for (let number = 0; number < PUBLISHERS; number += 1) {
        const group = bodies.map((body) => body.split('-').map(Number)).filter(([, of]) => of === number);
        const sorted = group.toSorted(([a, , b], [c, , d]) => a! - c! || b! - d!);
        assert.deepEqual(group, sorted);
      }
    });
  }
});

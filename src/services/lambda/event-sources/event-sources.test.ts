import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { InvocationResult } from '../../../functions/index.ts';
import { ACCOUNT, arnOf, fail, LambdaFixture, REGION, succeed } from '../fixture.ts';

const QUEUE = `arn:aws:sqs:${REGION}:${ACCOUNT}:work`;
const FIFO = `${QUEUE}.fifo`;

let world: LambdaFixture;
beforeEach(async () => {
  world = await LambdaFixture.start();
  await world.create('f');
  world.queues.create(QUEUE);
  world.queues.create(FIFO);
});
afterEach(() => world.close());

interface Event {
  readonly Records: readonly { readonly messageId: string; readonly body: string }[];
}

const events = (): Event[] =>
  world.engine.invocations.map(({ invocation }) => JSON.parse(Buffer.from(invocation.payload).toString()) as Event);
const bodies = () => events().map(({ Records }) => Records.map(({ body }) => body));
const map = async (input: object = {}) => {
  const { UUID } = await world.call('CreateEventSourceMapping', { EventSourceArn: QUEUE, FunctionName: 'f', ...input });
  await world.until(async () => (await state(String(UUID))) === 'Enabled');
  return String(UUID);
};
const state = async (UUID: string) => (await world.call('GetEventSourceMapping', { UUID })).State;
const empty = (arn = QUEUE) => world.until(() => Object.keys(world.queues.contents(arn)).length === 0);
const ran = (count: number) => world.until(() => world.engine.invocations.length === count);

/** Invocations that wait until they are told how they end. */
class Gate {
  readonly #ends: ((result: InvocationResult) => void)[] = [];
  most = 0;
  running = 0;

  constructor() {
    world.engine.handler = () => {
      this.running += 1;
      this.most = Math.max(this.most, this.running);
      return new Promise((resolve) => {
        this.#ends.push((result) => {
          this.running -= 1;
          resolve(result);
        });
      });
    };
  }

  end(result = succeed('null')): void {
    this.#ends.shift()!(result);
  }
}

describe('An event source mapping of an SQS queue', () => {
  it('gives the function what comes, as AWS documents the event, and deletes it', async () => {
    await map();
    const binary = { dataType: 'Binary.png', binaryValue: Buffer.from([1, 2]) };
    const messageAttributes = { colour: { dataType: 'String', stringValue: 'red' }, picture: binary };
    world.queues.send(QUEUE, 'one', { messageAttributes });
    await empty();
    assert.deepEqual(events(), [
      {
        Records: [
          {
            messageId: 'message-1',
            receiptHandle: 'message-1#1',
            body: 'one',
            attributes: { ApproximateReceiveCount: '1' },
            messageAttributes: {
              colour: { stringValue: 'red', stringListValues: [], binaryListValues: [], dataType: 'String' },
              picture: { binaryValue: 'AQI=', stringListValues: [], binaryListValues: [], dataType: 'Binary.png' },
            },
            md5OfBody: 'md5',
            eventSource: 'aws:sqs',
            eventSourceARN: QUEUE,
            awsRegion: REGION,
          },
        ],
      },
    ]);
    assert.equal(world.engine.invocations[0]!.invocation.invokedArn, arnOf('f'));
  });

  it('gives at most ten at once, unless told fewer', async () => {
    for (let n = 1; n <= 12; n += 1) world.queues.send(QUEUE, String(n));
    const uuid = await map();
    await empty();
    assert.deepEqual(
      bodies().map((batch) => batch.length),
      [10, 2],
    );
    await world.call('UpdateEventSourceMapping', { UUID: uuid, BatchSize: 1 });
    await world.until(async () => (await state(uuid)) === 'Enabled');
    for (const body of ['a', 'b']) world.queues.send(QUEUE, body);
    await empty();
    assert.deepEqual(bodies().slice(2), [['a'], ['b']]);
  });

  it('leaves what failed in the queue until its visibility timeout is over', async () => {
    world.engine.handler = () => fail('{}');
    const uuid = await map();
    const id = world.queues.send(QUEUE, 'bad');
    await ran(1);
    await world.due(30_000);
    assert.deepEqual(world.queues.contents(QUEUE), { [id]: 1 });
    const { LastProcessingResult } = await world.call('GetEventSourceMapping', { UUID: uuid });
    assert.equal(LastProcessingResult, 'PROBLEM: Function call failed');
    world.clock.advance(29_999);
    await world.settle();
    assert.equal(world.engine.invocations.length, 1);
    world.engine.handler = () => succeed('null');
    world.clock.advance(1);
    await empty();
    assert.equal(world.engine.invocations.length, 2);
    assert.equal((await world.call('GetEventSourceMapping', { UUID: uuid })).LastProcessingResult, 'OK');
  });

  it('leaves only what a function reports, and all when the report is not valid', async () => {
    await map({ FunctionResponseTypes: ['ReportBatchItemFailures'] });
    world.engine.handler = () => succeed('{"batchItemFailures":[{"itemIdentifier":"message-2"}]}');
    world.queues.send(QUEUE, 'a');
    world.queues.send(QUEUE, 'b');
    await ran(1);
    await world.until(() => world.queues.deleted.length === 1);
    assert.deepEqual(world.queues.contents(QUEUE), { 'message-2': 1 });
    world.engine.handler = () => succeed('{"batchItemFailures":[{"itemIdentifier":"unknown"}]}');
    world.queues.send(QUEUE, 'c');
    await ran(2);
    await world.settle();
    assert.deepEqual(world.queues.contents(QUEUE), { 'message-2': 1, 'message-3': 1 });
  });

  it('takes no notice of such a report unless told to', async () => {
    await map();
    world.engine.handler = () => succeed('{"batchItemFailures":[{"itemIdentifier":"message-1"}]}');
    world.queues.send(QUEUE, 'a');
    await ran(1);
    await empty();
  });

  it('deletes what no filter lets through', async () => {
    const Filters = [{ Pattern: '{"body":{"kind":["tea"]}}' }, { Pattern: '{"body":["plain"]}' }];
    await map({ FilterCriteria: { Filters } });
    for (const body of ['{"kind":"tea"}', '{"kind":"rice"}', 'plain', 'other', '["plain"]', '{"kind":']) {
      world.queues.send(QUEUE, body);
    }
    await empty();
    assert.deepEqual(bodies(), [['{"kind":"tea"}', 'plain']]);
    assert.equal(world.queues.deleted.length, 6);
  });

  it('filters by attributes whatever the body is', async () => {
    const Filters = [{ Pattern: '{"messageAttributes":{"colour":{"stringValue":["red"]}}}' }];
    await map({ FilterCriteria: { Filters } });
    const colour = (stringValue: string) => ({ messageAttributes: { colour: { dataType: 'String', stringValue } } });
    world.queues.send(QUEUE, 'plain', colour('red'));
    world.queues.send(QUEUE, '{}', colour('red'));
    world.queues.send(QUEUE, '{}', colour('blue'));
    await empty();
    assert.deepEqual(bodies(), [['plain', '{}']]);
  });

  it('gathers for a window, and no longer than until the batch is full', async () => {
    await map({ BatchSize: 12, MaximumBatchingWindowInSeconds: 20 });
    world.queues.send(QUEUE, 'a');
    await world.due(20_000);
    world.clock.advance(10_000);
    world.queues.send(QUEUE, 'b');
    await world.settle();
    assert.equal(world.engine.invocations.length, 0);
    world.clock.advance(10_000);
    await empty();
    assert.deepEqual(bodies(), [['a', 'b']]);
    for (let n = 0; n < 12; n += 1) world.queues.send(QUEUE, String(n));
    await empty();
    assert.equal(bodies()[1]!.length, 12);
  });

  it('has a message once in a batch, even when it became visible again while that was gathered', async () => {
    world.queues.create(QUEUE, { visibilityTimeoutSeconds: 10 });
    await map({ MaximumBatchingWindowInSeconds: 20 });
    world.queues.send(QUEUE, 'a');
    await world.due(20_000);
    world.clock.advance(10_000);
    await world.until(() => world.queues.receives === 2);
    world.clock.advance(10_000);
    await world.until(() => bodies().length === 1);
    assert.deepEqual(bodies(), [['a']]);
  });

  it('splits what is too large for one invocation', async () => {
    await world.restart({ limits: { syncPayload: 2500 } });
    for (let n = 0; n < 4; n += 1) world.queues.send(QUEUE, 'x'.repeat(700));
    await map();
    await empty();
    assert.deepEqual(
      bodies().map((batch) => batch.length),
      [2, 2],
    );
    const id = world.queues.send(QUEUE, 'x'.repeat(3000));
    await world.until(() => world.queues.contents(QUEUE)[id] === 1);
    await world.settle();
    assert.equal(world.engine.invocations.length, 2);
  });
});

describe('The concurrency of an event source mapping', () => {
  it('begins with five batches and grows by five a second while there is more to do', async () => {
    const gate = new Gate();
    await map({ BatchSize: 1 });
    for (let n = 0; n < 20; n += 1) world.queues.send(QUEUE, String(n));
    await world.until(() => gate.running === 5);
    await world.settle();
    assert.equal(gate.running, 5);
    world.clock.advance(1000);
    await world.until(() => gate.running === 10);
    for (let n = 0; n < 20; n += 1) {
      await world.until(() => gate.running > 0);
      gate.end();
    }
    await empty();
  });

  it('does not exceed its own bound', async () => {
    const gate = new Gate();
    await map({ BatchSize: 1, ScalingConfig: { MaximumConcurrency: 2 } });
    for (let n = 0; n < 6; n += 1) world.queues.send(QUEUE, String(n));
    await world.until(() => gate.running === 2);
    world.clock.advance(10_000);
    for (let n = 0; n < 6; n += 1) {
      await world.until(() => gate.running > 0);
      gate.end();
    }
    await empty();
    assert.equal(gate.most, 2);
  });

  it('waits for a place while the function is throttled, until the messages are visible again', async () => {
    await world.call('PutFunctionConcurrency', { FunctionName: 'f', ReservedConcurrentExecutions: 1 });
    const gate = new Gate();
    await map({ BatchSize: 1 });
    world.queues.send(QUEUE, 'a');
    world.queues.send(QUEUE, 'b');
    await world.until(() => gate.running === 1 && world.queues.receives === 2);
    gate.end();
    await world.until(() => gate.running === 1 && world.queues.deleted.length === 1);
    gate.end();
    await empty();
    assert.equal(gate.most, 1);
  });

  it('gives messages back when the function may not run at all', async () => {
    await world.call('PutFunctionConcurrency', { FunctionName: 'f', ReservedConcurrentExecutions: 0 });
    await map();
    const id = world.queues.send(QUEUE, 'a');
    await world.due(30_000);
    world.clock.advance(30_000);
    await world.until(() => world.queues.contents(QUEUE)[id] === 2);
    assert.equal(world.engine.invocations.length, 0);
    await world.call('DeleteFunctionConcurrency', { FunctionName: 'f' });
    world.clock.advance(30_000);
    await empty();
  });

  it('is one for each message group of a FIFO queue, in order', async () => {
    const gate = new Gate();
    await map({ EventSourceArn: FIFO, BatchSize: 1 });
    for (const body of ['a1', 'a2', 'b1']) world.queues.send(FIFO, body, { group: body[0]! });
    await world.until(() => gate.running === 2);
    await world.settle();
    assert.deepEqual(bodies(), [['a1'], ['b1']]);
    gate.end(fail('{}'));
    gate.end();
    await world.until(() => world.queues.deleted.length === 1);
    await world.settle();
    assert.equal(gate.running, 0, 'a2 must not overtake a1');
    world.clock.advance(30_000);
    for (const body of ['a1', 'a2']) {
      await world.until(() => gate.running === 1);
      assert.deepEqual(bodies().at(-1), [body]);
      gate.end();
    }
    await empty(FIFO);
  });

  it('of one mapping does not hold up another', async () => {
    const gate = new Gate();
    await world.create('g');
    world.queues.create(`${QUEUE}-2`);
    await map({ BatchSize: 1, ScalingConfig: { MaximumConcurrency: 2 } });
    await map({ FunctionName: 'g', EventSourceArn: `${QUEUE}-2` });
    for (let n = 0; n < 4; n += 1) world.queues.send(QUEUE, String(n));
    await world.until(() => gate.running === 2);
    world.queues.send(`${QUEUE}-2`, 'other');
    await world.until(() => gate.running === 3);
    for (let n = 0; n < 5; n += 1) {
      await world.until(() => gate.running > 0);
      gate.end();
    }
    await empty();
  });
});

describe('Loops through a queue', () => {
  const traceOf = (index: number) => world.engine.invocations[index]!.invocation.traceId;

  it('end after 16 invocations, and the message stays for the redrive policy', async () => {
    world.engine.handler = (_spec, { traceId }) => {
      world.queues.send(QUEUE, 'again', { header: traceId });
      return succeed('null');
    };
    await map();
    world.queues.send(QUEUE, 'first');
    await ran(16);
    await world.until(() => Object.values(world.queues.contents(QUEUE)).includes(1));
    await world.settle();
    assert.equal(world.engine.invocations.length, 16);
    assert.match(traceOf(15), /Lineage=[0-9a-f]{8}:15$/);
  });

  it('do not end the chains of other messages', async () => {
    await map();
    const trace = 'Root=1-00000000-000000000000000000000001;Parent=0000000000000001;Sampled=0';
    world.queues.send(QUEUE, 'short', { header: trace });
    await ran(1);
    const long = traceOf(0).replace(/:0$/, ':14');
    const over = traceOf(0).replace(/:0$/, ':15');
    world.engine.handler = () => fail('{}');
    for (const header of [long, over, trace]) world.queues.send(QUEUE, header, { header });
    await ran(2);
    assert.deepEqual(bodies()[1], [long, trace]);
    assert.match(traceOf(1), /:0$/);
  });
});

describe('An event source mapping that cannot work', () => {
  it('reads nothing while its function is not there, and goes on when it is', async () => {
    const UUID = await map();
    await world.call('DeleteFunction', { FunctionName: 'f' });
    await world.until(
      async () =>
        (await world.call('GetEventSourceMapping', { UUID })).LastProcessingResult === 'PROBLEM: Function not found.',
    );
    const id = world.queues.send(QUEUE, 'waits');
    await world.settle();
    assert.deepEqual(world.queues.contents(QUEUE), { [id]: 0 });
    await world.create('f');
    await empty();
  });

  it('looks for a queue that is gone once a minute', async () => {
    const UUID = await map();
    world.queues.remove(QUEUE);
    await world.due(60_000);
    world.clock.advance(60_000);
    await world.until(async () =>
      String((await world.call('GetEventSourceMapping', { UUID })).LastProcessingResult).includes('does not exist'),
    );
    world.queues.create(QUEUE);
    world.queues.send(QUEUE, 'back');
    world.clock.advance(60_000);
    await empty();
  });

  it('stops reading when it is disabled or deleted', async () => {
    const UUID = await map();
    const disabling = await world.call('UpdateEventSourceMapping', { UUID, Enabled: false });
    assert.equal(disabling.State, 'Disabling');
    await world.until(async () => (await state(UUID)) === 'Disabled');
    const id = world.queues.send(QUEUE, 'a');
    await world.settle();
    assert.deepEqual(world.queues.contents(QUEUE), { [id]: 0 });
    assert.equal((await world.call('UpdateEventSourceMapping', { UUID, Enabled: true })).State, 'Enabling');
    await empty();
    assert.equal((await world.call('DeleteEventSourceMapping', { UUID })).State, 'Deleting');
    await world.until(async () => !(await world.contents()).some((key) => key.includes('event-source')));
    world.queues.send(QUEUE, 'b');
    await world.settle();
    assert.equal(world.engine.invocations.length, 1);
  });

  it('lets a batch end when Kobune does, and leaves the rest', async () => {
    const gate = new Gate();
    await map({ BatchSize: 1, ScalingConfig: { MaximumConcurrency: 2 } });
    for (const body of ['a', 'b', 'c']) world.queues.send(QUEUE, body);
    await world.until(() => gate.running === 2);
    const closed = world.lambda.close();
    gate.end();
    gate.end();
    await closed;
    assert.deepEqual(world.queues.contents(QUEUE), { 'message-3': 0 });
  });

  it('goes on after a restart, and ends a deletion that was begun', async () => {
    await map();
    await world.restart();
    world.queues.send(QUEUE, 'a');
    await empty();
    const key = (await world.store.range({ prefix: ['lambda'] })).find(({ key }) => key[3] === 'event-source')!;
    await world.store.put(key.key, { ...(key.value as object), state: 'Deleting' });
    await world.restart();
    await world.until(async () => !(await world.contents()).some((name) => name.includes('event-source')));
  });
});

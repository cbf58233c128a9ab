import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ServiceError } from '../../base/errors.ts';
import { silentLogger } from '../../base/json-logger.ts';
import { createSeededRandom } from '../../base/system-random.ts';
import { openMemoryStore } from '../../store/index.ts';
import { createIam } from '../iam/index.ts';
import { arnOf, fail, LambdaFixture, rejects, succeed } from './fixture.ts';

let world: LambdaFixture;
beforeEach(async () => {
  world = await LambdaFixture.start();
  await world.create('f');
});
afterEach(() => world.close());

/** Policies decide, as IAM evaluates them. */
const policiesDecide = () => {
  const iam = createIam({
    store: openMemoryStore(),
    clock: world.clock,
    random: createSeededRandom(),
    logger: silentLogger,
  });
  return { enforce: true, access: iam.serviceAccess };
};

const send = (payload = '{"n":1}') =>
  world.call('Invoke', { FunctionName: 'f', InvocationType: 'Event', Payload: Buffer.from(payload) });
const runs = (name = 'f') => world.engine.invocations.filter((item) => item.spec.name === name);
const json = (bytes: Uint8Array): Record<string, unknown> =>
  JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>;
const pending = async () => (await world.store.range({ prefix: ['delivery'] })).length;

describe('Lambda asynchronous invocation', () => {
  it('answers 202 and runs the function with the same request id', async () => {
    const result = await send();
    assert.equal(result.StatusCode, 202);
    await world.until(() => runs().length === 1);
    assert.equal(runs()[0]!.invocation.requestId, '8a4b1f4e-0000-4000-8000-000000000001');
    assert.equal(Buffer.from(runs()[0]!.invocation.payload).toString(), '{"n":1}');
    await world.until(async () => (await pending()) === 0);
  });

  it('is not accepted for a function that is not there', async () => {
    await rejects(world.call('Invoke', { FunctionName: 'no', InvocationType: 'Event' }), 'ResourceNotFoundException');
    assert.equal(await pending(), 0);
  });

  it('retries a failing function after one and two minutes with the same request id', async () => {
    world.engine.handler = () => fail('{"errorMessage":"boom"}');
    await send();
    for (const [count, wait] of [
      [1, 60_000],
      [2, 120_000],
    ] as const) {
      await world.until(() => runs().length === count);
      await world.due(wait);
      world.clock.advance(wait - 1);
      await world.settle();
      assert.equal(runs().length, count);
      world.clock.advance(1);
    }
    await world.until(() => runs().length === 3);
    await world.until(async () => (await pending()) === 0);
    assert.equal(new Set(runs().map((item) => item.invocation.requestId)).size, 1);
  });

  it('keeps trying while throttled, ever more slowly, without using up retries', async () => {
    await world.call('PutFunctionEventInvokeConfig', { FunctionName: 'f', MaximumRetryAttempts: 0 });
    let busy = true;
    world.engine.handler = () => {
      if (busy) throw new ServiceError('TooManyRequestsException', 'Rate Exceeded.', { status: 429 });
      return succeed('1');
    };
    await send();
    for (const [count, wait] of [
      [1, 1000],
      [2, 2000],
      [3, 4000],
    ] as const) {
      await world.until(() => runs().length === count);
      await world.due(wait);
      world.clock.advance(wait);
    }
    await world.until(() => runs().length === 4);
    busy = false;
    await world.due(8000);
    world.clock.advance(8000);
    await world.until(async () => (await pending()) === 0);
    assert.equal(runs().length, 5);
  });

  it('drains a burst through a function with little concurrency, one after the other', async () => {
    await world.call('PutFunctionConcurrency', { FunctionName: 'f', ReservedConcurrentExecutions: 2 });
    let running = 0;
    let most = 0;
    world.engine.handler = async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return succeed('1');
    };
    await Promise.all(Array.from({ length: 300 }, () => send()));
    await world.until(async () => (await pending()) === 0);
    assert.equal(runs().length, 300);
    assert.equal(most, 2);
  });

  it('goes back into the queue when no place came free in half a minute', async () => {
    await world.call('PutFunctionConcurrency', { FunctionName: 'f', ReservedConcurrentExecutions: 1 });
    const slow = Promise.withResolvers<void>();
    world.engine.handler = async () => {
      await slow.promise;
      return succeed('1');
    };
    await send('1');
    await world.until(() => runs().length === 1);
    await send('2');
    await world.due(30_000);
    world.clock.advance(30_000);
    await world.due(1000);
    slow.resolve();
    await world.settle();
    assert.equal(runs().length, 1);
    world.clock.advance(1000);
    await world.until(async () => (await pending()) === 0);
    assert.equal(runs().length, 2);
  });

  it('InvokeAsync sends an event too', async () => {
    assert.deepEqual(await world.call('InvokeAsync', { FunctionName: 'f', InvokeArgs: Buffer.from('{"old":true}') }), {
      Status: 202,
    });
    await world.until(() => runs().length === 1);
    assert.equal(Buffer.from(runs()[0]!.invocation.payload).toString(), '{"old":true}');
  });

  it('follows an alias when the event is run', async () => {
    await world.call('PublishVersion', { FunctionName: 'f' });
    await world.call('CreateAlias', { FunctionName: 'f', Name: 'live', FunctionVersion: '1' });
    await world.call('Invoke', { FunctionName: 'f', Qualifier: 'live', InvocationType: 'Event' });
    await world.until(() => runs().length === 1);
    assert.equal(runs()[0]!.spec.version, '1');
    assert.equal(runs()[0]!.invocation.invokedArn, arnOf('f', 'live'));
  });
});

describe('Lambda destinations', () => {
  beforeEach(() => world.create('sink'));

  it('tell a function of a success', async () => {
    await world.call('PutFunctionEventInvokeConfig', {
      FunctionName: 'f',
      DestinationConfig: { OnSuccess: { Destination: arnOf('sink') } },
    });
    world.engine.handler = () => succeed('{"ok":true}');
    await send();
    await world.until(() => runs('sink').length === 1);
    assert.deepEqual(json(runs('sink')[0]!.invocation.payload), {
      version: '1.0',
      timestamp: '2026-01-02T03:04:05.000Z',
      requestContext: {
        requestId: '8a4b1f4e-0000-4000-8000-000000000001',
        functionArn: arnOf('f', '$LATEST'),
        condition: 'Success',
        approximateInvokeCount: 1,
      },
      requestPayload: { n: 1 },
      responseContext: { statusCode: 200, executedVersion: '$LATEST' },
      responsePayload: { ok: true },
    });
  });

  it('tell a function of a failure, once the retries are used up', async () => {
    await world.call('PutFunctionEventInvokeConfig', {
      FunctionName: 'f',
      MaximumRetryAttempts: 1,
      DestinationConfig: { OnFailure: { Destination: arnOf('sink') } },
    });
    world.engine.handler = (spec) => (spec.name === 'f' ? fail('{"errorMessage":"boom"}') : succeed('1'));
    await send();
    await world.until(() => runs().length === 1);
    await world.due(60_000);
    assert.equal(runs('sink').length, 0);
    world.clock.advance(60_000);
    await world.until(() => runs('sink').length === 1);
    const record = json(runs('sink')[0]!.invocation.payload);
    assert.deepEqual(record.requestContext, {
      requestId: '8a4b1f4e-0000-4000-8000-000000000001',
      functionArn: arnOf('f', '$LATEST'),
      condition: 'RetriesExhausted',
      approximateInvokeCount: 2,
    });
    assert.deepEqual(record.responseContext, {
      statusCode: 200,
      executedVersion: '$LATEST',
      functionError: 'Unhandled',
    });
    assert.deepEqual(record.responsePayload, { errorMessage: 'boom' });
  });

  it('are told without the payloads when those are more than an event may hold', async () => {
    await world.call('PutFunctionEventInvokeConfig', {
      FunctionName: 'f',
      DestinationConfig: { OnSuccess: { Destination: arnOf('sink') } },
    });
    world.engine.handler = (spec) => succeed(spec.name === 'f' ? JSON.stringify('x'.repeat(2_000_000)) : '1');
    await send();
    await world.until(() => runs('sink').length === 1);
    const record = json(runs('sink')[0]!.invocation.payload);
    assert.equal((record.requestContext as { condition: string }).condition, 'Success');
    assert.equal('responsePayload' in record, false);
  });

  it('put a failure into a bucket under a dated key', async () => {
    await world.call('PutFunctionEventInvokeConfig', {
      FunctionName: 'f',
      MaximumRetryAttempts: 0,
      DestinationConfig: { OnFailure: { Destination: 'arn:aws:s3:::failures' } },
    });
    world.engine.handler = () => fail('{"errorMessage":"boom"}');
    await send();
    await world.until(() => world.objects.objects.size === 1);
    const [[key, body]] = [...world.objects.objects] as [[string, Uint8Array]];
    assert.match(
      key,
      /^failures\/aws\/lambda\/async\/f\/2026\/01\/02\/2026-01-02T03\.04\.05-[0-9a-f]{8}-[0-9a-f-]{27}$/,
    );
    assert.equal((json(body).requestContext as { condition: string }).condition, 'RetriesExhausted');
  });

  it('try a bucket again that failed', async () => {
    await world.call('PutFunctionEventInvokeConfig', {
      FunctionName: 'f',
      MaximumRetryAttempts: 0,
      DestinationConfig: { OnFailure: { Destination: 'arn:aws:s3:::failures' } },
    });
    world.engine.handler = () => fail('1');
    world.objects.failWrites = new ServiceError('SlowDown', 'slow', { status: 503 });
    await send();
    await world.until(() => runs().length === 1);
    await world.due(60_000);
    world.objects.failWrites = undefined;
    world.clock.advance(60_000);
    await world.until(() => world.objects.objects.size === 1);
  });

  it('are told at once of events for a function that is switched off', async () => {
    await world.call('PutFunctionConcurrency', { FunctionName: 'f', ReservedConcurrentExecutions: 0 });
    await world.call('PutFunctionEventInvokeConfig', {
      FunctionName: 'f',
      DestinationConfig: { OnFailure: { Destination: arnOf('sink') } },
    });
    await send();
    await world.until(() => runs('sink').length === 1);
    const record = json(runs('sink')[0]!.invocation.payload);
    assert.equal((record.requestContext as { condition: string }).condition, 'ZeroReservedConcurrency');
    assert.equal(record.responseContext, undefined);
    assert.equal(runs().length, 0);
  });

  it('are told of an event that grew too old', async () => {
    await world.call('PutFunctionEventInvokeConfig', {
      FunctionName: 'f',
      MaximumEventAgeInSeconds: 60,
      DestinationConfig: { OnFailure: { Destination: arnOf('sink') } },
    });
    world.engine.handler = (spec) => (spec.name === 'f' ? fail('{"errorMessage":"boom"}') : succeed('1'));
    await send();
    await world.until(() => runs().length === 1);
    await world.due(60_000);
    world.clock.advance(60_000);
    await world.until(() => runs('sink').length === 1);
    const record = json(runs('sink')[0]!.invocation.payload);
    assert.equal((record.requestContext as { condition: string }).condition, 'EventAgeExceeded');
    assert.equal(runs().length, 1);
  });
});

describe('Lambda PutFunctionEventInvokeConfig', () => {
  const put = (input: object) => world.call('PutFunctionEventInvokeConfig', { FunctionName: 'f', ...input });

  it('shows, changes, lists and deletes the settings', async () => {
    await put({ MaximumRetryAttempts: 1, MaximumEventAgeInSeconds: 300 });
    await world.call('UpdateFunctionEventInvokeConfig', { FunctionName: 'f', MaximumRetryAttempts: 0 });
    const got = await world.call('GetFunctionEventInvokeConfig', { FunctionName: 'f' });
    assert.equal(got.FunctionArn, arnOf('f', '$LATEST'));
    assert.equal(got.MaximumRetryAttempts, 0);
    assert.equal(got.MaximumEventAgeInSeconds, 300);
    assert.deepEqual(got.DestinationConfig, { OnSuccess: {}, OnFailure: {} });
    const list = await world.call<{ FunctionEventInvokeConfigs: object[] }>('ListFunctionEventInvokeConfigs', {
      FunctionName: 'f',
    });
    assert.equal(list.FunctionEventInvokeConfigs.length, 1);
    await world.call('DeleteFunctionEventInvokeConfig', { FunctionName: 'f' });
    await rejects(world.call('GetFunctionEventInvokeConfig', { FunctionName: 'f' }), 'ResourceNotFoundException', {
      message: `The function ${arnOf('f', '$LATEST')} doesn't have an EventInvokeConfig`,
    });
  });

  it('refuses what is out of range, empty, or cannot be delivered to', async () => {
    await rejects(put({ MaximumRetryAttempts: 3 }), 'ValidationException');
    await rejects(put({ MaximumEventAgeInSeconds: 59 }), 'ValidationException');
    await rejects(put({}), 'InvalidParameterValueException');
    const onFailure = (Destination: string) => put({ DestinationConfig: { OnFailure: { Destination } } });
    await rejects(onFailure('arn:aws:sqs:us-east-1:000000000000:q'), 'NotImplemented', { status: 501, message: /sqs/ });
    await rejects(onFailure('arn:aws:iam::000000000000:role/r'), 'InvalidParameterValueException');
    await rejects(onFailure(arnOf('f')), 'InvalidParameterValueException');
    await rejects(
      put({ DestinationConfig: { OnSuccess: { Destination: 'arn:aws:s3:::b' } } }),
      'InvalidParameterValueException',
    );
    await rejects(put({ FunctionName: 'no', MaximumRetryAttempts: 1 }), 'ResourceNotFoundException');
  });
});

describe('an event of another service', () => {
  const notify = (targetArn: string) =>
    world.store.transact(async (transaction) =>
      world.delivery.enqueue(transaction, {
        source: 's3',
        targetArn,
        payload: Buffer.from('{"Records":[]}'),
        account: '000000000000',
        region: 'us-east-1',
        caller: { service: 's3.amazonaws.com', sourceArn: 'arn:aws:s3:::photos', sourceAccount: '000000000000' },
      }),
    );
  let ended: string[];
  const register = () => {
    ended = [];
    world.delivery.registerSource('s3', async () => ({
      policy: async () => ({ maximumRetries: 0, maximumAgeSeconds: 60, backoffMs: () => 1 }),
      finished: async (_delivery, outcome) => {
        ended.push(outcome.condition);
      },
    }));
  };
  beforeEach(register);

  it("goes into the function's own queue, with its own retries", async () => {
    let fails = true;
    world.engine.handler = () => {
      if (!fails) return succeed('1');
      fails = false;
      return fail('{"errorMessage":"boom"}');
    };
    await notify(arnOf('f'));
    await world.until(() => runs().length === 1);
    assert.deepEqual(ended, ['Success']);
    await world.due(60_000);
    world.clock.advance(60_000);
    await world.until(() => runs().length === 2);
    assert.equal(Buffer.from(runs()[1]!.invocation.payload).toString(), '{"Records":[]}');
  });

  it('is rejected when the function is not there', async () => {
    await notify(arnOf('gone'));
    await world.until(() => ended.length === 1);
    assert.deepEqual(ended, ['Rejected']);
  });

  it('needs a permission in enforce mode', async () => {
    await world.close();
    world = await LambdaFixture.start(policiesDecide());
    register();
    await world.create('f');
    await notify(arnOf('f'));
    await world.until(() => ended.length === 1);
    assert.deepEqual(ended, ['Rejected']);
    await world.call('AddPermission', {
      FunctionName: 'f',
      StatementId: 's',
      Action: 'lambda:InvokeFunction',
      Principal: 's3.amazonaws.com',
      SourceArn: 'arn:aws:s3:::photos',
    });
    await notify(arnOf('f'));
    await world.until(() => runs().length === 1);
  });
});

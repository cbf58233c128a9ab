import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ServiceError } from '../../base/errors.ts';
import { arnOf, fail, LambdaFixture, rejects, succeed } from './fixture.ts';

let world: LambdaFixture;
beforeEach(async () => {
  world = await LambdaFixture.start();
  await world.create('f');
});
afterEach(() => world.close());

const text = (payload: unknown): string => Buffer.from(payload as Uint8Array).toString();

describe('Lambda Invoke', () => {
  it('returns what the handler returned', async () => {
    world.engine.handler = (_spec, invocation) => succeed(`{"got":${text(invocation.payload)}}`);
    const result = await world.call('Invoke', { FunctionName: 'f', Payload: Buffer.from('{"a":1}') });
    assert.equal(result.StatusCode, 200);
    assert.equal(text(result.Payload), '{"got":{"a":1}}');
    assert.equal(result.ExecutedVersion, '$LATEST');
    assert.equal(result.FunctionError, undefined);
  });

  it('hands over the request id, the trace, the client context and the ARN that was named', async () => {
    const clientContext = { client: { installation_id: 'x' } };
    await world.call(
      'Invoke',
      {
        FunctionName: arnOf('f'),
        ClientContext: Buffer.from(JSON.stringify(clientContext)).toString('base64'),
      },
      { headers: { 'x-amzn-trace-id': 'Root=1-5759e988-bd862e3fe1be46a994272793' } },
    );
    await world.call('Invoke', { FunctionName: 'f' });
    const [first, second] = world.engine.invocations.map((item) => item.invocation);
    assert.equal(first!.requestId, '8a4b1f4e-0000-4000-8000-000000000001');
    assert.deepEqual(first!.clientContext, clientContext);
    assert.equal(first!.invokedArn, arnOf('f'));
    assert.match(first!.traceId, /^Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=[0-9a-f]{8}:0$/);
    assert.match(
      second!.traceId,
      /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0;Lineage=[0-9a-f]{8}:0$/,
    );
    assert.equal(text(second!.payload), '{}');
  });

  it('tells a function error in a header, with status 200', async () => {
    world.engine.handler = () => fail('{"errorMessage":"boom","errorType":"Error"}');
    const result = await world.call('Invoke', { FunctionName: 'f', LogType: 'Tail' });
    assert.equal(result.StatusCode, 200);
    assert.equal(result.FunctionError, 'Unhandled');
  });

  it('returns the log tail in base64', async () => {
    world.engine.handler = () => succeed('1', 'START RequestId');
    const result = await world.call('Invoke', { FunctionName: 'f', LogType: 'Tail' });
    assert.equal(Buffer.from(String(result.LogResult), 'base64').toString(), 'START RequestId');
    assert.equal(world.engine.invocations[0]!.invocation.tailLog, true);
  });

  it('runs nothing for DryRun', async () => {
    const result = await world.call('Invoke', { FunctionName: 'f', InvocationType: 'DryRun' });
    assert.equal(result.StatusCode, 204);
    assert.equal(world.engine.invocations.length, 0);
    await rejects(world.call('Invoke', { FunctionName: 'no', InvocationType: 'DryRun' }), 'ResourceNotFoundException');
  });

  it('takes 6 MB and not a byte more; 1 MB for events', async () => {
    const json = (size: number) => Buffer.from(`"${'x'.repeat(size - 2)}"`);
    await world.call('Invoke', { FunctionName: 'f', Payload: json(6_291_456) });
    await rejects(world.call('Invoke', { FunctionName: 'f', Payload: json(6_291_457) }), 'RequestTooLargeException', {
      status: 413,
    });
    const event = { FunctionName: 'f', InvocationType: 'Event' };
    await world.call('Invoke', { ...event, Payload: json(1_048_576) });
    await rejects(world.call('Invoke', { ...event, Payload: json(1_048_577) }), 'RequestTooLargeException', {
      status: 413,
    });
  });

  it('refuses what is malformed', async () => {
    await rejects(
      world.call('Invoke', { FunctionName: 'f', Payload: Buffer.from('{a') }),
      'InvalidRequestContentException',
      {
        message: /^Could not parse request body into json/,
      },
    );
    await rejects(world.call('Invoke', { FunctionName: 'f', ClientContext: '%%' }), 'InvalidRequestContentException');
    await rejects(world.call('Invoke', { FunctionName: 'f', InvocationType: 'Later' }), 'ValidationException');
    await rejects(world.call('Invoke', { FunctionName: 'a/b' }), 'ValidationException');
    await rejects(world.call('Invoke', { FunctionName: 'f:1', Qualifier: '2' }), 'InvalidParameterValueException');
    await rejects(world.call('Invoke', { FunctionName: 'f:9' }), 'ResourceNotFoundException', {
      message: `Function not found: ${arnOf('f', '9')}`,
    });
    await rejects(
      world.call('Invoke', { FunctionName: 'arn:aws:lambda:eu-west-1:000000000000:function:f' }),
      'ResourceNotFoundException',
      { message: "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')" },
    );
  });

  it('passes on what the engine refuses', async () => {
    world.engine.handler = () => {
      throw new ServiceError('ServiceException', 'no memory left', { status: 500 });
    };
    await rejects(world.call('Invoke', { FunctionName: 'f' }), 'ServiceException', { status: 500 });
  });

  it('reads nothing from the store for a function that it knows', async () => {
    await world.call('Invoke', { FunctionName: 'f' });
    let reads = 0;
    const { store } = world;
    const get = store.get.bind(store);
    store.get = (...args: Parameters<typeof get>) => {
      reads += 1;
      return get(...args) as never;
    };
    const range = store.range.bind(store);
    store.range = (options) => {
      reads += 1;
      return range(options) as never;
    };
    // The watch may still bring news of the function's creation.
    await world.until(async () => {
      reads = 0;
      await world.call('Invoke', { FunctionName: 'f' });
      return reads === 0;
    });
  });

  it('sees a change made by another process', async () => {
    await world.call('Invoke', { FunctionName: 'f' });
    const key = ['lambda', '000000000000', 'us-east-1', 'version', 'f', '$LATEST'];
    const entry = await world.store.get<object>(key);
    await world.store.put(key, { ...entry!.value, memorySize: 512, specRevision: 'elsewhere' });
    await world.until(async () => {
      await world.call('Invoke', { FunctionName: 'f' });
      return world.engine.invocations.at(-1)!.spec.memoryMb === 512;
    });
  });
});

describe('Lambda InvokeWithResponseStream', () => {
  type Streamed = {
    EventStream: AsyncIterable<Record<string, { Payload?: Uint8Array; ErrorCode?: string; ErrorDetails?: string }>>;
  };

  it('passes chunks on as they come and ends with InvokeComplete', async () => {
    world.engine.stream = async (sink) => {
      sink.start({ contentType: 'text/plain' });
      await sink.write(Buffer.from('one '));
      await sink.write(Buffer.from('two'));
      return succeed('');
    };
    const { EventStream } = await world.call<Streamed>('InvokeWithResponseStream', { FunctionName: 'f' });
    const events = [];
    for await (const event of EventStream) events.push(event);
    assert.deepEqual(
      events.map((event) => (event.PayloadChunk ? text(event.PayloadChunk.Payload) : Object.keys(event)[0])),
      ['one ', 'two', 'InvokeComplete'],
    );
  });

  it('tells an error at the end', async () => {
    world.engine.stream = async () => fail('{"errorType":"Runtime.Boom","errorMessage":"m"}');
    const { EventStream } = await world.call<Streamed>('InvokeWithResponseStream', { FunctionName: 'f' });
    const events = [];
    for await (const event of EventStream) events.push(event);
    assert.equal(events.length, 1);
    assert.equal(events[0]!.InvokeComplete!.ErrorCode, 'Runtime.Boom');
    assert.match(events[0]!.InvokeComplete!.ErrorDetails!, /"errorMessage":"m"/);
  });

  it('holds the writer back while nobody reads, and lets it run on when the reader goes away', async () => {
    let written = 0;
    let finished = false;
    world.engine.stream = async (sink) => {
      sink.start({ contentType: 'text/plain' });
      for (; written < 100; written += 1) await sink.write(Buffer.from('x'));
      finished = true;
      return succeed('');
    };
    const { EventStream } = await world.call<Streamed>('InvokeWithResponseStream', { FunctionName: 'f' });
    await world.settle();
    assert.equal(written, 0);
    for await (const _ of EventStream) break;
    await world.until(() => finished);
  });
});

describe('Lambda concurrency', () => {
  const gate = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    world.engine.handler = async () => {
      await promise;
      return succeed('1');
    };
    return resolve;
  };

  it('throttles a function at its reservation, and not at all the others', async () => {
    await world.create('g');
    await world.call('PutFunctionConcurrency', { FunctionName: 'f', ReservedConcurrentExecutions: 2 });
    const open = gate();
    const running = [world.call('Invoke', { FunctionName: 'f' }), world.call('Invoke', { FunctionName: 'f' })];
    await world.until(() => world.engine.invocations.length === 2);
    const error = await rejects(world.call('Invoke', { FunctionName: 'f' }), 'TooManyRequestsException', {
      status: 429,
      message: 'Rate Exceeded.',
    });
    assert.equal(error.members.Reason, 'ReservedFunctionConcurrentInvocationLimitExceeded');
    running.push(world.call('Invoke', { FunctionName: 'g' }));
    open();
    await Promise.all(running);
    await world.call('Invoke', { FunctionName: 'f' });
  });

  it('stops a function with a reservation of 0', async () => {
    await world.call('PutFunctionConcurrency', { FunctionName: 'f', ReservedConcurrentExecutions: 0 });
    await rejects(world.call('Invoke', { FunctionName: 'f' }), 'TooManyRequestsException');
    await world.call('DeleteFunctionConcurrency', { FunctionName: 'f' });
    await world.call('Invoke', { FunctionName: 'f' });
  });

  it('holds an account to its limit in a region, less what is reserved', async () => {
    await world.close();
    world = await LambdaFixture.start({ limits: { concurrency: 5, unreservedMinimum: 1 } });
    await world.create('f');
    await world.create('g');
    await world.call('PutFunctionConcurrency', { FunctionName: 'g', ReservedConcurrentExecutions: 2 });
    const open = gate();
    const running = Array.from({ length: 3 }, () => world.call('Invoke', { FunctionName: 'f' }));
    await world.until(() => world.engine.invocations.length === 3);
    const error = await rejects(world.call('Invoke', { FunctionName: 'f' }), 'TooManyRequestsException');
    assert.equal(error.members.Reason, 'ConcurrentInvocationLimitExceeded');
    running.push(world.call('Invoke', { FunctionName: 'g' }));
    open();
    await Promise.all(running);
  });

  it('keeps 100 unreserved', async () => {
    await rejects(
      world.call('PutFunctionConcurrency', { FunctionName: 'f', ReservedConcurrentExecutions: 901 }),
      'InvalidParameterValueException',
      { message: /below its minimum value of \[100\]\.$/ },
    );
    await world.call('PutFunctionConcurrency', { FunctionName: 'f', ReservedConcurrentExecutions: 900 });
    await world.create('g');
    await rejects(
      world.call('PutFunctionConcurrency', { FunctionName: 'g', ReservedConcurrentExecutions: 1 }),
      'InvalidParameterValueException',
    );
    const settings = await world.call<{ AccountLimit: Record<string, number>; AccountUsage: Record<string, number> }>(
      'GetAccountSettings',
      {},
    );
    assert.equal(settings.AccountLimit.ConcurrentExecutions, 1000);
    assert.equal(settings.AccountLimit.UnreservedConcurrentExecutions, 100);
    assert.equal(settings.AccountUsage.FunctionCount, 2);
    assert.deepEqual(await world.call('GetFunctionConcurrency', { FunctionName: 'f' }), {
      ReservedConcurrentExecutions: 900,
    });
  });
});

describe('Lambda provisioned concurrency', () => {
  beforeEach(() => world.call('PublishVersion', { FunctionName: 'f' }));

  const put = (Qualifier: string, ProvisionedConcurrentExecutions: number) =>
    world.call('PutProvisionedConcurrencyConfig', { FunctionName: 'f', Qualifier, ProvisionedConcurrentExecutions });
  const get = (Qualifier: string) => world.call('GetProvisionedConcurrencyConfig', { FunctionName: 'f', Qualifier });

  it('is IN_PROGRESS until the engine has the environments, then READY; spills over to on-demand ones', async () => {
    assert.equal((await put('1', 1)).Status, 'IN_PROGRESS');
    await world.until(async () => (await get('1')).Status === 'READY');
    assert.equal((await get('1')).AllocatedProvisionedConcurrentExecutions, 1);
    assert.equal(world.engine.provisioned[0]!.count, 1);
    assert.equal(world.engine.provisioned[0]!.spec.arn, arnOf('f', '1'));
    const { promise, resolve } = Promise.withResolvers<void>();
    world.engine.handler = async () => {
      await promise;
      return succeed('1');
    };
    const running = [world.call('Invoke', { FunctionName: 'f:1' }), world.call('Invoke', { FunctionName: 'f:1' })];
    await world.until(() => world.engine.invocations.length === 2);
    resolve();
    await Promise.all(running);
    assert.deepEqual(
      world.engine.invocations.map((item) => item.spec.initializationType),
      ['provisioned-concurrency', 'on-demand'],
    );
    await world.call('DeleteProvisionedConcurrencyConfig', { FunctionName: 'f', Qualifier: '1' });
    assert.equal(world.engine.provisioned[1]!.count, 0);
    await rejects(get('1'), 'ProvisionedConcurrencyConfigNotFoundException', { status: 404 });
  });

  it('moves with its alias', async () => {
    await world.call('CreateAlias', { FunctionName: 'f', Name: 'live', FunctionVersion: '1' });
    await put('live', 2);
    await world.until(async () => (await get('live')).Status === 'READY');
    await world.call('UpdateFunctionConfiguration', { FunctionName: 'f', Timeout: 9 });
    await world.call('PublishVersion', { FunctionName: 'f' });
    await world.call('UpdateAlias', { FunctionName: 'f', Name: 'live', FunctionVersion: '2' });
    await world.until(async () => (await get('live')).Status === 'READY');
    assert.deepEqual(world.engine.provisioned.map(({ spec, count }) => [spec.version, count]).sort(), [
      ['1', 0],
      ['1', 2],
      ['2', 2],
    ]);
  });

  it('is refused for $LATEST, for nothing, beyond the reservation, and twice for one version', async () => {
    await rejects(put('$LATEST', 1), 'InvalidParameterValueException', {
      message: 'Provisioned Concurrency Configs cannot be applied to unpublished function versions.',
    });
    await rejects(put('1', 0), 'ValidationException');
    await rejects(put('7', 1), 'ResourceNotFoundException');
    await rejects(put('1', 901), 'InvalidParameterValueException');
    await world.call('PutFunctionConcurrency', { FunctionName: 'f', ReservedConcurrentExecutions: 3 });
    await rejects(put('1', 4), 'InvalidParameterValueException');
    await put('1', 3);
    await world.call('CreateAlias', { FunctionName: 'f', Name: 'live', FunctionVersion: '1' });
    await rejects(put('live', 1), 'ResourceConflictException');
    await rejects(
      world.call('PutFunctionConcurrency', { FunctionName: 'f', ReservedConcurrentExecutions: 2 }),
      'InvalidParameterValueException',
    );
  });
});

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ACCOUNT, arnOf, fail, LambdaFixture, REGION, rejects, succeed } from './fixture.ts';

let world: LambdaFixture;
beforeEach(async () => {
  world = await LambdaFixture.start();
  await world.create('f');
});
afterEach(() => world.close());

const runs = (name = 'f') => world.engine.invocations.filter((item) => item.spec.name === name);
const pending = async () => (await world.store.range({ prefix: ['delivery'] })).length;
const drained = () => world.until(async () => (await pending()) === 0);
const headers = (traceId: string) => ({ headers: { 'x-amzn-trace-id': traceId } });
const onFailure = (FunctionName: string, Destination: string) =>
  world.call('PutFunctionEventInvokeConfig', { FunctionName, DestinationConfig: { OnFailure: { Destination } } });
const allow = (FunctionName = 'f') =>
  world.call('PutFunctionRecursionConfig', { FunctionName, RecursiveLoop: 'Allow' });

/** Functions that each send an event to the next, with the trace header as an SDK does; `most` runs in all. */
function chain(next: Readonly<Record<string, string>>, most = 100): void {
  world.engine.handler = async (spec, invocation) => {
    if (world.engine.invocations.length < most) {
      const FunctionName = next[spec.name]!;
      await world.call('Invoke', { FunctionName, InvocationType: 'Event' }, headers(invocation.traceId));
    }
    return succeed('1');
  };
}

describe('Lambda GetFunctionRecursionConfig and PutFunctionRecursionConfig', () => {
  it('stop loops unless told to allow them', async () => {
    const get = () => world.call('GetFunctionRecursionConfig', { FunctionName: 'f' });
    assert.deepEqual(await get(), { RecursiveLoop: 'Terminate' });
    for (const RecursiveLoop of ['Allow', 'Terminate']) {
      const input = { FunctionName: arnOf('f'), RecursiveLoop };
      assert.deepEqual(await world.call('PutFunctionRecursionConfig', input), { RecursiveLoop });
      assert.deepEqual(await get(), { RecursiveLoop });
    }
  });

  it('refuse other values and functions that are not there', async () => {
    const put = (FunctionName: string, RecursiveLoop: string) =>
      world.call('PutFunctionRecursionConfig', { FunctionName, RecursiveLoop });
    await rejects(put('f', 'Sometimes'), 'ValidationException');
    await rejects(put('none', 'Allow'), 'ResourceNotFoundException');
    await rejects(world.call('GetFunctionRecursionConfig', { FunctionName: 'none' }), 'ResourceNotFoundException');
  });

  it('are forgotten with the function', async () => {
    await allow();
    await world.call('DeleteFunction', { FunctionName: 'f' });
    await world.create('f');
    assert.deepEqual(await world.call('GetFunctionRecursionConfig', { FunctionName: 'f' }), {
      RecursiveLoop: 'Terminate',
    });
  });
});

describe('a function that invokes itself', () => {
  const start = () => world.call('Invoke', { FunctionName: 'f', InvocationType: 'Event' });

  it('is stopped after sixteen invocations by events', async () => {
    chain({ f: 'f' });
    await start();
    await drained();
    assert.equal(runs().length, 16);
    // Another chain is not held back by the first.
    await start();
    await drained();
    assert.equal(runs().length, 32);
  });

  it('goes on when that is allowed, until it no longer is', async () => {
    await allow();
    chain({ f: 'f' }, 40);
    await start();
    await drained();
    assert.equal(runs().length, 40);
    const last = runs()[39]!.invocation.traceId;
    await world.call('PutFunctionRecursionConfig', { FunctionName: 'f', RecursiveLoop: 'Terminate' });
    await world.call('Invoke', { FunctionName: 'f', InvocationType: 'Event' }, headers(last));
    await drained();
    assert.equal(runs().length, 40);
  });

  it('is stopped when others come in between, and through aliases', async () => {
    await world.create('g');
    await world.call('CreateAlias', { FunctionName: 'f', Name: 'live', FunctionVersion: '$LATEST' });
    chain({ f: 'g', g: `${arnOf('f')}:live` });
    await start();
    await drained();
    assert.deepEqual([runs('f').length, runs('g').length], [16, 16]);
  });

  it('gets an error when it waits for the answer', async () => {
    let refusal: Promise<unknown> | undefined;
    world.engine.handler = async (_spec, invocation) => {
      const call = world.call('Invoke', { FunctionName: 'f' }, headers(invocation.traceId));
      if (runs().length === 16)
        refusal = rejects(call, 'RecursiveInvocationException', { status: 400, message: /loop/ });
      else await call;
      return succeed('1');
    };
    await world.call('Invoke', { FunctionName: 'f' });
    assert.equal(runs().length, 16);
    await refusal;
    const trace = headers(runs()[15]!.invocation.traceId);
    await rejects(world.call('InvokeWithResponseStream', { FunctionName: 'f' }, trace), 'RecursiveInvocationException');
  });

  it('does not count the retries of one event', async () => {
    await world.call('PutFunctionEventInvokeConfig', { FunctionName: 'f', MaximumRetryAttempts: 1 });
    world.engine.handler = () => fail('1');
    await start();
    await world.until(() => runs().length === 1);
    await world.due(60_000);
    world.clock.advance(60_000);
    await drained();
    const [first, second] = runs().map((run) => run.invocation.traceId);
    assert.equal(first, second);
    assert.match(first!, /;Lineage=[0-9a-f]{8}:0$/);
  });

  it('starts afresh with a header that is too long to be one', async () => {
    const long = `Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=${'a87bd80c:99|'.repeat(100)}`;
    await world.call('Invoke', { FunctionName: 'f' }, headers(long));
    assert.match(
      runs()[0]!.invocation.traceId,
      /^Root=1-[0-9a-f-]{33};Parent=[0-9a-f]{16};Sampled=0;Lineage=[0-9a-f:]{10}$/,
    );
  });
});

describe('the event that would have gone on with a loop', () => {
  it('goes to the destination for failures, and was not run', async () => {
    await onFailure('f', 'arn:aws:s3:::failures');
    chain({ f: 'f' });
    await world.call('Invoke', { FunctionName: 'f', InvocationType: 'Event', Payload: Buffer.from('{"n":1}') });
    await drained();
    assert.equal(runs().length, 16);
    const [body, ...others] = world.objects.objects.values();
    assert.equal(others.length, 0);
    const record = JSON.parse(Buffer.from(body!).toString());
    assert.equal(record.requestContext.condition, 'RecursiveInvocationException');
    assert.equal('responseContext' in record, false);
  });

  it('is told to another function, which is stopped in its turn, and is not sent to and fro for ever', async () => {
    await world.create('g');
    await onFailure('f', arnOf('g'));
    await onFailure('g', arnOf('f'));
    chain({ f: 'f', g: 'f' });
    await world.call('Invoke', { FunctionName: 'f', InvocationType: 'Event' });
    await drained();
    assert.deepEqual([runs('f').length, runs('g').length], [16, 16]);
  });
});

describe('an event of another service', () => {
  const deliver = (traceHeader?: string) =>
    world.store.transact(async (transaction) => {
      world.delivery.enqueue(transaction, {
        source: 'lambda-destination',
        targetArn: arnOf('f'),
        payload: Buffer.from('{}'),
        account: ACCOUNT,
        region: REGION,
        caller: { service: 's3.amazonaws.com', sourceArn: 'arn:aws:s3:::photos', sourceAccount: ACCOUNT },
        traceHeader,
      });
    });

  it('goes on with the chain of the request that caused it', async () => {
    await deliver();
    await drained();
    for (let event = 0; event < 20; event += 1) {
      const { invocation } = runs().at(-1)!;
      await deliver(invocation.traceId);
      await drained();
    }
    assert.equal(runs().length, 16);
    assert.equal(new Set(runs().map((run) => run.invocation.traceId.split(';')[0])).size, 1);
    await deliver();
    await drained();
    assert.equal(runs().length, 17);
  });
});

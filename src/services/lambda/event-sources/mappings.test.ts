import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ACCOUNT, arnOf, LambdaFixture, NOW, REGION, ROLE, rejects } from '../fixture.ts';

const QUEUE = `arn:aws:sqs:${REGION}:${ACCOUNT}:work`;
const FIFO = `${QUEUE}.fifo`;

let world: LambdaFixture;
beforeEach(async () => {
  world = await LambdaFixture.start();
  await world.create('f', { Timeout: 10 });
  world.queues.create(QUEUE);
  world.queues.create(FIFO);
});
afterEach(() => world.close());

const create = (input: object = {}) =>
  world.call('CreateEventSourceMapping', { EventSourceArn: QUEUE, FunctionName: 'f', ...input });
const update = (UUID: unknown, input: object) => world.call('UpdateEventSourceMapping', { UUID, ...input });
const get = (UUID: unknown) => world.call('GetEventSourceMapping', { UUID });
const list = (input: object = {}) =>
  world.call<{ EventSourceMappings: { UUID: string }[]; NextMarker?: string }>('ListEventSourceMappings', input);
const enabled = (UUID: unknown) => world.until(async () => (await get(UUID)).State === 'Enabled');
const invalid = (call: Promise<unknown>, message: string | RegExp) =>
  rejects(call, 'InvalidParameterValueException', { message, status: 400 });

describe('Lambda CreateEventSourceMapping', () => {
  it('answers with the defaults, and is soon enabled', async () => {
    const { UUID, ...rest } = await create();
    assert.match(String(UUID), /^[0-9a-f-]{36}$/);
    assert.deepEqual(rest, {
      EventSourceMappingArn: `arn:aws:lambda:${REGION}:${ACCOUNT}:event-source-mapping:${UUID}`,
      EventSourceArn: QUEUE,
      FunctionArn: arnOf('f'),
      BatchSize: 10,
      MaximumBatchingWindowInSeconds: 0,
      FunctionResponseTypes: [],
      LastModified: new Date(NOW),
      State: 'Creating',
      StateTransitionReason: 'USER_INITIATED',
    });
    await enabled(UUID);
  });

  it('shows what was asked for', async () => {
    const FilterCriteria = { Filters: [{ Pattern: '{"body":{"a":[1]}}' }] };
    const asked = {
      BatchSize: 100,
      MaximumBatchingWindowInSeconds: 5,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      FilterCriteria,
      ScalingConfig: { MaximumConcurrency: 7 },
    };
    await world.call('PublishVersion', { FunctionName: 'f' });
    await world.call('CreateAlias', { FunctionName: 'f', Name: 'live', FunctionVersion: '1' });
    const { UUID } = await create({ ...asked, FunctionName: arnOf('f', 'live'), Enabled: false });
    await world.until(async () => (await get(UUID)).State === 'Disabled');
    const shown = await get(UUID);
    for (const [member, value] of Object.entries(asked)) assert.deepEqual(shown[member], value, member);
    assert.equal(shown.FunctionArn, arnOf('f', 'live'));
  });

  it('refuses a queue or function that is not there', async () => {
    await invalid(create({ FunctionName: 'none' }), 'Function does not exist');
    await invalid(create({ FunctionName: 'f:none' }), 'Function does not exist');
    await invalid(
      create({ EventSourceArn: `${QUEUE}-none` }),
      'Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.',
    );
    await invalid(create({ EventSourceArn: QUEUE.replace(REGION, 'eu-west-1') }), /must be in the region/);
    assert.deepEqual((await list()).EventSourceMappings, []);
  });

  it('refuses other kinds of sources by name', async () => {
    const sources = ['kinesis:r:1:stream/s', 'dynamodb:r:1:table/t/stream/x', 'mq:r:1:broker:b', 'kafka:r:1:cluster/c'];
    for (const source of [...sources, 'rds:r:1:cluster:docs']) {
      await rejects(create({ EventSourceArn: `arn:aws:${source}` }), 'NotImplemented', { status: 501 });
    }
    for (const EventSourceArn of [undefined, '', 'work', `arn:aws:sns:${REGION}:${ACCOUNT}:t`]) {
      await invalid(create({ EventSourceArn }), 'Unrecognized event source, must be kinesis, dynamodb stream or sqs.');
    }
    const members = {
      SelfManagedEventSource: { Endpoints: {} },
      Topics: ['t'],
      Queues: ['q'],
      SourceAccessConfigurations: [{ Type: 'BASIC_AUTH', URI: 'x' }],
      KMSKeyArn: 'arn:aws:kms:r:1:key/k',
      MetricsConfig: { Metrics: ['EventCount'] },
      ProvisionedPollerConfig: { MinimumPollers: 2 },
      DocumentDBEventSourceConfig: { DatabaseName: 'd' },
    };
    for (const [member, value] of Object.entries(members)) {
      await rejects(create({ [member]: value }), 'NotImplemented', { message: new RegExp(`^${member} `) });
    }
  });

  it('refuses what streams only have', async () => {
    await invalid(create({ StartingPosition: 'LATEST' }), 'StartingPosition is not valid for SQS event sources.');
    for (const [member, value] of Object.entries({
      ParallelizationFactor: 2,
      BisectBatchOnFunctionError: true,
      MaximumRetryAttempts: 1,
      MaximumRecordAgeInSeconds: 60,
      TumblingWindowInSeconds: 1,
      DestinationConfig: { OnFailure: { Destination: QUEUE } },
    })) {
      await invalid(
        create({ [member]: value }),
        `Unsupported ${member} parameter for given event source mapping type.`,
      );
    }
  });

  it('refuses sizes and windows that do not go together', async () => {
    await invalid(
      create({ BatchSize: 11 }),
      'Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10',
    );
    await invalid(
      create({ EventSourceArn: FIFO, MaximumBatchingWindowInSeconds: 1 }),
      'Batching window is not supported for FIFO queues',
    );
    await invalid(create({ EventSourceArn: FIFO, BatchSize: 11 }), /FIFO/);
    for (const input of [
      { BatchSize: 0 },
      { BatchSize: 10_001 },
      { MaximumBatchingWindowInSeconds: 301 },
      { MaximumBatchingWindowInSeconds: -1 },
      { ScalingConfig: { MaximumConcurrency: 1 } },
      { ScalingConfig: { MaximumConcurrency: 1001 } },
      { FunctionResponseTypes: ['Everything'] },
    ]) {
      await rejects(create(input), 'ValidationException');
    }
    await create({ BatchSize: 10_000, MaximumBatchingWindowInSeconds: 300 });
  });

  it('refuses filters that are none, and more than five', async () => {
    for (const Pattern of ['', 'x', '[]', '{"body":', '1']) {
      await invalid(create({ FilterCriteria: { Filters: [{ Pattern }] } }), 'Invalid filter pattern definition.');
    }
    const Filters = Array.from({ length: 6 }, (_, n) => ({ Pattern: `{"body":{"n":[${n}]}}` }));
    await invalid(create({ FilterCriteria: { Filters } }), /5 filters/);
    await create({ FilterCriteria: { Filters: Filters.slice(1) } });
  });

  it('wants messages hidden for as long as the function may take', async () => {
    world.queues.create(QUEUE, { visibilityTimeoutSeconds: 9 });
    await invalid(create(), 'Queue visibility timeout: 9 seconds is less than Function timeout: 10 seconds');
    world.queues.create(QUEUE, { visibilityTimeoutSeconds: 10 });
    await create();
  });

  it('refuses a second mapping of the same queue and function', async () => {
    const { UUID } = await create();
    await rejects(create({ FunctionName: arnOf('f') }), 'ResourceConflictException', {
      status: 409,
      message: `An event source mapping with SQS arn (" ${QUEUE} ") and function (" f ") already exists. Please update or delete the existing mapping with UUID ${UUID}`,
    });
    await world.create('g');
    await create({ FunctionName: 'g' });
    await create({ EventSourceArn: FIFO });
  });

  it('wants a role that may read the queue, when policies decide', async () => {
    await world.close();
    const allowed = new Set(['sqs:ReceiveMessage', 'sqs:DeleteMessage']);
    world = await LambdaFixture.start({
      enforce: true,
      roles: { assumableByLambda: async () => true },
      access: {
        allows: async ({ action, caller, resource }) =>
          allowed.has(action) && resource === QUEUE && caller.roleArn === ROLE,
      },
    });
    await world.create('f');
    world.queues.create(QUEUE);
    const message = 'The provided execution role does not have permissions to call GetQueueAttributes on SQS';
    await invalid(create(), message);
    allowed.add('sqs:GetQueueAttributes');
    const { UUID } = await create();
    await enabled(UUID);
    world.queues.send(QUEUE, 'a');
    await world.until(() => world.engine.invocations.length === 1);
    allowed.clear();
    world.clock.advance(30_000);
    world.queues.send(QUEUE, 'b');
    await world.until(() => world.engine.invocations.length === 2);
    await world.until(async () => /^PROBLEM: .* ReceiveMessage/.test(String((await get(UUID)).LastProcessingResult)));
    world.queues.send(QUEUE, 'c');
    await world.settle();
    assert.equal(world.engine.invocations.length, 2);
  });
});

describe('Lambda UpdateEventSourceMapping', () => {
  it('changes what it names, and leaves the rest', async () => {
    const { UUID } = await create({ BatchSize: 3, ScalingConfig: { MaximumConcurrency: 5 } });
    await world.create('g');
    const updated = await update(UUID, { FunctionName: 'g', FunctionResponseTypes: ['ReportBatchItemFailures'] });
    assert.equal(updated.State, 'Updating');
    await enabled(UUID);
    const shown = await get(UUID);
    assert.equal(shown.FunctionArn, arnOf('g'));
    assert.equal(shown.BatchSize, 3);
    assert.deepEqual(shown.FunctionResponseTypes, ['ReportBatchItemFailures']);
    assert.deepEqual(shown.ScalingConfig, { MaximumConcurrency: 5 });
    const cleared = await update(UUID, { ScalingConfig: {}, FunctionResponseTypes: [] });
    assert.equal(cleared.ScalingConfig, undefined);
    assert.deepEqual(cleared.FunctionResponseTypes, []);
  });

  it('checks as creation does', async () => {
    const { UUID } = await create();
    await invalid(update(UUID, { BatchSize: 11 }), /Maximum batch window/);
    await invalid(update(UUID, { FunctionName: 'none' }), 'Function does not exist');
    await invalid(update(UUID, { FilterCriteria: { Filters: [{ Pattern: 'x' }] } }), /filter pattern/);
    await world.create('slow', { Timeout: 31 });
    await invalid(update(UUID, { FunctionName: 'slow' }), /Queue visibility timeout: 30 seconds/);
    await world.create('g');
    await create({ FunctionName: 'g' });
    await rejects(update(UUID, { FunctionName: 'g' }), 'ResourceConflictException');
    assert.equal((await get(UUID)).BatchSize, 10);
  });
});

describe('Lambda ListEventSourceMappings', () => {
  it('pages, and finds by function and by source', async () => {
    await world.create('g');
    await create();
    await create({ EventSourceArn: FIFO });
    await create({ FunctionName: 'g' });
    const ids = (page: { EventSourceMappings: { UUID: string }[] }) => page.EventSourceMappings.map(({ UUID }) => UUID);
    const all = ids(await list());
    assert.equal(all.length, 3);
    const first = await list({ MaxItems: 2 });
    const second = await list({ MaxItems: 2, Marker: first.NextMarker });
    assert.deepEqual([...ids(first), ...ids(second)], all);
    assert.equal(second.NextMarker, undefined);
    assert.equal(ids(await list({ FunctionName: 'f' })).length, 2);
    assert.equal(ids(await list({ FunctionName: arnOf('g'), EventSourceArn: QUEUE })).length, 1);
    assert.deepEqual(ids(await list({ FunctionName: 'g', EventSourceArn: FIFO })), []);
    await rejects(list({ MaxItems: 0 }), 'ValidationException');
    const other = await world.call<{ EventSourceMappings: object[] }>(
      'ListEventSourceMappings',
      {},
      {
        account: '111111111111',
      },
    );
    assert.deepEqual(other.EventSourceMappings, []);
  });
});

describe('An event source mapping', () => {
  it('that is not there is told so', async () => {
    const UUID = '00000000-0000-4000-8000-000000000000';
    const options = { status: 404, message: 'The resource you requested does not exist.' };
    for (const operation of ['Get', 'Update', 'Delete']) {
      await rejects(world.call(`${operation}EventSourceMapping`, { UUID }), 'ResourceNotFoundException', options);
    }
  });

  it('carries tags', async () => {
    const { EventSourceMappingArn: Resource } = await create({ Tags: { team: 'tea' } });
    await world.call('TagResource', { Resource, Tags: { stage: 'test' } });
    await world.call('UntagResource', { Resource, TagKeys: ['team'] });
    assert.deepEqual(await world.call('ListTags', { Resource }), { Tags: { stage: 'test' } });
    await rejects(world.call('ListTags', { Resource: `${Resource}0` }), 'ResourceNotFoundException');
  });

  it('is asked about as the Service Authorization Reference says', async () => {
    const { EventSourceMappingArn: arn, UUID } = await create();
    const ask = (operation: string, input: object) =>
      world.lambda.authorization!(operation, input as never, { account: ACCOUNT, region: REGION, operation } as never);
    const conditions = { 'lambda:FunctionArn': [arnOf('f')] };
    assert.deepEqual(await ask('CreateEventSourceMapping', { FunctionName: 'f', EventSourceArn: QUEUE }), [
      { action: 'lambda:CreateEventSourceMapping', resource: '*', conditions },
    ]);
    assert.deepEqual(await ask('DeleteEventSourceMapping', { UUID }), [
      { action: 'lambda:DeleteEventSourceMapping', resource: arn, conditions },
    ]);
    // Who may change what reads for one function must not make another one read by it.
    const action = 'lambda:UpdateEventSourceMapping';
    assert.deepEqual(await ask('UpdateEventSourceMapping', { UUID, FunctionName: 'g' }), [
      { action, resource: arn, conditions },
      { action, resource: arn, conditions: { 'lambda:FunctionArn': [arnOf('g')] } },
    ]);
    assert.deepEqual(await ask('ListEventSourceMappings', { FunctionName: 'f' }), [
      { action: 'lambda:ListEventSourceMappings', resource: '*' },
    ]);
  });
});

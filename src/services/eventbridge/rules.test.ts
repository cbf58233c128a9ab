import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { RequestContext } from '../service.ts';
import {
  ACCOUNT,
  eventsArn,
  FUNCTION,
  LETTERS,
  QUEUE,
  REGION,
  ROLE,
  START,
  TestEventBridge,
} from './test-eventbridge.ts';

let test: TestEventBridge;
beforeEach(async () => {
  test = new TestEventBridge();
  await test.start();
});
afterEach(() => test.close());

const invalid = (message: string | RegExp) => ({ code: 'ValidationException', message });
const putRule = (Name: string, more: object = {}) =>
  test.call('PutRule', { Name, EventPattern: '{"source":["app"]}', ...more });
const names = (rules: readonly { Name: string }[]) => rules.map(({ Name }) => Name);

describe('EventBridge event buses', () => {
  it('are listed page by page, the default one among them', async () => {
    for (const Name of ['b', 'a', 'z']) await test.call('CreateEventBus', { Name });
    const first = await test.call('ListEventBuses', { Limit: 3 });
    assert.deepEqual(names(first.EventBuses), ['a', 'b', 'default']);
    const second = await test.call('ListEventBuses', { Limit: 3, NextToken: first.NextToken });
    assert.deepEqual(names(second.EventBuses), ['z']);
    assert.equal(second.NextToken, undefined);
    assert.deepEqual(names((await test.call('ListEventBuses', { NamePrefix: 'd' })).EventBuses), ['default']);
    await assert.rejects(test.call('ListEventBuses', { NextToken: 'x' }), { code: 'ValidationException' });
    await assert.rejects(test.call('ListEventBuses', { Limit: 0 }), { code: 'ValidationException' });
  });

  it('change, and go when they have no rules any more', async () => {
    await test.call('CreateEventBus', { Name: 'b', Description: 'one' });
    test.clock.advance(1000);
    assert.deepEqual(await test.call('UpdateEventBus', { Name: 'b', Description: 'two' }), {
      Arn: eventsArn('event-bus/b'),
      Name: 'b',
      Description: 'two',
    });
    await test.call('UpdateEventBus', { Name: 'b' });
    assert.deepEqual(await test.call('DescribeEventBus', { Name: eventsArn('event-bus/b') }), {
      Arn: eventsArn('event-bus/b'),
      Name: 'b',
      Description: 'two',
      Policy: undefined,
      CreationTime: new Date(START),
      LastModifiedTime: new Date(START + 1000),
    });
    await putRule('r', { EventBusName: 'b' });
    await assert.rejects(test.call('DeleteEventBus', { Name: 'b' }), invalid(/because it has rules/));
    await test.call('DeleteRule', { Name: 'r', EventBusName: 'b' });
    await test.call('DeleteEventBus', { Name: 'b' });
    // Deleting what is not there is fine.
    await test.call('DeleteEventBus', { Name: 'b' });
    await assert.rejects(test.call('DeleteEventBus', { Name: 'default' }), invalid('Cannot delete event bus default.'));
    await assert.rejects(test.call('DescribeEventBus', { Name: 'b' }), {
      code: 'ResourceNotFoundException',
      message: 'Event bus b does not exist.',
    });
  });

  it('are used as soon as they are made, and not when they were deleted', async () => {
    assert.match((await test.put({}, { EventBusName: 'b' })).EventId, /-/);
    await test.call('CreateEventBus', { Name: 'b' });
    await test.rule('r', { source: ['app'] }, {}, { EventBusName: 'b' });
    await test.put({}, { EventBusName: 'b' });
    assert.equal((await test.arrived()).length, 1);
    await test.call('RemoveTargets', { Rule: 'r', EventBusName: 'b', Ids: ['1'] });
    await test.call('DeleteRule', { Name: 'r', EventBusName: 'b' });
    await test.call('DeleteEventBus', { Name: 'b' });
    test.warnings.length = 0;
    await test.put({}, { EventBusName: 'b' });
    assert.equal(test.warnings.length, 1);
  });

  it('refuse by name what is not served', async () => {
    const create = (more: object) => test.call('CreateEventBus', { Name: 'b', ...more });
    for (const more of [
      { EventSourceName: 'aws.partner/x/y' },
      { KmsKeyIdentifier: 'alias/x' },
      { LogConfig: { Level: 'INFO' } },
      { DeadLetterConfig: { Arn: LETTERS } },
    ]) {
      await assert.rejects(create(more), { code: 'NotImplemented', status: 501 }, Object.keys(more)[0]);
    }
    await assert.rejects(create({ Name: 'a b' }), { code: 'ValidationException' });
    await create({ LogConfig: { Level: 'OFF' }, KmsKeyIdentifier: '' });
    await assert.rejects(create({}), {
      code: 'ResourceAlreadyExistsException',
      message: 'Event bus b already exists.',
    });
  });

  it('have permissions by statement, or a whole policy', async () => {
    const permit = (more: object) => test.call('PutPermission', more);
    const policy = async () => {
      const { Policy } = await test.call('DescribeEventBus');
      return Policy && JSON.parse(Policy).Statement;
    };
    const statement = { Action: 'events:PutEvents', Principal: '*', StatementId: 'org' };
    const Condition = { Type: 'StringEquals', Key: 'aws:PrincipalOrgID', Value: 'o-1234567890' };
    await permit({ ...statement, Condition });
    assert.deepEqual(await policy(), [
      {
        Sid: 'org',
        Effect: 'Allow',
        Principal: '*',
        Action: 'events:PutEvents',
        Resource: eventsArn('event-bus/default'),
        Condition: { StringEquals: { 'aws:PrincipalOrgID': 'o-1234567890' } },
      },
    ]);
    await permit({ ...statement, StatementId: 'two', Principal: '111122223333' });
    assert.equal((await policy()).length, 2);
    await test.call('RemovePermission', { StatementId: 'org' });
    assert.deepEqual(
      (await policy()).map(({ Sid }: { Sid: string }) => Sid),
      ['two'],
    );
    const whole = { Sid: 'w', Effect: 'Deny', Principal: '*', Action: 'events:*', Resource: '*' };
    await permit({ Policy: JSON.stringify({ Version: '2012-10-17', Statement: whole }) });
    assert.deepEqual(await policy(), whole);
    await test.call('RemovePermission', { RemoveAllPermissions: true });
    assert.equal(await policy(), undefined);
    await assert.rejects(test.call('RemovePermission', { StatementId: 'w' }), {
      code: 'ResourceNotFoundException',
      message: 'Statement with the provided id does not exist.',
    });
    for (const bad of [
      { ...statement, Principal: 'me' },
      { ...statement, Action: 'events:PutRule' },
      { ...statement, Condition: { ...Condition, Key: 'aws:SourceIp' } },
      { ...statement, StatementId: undefined },
      { Policy: '{' },
      { Policy: '{}' },
      { Policy: JSON.stringify({ Statement: [{ Effect: 'Allow', Action: 'events:PutEvents' }] }) },
      { Policy: JSON.stringify({ Statement: [{ ...whole, Action: 's3:GetObject' }] }) },
      { ...statement, Policy: JSON.stringify({ Statement: [whole] }) },
    ]) {
      await assert.rejects(permit(bad), { code: 'ValidationException' }, JSON.stringify(bad));
    }
    await assert.rejects(
      permit({ Policy: JSON.stringify({ Statement: [{ ...whole, Resource: 'x'.repeat(10_240) }] }) }),
      {
        code: 'PolicyLengthExceededException',
      },
    );
    await assert.rejects(permit({ ...statement, EventBusName: 'none' }), { code: 'ResourceNotFoundException' });
  });
});

describe('EventBridge rules', () => {
  it('are listed by prefix and page by page, on their own bus', async () => {
    await test.call('CreateEventBus', { Name: 'b' });
    for (const name of ['x-2', 'x-1', 'y-1', 'x-3']) await putRule(name);
    await putRule('x-4', { EventBusName: 'b' });
    const first = await test.call('ListRules', { NamePrefix: 'x', Limit: 2 });
    assert.deepEqual(names(first.Rules), ['x-1', 'x-2']);
    const second = await test.call('ListRules', { NamePrefix: 'x', Limit: 2, NextToken: first.NextToken });
    assert.deepEqual([names(second.Rules), second.NextToken], [['x-3'], undefined]);
    assert.deepEqual(names((await test.call('ListRules', { EventBusName: 'b' })).Rules), ['x-4']);
    await assert.rejects(test.call('ListRules', { EventBusName: 'none' }), { code: 'ResourceNotFoundException' });
  });

  it('are changed by PutRule, with their targets and tags kept', async () => {
    await test.rule('r', { source: ['app'] }, {}, { Tags: [{ Key: 'a', Value: '1' }] });
    await test.rule('r', { source: ['other'] }, {}, { State: 'DISABLED', Tags: [{ Key: 'b', Value: '2' }] });
    await test.put({}, { Source: 'other' });
    await test.call('EnableRule', { Name: 'r' });
    await test.put({}, { Source: 'app' });
    await test.put({ n: 1 }, { Source: 'other' });
    assert.deepEqual(
      (await test.arrived()).map(({ event }) => event.detail),
      [{ n: 1 }],
    );
    const ResourceARN = eventsArn('rule/r');
    assert.deepEqual((await test.call('ListTagsForResource', { ResourceARN })).Tags, [{ Key: 'a', Value: '1' }]);
    await test.call('TagResource', { ResourceARN, Tags: [{ Key: 'c', Value: '3' }] });
    await test.call('UntagResource', { ResourceARN, TagKeys: ['a'] });
    assert.deepEqual((await test.call('ListTagsForResource', { ResourceARN })).Tags, [{ Key: 'c', Value: '3' }]);
    await assert.rejects(test.call('TagResource', { ResourceARN: eventsArn('rule/none'), Tags: [] }), {
      code: 'ResourceNotFoundException',
    });
    await assert.rejects(test.call('TagResource', { ResourceARN: eventsArn('archive/a'), Tags: [] }), {
      code: 'ValidationException',
    });
    await assert.rejects(test.call('TagResource', { ResourceARN, Tags: [{ Key: 'aws:x', Value: '' }] }), {
      code: 'ValidationException',
    });
  });

  it('match in the next run as before', async () => {
    await test.rule('r', { source: ['app'] });
    await test.stop();
    await test.start();
    await test.put({ n: 1 });
    assert.equal((await test.arrived()).length, 1);
  });

  it('are 2,000 on a bus at most', async () => {
    const key = (name: string) => ['events', 'rule', ACCOUNT, REGION, 'default', name];
    await putRule('first');
    const record = (await test.store.get<object>(key('first')))!.value;
    for (let page = 0; page < 4; page += 1) {
      await test.store.transact(async (transaction) => {
        for (let n = 0; n < 500 && page * 500 + n < 1999; n += 1) transaction.put(key(`r${page * 500 + n}`), record);
      });
    }
    await assert.rejects(putRule('more'), {
      code: 'LimitExceededException',
      message: 'The requested resource exceeds the maximum number allowed.',
    });
    await putRule('first');
  });

  it('refuse what cannot be', async () => {
    await assert.rejects(putRule('a b'), invalid(/at 'name' failed to satisfy constraint/));
    await assert.rejects(putRule('x'.repeat(65)), invalid(/length less than or equal to 64/));
    await assert.rejects(putRule('r', { State: 'ON' }), invalid(/enum value set/));
    await assert.rejects(putRule('r', { State: 'ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS' }), {
      code: 'NotImplemented',
    });
    await assert.rejects(putRule('r', { EventPattern: '{"source":"app"}' }), (error: Error & { code: string }) => {
      assert.match(error.message, /^Event pattern is not valid\. Reason: /);
      return error.code === 'InvalidEventPatternException';
    });
    await assert.rejects(putRule('r', { EventPattern: `{"source":["${'x'.repeat(4096)}"]}` }), {
      code: 'InvalidEventPatternException',
    });
    await assert.rejects(putRule('r', { EventBusName: 'none' }), { code: 'ResourceNotFoundException' });
    await assert.rejects(putRule('r', { EventBusName: eventsArn('event-bus/default', '111122223333') }), {
      code: 'NotImplemented',
    });
    for (const operation of ['DescribeRule', 'EnableRule', 'DisableRule']) {
      await assert.rejects(test.call(operation, { Name: 'none' }), {
        code: 'ResourceNotFoundException',
        message: 'Rule none does not exist on EventBus default.',
      });
    }
    // Deleting what is not there is fine.
    await test.call('DeleteRule', { Name: 'none' });
  });
});

describe('EventBridge PutTargets', () => {
  const putTargets = (...Targets: object[]) => test.call('PutTargets', { Rule: 'r', Targets });
  beforeEach(() => putRule('r'));

  it('adds and replaces by id, up to 5', async () => {
    await putTargets(...[1, 2, 3, 4, 5].map((n) => ({ Id: `t${n}`, Arn: QUEUE })));
    await putTargets({ Id: 't5', Arn: FUNCTION });
    await assert.rejects(putTargets({ Id: 't6', Arn: QUEUE }), { code: 'LimitExceededException' });
    const first = await test.call('ListTargetsByRule', { Rule: 'r', Limit: 3 });
    assert.deepEqual(
      first.Targets.map(({ Id }: { Id: string }) => Id),
      ['t1', 't2', 't3'],
    );
    const { Targets } = await test.call('ListTargetsByRule', { Rule: 'r', NextToken: first.NextToken });
    assert.deepEqual(Targets, [
      { Id: 't4', Arn: QUEUE },
      { Id: 't5', Arn: FUNCTION },
    ]);
    const { FailedEntries, FailedEntryCount } = await test.call('RemoveTargets', { Rule: 'r', Ids: ['t1', 'none'] });
    assert.equal(FailedEntryCount, 1);
    assert.equal(FailedEntries[0].ErrorCode, 'ResourceNotFoundException');
    assert.equal((await test.call('ListTargetsByRule', { Rule: 'r' })).Targets.length, 4);
  });

  it('refuses kinds that are not served, by name', async () => {
    const arns = {
      batch: 'job-queue/q',
      codebuild: 'project/p',
      ecs: 'cluster/c',
      firehose: 'deliverystream/d',
      kinesis: 'stream/s',
      redshift: 'cluster:c',
      s3: 'bucket',
      states: 'stateMachine:s',
    };
    for (const [service, resource] of Object.entries(arns)) {
      const target = { Id: '1', Arn: `arn:aws:${service}:${REGION}:${ACCOUNT}:${resource}`, RoleArn: ROLE };
      await assert.rejects(putTargets(target), (error: Error & { code: string }) => {
        assert.ok(error.message.startsWith(`A target of ${service} (`), error.message);
        return error.code === 'NotImplemented';
      });
    }
    for (const member of [
      'AppSyncParameters',
      'BatchParameters',
      'EcsParameters',
      'KinesisParameters',
      'RedshiftDataParameters',
      'RunCommandParameters',
      'SageMakerPipelineParameters',
    ]) {
      await assert.rejects(putTargets({ Id: '1', Arn: FUNCTION, [member]: {} }), {
        code: 'NotImplemented',
        message: new RegExp(`^${member} is not supported`),
      });
    }
  });

  it('refuses what cannot be, and then adds nothing', async () => {
    const good = { Id: 'good', Arn: QUEUE };
    const target = { Id: '1', Arn: QUEUE };
    const transformer = (InputTemplate: string, InputPathsMap: object = {}) => ({
      InputTransformer: { InputTemplate, InputPathsMap },
    });
    for (const [more, message] of [
      [{ Id: 'a b' }, /targets\.2\.member\.id/],
      [{ Arn: 'queue' }, 'Parameter Arn is not valid. Reason: Provided Arn is not in correct format.'],
      [{ Arn: `${QUEUE}/x` }, 'Parameter Arn is not valid. Reason: Provided Arn is not in correct format.'],
      [{ Arn: `${QUEUE}.fifo` }, 'Parameter(s) MessageGroupId must be specified for target: 1.'],
      [{ Arn: FUNCTION, SqsParameters: { MessageGroupId: 'g' } }, /SqsParameters not supported for target: 1/],
      [{ HttpParameters: {} }, /HttpParameters not supported for target: 1/],
      [{ Input: '{' }, /target 1/],
      [{ InputPath: 'detail' }, /target 1/],
      [
        { Input: '1', InputPath: '$' },
        'Only one of Input, InputPath, or InputTransformer must be provided for target 1.',
      ],
      [transformer('<x>'), /target 1/],
      [transformer('<x>', { x: 'detail' }), /target 1/],
      [{ RetryPolicy: { MaximumRetryAttempts: 186 } }, /less than or equal to 185/],
      [{ RetryPolicy: { MaximumEventAgeInSeconds: 59 } }, /greater than or equal to 60/],
      [{ RetryPolicy: { MaximumEventAgeInSeconds: 86_401 } }, /less than or equal to 86400/],
      [{ DeadLetterConfig: { Arn: `${LETTERS}.fifo` } }, /standard queue/],
      [{ DeadLetterConfig: { Arn: FUNCTION } }, /DeadLetterConfig\.Arn/],
      [{ RoleArn: 'role' }, /RoleArn/],
      [
        { Arn: `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:g`, RoleArn: ROLE },
        `RoleArn is not supported for target arn:aws:logs:${REGION}:${ACCOUNT}:log-group:g.`,
      ],
      [
        { Arn: eventsArn('api-destination/d/1') },
        `RoleArn is required for target ${eventsArn('api-destination/d/1')}.`,
      ],
      [
        { Arn: eventsArn('event-bus/b', '111122223333') },
        `RoleArn is required for target ${eventsArn('event-bus/b', '111122223333')}.`,
      ],
    ] as const) {
      await assert.rejects(putTargets(good, { ...target, ...more }), invalid(message), JSON.stringify(more));
    }
    await assert.rejects(test.call('PutTargets', { Rule: 'none', Targets: [target] }), {
      code: 'ResourceNotFoundException',
      message: 'Rule none does not exist on EventBus default.',
    });
    assert.deepEqual((await test.call('ListTargetsByRule', { Rule: 'r' })).Targets, []);
  });
});

describe('EventBridge TestEventPattern', () => {
  it('wants a whole event', async () => {
    const Event = JSON.stringify({
      id: '1',
      account: '1',
      source: 's',
      time: 't',
      region: 'r',
      resources: [],
      'detail-type': 't',
    });
    const call = (more: object) => test.call('TestEventPattern', { EventPattern: '{"source":["s"]}', Event, ...more });
    assert.deepEqual(await call({}), { Result: true });
    assert.deepEqual(await call({ EventPattern: '{"source":["x"]}' }), { Result: false });
    await assert.rejects(call({ EventPattern: '{' }), { code: 'InvalidEventPatternException' });
    await assert.rejects(
      call({ Event: '{"source":"s"}' }),
      invalid(/it has no id, account, time, region, resources, detail-type/),
    );
    await assert.rejects(call({ Event: '[]' }), { code: 'ValidationException' });
    await assert.rejects(call({ Event: '{' }), { code: 'ValidationException' });
  });
});

describe('EventBridge authorization', () => {
  const questions = (operation: string, input: object, account = ACCOUNT) =>
    test.eventbridge.service.authorization!(operation, input as never, { account, region: REGION } as RequestContext);

  it('asks the policy of the bus about another account, for each source and detail type', async () => {
    const Policy = JSON.stringify({
      Statement: [{ Effect: 'Allow', Principal: { AWS: '111122223333' }, Action: 'events:PutEvents', Resource: '*' }],
    });
    await test.call('PutPermission', { Policy });
    const resource = eventsArn('event-bus/default');
    const entry = { Source: 'app', DetailType: 'T', EventBusName: resource };
    const Entries = [entry, entry, { ...entry, DetailType: 'U' }];
    const question = (detailType: string) => ({
      action: 'events:PutEvents',
      resource,
      resourceAccount: ACCOUNT,
      resourcePolicy: Policy,
      conditions: {
        'events:source': ['app'],
        'events:detail-type': [detailType],
        'events:eventBusInvocation': ['false'],
      },
    });
    assert.deepEqual(await questions('PutEvents', { Entries }, '111122223333'), [question('T'), question('U')]);
  });

  it('asks about the rule, its targets, and the roles that are handed over', async () => {
    const Targets = [{ Id: '1', Arn: QUEUE, RoleArn: ROLE }];
    assert.deepEqual(await questions('PutTargets', { Rule: 'r', EventBusName: 'b', Targets }), [
      {
        action: 'events:PutTargets',
        resource: eventsArn('rule/b/r'),
        conditions: { 'events:creatorAccount': [ACCOUNT], 'events:TargetArn': [QUEUE] },
      },
      { action: 'iam:PassRole', resource: ROLE, conditions: { 'iam:PassedToService': ['events.amazonaws.com'] } },
    ]);
  });
});

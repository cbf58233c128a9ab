import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { BUS, FUNCTION, QUEUE, ROLE, START, TestScheduler, TOPIC } from './test-scheduler.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const at = (ms: number): Date => new Date(START + ms);

let world: TestScheduler;
beforeEach(async () => {
  world = new TestScheduler();
  await world.start();
});
afterEach(() => world.close());

describe('Scheduler CreateSchedule', () => {
  it('fills in the defaults that GetSchedule then tells', async () => {
    const made = await world.create('nightly', 'cron(0 2 * * ? *)');
    const arn = 'arn:aws:scheduler:us-east-1:000000000000:schedule/default/nightly';
    assert.deepEqual(made, { ScheduleArn: arn });
    assert.deepEqual(await world.call('GetSchedule', { Name: 'nightly' }), {
      ActionAfterCompletion: 'NONE',
      Arn: arn,
      CreationDate: at(0),
      Description: undefined,
      EndDate: undefined,
      FlexibleTimeWindow: { Mode: 'OFF' },
      GroupName: 'default',
      LastModificationDate: at(0),
      Name: 'nightly',
      ScheduleExpression: 'cron(0 2 * * ? *)',
      ScheduleExpressionTimezone: 'UTC',
      StartDate: undefined,
      State: 'ENABLED',
      Target: {
        Arn: QUEUE,
        RoleArn: ROLE,
        Input: 'nightly',
        RetryPolicy: { MaximumEventAgeInSeconds: 86400, MaximumRetryAttempts: 185 },
      },
    });
  });

  it('keeps all that it is told', async () => {
    const settings = {
      Description: 'once a day',
      StartDate: at(HOUR),
      EndDate: at(48 * HOUR),
      ScheduleExpressionTimezone: 'Europe/Berlin',
      State: 'DISABLED',
      FlexibleTimeWindow: { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 15 },
      ActionAfterCompletion: 'DELETE',
    };
    const target = {
      Arn: BUS,
      Input: '{"a":1}',
      DeadLetterConfig: { Arn: `${QUEUE}-dead` },
      RetryPolicy: { MaximumEventAgeInSeconds: 60, MaximumRetryAttempts: 0 },
      EventBridgeParameters: { DetailType: 'tick', Source: 'clock' },
    };
    await world.create('all', 'rate(1 hours)', settings, target);
    const found = await world.call('GetSchedule', { Name: 'all' });
    for (const [member, value] of Object.entries(settings)) assert.deepEqual(found[member], value, member);
    assert.deepEqual(found.Target, { ...target, RoleArn: ROLE });
  });

  it('refuses a name that is taken, but not the same request again', async () => {
    await world.create('once', 'rate(1 day)', { ClientToken: 'abc' });
    await world.create('once', 'rate(1 day)', { ClientToken: 'abc' });
    const taken = {
      name: 'ServiceError',
      code: 'ConflictException',
      status: 409,
      message: 'Schedule once already exists.',
    };
    await assert.rejects(world.create('once', 'rate(2 days)', { ClientToken: 'abc' }), taken);
    await assert.rejects(world.create('once', 'rate(1 day)', { ClientToken: 'other' }), taken);
    await assert.rejects(world.create('once', 'rate(1 day)'), taken);
  });

  it('refuses expressions and time zones that are none, and times that have passed', async () => {
    const refused = (expression: string, message: RegExp, more: object = {}) =>
      assert.rejects(world.create('x', expression, more), { code: 'ValidationException', message });
    await refused('0 2 * * *', /^Invalid Schedule Expression 0 2 \* \* \*\. .*write cron\(0 2 \* \* \? \*\)\)$/);
    await refused('cron(0 2 * * * *)', /^Invalid Schedule Expression cron\(0 2 \* \* \* \*\)\./);
    await refused('rate(0 minutes)', /^Invalid Schedule Expression rate\(0 minutes\)\./);
    await refused('at(2026-01-01T09:58:59)', /^Invalid Schedule Expression at\(2026-01-01T09:58:59\)\./);
    await refused('at(2026-03-29T02:30:00)', /^Invalid Schedule Expression/, {
      ScheduleExpressionTimezone: 'Europe/Berlin',
    });
    await refused('rate(1 day)', /^Invalid Schedule Expression Timezone Mars\/Base/, {
      ScheduleExpressionTimezone: 'Mars/Base',
    });
    await refused('', /'scheduleExpression' failed to satisfy constraint: Member must have length between 1 and 256/);
  });

  it('refuses dates that contradict each other', async () => {
    const refused = (more: object, message: RegExp) =>
      assert.rejects(world.create('x', 'rate(1 day)', more), { code: 'ValidationException', message });
    await refused({ StartDate: at(-6 * MINUTE) }, /^The StartDate you specify cannot be earlier than 5 minutes ago\.$/);
    await refused({ EndDate: at(0) }, /^The EndDate you specify must be later than the current time/);
    await refused({ StartDate: at(2 * HOUR), EndDate: at(HOUR) }, /later than the StartDate/);
    await world.create('late', 'rate(1 day)', { StartDate: at(-4 * MINUTE) });
    // One-time schedules ignore both.
    await world.create('once', 'at(2026-01-02T00:00:00)', { StartDate: at(-HOUR), EndDate: at(-HOUR) });
  });

  it('refuses flexible windows out of bounds', async () => {
    const refused = (FlexibleTimeWindow: object, message: RegExp) =>
      assert.rejects(world.create('x', 'rate(1 day)', { FlexibleTimeWindow }), {
        code: 'ValidationException',
        message,
      });
    await refused({ Mode: 'FLEXIBLE' }, /'flexibleTimeWindow.maximumWindowInMinutes' failed/);
    await refused({ Mode: 'FLEXIBLE', MaximumWindowInMinutes: 0 }, /between 1 and 1440/);
    await refused({ Mode: 'FLEXIBLE', MaximumWindowInMinutes: 1441 }, /between 1 and 1440/);
    await refused({ Mode: 'OFF', MaximumWindowInMinutes: 5 }, /mode of the flexible time window is OFF/);
    await refused({ Mode: 'SOMETIMES' }, /enum value set: \[OFF, FLEXIBLE\]/);
  });

  it('refuses names, tokens and enumerations out of bounds', async () => {
    const refused = (more: object, message: RegExp) =>
      assert.rejects(world.create('x', 'rate(1 day)', more), { code: 'ValidationException', message });
    await refused({ Name: 'a b' }, /'name' failed to satisfy constraint/);
    await refused({ Name: 'a'.repeat(65) }, /length between 1 and 64/);
    await refused({ GroupName: 'a/b' }, /'groupName' failed/);
    await refused({ ClientToken: 'ä' }, /'clientToken' failed/);
    await refused({ State: 'PAUSED' }, /enum value set: \[ENABLED, DISABLED\]/);
    await refused({ ActionAfterCompletion: 'KEEP' }, /enum value set: \[NONE, DELETE\]/);
    await refused({ Description: 'd'.repeat(513) }, /between 0 and 512/);
    await assert.rejects(world.create('x', 'rate(1 day)', { GroupName: 'nowhere' }), {
      code: 'ResourceNotFoundException',
      status: 404,
      message: 'Schedule group nowhere does not exist.',
    });
    await assert.rejects(world.create('x', 'rate(1 day)', { KmsKeyArn: 'arn:aws:kms:us-east-1:000000000000:key/k' }), {
      code: 'NotImplemented',
      message: /^KmsKeyArn is not supported/,
    });
  });

  it('refuses by name what is not served as a target', async () => {
    const refused = (target: object, message: RegExp) =>
      assert.rejects(world.create('x', 'rate(1 day)', {}, target), { code: 'NotImplemented', status: 501, message });
    await refused(
      { Arn: 'arn:aws:scheduler:::aws-sdk:sqs:sendMessage' },
      /^The universal target arn:aws:scheduler:::aws-sdk:sqs:sendMessage is not supported\. Use the ARN of a Lambda function/,
    );
    await refused({ Arn: 'arn:aws:states:us-east-1:000000000000:stateMachine:m' }, /^A target of states/);
    await refused(
      { Arn: 'arn:aws:kinesis:us-east-1:000000000000:stream/s', KinesisParameters: { PartitionKey: 'p' } },
      /^A target of kinesis/,
    );
    await refused({ KinesisParameters: { PartitionKey: 'p' } }, /^KinesisParameters is not supported/);
    await refused({ EcsParameters: { TaskDefinitionArn: 'a' } }, /^EcsParameters is not supported/);
    await refused({ SageMakerPipelineParameters: {} }, /^SageMakerPipelineParameters is not supported/);
  });

  it('refuses targets that are malformed or contradict themselves', async () => {
    const refused = (target: object, message: RegExp) =>
      assert.rejects(world.create('x', 'rate(1 day)', {}, target), { code: 'ValidationException', message });
    await refused({ Arn: 'queue' }, /^Provided Arn is not in correct format/);
    await refused({ Arn: 'arn:aws:lambda:us-east-1:000000000000:layer:l' }, /^Provided Arn is not in correct format/);
    await refused({ RoleArn: 'arn:aws:iam::000000000000:user/u' }, /^Provided RoleArn is not in correct format/);
    await refused({ Arn: FUNCTION, Input: 'not json' }, /^Invalid RequestJson provided\. Reason: /);
    await refused({ Input: 'x'.repeat(256 * 1024 + 1) }, /'target.input' failed/);
    await refused({ Arn: BUS }, /^EventBridgeParameters .* are required/);
    await refused(
      { Arn: BUS, EventBridgeParameters: { DetailType: 'd', Source: 'aws.s3' } },
      /cannot begin with aws\./,
    );
    await refused({ EventBridgeParameters: { DetailType: 'd', Source: 's' } }, /^EventBridgeParameters go with/);
    await refused({ Arn: TOPIC, SqsParameters: { MessageGroupId: 'g' } }, /^SqsParameters go with/);
    await refused({ Arn: `${QUEUE}.fifo` }, /^SqsParameters with a MessageGroupId are required/);
    await refused({ DeadLetterConfig: { Arn: `${QUEUE}.fifo` } }, /^A FIFO queue cannot be the dead-letter queue/);
    await refused({ DeadLetterConfig: { Arn: TOPIC } }, /^The dead-letter queue is the ARN of an Amazon SQS queue/);
    await refused({ RetryPolicy: { MaximumRetryAttempts: 186 } }, /between 0 and 185/);
    await refused({ RetryPolicy: { MaximumEventAgeInSeconds: 59 } }, /between 60 and 86400/);
    await refused({ RetryPolicy: { MaximumEventAgeInSeconds: 86_401 } }, /between 60 and 86400/);
  });

  it('takes only a role that trusts it', async () => {
    const asked: object[] = [];
    world.allows = async ({ caller }) => {
      asked.push(caller);
      return false;
    };
    const refused = {
      code: 'ValidationException',
      message: 'The execution role you provide must allow AWS EventBridge Scheduler to assume the role.',
    };
    await assert.rejects(world.create('x', 'rate(1 day)'), refused);
    assert.deepEqual(asked, [
      {
        service: 'scheduler.amazonaws.com',
        sourceArn: 'arn:aws:scheduler:us-east-1:000000000000:schedule-group/default',
        sourceAccount: '000000000000',
        roleArn: ROLE,
      },
    ]);
    await assert.rejects(world.call('GetSchedule', { Name: 'x' }), { code: 'ResourceNotFoundException' });
  });
});

describe('Scheduler UpdateSchedule', () => {
  const update = (Name: string, ScheduleExpression: string, more: object = {}) =>
    world.call('UpdateSchedule', {
      Name,
      ScheduleExpression,
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: { Arn: TOPIC, RoleArn: ROLE },
      ...more,
    });

  it('replaces everything, with defaults for what is not told', async () => {
    await world.create('s', 'rate(1 day)', { Description: 'old', State: 'DISABLED', EndDate: at(HOUR) });
    await world.advance(MINUTE);
    await update('s', 'rate(2 days)');
    const found = await world.call('GetSchedule', { Name: 's' });
    assert.deepEqual(
      [found.Description, found.State, found.EndDate, found.ScheduleExpression, found.Target.Arn, found.Target.Input],
      [undefined, 'ENABLED', undefined, 'rate(2 days)', TOPIC, undefined],
    );
    assert.deepEqual([found.CreationDate, found.LastModificationDate], [at(0), at(MINUTE)]);
  });

  it('moves the schedule to its new times', async () => {
    await world.create('s', 'at(2026-01-01T11:00:00)');
    await update('s', 'at(2026-01-01T12:00:00)');
    await world.advance(HOUR);
    assert.equal(world.arrivals.length, 0);
    await world.advance(HOUR);
    assert.deepEqual(
      world.arrivals.map(({ at: time }) => time),
      ['12:00:00'],
    );
  });

  it('lets a rate go on as it was counted, unless it is another one', async () => {
    await world.create('s', 'rate(10 minutes)');
    await world.advance(15 * MINUTE);
    assert.equal(world.arrivals.length, 2);
    await update('s', 'rate(10 minutes)');
    await world.advance(4 * MINUTE);
    assert.equal(world.arrivals.length, 2);
    await world.advance(MINUTE);
    assert.equal(world.arrivals.length, 3);
    await world.advance(MINUTE);
    await update('s', 'rate(5 minutes)');
    await world.settle();
    assert.equal(world.arrivals.length, 4, 'another rate begins at once');
  });

  it('does not lose what is due at the moment of the change', async () => {
    await world.create('s', 'rate(1 minute)');
    await world.settle();
    // It comes due after the request was checked, and before its change is written.
    world.allows = async () => {
      world.clock.advance(MINUTE);
      return true;
    };
    await update('s', 'rate(1 minute)', { Description: 'changed' });
    await world.settle();
    assert.equal(world.arrivals.length, 2);
  });

  it('stops a disabled schedule and goes on with an enabled one', async () => {
    await world.create('s', 'rate(1 minute)');
    await world.settle();
    await update('s', 'rate(1 minute)', { State: 'DISABLED' });
    await world.advance(10 * MINUTE);
    assert.equal(world.arrivals.length, 1);
    await update('s', 'rate(1 minute)', { State: 'ENABLED' });
    await world.advance(MINUTE);
    assert.equal(world.arrivals.length, 2, 'what was missed while it was disabled stays missed');
  });

  it('does not hold against it what was accepted before', async () => {
    await world.create('once', 'at(2026-01-01T11:00:00)');
    await world.create('often', 'rate(1 hour)', { StartDate: at(0), EndDate: at(2 * HOUR) });
    await world.advance(3 * HOUR);
    await update('once', 'at(2026-01-01T11:00:00)', { Description: 'done' });
    await update('often', 'rate(1 hour)', { StartDate: at(0), EndDate: at(2 * HOUR) });
    await assert.rejects(update('once', 'at(2026-01-01T12:00:00)'), { code: 'ValidationException' });
  });

  it('refuses schedules and groups that are not there', async () => {
    await assert.rejects(update('x', 'rate(1 day)'), {
      code: 'ResourceNotFoundException',
      message: 'Schedule x does not exist.',
    });
    await assert.rejects(update('x', 'rate(1 day)', { GroupName: 'g' }), {
      code: 'ResourceNotFoundException',
      message: 'Schedule group g does not exist.',
    });
  });
});

describe('Scheduler DeleteSchedule', () => {
  it('takes the schedule away with its next time', async () => {
    await world.create('s', 'at(2026-01-01T11:00:00)');
    await world.call('DeleteSchedule', { Name: 's' });
    await world.advance(2 * HOUR);
    assert.equal(world.arrivals.length, 0);
    const gone = { code: 'ResourceNotFoundException', status: 404, message: 'Schedule s does not exist.' };
    await assert.rejects(world.call('GetSchedule', { Name: 's' }), gone);
    await assert.rejects(world.call('DeleteSchedule', { Name: 's' }), gone);
  });

  it('succeeds again with the same token, for an hour', async () => {
    await world.create('s', 'rate(1 day)', { State: 'DISABLED' });
    await world.call('DeleteSchedule', { Name: 's', ClientToken: 't' });
    await world.call('DeleteSchedule', { Name: 's', ClientToken: 't' });
    await assert.rejects(world.call('DeleteSchedule', { Name: 'other', ClientToken: 't' }), {
      code: 'ResourceNotFoundException',
    });
    await world.advance(HOUR + 1);
    await world.create('another', 'rate(1 day)', { State: 'DISABLED' });
    await world.call('DeleteSchedule', { Name: 'another' });
    assert.equal((await world.store.range({ prefix: ['scheduler', 'deletion'] })).length, 0);
  });
});

describe('Scheduler ListSchedules', () => {
  beforeEach(async () => {
    await world.call('CreateScheduleGroup', { Name: 'zoo' });
    for (const name of ['bat', 'ant', 'bee']) await world.create(name, 'rate(1 day)', { State: 'DISABLED' });
    await world.create('bear', 'rate(1 day)', { GroupName: 'zoo', StartDate: at(HOUR) });
  });
  const names = async (input: object) =>
    (await world.call('ListSchedules', input)).Schedules.map(
      ({ GroupName, Name }: { GroupName: string; Name: string }) => `${GroupName}/${Name}`,
    );

  it('lists by group, prefix and state', async () => {
    assert.deepEqual(await names({}), ['default/ant', 'default/bat', 'default/bee', 'zoo/bear']);
    assert.deepEqual(await names({ GroupName: 'zoo' }), ['zoo/bear']);
    assert.deepEqual(await names({ NamePrefix: 'be' }), ['default/bee', 'zoo/bear']);
    assert.deepEqual(await names({ State: 'ENABLED' }), ['zoo/bear']);
    assert.deepEqual(await names({ GroupName: 'default', NamePrefix: 'x' }), []);
    const { Schedules } = await world.call('ListSchedules', { GroupName: 'zoo' });
    assert.deepEqual(Schedules, [
      {
        Arn: 'arn:aws:scheduler:us-east-1:000000000000:schedule/zoo/bear',
        CreationDate: at(0),
        GroupName: 'zoo',
        LastModificationDate: at(0),
        Name: 'bear',
        State: 'ENABLED',
        Target: { Arn: QUEUE },
      },
    ]);
  });

  it('gives pages that follow each other', async () => {
    const seen: string[] = [];
    let NextToken: string | undefined;
    do {
      const page = await world.call('ListSchedules', { MaxResults: 3, NextToken });
      seen.push(...page.Schedules.map(({ Name }: { Name: string }) => Name));
      NextToken = page.NextToken;
    } while (NextToken !== undefined);
    assert.deepEqual(seen, ['ant', 'bat', 'bee', 'bear']);
    assert.equal((await world.call('ListSchedules', { MaxResults: 4 })).NextToken, undefined);
  });

  it('keeps accounts and regions apart', async () => {
    assert.deepEqual((await world.call('ListSchedules', {}, { region: 'eu-west-1' })).Schedules, []);
    assert.deepEqual((await world.call('ListSchedules', {}, { account: '111111111111' })).Schedules, []);
  });

  it('refuses what it cannot read', async () => {
    for (const input of [
      { MaxResults: 0 },
      { MaxResults: 101 },
      { NextToken: 'x' },
      { State: 'ON' },
      { NamePrefix: '*' },
    ]) {
      await assert.rejects(world.call('ListSchedules', input), { code: 'ValidationException' }, JSON.stringify(input));
    }
    await assert.rejects(world.call('ListSchedules', { GroupName: 'none' }), { code: 'ResourceNotFoundException' });
  });
});

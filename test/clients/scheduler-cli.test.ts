import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type RunningKobune, runKobune, withoutBoto3, withoutCli } from '../support/running-kobune.ts';

const ROLE = 'arn:aws:iam::000000000000:role/invoker';
const QUEUE = 'arn:aws:sqs:us-east-1:000000000000:q';

let server: RunningKobune;
before(async () => {
  server = await runKobune();
});
after(() => server[Symbol.asyncDispose]());

describe('Scheduler by the AWS CLI', { skip: withoutCli }, () => {
  const aws = (...args: string[]) => server.cliJson(['scheduler', ...args]);
  const target = JSON.stringify({ Arn: QUEUE, RoleArn: ROLE, Input: 'hello' });

  it('makes, changes, lists and deletes', async () => {
    await aws('create-schedule-group', '--name', 'cli', '--tags', 'Key=team,Value=a');
    const common = ['--flexible-time-window', 'Mode=OFF', '--target', target, '--group-name', 'cli'];
    const made = await aws(
      'create-schedule',
      '--name',
      's',
      '--schedule-expression',
      'cron(0 2 * * ? *)',
      ...common,
      '--start-date',
      '2099-01-01T00:00:00Z',
    );
    assert.deepEqual(made, { ScheduleArn: 'arn:aws:scheduler:us-east-1:000000000000:schedule/cli/s' });
    const update = ['update-schedule', '--name', 's', '--schedule-expression', 'rate(1 hours)', '--state', 'DISABLED'];
    await aws(
      ...update,
      '--flexible-time-window',
      'Mode=FLEXIBLE,MaximumWindowInMinutes=5',
      '--target',
      target,
      '--group-name',
      'cli',
    );
    const found = await aws('get-schedule', '--name', 's', '--group-name', 'cli');
    assert.deepEqual(
      [found.ScheduleExpression, found.State, found.FlexibleTimeWindow, found.StartDate],
      ['rate(1 hours)', 'DISABLED', { MaximumWindowInMinutes: 5, Mode: 'FLEXIBLE' }, undefined],
    );
    assert.match(found.CreationDate, /^\d{4}-\d\d-\d\dT/);
    const { Schedules } = await aws('list-schedules', '--name-prefix', 's', '--state', 'DISABLED');
    assert.deepEqual(
      Schedules.map(({ Name }: { Name: string }) => Name),
      ['s'],
    );
    const group = 'arn:aws:scheduler:us-east-1:000000000000:schedule-group/cli';
    assert.deepEqual(await aws('list-tags-for-resource', '--resource-arn', group), {
      Tags: [{ Key: 'team', Value: 'a' }],
    });
    await aws('delete-schedule', '--name', 's', '--group-name', 'cli');
    await aws('delete-schedule-group', '--name', 'cli');
    await assert.rejects(
      aws('get-schedule-group', '--name', 'cli'),
      /ResourceNotFoundException.*Schedule group cli does not exist/s,
    );
    await assert.rejects(
      aws(
        'create-schedule',
        '--name',
        'u',
        '--schedule-expression',
        '0 2 * * *',
        '--flexible-time-window',
        'Mode=OFF',
        '--target',
        target,
      ),
      /ValidationException.*Invalid Schedule Expression 0 2 \* \* \*.*write cron\(0 2 \* \* \? \*\)/s,
    );
  });
});

describe('Scheduler by boto3', { skip: withoutBoto3 }, () => {
  it('makes, changes, lists and deletes', async () => {
    const output = await server.boto3(`
from datetime import datetime, timezone, timedelta
s = client("scheduler")
s.create_schedule_group(Name="boto", Tags=[{"Key": "team", "Value": "a"}])
common = dict(GroupName="boto", FlexibleTimeWindow={"Mode": "OFF"},
  Target={"Arn": "${QUEUE}", "RoleArn": "${ROLE}", "RetryPolicy": {"MaximumRetryAttempts": 3}})
start = datetime(2099, 1, 1, tzinfo=timezone.utc)
arn = s.create_schedule(Name="s", ScheduleExpression="at(2099-01-01T00:00:00)", ScheduleExpressionTimezone="Asia/Tokyo", ClientToken="t", **common)["ScheduleArn"]
assert s.create_schedule(Name="s", ScheduleExpression="at(2099-01-01T00:00:00)", ScheduleExpressionTimezone="Asia/Tokyo", ClientToken="t", **common)["ScheduleArn"] == arn
s.update_schedule(Name="s", ScheduleExpression="rate(5 minutes)", StartDate=start, EndDate=start + timedelta(days=1), **common)
found = s.get_schedule(Name="s", GroupName="boto")
assert found["StartDate"] == start, found
assert found["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 3}, found
for number in range(5):
    s.create_schedule(Name="n%d" % number, ScheduleExpression="rate(1 day)", State="DISABLED", **common)
pages = s.get_paginator("list_schedules").paginate(GroupName="boto", PaginationConfig={"PageSize": 2})
names = [x["Name"] for page in pages for x in page["Schedules"]]
s.tag_resource(ResourceArn="arn:aws:scheduler:us-east-1:000000000000:schedule-group/boto", Tags=[{"Key": "k", "Value": "v"}])
assert len(s.list_tags_for_resource(ResourceArn="arn:aws:scheduler:us-east-1:000000000000:schedule-group/boto")["Tags"]) == 2
s.delete_schedule(Name="s", GroupName="boto", ClientToken="d")
s.delete_schedule(Name="s", GroupName="boto", ClientToken="d")
s.delete_schedule_group(Name="boto")
for call in [lambda: s.get_schedule(Name="s", GroupName="boto"), lambda: s.delete_schedule(Name="s")]:
    try:
        call()
        assert False
    except s.exceptions.ResourceNotFoundException as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 404
try:
    s.create_schedule(Name="x", ScheduleExpression="rate(1 day)", FlexibleTimeWindow={"Mode": "OFF"}, Target={"Arn": "arn:aws:states:us-east-1:000000000000:stateMachine:m", "RoleArn": "${ROLE}"})
    assert False
except ClientError as error:
    assert error.response["Error"]["Code"] == "NotImplemented", error
print(names)
`);
    assert.equal(output, "['n0', 'n1', 'n2', 'n3', 'n4', 's']");
  });
});

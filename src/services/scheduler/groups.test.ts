import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { START, TestScheduler } from './test-scheduler.ts';

const arnOf = (name: string): string => `arn:aws:scheduler:us-east-1:000000000000:schedule-group/${name}`;

let world: TestScheduler;
beforeEach(async () => {
  world = new TestScheduler();
  await world.start();
});
afterEach(() => world.close());

describe('Scheduler groups', () => {
  it('begin with the default group, which stays', async () => {
    assert.deepEqual(await world.call('ListScheduleGroups'), {
      ScheduleGroups: [
        {
          Arn: arnOf('default'),
          CreationDate: new Date(START),
          LastModificationDate: new Date(START),
          Name: 'default',
          State: 'ACTIVE',
        },
      ],
    });
    await assert.rejects(world.call('CreateScheduleGroup', { Name: 'default' }), { code: 'ConflictException' });
    await assert.rejects(world.call('DeleteScheduleGroup', { Name: 'default' }), {
      code: 'ValidationException',
      message: 'The default schedule group cannot be deleted.',
    });
  });

  it('are made once, or again by the same token', async () => {
    assert.deepEqual(await world.call('CreateScheduleGroup', { Name: 'g', ClientToken: 't' }), {
      ScheduleGroupArn: arnOf('g'),
    });
    await world.call('CreateScheduleGroup', { Name: 'g', ClientToken: 't' });
    await assert.rejects(world.call('CreateScheduleGroup', { Name: 'g', ClientToken: 'u' }), {
      code: 'ConflictException',
      message: 'Schedule group g already exists.',
    });
    assert.equal((await world.call('GetScheduleGroup', { Name: 'g' })).State, 'ACTIVE');
    await assert.rejects(world.call('GetScheduleGroup', { Name: 'h' }), {
      code: 'ResourceNotFoundException',
      status: 404,
      message: 'Schedule group h does not exist.',
    });
  });

  it('are listed in pages, by prefix', async () => {
    for (const Name of ['a1', 'b1', 'a2']) await world.call('CreateScheduleGroup', { Name });
    const names = (page: { ScheduleGroups: { Name: string }[] }) => page.ScheduleGroups.map(({ Name }) => Name);
    const first = await world.call('ListScheduleGroups', { MaxResults: 2 });
    assert.deepEqual(names(first), ['a1', 'a2']);
    const second = await world.call('ListScheduleGroups', { MaxResults: 2, NextToken: first.NextToken });
    assert.deepEqual(names(second), ['b1', 'default']);
    assert.equal(second.NextToken, undefined);
    assert.deepEqual(names(await world.call('ListScheduleGroups', { NamePrefix: 'a' })), ['a1', 'a2']);
  });

  it('go with all of their schedules', async () => {
    await world.call('CreateScheduleGroup', { Name: 'g' });
    for (let count = 0; count < 501; count += 1) {
      await world.create(`s${count}`, 'at(2026-01-01T11:00:00)', { GroupName: 'g' });
    }
    await world.create('other', 'at(2026-01-01T11:00:00)');
    await world.call('DeleteScheduleGroup', { Name: 'g' });
    await assert.rejects(world.call('GetScheduleGroup', { Name: 'g' }), { code: 'ResourceNotFoundException' });
    await world.call('CreateScheduleGroup', { Name: 'g' });
    assert.deepEqual((await world.call('ListSchedules', { GroupName: 'g' })).Schedules, []);
    await world.advance(3_600_000);
    assert.deepEqual(
      world.arrivals.map(({ body }) => body),
      ['other'],
    );
  });

  it('are deleted to the end after a restart', async () => {
    await world.call('CreateScheduleGroup', { Name: 'g' });
    await world.create('s', 'rate(1 day)', { GroupName: 'g', State: 'DISABLED' });
    const key = ['scheduler', 'group', '000000000000', 'us-east-1', 'g'];
    const { value } = (await world.store.get<object>(key))!;
    await world.store.put(key, { ...value, state: 'DELETING' });
    const conflict = { code: 'ConflictException', message: 'Schedule group g is being deleted.' };
    await assert.rejects(world.create('t', 'rate(1 day)', { GroupName: 'g' }), conflict);
    await assert.rejects(world.call('DeleteScheduleGroup', { Name: 'g' }), conflict);
    await world.stop();
    await world.start();
    await assert.rejects(world.call('GetScheduleGroup', { Name: 'g' }), { code: 'ResourceNotFoundException' });
    assert.deepEqual(await world.store.range({ prefix: ['scheduler', 'schedule'] }), []);
  });

  it('can be 500', async () => {
    for (let count = 1; count < 500; count += 1) await world.call('CreateScheduleGroup', { Name: `g${count}` });
    await assert.rejects(world.call('CreateScheduleGroup', { Name: 'one-more' }), {
      code: 'ServiceQuotaExceededException',
      status: 402,
    });
  });
});

describe('Scheduler tags', () => {
  const tags = async (name = 'g') =>
    Object.fromEntries(
      (await world.call('ListTagsForResource', { ResourceArn: arnOf(name) })).Tags.map(
        ({ Key, Value }: { Key: string; Value: string }) => [Key, Value],
      ),
    );

  it('are put on groups, changed and taken off', async () => {
    await world.call('CreateScheduleGroup', { Name: 'g', Tags: [{ Key: 'team', Value: 'a' }] });
    await world.call('TagResource', {
      ResourceArn: arnOf('g'),
      Tags: [
        { Key: 'team', Value: 'b' },
        { Key: 'cost', Value: '' },
      ],
    });
    assert.deepEqual(await tags(), { team: 'b', cost: '' });
    await world.call('UntagResource', { ResourceArn: arnOf('g'), TagKeys: ['cost', 'none'] });
    assert.deepEqual(await tags(), { team: 'b' });
    assert.deepEqual(await tags('default'), {});
  });

  it('are refused on schedules, beyond 50, and where reserved', async () => {
    await world.create('s', 'rate(1 day)', { State: 'DISABLED' });
    const tag = (ResourceArn: string, ...Tags: object[]) => world.call('TagResource', { ResourceArn, Tags });
    const invalid = { code: 'ValidationException' };
    await assert.rejects(
      tag('arn:aws:scheduler:us-east-1:000000000000:schedule/default/s', { Key: 'k', Value: 'v' }),
      invalid,
    );
    await assert.rejects(tag(arnOf('default'), { Key: 'aws:x', Value: 'v' }), invalid);
    await assert.rejects(tag(arnOf('default'), { Key: '', Value: 'v' }), invalid);
    const many = Array.from({ length: 51 }, (_, index) => ({ Key: `k${index}`, Value: 'v' }));
    await assert.rejects(tag(arnOf('default'), ...many), invalid);
    await assert.rejects(tag(arnOf('none'), { Key: 'k', Value: 'v' }), { code: 'ResourceNotFoundException' });
  });
});

describe('Scheduler authorization', () => {
  // biome-ignore lint/suspicious/noExplicitAny: what is being checked
  const questions = (operation: string, input: object): Promise<any> =>
    world.scheduler.service.authorization!(
      operation,
      input as never,
      {
        account: '000000000000',
        region: 'us-east-1',
      } as never,
    );

  it('asks for the schedule, and for the role that is handed over', async () => {
    assert.deepEqual(
      await questions('CreateSchedule', {
        Name: 's',
        Target: { Arn: 'a', RoleArn: 'arn:aws:iam::000000000000:role/r' },
      }),
      [
        { action: 'scheduler:CreateSchedule', resource: 'arn:aws:scheduler:us-east-1:000000000000:schedule/default/s' },
        {
          action: 'iam:PassRole',
          resource: 'arn:aws:iam::000000000000:role/r',
          conditions: { 'iam:PassedToService': ['scheduler.amazonaws.com'] },
        },
      ],
    );
    assert.deepEqual(await questions('ListSchedules', { GroupName: 'g' }), [
      { action: 'scheduler:ListSchedules', resource: '*' },
    ]);
  });

  it('asks for groups with their tags, and for what goes with them', async () => {
    await world.call('CreateScheduleGroup', { Name: 'g', Tags: [{ Key: 'team', Value: 'a' }] });
    const owned = { 'aws:ResourceTag/team': ['a'] };
    assert.deepEqual(await questions('DeleteScheduleGroup', { Name: 'g' }), [
      { action: 'scheduler:DeleteScheduleGroup', resource: arnOf('g'), conditions: owned },
      { action: 'scheduler:DeleteSchedule', resource: 'arn:aws:scheduler:us-east-1:000000000000:schedule/g/*' },
    ]);
    assert.deepEqual(await questions('UntagResource', { ResourceArn: arnOf('g'), TagKeys: ['team'] }), [
      { action: 'scheduler:UntagResource', resource: arnOf('g'), conditions: { ...owned, 'aws:TagKeys': ['team'] } },
    ]);
    const given = { 'aws:RequestTag/k': ['v'], 'aws:TagKeys': ['k'] };
    assert.deepEqual(await questions('CreateScheduleGroup', { Name: 'h', Tags: [{ Key: 'k', Value: 'v' }] }), [
      { action: 'scheduler:CreateScheduleGroup', resource: arnOf('h'), conditions: given },
      { action: 'scheduler:TagResource', resource: arnOf('h'), conditions: given },
    ]);
  });
});

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ServiceError } from '../../base/errors.ts';
import { createKms } from '../kms/index.ts';
import { FUNCTION, type RotationEvent, startTestSecrets, type TestSecrets } from './test-secrets.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'];
const NOT_COMPLETE = {
  code: 'InvalidRequestException',
  message: "A previous rotation isn't complete. That rotation will be reattempted.",
};

let test: TestSecrets;
let first: string;
let arn: string;

/** What the templates of AWS do: make, and finish by moving the label. */
async function goodRotation({ Step, SecretId, ClientRequestToken, RotationToken }: RotationEvent): Promise<void> {
  if (Step === 'createSecret') {
    await assert.rejects(
      test.call('GetSecretValue', { SecretId, VersionId: ClientRequestToken, VersionStage: 'AWSPENDING' }),
      { code: 'ResourceNotFoundException' },
    );
    const SecretString = `new-${ClientRequestToken}`;
    await test.call('PutSecretValue', {
      SecretId,
      ClientRequestToken,
      RotationToken,
      SecretString,
      VersionStages: ['AWSPENDING'],
    });
  }
  if (Step !== 'finishSecret') return;
  const { VersionIdsToStages } = await test.call('DescribeSecret', { SecretId });
  const [current] = Object.entries<string[]>(VersionIdsToStages).find(([, stages]) => stages.includes('AWSCURRENT'))!;
  await test.call('UpdateSecretVersionStage', {
    SecretId,
    VersionStage: 'AWSCURRENT',
    MoveToVersionId: ClientRequestToken,
    RemoveFromVersionId: current,
  });
}

const rotate = (more: object = {}) =>
  test.call('RotateSecret', { SecretId: 's', RotationLambdaARN: FUNCTION, ...more });
const described = () => test.call('DescribeSecret', { SecretId: 's' });
const value = async () => (await test.call('GetSecretValue', { SecretId: 's' })).SecretString;
const stepsSeen = () => test.rotator.events.splice(0).map(({ Step }) => Step);

beforeEach(async () => {
  test = await startTestSecrets((parts) => createKms(parts).encryption);
  ({ VersionId: first, ARN: arn } = await test.call('CreateSecret', { Name: 's', SecretString: 'old' }));
  test.rotator.handler = goodRotation;
});
afterEach(() => test[Symbol.asyncDispose]());

describe('Secrets Manager RotateSecret', () => {
  it('goes through the four steps, and the new version becomes the current one', async () => {
    const { VersionId } = await rotate();
    assert.deepEqual((await described()).VersionIdsToStages, { [first]: ['AWSCURRENT'], [VersionId]: ['AWSPENDING'] });
    await test.advance(0);
    assert.equal(await value(), `new-${VersionId}`);
    assert.deepEqual((await described()).VersionIdsToStages, {
      [first]: ['AWSPREVIOUS'],
      [VersionId]: ['AWSPENDING', 'AWSCURRENT'],
    });
    const [event] = test.rotator.events;
    assert.deepEqual([event!.SecretId, event!.ClientRequestToken], [arn, VersionId]);
    assert.deepEqual(test.rotator.callers[0], {
      service: 'secretsmanager.amazonaws.com',
      sourceArn: arn,
      sourceAccount: '000000000000',
    });
    assert.deepEqual(stepsSeen(), STEPS);
    const { RotationEnabled, RotationLambdaARN, LastRotatedDate, NextRotationDate } = await described();
    assert.deepEqual([RotationEnabled, RotationLambdaARN], [true, FUNCTION]);
    assert.deepEqual([LastRotatedDate, NextRotationDate], [new Date(test.clock.now()), undefined]);
    await rotate();
    await test.advance(0);
    assert.deepEqual(stepsSeen(), STEPS);
  });

  it('counts the same request once', async () => {
    const ClientRequestToken = test.token();
    await rotate({ ClientRequestToken });
    await test.advance(0);
    await rotate({ ClientRequestToken });
    await test.advance(0);
    assert.deepEqual(stepsSeen(), STEPS);
  });

  it('rotates by schedule, in its window, and after a jump only once', async () => {
    await test.advance(5 * HOUR);
    await rotate({ RotationRules: { AutomaticallyAfterDays: 10 } });
    await test.advance(0);
    assert.deepEqual((await described()).NextRotationDate, new Date('2026-01-11T23:59:59Z'));
    stepsSeen();
    await test.advance(10 * DAY - 5 * HOUR - 1);
    assert.deepEqual(stepsSeen(), []);
    await test.advance(1);
    assert.deepEqual(stepsSeen(), STEPS);
    assert.deepEqual((await described()).LastRotatedDate, new Date('2026-01-11T00:00:00Z'));
    await test.manager.close();
    test.clock.advance(100 * DAY);
    await test.restart();
    await test.advance(0);
    assert.deepEqual(stepsSeen(), STEPS);
    assert.deepEqual((await described()).NextRotationDate, new Date('2026-05-01T23:59:59Z'));
  });

  it('takes rates in hours and days and cron expressions', async () => {
    const next = async (RotationRules: object) => {
      await rotate({ RotationRules });
      await test.advance(0);
      return (await described()).NextRotationDate.toISOString();
    };
    await test.advance(90 * MINUTE);
    assert.equal(await next({ ScheduleExpression: 'rate(4 hours)' }), '2026-01-01T06:00:00.000Z');
    assert.equal(await next({ ScheduleExpression: 'rate(12 hours)', Duration: '3h' }), '2026-01-01T16:00:00.000Z');
    assert.equal(await next({ ScheduleExpression: 'rate(10 days)' }), '2026-01-11T23:59:59.000Z');
    assert.equal(await next({ ScheduleExpression: 'cron(0 8 1 * ? *)' }), '2026-01-01T23:59:59.000Z');
    assert.equal(
      await next({ ScheduleExpression: 'cron(0 16 ? * SUN#1 *)', Duration: '4h' }),
      '2026-01-04T20:00:00.000Z',
    );
    assert.deepEqual((await described()).RotationRules, {
      AutomaticallyAfterDays: 4,
      ScheduleExpression: 'cron(0 16 ? * SUN#1 *)',
      Duration: '4h',
    });
  });

  it('counts a value that is put by hand as a rotation in days', async () => {
    await rotate({ RotationRules: { AutomaticallyAfterDays: 2 } });
    await test.advance(DAY);
    await test.call('PutSecretValue', { SecretId: 's', SecretString: 'by hand' });
    assert.deepEqual((await described()).NextRotationDate, new Date('2026-01-04T23:59:59Z'));
  });

  it('only tries the configuration when it is to wait for the window', async () => {
    assert.equal(
      (await rotate({ RotateImmediately: false, RotationRules: { AutomaticallyAfterDays: 1 } })).VersionId,
      undefined,
    );
    await test.advance(0);
    assert.deepEqual(stepsSeen(), ['testSecret']);
    assert.deepEqual((await described()).VersionIdsToStages, { [first]: ['AWSCURRENT'] });
    assert.equal((await described()).LastRotatedDate, undefined);
    await test.advance(DAY);
    assert.deepEqual(stepsSeen(), STEPS);
  });

  it('tries again what failed, five times in all, then in the next window', async () => {
    test.rotator.handler = async ({ Step }) => {
      if (Step === 'setSecret') throw new Error('no database');
    };
    await rotate({ RotationRules: { ScheduleExpression: 'rate(1 day)' } });
    await test.advance(0);
    for (const delay of [1, 5, 15, 30]) {
      assert.deepEqual(stepsSeen(), ['createSecret', 'setSecret']);
      await test.advance(delay * MINUTE - 1);
      assert.deepEqual(stepsSeen(), []);
      await test.advance(1);
    }
    assert.deepEqual(stepsSeen(), ['createSecret', 'setSecret']);
    await test.advance(4 * HOUR);
    assert.deepEqual(stepsSeen(), []);
    assert.equal(await value(), 'old');
    const pending = Object.entries<string[]>((await described()).VersionIdsToStages).find(
      ([, [stage]]) => stage === 'AWSPENDING',
    )![0];
    test.rotator.handler = goodRotation;
    await test.advance(DAY);
    assert.deepEqual(stepsSeen(), STEPS);
    assert.equal(await value(), `new-${pending}`);
  });

  it('is not complete while AWSPENDING is elsewhere; asking again begins it again', async () => {
    test.rotator.handler = async () => {};
    await rotate();
    await test.advance(HOUR);
    stepsSeen();
    await assert.rejects(rotate(), NOT_COMPLETE);
    await test.advance(0);
    assert.deepEqual(stepsSeen(), STEPS);
    await assert.rejects(rotate(), NOT_COMPLETE);
  });

  it('tries again when the function is throttled', async () => {
    test.rotator.handler = async () => {
      throw new ServiceError('TooManyRequestsException', 'Rate Exceeded.', { status: 429 });
    };
    await rotate();
    await test.advance(0);
    test.rotator.handler = goodRotation;
    await test.advance(MINUTE);
    assert.match(await value(), /^new-/);
  });

  it('begins again what a crash broke off', async () => {
    const reached = new Promise<void>((resolve) => {
      test.rotator.handler = () => {
        resolve();
        return new Promise(() => {});
      };
    });
    await rotate();
    await test.clock.advanceAsync(0);
    await reached;
    test.rotator.handler = goodRotation;
    await test.crash();
    await test.advance(0);
    assert.deepEqual(stepsSeen(), ['createSecret', ...STEPS]);
    assert.match(await value(), /^new-/);
  });

  const refusals: readonly [string, object, string, RegExp][] = [
    [
      'both kinds of schedule',
      { AutomaticallyAfterDays: 1, ScheduleExpression: 'rate(1 day)' },
      'InvalidParameterException',
      /not both/,
    ],
    ['1,001 days', { AutomaticallyAfterDays: 1001 }, 'ValidationException', /between 1 and 1000/],
    ['3 hours', { ScheduleExpression: 'rate(3 hours)' }, 'InvalidParameterException', /every 4 hours/],
    ['minutes', { ScheduleExpression: 'rate(300 minutes)' }, 'InvalidParameterException', /hours or days/],
    [
      'a cron expression every 2 hours',
      { ScheduleExpression: 'cron(0 /2 * * ? *)' },
      'InvalidParameterException',
      /every 4 hours/,
    ],
    [
      'minutes in a cron expression',
      { ScheduleExpression: 'cron(30 8 * * ? *)' },
      'InvalidParameterException',
      /on the hour/,
    ],
    ['what is no expression', { ScheduleExpression: 'daily' }, 'InvalidParameterException', /ScheduleExpression/],
    ['a duration in days', { AutomaticallyAfterDays: 1, Duration: '1d' }, 'InvalidParameterException', /Duration/],
    [
      'a window into the next day',
      { ScheduleExpression: 'cron(0 20 * * ? *)', Duration: '5h' },
      'InvalidParameterException',
      /next UTC day/,
    ],
    [
      'a window into the next one',
      { ScheduleExpression: 'rate(4 hours)', Duration: '5h' },
      'InvalidParameterException',
      /next rotation window/,
    ],
  ];
  for (const [what, RotationRules, code, message] of refusals) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(rotate({ RotationRules }), { code, message });
      assert.equal((await described()).RotationEnabled, undefined);
    });
  }

  it('refuses a function that it may not invoke, none, and partners', async () => {
    test.rotator.permitted = false;
    await assert.rejects(rotate(), {
      code: 'AccessDeniedException',
      message:
        'Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.',
    });
    await assert.rejects(test.call('RotateSecret', { SecretId: 's' }), {
      code: 'InvalidRequestException',
      message: 'No Lambda rotation function ARN is associated with this secret.',
    });
    await assert.rejects(rotate({ ExternalSecretRotationRoleArn: 'arn:aws:iam::000000000000:role/x' }), {
      code: 'NotImplemented',
    });
    assert.deepEqual((await described()).VersionIdsToStages, { [first]: ['AWSCURRENT'] });
  });
});

describe('Secrets Manager CancelRotateSecret', () => {
  it('turns the schedule off and leaves the pending version', async () => {
    test.rotator.handler = async () => {
      throw new Error('no');
    };
    const { VersionId } = await rotate({ RotationRules: { AutomaticallyAfterDays: 1 } });
    await test.advance(0);
    assert.equal((await test.call('CancelRotateSecret', { SecretId: 's' })).VersionId, VersionId);
    stepsSeen();
    await test.advance(10 * DAY);
    assert.deepEqual(stepsSeen(), []);
    assert.deepEqual([(await described()).RotationEnabled, (await described()).NextRotationDate], [false, undefined]);
    await assert.rejects(rotate(), NOT_COMPLETE);
    await test.call('UpdateSecretVersionStage', {
      SecretId: 's',
      VersionStage: 'AWSPENDING',
      RemoveFromVersionId: VersionId,
    });
    test.rotator.handler = goodRotation;
    await rotate();
    await test.advance(0);
    assert.match(await value(), /^new-/);
  });

  it('is refused without rotation', async () => {
    await assert.rejects(test.call('CancelRotateSecret', { SecretId: 's' }), { code: 'InvalidRequestException' });
  });
});

describe('a secret that is marked for deletion', () => {
  it('is not rotated, until it is restored', async () => {
    await rotate({ RotationRules: { AutomaticallyAfterDays: 1 } });
    await test.advance(0);
    stepsSeen();
    await test.call('DeleteSecret', { SecretId: 's' });
    await test.advance(3 * DAY);
    assert.deepEqual(stepsSeen(), []);
    await test.call('RestoreSecret', { SecretId: 's' });
    await test.advance(DAY);
    assert.deepEqual(stepsSeen(), STEPS);
  });
});

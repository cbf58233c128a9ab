import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import * as iam from '@aws-sdk/client-iam';
import * as lambda from '@aws-sdk/client-lambda';
import * as scheduler from '@aws-sdk/client-scheduler';
import { moveClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { type Keys, type RunningKobune, runKobune } from '../support/running-kobune.ts';
import { zipOf } from '../support/zip.ts';

const ACCOUNT = '000000000000';
const GROUP = `arn:aws:scheduler:us-east-1:${ACCOUNT}:schedule-group/default`;
const MINUTE = 60_000;

const document = (...statements: object[]): string => JSON.stringify({ Version: '2012-10-17', Statement: statements });
const trust = (service: string, more: object = {}): string =>
  document({ Effect: 'Allow', Principal: { Service: service }, Action: 'sts:AssumeRole', ...more });

let server: RunningKobune;
let admin: iam.IAMClient;
let root: scheduler.SchedulerClient;
let functions: lambda.LambdaClient;
let logs: CloudWatchLogsClient;
let functionArn: string;

before(async () => {
  server = await runKobune({ iam: 'enforce' });
  admin = new iam.IAMClient(server.settings());
  root = new scheduler.SchedulerClient(server.settings());
  functions = new lambda.LambdaClient(server.settings());
  logs = new CloudWatchLogsClient(server.settings());
  const role = await makeRole('run', trust('lambda.amazonaws.com'));
  await admin.send(
    new iam.AttachRolePolicyCommand({
      RoleName: 'run',
      PolicyArn: 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole',
    }),
  );
  const made = await functions.send(
    new lambda.CreateFunctionCommand({
      FunctionName: 'guarded',
      Runtime: 'nodejs22.x',
      Role: role,
      Handler: 'index.handler',
      Code: { ZipFile: await zipOf({ 'index.js': "exports.handler = async (e) => console.log('BY ' + e.by);" }) },
    }),
  );
  functionArn = made.FunctionArn!;
});
after(async () => {
  for (const client of [admin, root, functions, logs]) client?.destroy();
  await server?.[Symbol.asyncDispose]();
});

async function makeRole(RoleName: string, AssumeRolePolicyDocument: string): Promise<string> {
  const { Role } = await admin.send(new iam.CreateRoleCommand({ RoleName, AssumeRolePolicyDocument }));
  return Role!.Arn!;
}

/** Makes a schedule in the name of its role, which begins at once. */
const schedule = (Name: string, RoleArn: string, client = root) =>
  client.send(
    new scheduler.CreateScheduleCommand({
      Name,
      ScheduleExpression: 'rate(1 day)',
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: { Arn: functionArn, RoleArn, Input: JSON.stringify({ by: Name }) },
    }),
  );

describe('Scheduler when policies are enforced', () => {
  it('takes only roles that trust it, for this group', async () => {
    const refused = (error: Error) =>
      error instanceof scheduler.ValidationException &&
      error.message === 'The execution role you provide must allow AWS EventBridge Scheduler to assume the role.';
    await assert.rejects(schedule('none', `arn:aws:iam::${ACCOUNT}:role/none`), refused);
    await assert.rejects(schedule('lambda', `arn:aws:iam::${ACCOUNT}:role/run`), refused);
    const only = (group: string) =>
      trust('scheduler.amazonaws.com', { Condition: { StringEquals: { 'aws:SourceArn': group } } });
    await assert.rejects(schedule('other', await makeRole('other-group', only(`${GROUP}-2`))), refused);
    await schedule('own', await makeRole('own-group', only(GROUP)));
    await root.send(new scheduler.DeleteScheduleCommand({ Name: 'own' }));
  });

  it('invokes what the role may invoke', async () => {
    const allowed = await makeRole('allowed', trust('scheduler.amazonaws.com'));
    await admin.send(
      new iam.PutRolePolicyCommand({
        RoleName: 'allowed',
        PolicyName: 'p',
        PolicyDocument: document({ Effect: 'Allow', Action: 'lambda:InvokeFunction', Resource: functionArn }),
      }),
    );
    await schedule('denied', await makeRole('powerless', trust('scheduler.amazonaws.com')));
    await schedule('allowed', allowed);
    await moveClock(server, MINUTE);
    const lines = await eventually(async () => {
      const { events = [] } = await logs
        .send(new FilterLogEventsCommand({ logGroupName: '/aws/lambda/guarded', filterPattern: 'BY' }))
        .catch((error: Error) => {
          if (error.name === 'ResourceNotFoundException') return { events: [] };
          throw error;
        });
      return events.length > 0 ? events.map(({ message = '' }) => message.split('BY ')[1]!.trim()) : undefined;
    });
    assert.deepEqual(lines, ['allowed']);
  });

  it('is called by whom policies allow it, who may hand over the role', async () => {
    await admin.send(new iam.CreateUserCommand({ UserName: 'dev' }));
    const { AccessKey } = await admin.send(new iam.CreateAccessKeyCommand({ UserName: 'dev' }));
    const keys: Keys = { accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! };
    const dev = new scheduler.SchedulerClient(server.settings(keys));
    const role = `arn:aws:iam::${ACCOUNT}:role/allowed`;
    const allow = (...statements: object[]) =>
      admin.send(
        new iam.PutUserPolicyCommand({ UserName: 'dev', PolicyName: 'p', PolicyDocument: document(...statements) }),
      );
    const denied = (action: string) => (error: Error) =>
      error.name === 'AccessDeniedException' &&
      error.message.includes(`not authorized to perform: ${action} on resource`);
    await assert.rejects(schedule('by-dev', role, dev), denied('scheduler:CreateSchedule'));
    const create = {
      Effect: 'Allow',
      Action: 'scheduler:CreateSchedule',
      Resource: `arn:aws:scheduler:us-east-1:${ACCOUNT}:schedule/default/by-*`,
    };
    await allow(create);
    await assert.rejects(schedule('by-dev', role, dev), denied('iam:PassRole'));
    await allow(create, {
      Effect: 'Allow',
      Action: 'iam:PassRole',
      Resource: role,
      Condition: { StringEquals: { 'iam:PassedToService': 'scheduler.amazonaws.com' } },
    });
    await schedule('by-dev', role, dev);
    await assert.rejects(schedule('other', role, dev), denied('scheduler:CreateSchedule'));
    dev.destroy();
  });
});

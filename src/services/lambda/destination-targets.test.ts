import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { PendingDelivery } from '../../events/index.ts';
import type { ServiceQuestion } from '../authorization.ts';
import { ACCOUNT, arnOf, fail, LambdaFixture, REGION, ROLE, rejects, succeed, zip } from './fixture.ts';

const QUEUE = `arn:aws:sqs:${REGION}:${ACCOUNT}:records`;
const TOPIC = `arn:aws:sns:${REGION}:${ACCOUNT}:records`;
const BUS = `arn:aws:events:${REGION}:${ACCOUNT}:event-bus/records`;
const TRACE = 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0';

let world: LambdaFixture;
let sent: PendingDelivery[];
/** What the role may not do, and what it was asked about, in enforce mode. */
let denied: Set<string>;
let asked: ServiceQuestion[];

/** Queues, topics and buses that take everything. */
function register(): void {
  for (const kind of ['sqs', 'sns', 'events']) {
    world.delivery.registerTarget(kind, async () => ({
      deliver: async (delivery) => {
        sent.push(delivery);
        return { type: 'delivered' };
      },
    }));
  }
}

beforeEach(async () => {
  sent = [];
  asked = [];
  denied = new Set();
  world = await LambdaFixture.start();
  register();
  await world.create('f');
});
afterEach(() => world.close());

async function enforced(): Promise<void> {
  await world.close();
  world = await LambdaFixture.start({
    enforce: true,
    roles: { assumableByLambda: async () => true },
    access: {
      allows: async (question) => {
        asked.push(question);
        return !denied.has(question.action);
      },
    },
  });
  register();
}

const configure = (DestinationConfig: object, more: object = {}) =>
  world.call('PutFunctionEventInvokeConfig', {
    FunctionName: 'f',
    MaximumRetryAttempts: 0,
    DestinationConfig,
    ...more,
  });
const invoke = (payload = '{"n":1}') =>
  world.call(
    'Invoke',
    { FunctionName: 'f', InvocationType: 'Event', Payload: Buffer.from(payload) },
    { headers: { 'x-amzn-trace-id': TRACE } },
  );
const textOf = ({ payload }: PendingDelivery) => Buffer.from(payload).toString();
const delivered = (count: number) => world.until(() => sent.length === count);

describe('Lambda destinations that are queues, topics and event buses', () => {
  it('get the invocation record, in the name of the function’s role', async () => {
    for (const Destination of [QUEUE, TOPIC]) {
      await configure({ OnSuccess: { Destination } });
      world.engine.handler = () => succeed('{"answer":42}');
      await invoke();
      await delivered(1);
      const [delivery] = sent.splice(0);
      assert.equal(delivery!.targetArn, Destination);
      assert.equal(delivery!.parameters, undefined);
      assert.match(delivery!.traceHeader!, /^Root=1-5759e988-bd862e3fe1be46a994272793;.*Lineage=[0-9a-f]{8}:0$/);
      assert.deepEqual(delivery!.caller, {
        service: 'lambda.amazonaws.com',
        roleArn: ROLE,
        sourceArn: arnOf('f'),
        sourceAccount: ACCOUNT,
      });
      assert.deepEqual(JSON.parse(textOf(delivery!)), {
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
        responsePayload: { answer: 42 },
      });
    }
  });

  it('get it as an event when they are a bus', async () => {
    await configure({ OnSuccess: { Destination: BUS }, OnFailure: { Destination: BUS } });
    await invoke();
    await delivered(1);
    world.engine.handler = () => fail('{"errorMessage":"boom"}');
    await invoke();
    await delivered(2);
    const [success, failure] = sent.map((delivery) => JSON.parse(textOf(delivery)));
    const { detail, id, ...envelope } = success;
    assert.match(id, /^[0-9a-f-]{36}$/);
    assert.deepEqual(envelope, {
      version: '0',
      'detail-type': 'Lambda Function Invocation Result - Success',
      source: 'lambda',
      account: ACCOUNT,
      time: '2026-01-02T03:04:05Z',
      region: REGION,
      resources: [BUS, arnOf('f', '$LATEST')],
    });
    assert.equal(detail.requestContext.condition, 'Success');
    assert.equal(failure['detail-type'], 'Lambda Function Invocation Result - Failure');
    assert.equal(failure.detail.requestContext.condition, 'RetriesExhausted');
    assert.deepEqual(failure.detail.responsePayload, { errorMessage: 'boom' });
  });

  it('get no record that is larger than an event may be, when they are a bus', async () => {
    await configure({ OnSuccess: { Destination: BUS } });
    world.engine.handler = () => succeed(JSON.stringify('x'.repeat(1024 * 1024)));
    await invoke();
    await world.until(async () => (await world.store.range({ prefix: ['delivery'] })).length === 0);
    await configure({ OnSuccess: { Destination: QUEUE } });
    await invoke();
    await delivered(1);
    assert.equal(sent[0]!.targetArn, QUEUE);
  });

  it('are refused when they are FIFO', async () => {
    for (const arn of [`${QUEUE}.fifo`, `${TOPIC}.fifo`]) {
      await rejects(configure({ OnFailure: { Destination: arn } }), 'InvalidParameterValueException', {
        message: /FIFO/,
      });
    }
  });

  it('need a permission of the role when policies decide', async () => {
    await enforced();
    await world.create('f');
    for (const [Destination, action] of [
      [QUEUE, 'sqs:SendMessage'],
      [TOPIC, 'sns:Publish'],
      [BUS, 'events:PutEvents'],
      [arnOf('sink'), 'lambda:InvokeFunction'],
    ] as const) {
      denied.add(action);
      await rejects(configure({ OnFailure: { Destination } }), 'InvalidParameterValueException', {
        message: `The function's execution role does not have permissions to call ${action.split(':')[1]} on ${Destination}`,
      });
      const { caller, resource, resourceAccount } = asked.at(-1)!;
      assert.equal(resource, Destination);
      assert.equal(resourceAccount, ACCOUNT);
      assert.equal(caller.roleArn, ROLE);
      denied.clear();
      await configure({ OnFailure: { Destination } });
    }
    denied.add('s3:PutObject');
    await rejects(configure({ OnFailure: { Destination: 'arn:aws:s3:::b' } }), 'InvalidParameterValueException');
    assert.match(asked.at(-1)!.resource, /^arn:aws:s3:::b\/aws\/lambda\/async\/f\//);
  });

  it('get nothing once the role may no longer send', async () => {
    await enforced();
    await world.create('f');
    await configure({ OnSuccess: { Destination: QUEUE } });
    denied.add('sqs:SendMessage');
    await invoke();
    await world.until(async () => (await world.store.range({ prefix: ['delivery'] })).length === 0);
    assert.deepEqual(sent, []);
  });
});

describe('A Lambda dead-letter queue or topic', () => {
  const deploy = async (TargetArn: string) =>
    world.call('CreateFunction', {
      FunctionName: 'g',
      Runtime: 'nodejs22.x',
      Role: ROLE,
      Handler: 'index.handler',
      Code: { ZipFile: await zip({ 'index.js': '' }) },
      DeadLetterConfig: { TargetArn },
    });

  it('gets the event itself, with what went wrong as attributes', async () => {
    for (const TargetArn of [QUEUE, TOPIC]) {
      await world.call('UpdateFunctionConfiguration', { FunctionName: 'f', DeadLetterConfig: { TargetArn } });
      await world.active('f');
      await world.call('PutFunctionEventInvokeConfig', { FunctionName: 'f', MaximumRetryAttempts: 0 });
      world.engine.handler = () => fail('{"errorMessage":"boom"}');
      await invoke('{"order":17}');
      await delivered(1);
      const [delivery] = sent.splice(0);
      assert.equal(delivery!.targetArn, TargetArn);
      assert.equal(textOf(delivery!), '{"order":17}');
      assert.equal(delivery!.caller?.roleArn, ROLE);
      assert.deepEqual(delivery!.parameters, {
        messageAttributes: {
          RequestID: { dataType: 'String', stringValue: '8a4b1f4e-0000-4000-8000-000000000001' },
          ErrorCode: { dataType: 'Number', stringValue: '200' },
          ErrorMessage: { dataType: 'String', stringValue: 'boom' },
        },
      });
    }
  });

  it('must be a standard one, of which the role may make use', async () => {
    await rejects(deploy(`${QUEUE}.fifo`), 'InvalidParameterValueException', { message: /standard/ });
    await rejects(deploy(arnOf('f')), 'InvalidParameterValueException');
    await enforced();
    denied.add('sqs:SendMessage').add('sns:Publish');
    for (const [arn, message] of [
      [QUEUE, 'The provided execution role does not have permissions to call SendMessage on SQS'],
      [TOPIC, 'The provided execution role does not have permissions to call Publish on SNS'],
    ] as const) {
      await rejects(deploy(arn), 'InvalidParameterValueException', { message });
    }
    denied.clear();
    await deploy(QUEUE);
  });
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { CloudWatchLogsClient, CreateLogGroupCommand, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import * as events from '@aws-sdk/client-eventbridge';
import * as lambda from '@aws-sdk/client-lambda';
import { CreateTopicCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import { CreateQueueCommand, DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { moveClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';
import { zipOf } from '../support/zip.ts';

const ACCOUNT = '000000000000';
const ARN = `arn:aws:events:us-east-1:${ACCOUNT}`;
const ROLE = `arn:aws:iam::${ACCOUNT}:role/any`;

let server: RunningKobune;
let client: events.EventBridgeClient;
let sqs: SQSClient;
let logs: CloudWatchLogsClient;
const others: { destroy(): void }[] = [];

before(async () => {
  server = await runKobune();
  client = new events.EventBridgeClient(server.settings());
  sqs = new SQSClient(server.settings());
  logs = new CloudWatchLogsClient(server.settings());
});
after(async () => {
  for (const each of [client, sqs, logs, ...others]) each?.destroy();
  await server?.[Symbol.asyncDispose]();
});

async function makeQueue(name: string) {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: name }));
  return { url: QueueUrl!, arn: `arn:aws:sqs:us-east-1:${ACCOUNT}:${name}` };
}

/** The next message of a queue. */
async function receive(url: string) {
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({ QueueUrl: url, WaitTimeSeconds: 10, MessageAttributeNames: ['All'] }),
  );
  const message = Messages[0];
  assert.ok(message, 'no message came');
  await sqs.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: message.ReceiptHandle }));
  return { body: JSON.parse(message.Body!), attributes: message.MessageAttributes };
}

/** A rule with one target. */
async function rule(Name: string, source: string, target: Omit<events.Target, 'Id'>, more: object = {}) {
  const EventPattern = JSON.stringify({ source: [source] });
  await client.send(new events.PutRuleCommand({ Name, EventPattern, ...more }));
  const answer = await client.send(
    new events.PutTargetsCommand({ Rule: Name, Targets: [{ Id: 't', ...target }], ...more }),
  );
  assert.equal(answer.FailedEntryCount, 0);
}

function put(Source: string, detail: object = {}, more: object = {}) {
  const entry = { Source, DetailType: 'Thing', Detail: JSON.stringify(detail), ...more };
  return client.send(new events.PutEventsCommand({ Entries: [entry] }));
}

describe('EventBridge by the AWS SDK', () => {
  it('has the default bus, and others that are made', async () => {
    const { EventBusArn } = await client.send(
      new events.CreateEventBusCommand({ Name: 'orders', Description: 'all orders', Tags: [{ Key: 'a', Value: '1' }] }),
    );
    assert.equal(EventBusArn, `${ARN}:event-bus/orders`);
    const { EventBuses } = await client.send(new events.ListEventBusesCommand({}));
    assert.deepEqual(
      EventBuses!.map(({ Name, Description }) => [Name, Description]),
      [
        ['default', undefined],
        ['orders', 'all orders'],
      ],
    );
    const { Tags } = await client.send(new events.ListTagsForResourceCommand({ ResourceARN: EventBusArn }));
    assert.deepEqual(Tags, [{ Key: 'a', Value: '1' }]);
    await assert.rejects(client.send(new events.CreateEventBusCommand({ Name: 'orders' })), (error) => {
      assert.ok(error instanceof events.ResourceAlreadyExistsException);
      return error.message === 'Event bus orders already exists.';
    });
    await client.send(new events.DeleteEventBusCommand({ Name: 'orders' }));
    await assert.rejects(
      client.send(new events.DescribeEventBusCommand({ Name: 'orders' })),
      (error) => error instanceof events.ResourceNotFoundException,
    );
  });

  it('describes rules and targets as they were given', async () => {
    const { RuleArn } = await client.send(
      new events.PutRuleCommand({
        Name: 'shape',
        EventPattern: '{"source":["shape"]}',
        Description: 'd',
        State: 'DISABLED',
      }),
    );
    assert.equal(RuleArn, `${ARN}:rule/shape`);
    const target: events.Target = {
      Id: 'one',
      Arn: `arn:aws:sqs:us-east-1:${ACCOUNT}:somewhere.fifo`,
      SqsParameters: { MessageGroupId: 'g' },
      RetryPolicy: { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 },
      InputTransformer: { InputPathsMap: { a: '$.detail.a' }, InputTemplate: '{"a":<a>}' },
    };
    await client.send(new events.PutTargetsCommand({ Rule: 'shape', Targets: [target] }));
    const { Targets } = await client.send(new events.ListTargetsByRuleCommand({ Rule: 'shape' }));
    assert.deepEqual(Targets, [target]);
    const { $metadata: _, ...described } = await client.send(new events.DescribeRuleCommand({ Name: 'shape' }));
    assert.deepEqual(described, {
      Name: 'shape',
      Arn: RuleArn,
      EventPattern: '{"source":["shape"]}',
      State: 'DISABLED',
      Description: 'd',
      EventBusName: 'default',
      CreatedBy: ACCOUNT,
    });
    const { RuleNames } = await client.send(new events.ListRuleNamesByTargetCommand({ TargetArn: target.Arn }));
    assert.deepEqual(RuleNames, ['shape']);
    await assert.rejects(client.send(new events.DeleteRuleCommand({ Name: 'shape' })), {
      name: 'ValidationException',
      message: "Rule can't be deleted since it has targets.",
    });
    await client.send(new events.RemoveTargetsCommand({ Rule: 'shape', Ids: ['one'] }));
    await client.send(new events.DeleteRuleCommand({ Name: 'shape' }));
  });

  it('refuses by name what is not served', async () => {
    await client.send(new events.PutRuleCommand({ Name: 'kinds', EventPattern: '{"source":["kinds"]}' }));
    const named = (what: RegExp) => (error: Error) => error.name === 'NotImplemented' && what.test(error.message);
    const target = (more: object) =>
      client.send(
        new events.PutTargetsCommand({
          Rule: 'kinds',
          Targets: [{ Id: 'x', Arn: `arn:aws:lambda:us-east-1:${ACCOUNT}:function:f`, ...more }],
        }),
      );
    await assert.rejects(
      target({ Arn: `arn:aws:kinesis:us-east-1:${ACCOUNT}:stream/s`, RoleArn: ROLE }),
      named(/kinesis/),
    );
    await assert.rejects(
      target({ Arn: `arn:aws:states:us-east-1:${ACCOUNT}:stateMachine:s`, RoleArn: ROLE }),
      named(/states/),
    );
    await assert.rejects(target({ EcsParameters: { TaskDefinitionArn: 'x' } }), named(/EcsParameters/));
    await assert.rejects(client.send(new events.ListEndpointsCommand({})), named(/ListEndpoints/));
    await assert.rejects(
      client.send(new events.PutRuleCommand({ Name: 'bad', EventPattern: '{"source":"x"}' })),
      (error) => {
        assert.ok(error instanceof events.InvalidEventPatternException);
        return error.message.startsWith('Event pattern is not valid. Reason: ');
      },
    );
    const { Result } = await client.send(
      new events.TestEventPatternCommand({
        EventPattern: '{"detail":{"state":[{"prefix":"o"}]}}',
        Event: JSON.stringify({
          id: '1',
          account: '1',
          source: 's',
          time: '2026-01-01T00:00:00Z',
          region: 'r',
          resources: [],
          'detail-type': 't',
          detail: { state: 'open' },
        }),
      }),
    );
    assert.equal(Result, true);
  });

  it('brings events to queues, topics, log groups and functions', async () => {
    const queue = await makeQueue('events');
    await rule('to-queue', 'fan', { Arn: queue.arn, InputPath: '$.detail' });
    const fanned = await makeQueue('fanned');
    const sns = new SNSClient(server.settings());
    others.push(sns);
    const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: 'events' }));
    await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint: fanned.arn }));
    await rule('to-topic', 'fan', { Arn: TopicArn });
    await logs.send(new CreateLogGroupCommand({ logGroupName: '/aws/events/all' }));
    await rule('to-logs', 'fan', { Arn: `arn:aws:logs:us-east-1:${ACCOUNT}:log-group:/aws/events/all` });
    const functions = new lambda.LambdaClient(server.settings());
    others.push(functions);
    const { FunctionArn } = await functions.send(
      new lambda.CreateFunctionCommand({
        FunctionName: 'on-event',
        Runtime: 'nodejs22.x',
        Role: ROLE,
        Handler: 'index.handler',
        Code: {
          ZipFile: await zipOf({ 'index.js': "exports.handler = async (e) => console.log('GOT ' + e.detail.n);" }),
        },
      }),
    );
    await rule('to-function', 'fan', { Arn: FunctionArn });

    const { Entries } = await put('fan', { n: 7 });
    const id = Entries![0]!.EventId!;
    assert.deepEqual((await receive(queue.url)).body, { n: 7 });
    assert.equal(JSON.parse((await receive(fanned.url)).body.Message).id, id);
    const logged = async (logGroupName: string, filterPattern: string) =>
      eventually(async () => {
        const found = await logs
          .send(new FilterLogEventsCommand({ logGroupName, filterPattern }))
          .catch((error: Error) => assert.equal(error.name, 'ResourceNotFoundException'));
        return found?.events?.[0]?.message;
      });
    assert.equal(JSON.parse(await logged('/aws/events/all', `"${id}"`)).source, 'fan');
    assert.match(await logged('/aws/lambda/on-event', 'GOT'), /GOT 7/);
  });

  it('sends what cannot be delivered to a dead-letter queue', async () => {
    const letters = await makeQueue('letters');
    const gone = `arn:aws:sqs:us-east-1:${ACCOUNT}:gone`;
    await rule('to-nowhere', 'lost', { Arn: gone, Input: '"x"', DeadLetterConfig: { Arn: letters.arn } });
    const { Entries } = await put('lost', { n: 1 });
    const { attributes, body } = await receive(letters.url);
    assert.equal(body.id, Entries![0]!.EventId);
    assert.equal(attributes!.ERROR_CODE!.StringValue, 'NO_RESOURCE');
    assert.equal(attributes!.RULE_ARN!.StringValue, `${ARN}:rule/to-nowhere`);
    assert.equal(attributes!.TARGET_ARN!.StringValue, gone);
  });

  it('archives events and replays them', async () => {
    const queue = await makeQueue('replayed');
    await client.send(new events.CreateEventBusCommand({ Name: 'kept' }));
    const bus = `${ARN}:event-bus/kept`;
    await client.send(new events.CreateArchiveCommand({ ArchiveName: 'all', EventSourceArn: bus, RetentionDays: 1 }));
    const first = (await put('kept', { n: 1 }, { EventBusName: 'kept' })).Entries![0]!.EventId;
    const { EventCount, SizeBytes } = await client.send(new events.DescribeArchiveCommand({ ArchiveName: 'all' }));
    assert.equal(EventCount, 1);
    assert.ok(SizeBytes! > 100);
    await rule('again', 'kept', { Arn: queue.arn }, { EventBusName: 'kept' });
    const { State } = await client.send(
      new events.StartReplayCommand({
        ReplayName: 'again',
        EventSourceArn: `${ARN}:archive/all`,
        EventStartTime: new Date(Date.now() - 60_000),
        EventEndTime: new Date(Date.now() + 60_000),
        Destination: { Arn: bus },
      }),
    );
    assert.equal(State, 'STARTING');
    const { body } = await receive(queue.url);
    assert.deepEqual([body.id, body['replay-name'], body.detail], [first, 'again', { n: 1 }]);
    const ended = await eventually(async () => {
      const replay = await client.send(new events.DescribeReplayCommand({ ReplayName: 'again' }));
      return replay.State === 'COMPLETED' ? replay : undefined;
    });
    assert.ok(ended.ReplayEndTime! >= ended.ReplayStartTime!);
    await client.send(new events.DeleteArchiveCommand({ ArchiveName: 'all' }));
  });
});

describe('EventBridge API destinations by the AWS SDK', () => {
  interface Request {
    readonly path: string;
    readonly method: string;
    readonly headers: IncomingMessage['headers'];
    readonly body: string;
  }
  let endpoint: Server;
  let address: string;
  const requests: Request[] = [];
  /** Statuses that are answered before 200s. */
  const statuses: number[] = [];
  let tokens = 0;

  before(async () => {
    endpoint = createServer(async (request, response) => {
      const body = await text(request);
      requests.push({ path: request.url!, method: request.method!, headers: request.headers, body });
      if (request.url === '/token') {
        tokens += 1;
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ access_token: `token-${tokens}`, token_type: 'Bearer', expires_in: 3600 }));
        return;
      }
      response.statusCode = statuses.shift() ?? 200;
      response.end();
    }).listen(0, '127.0.0.1');
    await once(endpoint, 'listening');
    address = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}`;
  });
  after(() => endpoint?.close());

  const next = () => eventually(async () => requests.shift());

  async function destination(Name: string, connection: Omit<events.CreateConnectionCommandInput, 'Name'>) {
    const { ConnectionArn } = await client.send(new events.CreateConnectionCommand({ Name, ...connection }));
    const { ApiDestinationArn } = await client.send(
      new events.CreateApiDestinationCommand({
        Name,
        ConnectionArn,
        InvocationEndpoint: `${address}/*/hook`,
        HttpMethod: 'POST',
      }),
    );
    await rule(Name, Name, {
      Arn: ApiDestinationArn,
      RoleArn: ROLE,
      HttpParameters: {
        PathParameterValues: ['$.detail.id'],
        HeaderParameters: { 'X-Own': 'own', 'X-Both': 'target' },
        QueryStringParameters: { q: '1' },
      },
    });
  }

  it('invoke an endpoint with an API key, and never tell it', async () => {
    await destination('key', {
      AuthorizationType: 'API_KEY',
      AuthParameters: {
        ApiKeyAuthParameters: { ApiKeyName: 'X-Api-Key', ApiKeyValue: 'very-secret' },
        InvocationHttpParameters: {
          HeaderParameters: [{ Key: 'X-Both', Value: 'connection' }],
          BodyParameters: [{ Key: 'token', Value: 'hidden', IsValueSecret: true }],
        },
      },
    });
    await put('key', { id: 'a b' });
    const request = await next();
    assert.equal(`${request.method} ${request.path}`, 'POST /a%20b/hook?q=1');
    const { headers } = request;
    assert.deepEqual(
      [headers['x-api-key'], headers['x-own'], headers['x-both'], headers['content-type'], headers['user-agent']],
      ['very-secret', 'own', 'connection', 'application/json; charset=utf-8', 'Amazon/EventBridge/ApiDestinations'],
    );
    const body = JSON.parse(request.body);
    assert.deepEqual([body.detail, body.token], [{ id: 'a b' }, 'hidden']);
    const described = await client.send(new events.DescribeConnectionCommand({ Name: 'key' }));
    assert.equal(described.ConnectionState, 'AUTHORIZED');
    assert.deepEqual(described.AuthParameters, {
      ApiKeyAuthParameters: { ApiKeyName: 'X-Api-Key' },
      InvocationHttpParameters: {
        HeaderParameters: [{ Key: 'X-Both', Value: 'connection' }],
        BodyParameters: [{ Key: 'token', IsValueSecret: true }],
      },
    });
  });

  it('get an OAuth token, and another one when it is not taken any more', async () => {
    await destination('oauth', {
      AuthorizationType: 'OAUTH_CLIENT_CREDENTIALS',
      AuthParameters: {
        OAuthParameters: {
          ClientParameters: { ClientID: 'me', ClientSecret: 'shh' },
          AuthorizationEndpoint: `${address}/token`,
          HttpMethod: 'POST',
          OAuthHttpParameters: { BodyParameters: [{ Key: 'scope', Value: 'all' }] },
        },
      },
    });
    const token = await next();
    assert.equal(token.path, '/token');
    assert.equal(token.body, 'grant_type=client_credentials&client_id=me&client_secret=shh&scope=all');
    await eventually(async () => {
      const { ConnectionState } = await client.send(new events.DescribeConnectionCommand({ Name: 'oauth' }));
      return ConnectionState === 'AUTHORIZED' || undefined;
    });
    statuses.push(401);
    await put('oauth', { id: '1' });
    assert.equal((await next()).headers.authorization, 'Bearer token-1');
    await moveClock(server, 2000);
    assert.equal((await next()).path, '/token');
    assert.equal((await next()).headers.authorization, 'Bearer token-2');
    await put('oauth', { id: '2' });
    assert.equal((await next()).headers.authorization, 'Bearer token-2');
    const { ConnectionState } = await client.send(new events.DeauthorizeConnectionCommand({ Name: 'oauth' }));
    assert.equal(ConnectionState, 'DEAUTHORIZING');
    const { ApiDestinationState } = await client.send(new events.DescribeApiDestinationCommand({ Name: 'oauth' }));
    assert.equal(ApiDestinationState, 'INACTIVE');
  });

  it('are not for plain HTTP to elsewhere', async () => {
    const { ConnectionArn } = await client.send(new events.DescribeConnectionCommand({ Name: 'key' }));
    const make = (InvocationEndpoint: string) =>
      client.send(
        new events.CreateApiDestinationCommand({ Name: 'x', ConnectionArn, InvocationEndpoint, HttpMethod: 'GET' }),
      );
    await assert.rejects(make('http://example.com/'), { name: 'ValidationException' });
    await assert.rejects(make('ftp://127.0.0.1/'), { name: 'ValidationException' });
    await assert.rejects(make('https://user:pass@example.com/'), { name: 'ValidationException' });
  });
});

describe('EventBridge scheduled rules by the AWS SDK', () => {
  it('run when their time comes', async () => {
    const queue = await makeQueue('ticks');
    await client.send(new events.PutRuleCommand({ Name: 'hourly', ScheduleExpression: 'rate(1 hour)' }));
    await client.send(new events.PutTargetsCommand({ Rule: 'hourly', Targets: [{ Id: 'q', Arn: queue.arn }] }));
    await moveClock(server, 3_600_000);
    const { body } = await receive(queue.url);
    const { id: _, time: __, ...event } = body;
    assert.deepEqual(event, {
      version: '0',
      'detail-type': 'Scheduled Event',
      source: 'aws.events',
      account: ACCOUNT,
      region: 'us-east-1',
      resources: [`${ARN}:rule/hourly`],
      detail: {},
    });
    await assert.rejects(client.send(new events.PutRuleCommand({ Name: 'bad', ScheduleExpression: 'rate(1 hours)' })), {
      name: 'ValidationException',
      message: /^Parameter ScheduleExpression is not valid\./,
    });
  });
});

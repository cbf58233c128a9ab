import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as lambda from '@aws-sdk/client-lambda';
import { moveClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { FUNCTION_TIMEOUT_S, type Queue, QueueFunctions } from '../support/queue-functions.ts';
import { type RunningKobune, runKobune, withoutBoto3, withoutCli } from '../support/running-kobune.ts';

let server: RunningKobune;
let world: QueueFunctions;
let seen: Queue;

before(async () => {
  server = await runKobune();
  world = new QueueFunctions(server.settings());
  seen = await world.queue('seen');
  await world.relay('relay', seen);
});
after(async () => {
  world?.[Symbol.dispose]();
  await server?.[Symbol.asyncDispose]();
});

describe('Event source mappings by the AWS SDK', () => {
  it('give the function the event that AWS documents', async () => {
    const work = await world.queue('work');
    const { State, UUID } = await world.map('relay', work);
    assert.equal(State, 'Creating');
    const messageId = await world.send(work, 'hello', {
      MessageAttributes: {
        colour: { DataType: 'String', StringValue: 'red' },
        raw: { DataType: 'Binary', BinaryValue: Buffer.from([1, 2, 3]) },
      },
    });
    const { Records } = await world.event(seen);
    assert.equal(Records.length, 1);
    const [{ attributes, md5OfMessageAttributes, receiptHandle, ...record }] = Records;
    assert.deepEqual(record, {
      messageId,
      body: 'hello',
      messageAttributes: {
        colour: { stringValue: 'red', stringListValues: [], binaryListValues: [], dataType: 'String' },
        raw: { binaryValue: 'AQID', stringListValues: [], binaryListValues: [], dataType: 'Binary' },
      },
      md5OfBody: '5d41402abc4b2a76b9719d911017c592',
      eventSource: 'aws:sqs',
      eventSourceARN: work.arn,
      awsRegion: 'us-east-1',
    });
    assert.ok(receiptHandle.length > 0);
    assert.match(md5OfMessageAttributes, /^[0-9a-f]{32}$/);
    assert.equal(attributes.ApproximateReceiveCount, '1');
    for (const name of ['SentTimestamp', 'SenderId', 'ApproximateFirstReceiveTimestamp']) {
      assert.ok(attributes[name], name);
    }
    const mapping = await world.lambda.send(new lambda.GetEventSourceMappingCommand({ UUID }));
    assert.equal(mapping.State, 'Enabled');
    assert.equal(mapping.BatchSize, 10);
    await world.lambda.send(new lambda.DeleteEventSourceMappingCommand({ UUID }));
  });

  it('keep the order of a FIFO queue', async () => {
    const work = await world.queue('orders.fifo', { FifoQueue: 'true', ContentBasedDeduplication: 'true' });
    const { UUID } = await world.map('relay', work, { BatchSize: 1 });
    for (const body of ['1', '2', '3', '4']) await world.send(work, body, { MessageGroupId: 'g' });
    for (const body of ['1', '2', '3', '4']) {
      const { Records } = await world.event(seen);
      assert.deepEqual([Records[0].body, Records[0].attributes.MessageGroupId], [body, 'g']);
      assert.ok(Records[0].attributes.SequenceNumber);
    }
    await world.lambda.send(new lambda.DeleteEventSourceMappingCommand({ UUID }));
  });

  it('filter, and give back only what the function reports', async () => {
    const work = await world.queue('partly', { VisibilityTimeout: String(FUNCTION_TIMEOUT_S) });
    const { UUID } = await world.map('relay', work, {
      MaximumBatchingWindowInSeconds: 1,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      FilterCriteria: { Filters: [{ Pattern: JSON.stringify({ body: ['now', 'later'] }) }] },
    });
    for (const body of ['now', 'never', 'later']) await world.send(work, body);
    const bodies = ({ Records }: { Records: { body: string }[] }) => Records.map(({ body }) => body).sort();
    assert.deepEqual(bodies(await world.event(seen)), ['later', 'now']);
    // The function has answered: only what it reported is left, hidden until its time is up.
    await eventually(async () => ((await world.count(work)) === 1 ? true : undefined));
    await moveClock(server, FUNCTION_TIMEOUT_S * 1000);
    const again = await world.event(seen);
    assert.deepEqual(bodies(again), ['later']);
    assert.equal(again.Records[0].attributes.ApproximateReceiveCount, '2');
    await world.lambda.send(new lambda.DeleteEventSourceMappingCommand({ UUID }));
    assert.equal(await world.count(work), 1);
  });

  it('get errors as the SDK knows them', async () => {
    const work = await world.queue('errors', { VisibilityTimeout: '0' });
    await assert.rejects(world.map('relay', work), (error) => {
      assert.ok(error instanceof lambda.InvalidParameterValueException);
      assert.equal(error.message, 'Queue visibility timeout: 0 seconds is less than Function timeout: 20 seconds');
      return true;
    });
    await assert.rejects(world.map('none', work), lambda.InvalidParameterValueException);
    await assert.rejects(
      world.map('relay', { ...work, arn: `${work.arn}-none` }),
      lambda.InvalidParameterValueException,
    );
    await assert.rejects(
      world.lambda.send(new lambda.GetEventSourceMappingCommand({ UUID: '00000000-0000-0000-0000-000000000000' })),
      lambda.ResourceNotFoundException,
    );
    const twice = await world.queue('twice');
    await world.map('relay', twice, { Enabled: false });
    await assert.rejects(world.map('relay', twice), lambda.ResourceConflictException);
  });
});

describe('Event source mappings by other clients', () => {
  it('work with boto3', { skip: withoutBoto3 }, async () => {
    const output = await server.boto3(`
functions, sqs = client("lambda"), client("sqs")
url = sqs.create_queue(QueueName="python")["QueueUrl"]
arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
made = functions.create_event_source_mapping(FunctionName="relay", EventSourceArn=arn, BatchSize=5,
    FunctionResponseTypes=["ReportBatchItemFailures"], FilterCriteria={"Filters": [{"Pattern": '{"body":{"kind":["tea"]}}'}]})
for body in ['{"kind":"rice"}', '{"kind":"tea"}']:
    sqs.send_message(QueueUrl=url, MessageBody=body)
seen = sqs.get_queue_url(QueueName="seen")["QueueUrl"]
message = sqs.receive_message(QueueUrl=seen, WaitTimeSeconds=20)["Messages"][0]
sqs.delete_message(QueueUrl=seen, ReceiptHandle=message["ReceiptHandle"])
functions.update_event_source_mapping(UUID=made["UUID"], Enabled=False)
found = functions.list_event_source_mappings(FunctionName="relay", EventSourceArn=arn)["EventSourceMappings"]
functions.delete_event_source_mapping(UUID=made["UUID"])
try:
    functions.create_event_source_mapping(FunctionName="relay", EventSourceArn=arn + "-none")
    code = None
except ClientError as error:
    code = error.response["Error"]["Code"]
print(json.dumps({"bodies": [r["body"] for r in json.loads(message["Body"])["Records"]],
    "found": [(m["BatchSize"], m["FunctionResponseTypes"]) for m in found], "code": code}))
`);
    const { bodies, code, found } = JSON.parse(output);
    assert.deepEqual(bodies, ['{"kind":"tea"}']);
    assert.equal(code, 'InvalidParameterValueException');
    assert.deepEqual(found, [[5, ['ReportBatchItemFailures']]]);
  });

  it('work with the AWS CLI', { skip: withoutCli }, async () => {
    const queue = await world.queue('shell');
    const made = await server.cliJson([
      'lambda',
      'create-event-source-mapping',
      '--function-name=relay',
      `--event-source-arn=${queue.arn}`,
      '--batch-size=3',
    ]);
    await server.cliJson(['sqs', 'send-message', `--queue-url=${queue.url}`, '--message-body=from the shell']);
    const { Records } = await world.event(seen);
    assert.equal(Records[0].body, 'from the shell');
    const listed = await server.cliJson(['lambda', 'list-event-source-mappings', `--event-source-arn=${queue.arn}`]);
    assert.equal(listed.EventSourceMappings[0].UUID, made.UUID);
    assert.equal(listed.EventSourceMappings[0].BatchSize, 3);
    const deleted = await server.cliJson(['lambda', 'delete-event-source-mapping', `--uuid=${made.UUID}`]);
    assert.equal(deleted.State, 'Deleting');
  });
});

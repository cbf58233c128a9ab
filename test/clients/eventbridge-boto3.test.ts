import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type RunningKobune, runKobune, withoutBoto3 } from '../support/running-kobune.ts';

describe('EventBridge by boto3', { skip: withoutBoto3 }, () => {
  let server: RunningKobune;
  before(async () => {
    server = await runKobune();
  });
  after(() => server?.[Symbol.asyncDispose]());

  it('rules on a bus of its own send events to a queue', async () => {
    const output = await server.boto3(`
events, sqs = client("events"), client("sqs")
url = sqs.create_queue(QueueName="q")["QueueUrl"]
arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
events.create_event_bus(Name="orders")
events.put_rule(Name="big", EventBusName="orders", EventPattern=json.dumps({"detail": {"total": [{"numeric": [">", 100]}]}}))
put = events.put_targets(Rule="big", EventBusName="orders", Targets=[{"Id": "1", "Arn": arn, "InputPath": "$.detail"}])
entries = [{"EventBusName": "orders", "Source": "shop", "DetailType": "Order", "Detail": json.dumps({"total": t})} for t in (99, 101)]
answer = events.put_events(Entries=entries)
messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, MaxNumberOfMessages=10)["Messages"]
rules = [r["Name"] for r in events.get_paginator("list_rules").paginate(EventBusName="orders").search("Rules[]")] if events.can_paginate("list_rules") else []
print(json.dumps([put["FailedEntryCount"], answer["FailedEntryCount"], [m["Body"] for m in messages], rules]))
`);
    assert.deepEqual(JSON.parse(output), [0, 0, ['{"total":101}'], ['big']]);
  });

  it('errors are its own exceptions', async () => {
    const output = await server.boto3(`
events = client("events")
def code(call):
    try:
        call()
    except events.exceptions.ResourceNotFoundException as error:
        return "not found: " + error.response["Error"]["Message"]
    except events.exceptions.InvalidEventPatternException:
        return "pattern"
    except events.exceptions.ResourceAlreadyExistsException:
        return "exists"
    except ClientError as error:
        return error.response["Error"]["Code"]
events.create_event_bus(Name="twice")
print(json.dumps([
    code(lambda: events.describe_rule(Name="nothing")),
    code(lambda: events.put_rule(Name="r", EventPattern="{")),
    code(lambda: events.create_event_bus(Name="twice")),
    code(lambda: events.put_rule(Name="r", EventBusName="twice", ScheduleExpression="rate(1 day)")),
    code(lambda: events.list_event_sources()),
]))
`);
    assert.deepEqual(JSON.parse(output), [
      'not found: Rule nothing does not exist on EventBus default.',
      'pattern',
      'exists',
      'ValidationException',
      'NotImplemented',
    ]);
  });
});

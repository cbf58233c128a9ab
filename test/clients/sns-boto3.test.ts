import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type RunningKobune, runKobune, withoutBoto3 } from '../support/running-kobune.ts';

describe('SNS by boto3', { skip: withoutBoto3 }, () => {
  let server: RunningKobune;
  before(async () => {
    server = await runKobune();
  });
  after(() => server[Symbol.asyncDispose]());

  /** Runs a script that has clients `sns` and `sqs`; it fails by an assertion. */
  const python = (script: string) => server.boto3(`sns, sqs = client("sns"), client("sqs")\n${script}`);

  it('makes topics, subscribes queues and publishes to them', async () => {
    const output = await python(`
topic = sns.create_topic(Name="boto", Attributes={"DisplayName": "B"}, Tags=[{"Key": "team", "Value": "a"}])["TopicArn"]
url = sqs.create_queue(QueueName="boto")["QueueUrl"]
arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True,
    Attributes={"FilterPolicy": json.dumps({"kind": ["a"]})})["SubscriptionArn"]
for kind in ["a", "b"]:
    sns.publish(TopicArn=topic, Message="größe " + kind, MessageAttributes={
        "kind": {"DataType": "String", "StringValue": kind},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\\x00\\x01"}})
messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, MaxNumberOfMessages=10)["Messages"]
assert len(messages) == 1, messages
body = json.loads(messages[0]["Body"])
assert body["Message"] == "größe a", body
assert body["MessageAttributes"]["bytes"] == {"Type": "Binary", "Value": "AAE="}
sns.set_subscription_attributes(SubscriptionArn=subscription, AttributeName="RawMessageDelivery", AttributeValue="true")
result = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[
    {"Id": "1", "Message": "x", "MessageAttributes": {"kind": {"DataType": "String", "StringValue": "a"}}},
    {"Id": "2", "Message": "y", "MessageAttributes": {"k": {"DataType": "Nonsense", "StringValue": "a"}}}])
assert [entry["Id"] for entry in result["Successful"]] == ["1"], result
assert result["Failed"][0]["Code"] == "ParameterValueInvalid" and result["Failed"][0]["SenderFault"] is True, result
assert sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"][0]["Body"] == "x"
assert sns.list_tags_for_resource(ResourceArn=topic)["Tags"] == [{"Key": "team", "Value": "a"}]
attributes = sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
assert attributes["FilterPolicyScope"] == "MessageAttributes" and attributes["RawMessageDelivery"] == "true"
assert [s["SubscriptionArn"] for s in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]] == [subscription]
sns.unsubscribe(SubscriptionArn=subscription)
sns.delete_topic(TopicArn=topic)
print([t for page in sns.get_paginator("list_topics").paginate() for t in page["Topics"]])
`);
    assert.equal(output, '[]');
  });

  it('gets errors by their names', async () => {
    const output = await python(`
try:
    sns.publish(TopicArn="arn:aws:sns:us-east-1:000000000000:none", Message="m")
except sns.exceptions.NotFoundException as error:
    assert error.response["Error"]["Message"] == "Topic does not exist"
    assert error.response["Error"]["Type"] == "Sender"
topic = sns.create_topic(Name="errors")["TopicArn"]
try:
    sns.subscribe(TopicArn=topic, Protocol="pigeon", Endpoint="x")
except sns.exceptions.InvalidParameterException as error:
    print(error.response["Error"]["Message"])
try:
    sns.publish(TopicArn=topic, Message="m", MessageAttributes={"a": {"DataType": "String"}})
except ClientError as error:
    assert error.response["Error"]["Code"] == "ParameterValueInvalid", error
`);
    assert.equal(output, 'Invalid parameter: Amazon SNS does not support this protocol string: pigeon');
  });

  it('reaches phones and devices, whose messages are in the outbox', async () => {
    await python(`
app = sns.create_platform_application(Name="app", Platform="GCM", Attributes={"PlatformCredential": "k"})["PlatformApplicationArn"]
device = sns.create_platform_endpoint(PlatformApplicationArn=app, Token="token")["EndpointArn"]
sns.publish(TargetArn=device, MessageStructure="json", Message=json.dumps({"default": "d", "GCM": json.dumps({"data": {"a": 1}})}))
sns.set_sms_attributes(attributes={"DefaultSMSType": "Transactional"})
sns.publish(PhoneNumber="+4915112345678", Message="code 42")
sns.set_endpoint_attributes(EndpointArn=device, Attributes={"Enabled": "false"})
try:
    sns.publish(TargetArn=device, Message="m")
    assert False
except sns.exceptions.EndpointDisabledException:
    pass
`);
    const { messages } = (await (await fetch(`${server.endpoint}/_kobune/outbox`)).json()) as {
      messages: { kind: string; body: string }[];
    };
    assert.deepEqual(
      messages.map(({ body, kind }) => [kind, body]),
      [
        ['push', '{"data": {"a": 1}}'],
        ['sms', 'code 42'],
      ],
    );
  });
});

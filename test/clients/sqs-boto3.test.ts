import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type RunningKobune, runKobune, withoutBoto3 } from '../support/running-kobune.ts';

describe('SQS by boto3', { skip: withoutBoto3 }, () => {
  let server: RunningKobune;
  before(async () => {
    server = await runKobune();
  });
  after(() => server[Symbol.asyncDispose]());

  // This boto3 speaks the query protocol and posts to the queue's own address; it checks the digests it gets.
  it('works with queues, messages, batches and errors', async () => {
    const output = await server.boto3(`
sqs = client("sqs")
url = sqs.create_queue(QueueName="boto", Attributes={"VisibilityTimeout": "60"}, tags={"team": "a"})["QueueUrl"]
assert url.endswith("/000000000000/boto"), url
assert sqs.get_queue_url(QueueName="boto")["QueueUrl"] == url
assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "a"}
sent = sqs.send_message(QueueUrl=url, MessageBody="<größe> & more", MessageAttributes={
    "text": {"DataType": "String", "StringValue": "ä"},
    "bytes": {"DataType": "Binary", "BinaryValue": b"\\x00\\x01"},
})
message, = sqs.receive_message(QueueUrl=url, AttributeNames=["All"], MessageAttributeNames=["All"], WaitTimeSeconds=1)["Messages"]
assert message["Body"] == "<größe> & more", message
assert message["MessageAttributes"]["bytes"]["BinaryValue"] == b"\\x00\\x01"
assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
assert message["Attributes"]["ApproximateReceiveCount"] == "1"
sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
message, = sqs.receive_message(QueueUrl=url)["Messages"]
sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
assert "Messages" not in sqs.receive_message(QueueUrl=url)
batch = sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": "m%d" % n} for n in range(3)] + [{"Id": "bad", "MessageBody": "x", "DelaySeconds": 901}])
assert [e["Id"] for e in batch["Successful"]] == ["0", "1", "2"]
assert batch["Failed"][0]["Code"] == "InvalidParameterValue", batch["Failed"]
messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
assert [m["Body"] for m in messages] == ["m0", "m1", "m2"]
sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": m["MessageId"], "ReceiptHandle": m["ReceiptHandle"]} for m in messages])
attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
assert attributes["ApproximateNumberOfMessages"] == "0" and attributes["VisibilityTimeout"] == "60", attributes
sqs.add_permission(QueueUrl=url, Label="l", AWSAccountIds=["111111111111"], Actions=["SendMessage"])
sqs.remove_permission(QueueUrl=url, Label="l")
try:
    sqs.send_message(QueueUrl=url + "-none", MessageBody="x")
except sqs.exceptions.QueueDoesNotExist as error:
    print(error.response["Error"]["Code"])
try:
    sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "x"}, {"Id": "a", "MessageBody": "y"}])
except sqs.exceptions.BatchEntryIdsNotDistinct as error:
    print(error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])
try:
    sqs.create_queue(QueueName="boto", Attributes={"VisibilityTimeout": "1"})
except sqs.exceptions.QueueNameExists as error:
    print(error.response["Error"]["Code"])
sqs.purge_queue(QueueUrl=url)
try:
    sqs.purge_queue(QueueUrl=url)
except sqs.exceptions.PurgeQueueInProgress as error:
    print(error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])
sqs.delete_queue(QueueUrl=url)
try:
    sqs.create_queue(QueueName="boto")
except sqs.exceptions.QueueDeletedRecently as error:
    print(error.response["Error"]["Code"])
`);
    assert.deepEqual(output.split('\n'), [
      'AWS.SimpleQueueService.NonExistentQueue',
      'AWS.SimpleQueueService.BatchEntryIdsNotDistinct 400',
      'QueueAlreadyExists',
      'AWS.SimpleQueueService.PurgeQueueInProgress 403',
      'AWS.SimpleQueueService.QueueDeletedRecently',
    ]);
  });

  it('orders a FIFO queue and pages through queues', async () => {
    const output = await server.boto3(`
sqs = client("sqs")
url = sqs.create_queue(QueueName="boto.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
for n in range(3):
    sent = sqs.send_message(QueueUrl=url, MessageBody=str(n), MessageGroupId="g", MessageDeduplicationId="d%d" % n)
    assert len(sent["SequenceNumber"]) == 20, sent
print([m["Body"] for m in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["MessageGroupId"])["Messages"]])
for n in range(5):
    sqs.create_queue(QueueName="page-%d" % n)
pages = sqs.get_paginator("list_queues").paginate(QueueNamePrefix="page-", PaginationConfig={"PageSize": 2})
print([len(page["QueueUrls"]) for page in pages])
`);
    assert.deepEqual(output.split('\n'), ["['0', '1', '2']", '[2, 2, 1]']);
  });
});

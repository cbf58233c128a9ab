import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as logs from '@aws-sdk/client-cloudwatch-logs';
import { type RunningKobune, runKobune, withoutBoto3, withoutCli } from '../support/running-kobune.ts';

let server: RunningKobune;
let client: logs.CloudWatchLogsClient;

before(async () => {
  server = await runKobune();
  client = new logs.CloudWatchLogsClient({ ...server.settings(), disableHostPrefix: true });
});
after(async () => {
  client?.destroy();
  await server?.[Symbol.asyncDispose]();
});

async function makeStream(logGroupName: string, logStreamName = 's'): Promise<void> {
  await client.send(new logs.CreateLogGroupCommand({ logGroupName }));
  await client.send(new logs.CreateLogStreamCommand({ logGroupName, logStreamName }));
}

describe('Logs by the AWS SDK', () => {
  it('stores, reads, filters and pages', async () => {
    await makeStream('/sdk/events');
    const start = Date.now();
    const { rejectedLogEventsInfo } = await client.send(
      new logs.PutLogEventsCommand({
        logGroupName: '/sdk/events',
        logStreamName: 's',
        logEvents: Array.from({ length: 25 }, (_, index) => ({
          timestamp: start + index,
          message: JSON.stringify({ index, level: index % 5 === 0 ? 'ERROR' : 'INFO', text: 'größe' }),
        })),
      }),
    );
    assert.equal(rejectedLogEventsInfo, undefined);
    const seen: number[] = [];
    for await (const page of logs.paginateFilterLogEvents(
      { client, pageSize: 2 },
      { logGroupName: '/sdk/events', filterPattern: '{ $.level = "ERROR" && $.index > 0 }' },
    )) {
      seen.push(...(page.events ?? []).map(({ message = '' }) => JSON.parse(message).index));
    }
    assert.deepEqual(seen, [5, 10, 15, 20]);
    const all: string[] = [];
    for await (const page of logs.paginateGetLogEvents(
      { client, pageSize: 10, stopOnSameToken: true },
      { logGroupName: '/sdk/events', logStreamName: 's', startFromHead: true },
    )) {
      all.push(...(page.events ?? []).map(({ message = '' }) => message));
    }
    assert.equal(all.length, 25);
    assert.equal(JSON.parse(all[24]!).text, 'größe');
  });

  it('gets errors as the SDK knows them', async () => {
    const missing = new logs.GetLogEventsCommand({ logGroupName: 'missing', logStreamName: 's' });
    await assert.rejects(client.send(missing), logs.ResourceNotFoundException);
    await client.send(new logs.CreateLogGroupCommand({ logGroupName: 'twice' }));
    await assert.rejects(
      client.send(new logs.CreateLogGroupCommand({ logGroupName: 'twice' })),
      logs.ResourceAlreadyExistsException,
    );
    await assert.rejects(
      client.send(new logs.PutRetentionPolicyCommand({ logGroupName: 'twice', retentionInDays: 2 })),
      logs.InvalidParameterException,
    );
    const query = new logs.StartQueryCommand({
      logGroupName: 'twice',
      startTime: 0,
      endTime: 1,
      queryString: 'fields @message',
    });
    await assert.rejects(client.send(query), (error: Error & { $metadata?: { httpStatusCode?: number } }) => {
      assert.match(error.message, /StartQuery/);
      return error.$metadata?.httpStatusCode === 501;
    });
  });

  it('follows a group by StartLiveTail', async () => {
    await makeStream('/sdk/tail');
    const logGroupIdentifiers = ['arn:aws:logs:us-east-1:000000000000:log-group:/sdk/tail'];
    const { responseStream } = await client.send(
      new logs.StartLiveTailCommand({ logGroupIdentifiers, logEventFilterPattern: 'ERROR' }),
    );
    const seen: (string | undefined)[] = [];
    for await (const part of responseStream!) {
      if (part.sessionStart) {
        const logEvents = ['ERROR a', 'fine', 'ERROR b'].map((message) => ({ timestamp: Date.now(), message }));
        await client.send(new logs.PutLogEventsCommand({ logGroupName: '/sdk/tail', logStreamName: 's', logEvents }));
      }
      seen.push(...(part.sessionUpdate?.sessionResults ?? []).map(({ message }) => message));
      if (seen.length >= 2) break;
    }
    assert.deepEqual(seen, ['ERROR a', 'ERROR b']);
  });
});

describe('Logs by the AWS CLI', { skip: withoutCli }, () => {
  it('describes, tags, tails and deletes', async () => {
    const { cliJson: cli } = server;
    await cli(['logs', 'create-log-group', '--log-group-name', '/cli/g', '--tags', 'team=a']);
    await cli(['logs', 'put-retention-policy', '--log-group-name', '/cli/g', '--retention-in-days', '7']);
    await cli(['logs', 'create-log-stream', '--log-group-name', '/cli/g', '--log-stream-name', 's']);
    const event = `timestamp=${Date.now()},message=hello`;
    await cli([
      'logs',
      'put-log-events',
      '--log-group-name',
      '/cli/g',
      '--log-stream-name',
      's',
      '--log-events',
      event,
    ]);
    const { logGroups } = await cli(['logs', 'describe-log-groups', '--log-group-name-prefix', '/cli']);
    assert.equal(logGroups[0].retentionInDays, 7);
    assert.equal(logGroups[0].storedBytes, 31);
    const { events } = await cli([
      'logs',
      'filter-log-events',
      '--log-group-name',
      '/cli/g',
      '--filter-pattern',
      'hello',
    ]);
    assert.equal(events[0].message, 'hello');
    const { tags } = await cli(['logs', 'list-tags-log-group', '--log-group-name', '/cli/g']);
    assert.deepEqual(tags, { team: 'a' });
    await cli(['logs', 'delete-log-group', '--log-group-name', '/cli/g']);
    await assert.rejects(
      cli(['logs', 'describe-log-streams', '--log-group-name', '/cli/g']),
      /ResourceNotFoundException/,
    );
  });
});

describe('Logs by boto3', { skip: withoutBoto3 }, () => {
  it('puts and gets events', async () => {
    const output = await server.boto3(`
logs = client("logs")
logs.create_log_group(logGroupName="/boto/g")
logs.create_log_stream(logGroupName="/boto/g", logStreamName="s")
now = int(time.time() * 1000)
logs.put_log_events(logGroupName="/boto/g", logStreamName="s", logEvents=[{"timestamp": now + i, "message": "m%d" % i} for i in range(5)])
page = logs.get_log_events(logGroupName="/boto/g", logStreamName="s", startFromHead=True, limit=3)
rest = logs.get_log_events(logGroupName="/boto/g", logStreamName="s", startFromHead=True, nextToken=page["nextForwardToken"])
print([e["message"] for e in page["events"] + rest["events"]])
try:
    logs.put_log_events(logGroupName="/boto/g", logStreamName="none", logEvents=[{"timestamp": now, "message": "m"}])
except logs.exceptions.ResourceNotFoundException as error:
    print(error.response["Error"]["Message"])
`);
    assert.equal(output, "['m0', 'm1', 'm2', 'm3', 'm4']\nThe specified log stream does not exist.");
  });
});

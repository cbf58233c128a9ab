import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type RunningKobune, runKobune, withoutCli } from '../support/running-kobune.ts';

describe('Secrets Manager by the AWS CLI', { skip: withoutCli }, () => {
  let server: RunningKobune;
  before(async () => {
    server = await runKobune();
  });
  after(() => server[Symbol.asyncDispose]());

  it('creates, reads, updates, replicates and deletes', async () => {
    const aws = (command: string, ...args: string[]) => server.cliJson(['secretsmanager', command, ...args]);
    const { ARN } = await aws(
      'create-secret',
      '--name',
      'cli/a',
      '--secret-string',
      '{"a":1}',
      '--tags',
      'Key=k,Value=v',
    );
    await aws('update-secret', '--secret-id', 'cli/a', '--description', 'd', '--secret-string', 'two');
    assert.equal((await aws('get-secret-value', '--secret-id', ARN)).SecretString, 'two');
    assert.equal((await aws('list-secrets', '--filters', 'Key=tag-key,Values=k')).SecretList[0].Name, 'cli/a');
    const replicated = await aws(
      'replicate-secret-to-regions',
      '--secret-id',
      'cli/a',
      '--add-replica-regions',
      'Region=eu-west-1',
    );
    assert.equal(replicated.ReplicationStatus[0].Status, 'InSync');
    const replica = await server.cliJson([
      '--region',
      'eu-west-1',
      'secretsmanager',
      'get-secret-value',
      '--secret-id',
      'cli/a',
    ]);
    assert.equal(replica.SecretString, 'two');
    await assert.rejects(aws('delete-secret', '--secret-id', 'cli/a'), /InvalidRequestException.*replica regions/);
    await aws('remove-regions-from-replication', '--secret-id', 'cli/a', '--remove-replica-regions', 'eu-west-1');
    await aws('delete-secret', '--secret-id', 'cli/a', '--force-delete-without-recovery');
    await assert.rejects(aws('describe-secret', '--secret-id', 'cli/a'), /ResourceNotFoundException/);
  });
});

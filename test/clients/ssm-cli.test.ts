import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type RunningKobune, runKobune, withoutCli } from '../support/running-kobune.ts';

describe('SSM by the AWS CLI', { skip: withoutCli }, () => {
  let server: RunningKobune;
  before(async () => {
    server = await runKobune();
  });
  after(() => server[Symbol.asyncDispose]());

  it('puts, reads, finds and deletes', async () => {
    const aws = (command: string, ...args: string[]) => server.cliJson(['ssm', command, ...args]);
    const put = (name: string, value: string, ...more: string[]) =>
      aws('put-parameter', '--name', name, '--value', value, '--type', ...more);
    assert.deepEqual(await put('/cli/list', 'a,b', 'StringList'), { Version: 1, Tier: 'Standard' });
    await put('/cli/secure', 'geheim', 'SecureString');
    const secure = await aws('get-parameter', '--name', '/cli/secure', '--with-decryption');
    assert.equal(secure.Parameter.Value, 'geheim');
    const below = await aws('get-parameters-by-path', '--path', '/cli', '--query', 'Parameters[].Name');
    assert.deepEqual(below, ['/cli/list', '/cli/secure']);
    const described = await aws('describe-parameters', '--parameter-filters', 'Key=Type,Values=StringList');
    assert.equal(described.Parameters[0].Name, '/cli/list');
    await assert.rejects(put('/cli/list', 'c', 'StringList'), /ParameterAlreadyExists/);
    await aws('delete-parameter', '--name', '/cli/list');
    await assert.rejects(aws('get-parameter', '--name', '/cli/list'), /ParameterNotFound/);
  });
});

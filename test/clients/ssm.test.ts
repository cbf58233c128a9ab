import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as ssm from '@aws-sdk/client-ssm';
import { moveClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/refusals.ts';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';

let server: RunningKobune;
let client: ssm.SSMClient;

before(async () => {
  server = await runKobune();
  client = new ssm.SSMClient(server.settings());
});
after(async () => {
  client?.destroy();
  await server?.[Symbol.asyncDispose]();
});

const put = (Name: string, Value: string, more: Partial<ssm.PutParameterCommandInput> = {}) =>
  client.send(new ssm.PutParameterCommand({ Name, Value, Type: 'String', ...more }));
const get = async (Name: string, WithDecryption = false) =>
  (await client.send(new ssm.GetParameterCommand({ Name, WithDecryption }))).Parameter!;

describe('SSM by the AWS SDK', () => {
  it('keeps parameters in versions, encrypted where they are secure', async () => {
    assert.equal((await put('/sdk/a', 'one')).Version, 1);
    await put('/sdk/a', 'two', { Overwrite: true });
    assert.deepEqual([(await get('/sdk/a')).Value, (await get('/sdk/a:1')).Value], ['two', 'one']);
    await put('/sdk/secure', 'größe', { Type: 'SecureString' });
    assert.notEqual((await get('/sdk/secure')).Value, 'größe');
    const read = await get('/sdk/secure', true);
    assert.deepEqual([read.Value, read.Type, read.LastModifiedDate instanceof Date], ['größe', 'SecureString', true]);
  });

  it('pages through a hierarchy', async () => {
    for (let index = 0; index < 25; index++) await put(`/sdk/tree/${index % 3}/${index}`, String(index));
    const values: string[] = [];
    for await (const page of ssm.paginateGetParametersByPath(
      { client, pageSize: 7 },
      { Path: '/sdk/tree', Recursive: true },
    )) {
      values.push(...(page.Parameters ?? []).map(({ Value }) => Value!));
    }
    assert.equal(new Set(values).size, 25);
    const { Parameters } = await client.send(new ssm.GetParametersByPathCommand({ Path: '/sdk/tree' }));
    assert.deepEqual(Parameters, []);
  });

  it('gets errors as the SDK knows them', async () => {
    await assert.rejects(get('/sdk/none'), ssm.ParameterNotFound);
    await assert.rejects(get('/sdk/a:9'), ssm.ParameterVersionNotFound);
    await assert.rejects(put('/sdk/a', 'three'), ssm.ParameterAlreadyExists);
    await refused(put('/aws/reserved', 'x'), 'AccessDeniedException', 400);
    const error = await refused(client.send(new ssm.ListDocumentsCommand({})), 'NotImplemented', 501);
    assert.match(error.message, /ListDocuments/);
  });

  it('deletes a parameter that has expired, by the clock', async () => {
    const { now } = await moveClock(server, 0);
    const Timestamp = new Date(Date.parse(now) + 3_600_000).toISOString();
    const Policies = JSON.stringify([{ Type: 'Expiration', Version: '1.0', Attributes: { Timestamp } }]);
    await put('/sdk/expires', 'x', { Tier: 'Advanced', Policies });
    await moveClock(server, 3_600_000);
    await eventually(async () =>
      get('/sdk/expires').then(
        () => undefined,
        (error: Error) => {
          assert.equal(error.name, 'ParameterNotFound');
          return true;
        },
      ),
    );
  });
});

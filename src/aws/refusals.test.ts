import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { everything } from './conformance/sample-services.ts';
import { type AnyOperation, entry, Served, scoped } from './conformance/served.ts';
import { lambdaModel } from './index.ts';

const tell: AnyOperation = async () => ({});

describe('what is refused', () => {
  it('an unknown operation, under the name of its protocol, naming it', async () => {
    const { served } = await everything();
    await using _ = served;
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const cases: [Parameters<Served['send']>[0], number, RegExp][] = [
      [
        { method: 'POST', headers: { 'x-amz-target': 'Logs_20140328.NoSuch' } },
        404,
        /UnknownOperationException.*NoSuch/,
      ],
      [{ method: 'POST', headers: { 'x-amz-target': 'Logs_20140328.__proto__' } }, 404, /UnknownOperationException/],
      [
        { method: 'PATCH', path: '/2015-03-31/functions', headers: scoped('lambda') },
        404,
        /PATCH \/2015-03-31\/functions/,
      ],
      [{ path: '/no/such/path', headers: scoped('lambda') }, 404, /GET \/no\/such\/path/],
      [
        { method: 'POST', headers: { ...form, ...scoped('iam') }, body: 'Action=NoSuch&Version=2010-05-08' },
        400,
        /<Code>InvalidAction<\/Code><Message>Could not find operation NoSuch for version 2010-05-08/,
      ],
      [
        { method: 'POST', headers: { ...form, ...scoped('ec2') }, body: 'Action=NoSuch&Version=2016-11-15' },
        400,
        /<Errors><Error><Code>InvalidAction<\/Code><Message>The action NoSuch is not valid/,
      ],
      [{ method: 'PATCH', path: '/bucket/key' }, 405, /<Code>MethodNotAllowed</],
      [{ method: 'POST', path: '/bucket' }, 405, /<Code>MethodNotAllowed</],
      [{ method: 'POST', path: '/bucket/key' }, 405, /<Code>MethodNotAllowed</],
      [{ method: 'PUT', path: '/bucket/key?uploadId=u' }, 400, /Missing required parameter: partNumber/],
      [
        {
          method: 'POST',
          path: '/service/GraniteServiceVersion20100801/operation/NoSuch',
          headers: { 'smithy-protocol': 'rpc-v2-cbor' },
        },
        404,
        /UnknownOperationException/,
      ],
    ];
    for (const [request, status, body] of cases) {
      const answer = await served.send(request);
      assert.equal(answer.status, status, answer.body);
      assert.match(answer.body, body);
    }
  });

  it('a service that is not there, by name', async () => {
    const { served } = await everything();
    await using _ = served;
    for (const request of [
      { path: '/', headers: scoped('bedrock') },
      { method: 'POST', headers: { 'x-amz-target': 'Bedrock_20230101.DoIt' } },
      { path: '/x', headers: { host: 'bedrock.us-east-1.amazonaws.com' } },
    ]) {
      const answer = await served.send(request);
      assert.equal(answer.status, 501);
      assert.match(answer.body, /Kobune does not serve '[Bb]edrock/);
    }
  });

  it('an operation without behaviour, with the reason', async () => {
    const { served } = await everything();
    await using _ = served;
    const body = JSON.stringify({
      CapacityProviderName: 'n',
      VpcConfig: { SubnetIds: ['s'], SecurityGroupIds: ['g'] },
      PermissionsConfig: { CapacityProviderOperatorRoleArn: 'r' },
    });
    const refused = await served.send({
      method: 'POST',
      path: '/2025-11-30/capacity-providers',
      headers: scoped('lambda'),
      body,
    });
    assert.equal(refused.status, 501);
    assert.equal(refused.headers['x-amzn-errortype'], 'NotImplemented');
    assert.match(refused.body, /lambda:CreateCapacityProvider is not supported: there are no managed instances here/);
    const unlisted = await served.send({ path: '/2015-03-31/event-source-mappings', headers: scoped('lambda') });
    assert.match(unlisted.body, /lambda:ListEventSourceMappings is not supported yet/);
  });

  it('inputs that lack required members, at any depth', async () => {
    const { served } = await everything();
    await using _ = served;
    const lambda = await served.send({
      method: 'POST',
      path: '/2018-10-31/layers/l/versions',
      headers: scoped('lambda'),
      body: '{}',
    });
    assert.deepEqual([lambda.status, lambda.headers['x-amzn-errortype']], [400, 'ValidationException']);
    assert.match(lambda.body, /Value null at 'content' failed to satisfy constraint: Member must not be null/);
    const batch = await served.send({
      method: 'POST',
      headers: { 'x-amz-target': 'AmazonSQS.SendMessageBatch' },
      body: '{"QueueUrl":"q","Entries":[{"Id":"1"}]}',
    });
    assert.match(batch.body, /MissingParameter.*Entries\.1\.member\.messageBody/s);
  });

  it('an unexpected failure tells a request id and nothing else', async () => {
    await using served = await Served.start({
      services: [
        entry(lambdaModel, {
          ListFunctions: async () => {
            throw new TypeError('secret detail');
          },
        }),
      ],
    });
    const answer = await served.send({ path: '/2015-03-31/functions', headers: scoped('lambda') });
    assert.deepEqual([answer.status, answer.headers['x-amzn-errortype']], [500, 'InternalFailure']);
    assert.ok(answer.headers['x-amzn-requestid']);
    assert.doesNotMatch(answer.body, /secret detail/);
    assert.match(JSON.stringify(served.errors), /secret detail/);
    assert.match(JSON.stringify(served.errors), new RegExp(String(answer.headers['x-amzn-requestid'])));
  });

  it('a service that cannot be loaded is tried again by the next request', async () => {
    let attempts = 0;
    const lambda = entry(lambdaModel, { ListFunctions: tell });
    await using served = await Served.start({
      services: [
        {
          model: lambdaModel,
          load: async () => {
            if (++attempts === 1) throw new Error('store not open');
            return lambda.load();
          },
        },
      ],
    });
    const list = () => served.send({ path: '/2015-03-31/functions', headers: scoped('lambda') });
    assert.equal((await list()).status, 500);
    assert.equal((await list()).status, 200);
  });
});

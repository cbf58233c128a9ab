import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { cbor } from '@smithy/core/cbor';
import { createSeededRandom } from '../base/system-random.ts';
import { cloudWatchModel, dynamoDbModel, ec2Model } from './conformance/dev-models.ts';
import { type Answer, type AnyOperation, entry, Served } from './conformance/served.ts';
import { iamModel, lambdaModel, logsModel, s3Model, sqsModel } from './index.ts';
import { LoadedModel, type ServiceModel } from './schema/model.ts';

const ok: AnyOperation = async () => ({});

async function serving(models: readonly ServiceModel[]): Promise<Served> {
  const services = await Promise.all(
    models.map(async (model) => {
      const { operationNames } = new LoadedModel(model, await model.schemas());
      return entry(model, Object.fromEntries(operationNames.map((name) => [name, ok])));
    }),
  );
  return Served.start({ services });
}

function scoped(service: string): Record<string, string> {
  return {
    authorization: `AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=${'0'.repeat(64)}`,
    'x-amz-date': '20260101T000000Z',
  };
}

const xmlCode = (answer: Answer): string | undefined => /<Code>(\w+)</.exec(answer.body)?.[1];
const nested = (open: string, close: string, depth: number, inside = ''): string =>
  open.repeat(depth) + inside + close.repeat(depth);

describe('malformed JSON', () => {
  it('is a SerializationException, whatever is wrong with it', async () => {
    await using served = await serving([dynamoDbModel, lambdaModel]);
    const put = (body: string) =>
      served.send({ method: 'POST', headers: { 'x-amz-target': 'DynamoDB_20120810.PutItem' }, body });
    const bodies = [
      '{',
      '[]',
      'null',
      '"text"',
      '{"TableName":1,"Item":{}}',
      '{"TableName":["t"],"Item":{}}',
      '{"TableName":{"a":1},"Item":{}}',
      '{"TableName":"t","Item":[]}',
      '{"TableName":"t","Item":{"a":{"S":1}}}',
      '{"TableName":"t","Item":{"a":{"BOOL":"true"}}}',
      '{"TableName":"t","Item":{"a":{"B":"not base64!"}}}',
      '{"TableName":"t","Item":{"a":{"B":17}}}',
      '{"TableName":"t","Item":{"a":{"SS":[null]}}}',
      '{"TableName":"t","Item":{"a":{"SS":"x"}}}',
      '{"TableName":"t","Item":{"a":{}}}',
      '{"TableName":"t","Item":{"a":{"S":"x","N":"1"}}}',
      '{"TableName":"t","Item":{"a":{"UNKNOWN":"x"}}}',
      `{"TableName":"t","Item":{"a":${nested('{"L":[', ']}', 200, '{"S":"x"}')}}}`,
      `{"TableName":"t","Item":${nested('[', ']', 100_000)}}`,
      '\u0000\u0001',
    ];
    for (const body of bodies) {
      const answer = await put(body);
      assert.equal(answer.status, 400, body.slice(0, 60));
      assert.match(answer.body, /SerializationException/, body.slice(0, 60));
    }
    const rest = await served.send({
      method: 'POST',
      path: '/2015-03-31/functions',
      headers: scoped('lambda'),
      body: '{"FunctionName": 1}',
    });
    assert.deepEqual([rest.status, rest.headers['x-amzn-errortype']], [400, 'SerializationException']);
  });

  it('keeps __proto__ a name like any other', async () => {
    let item: Record<string, unknown> | undefined;
    await using served = await Served.start({
      services: [
        entry(dynamoDbModel, {
          PutItem: async (input: { Item: Record<string, unknown> }) => {
            item = input.Item;
            return {};
          },
        }),
      ],
    });
    const body =
      '{"TableName":"t","__proto__":{"ConditionExpression":"x"},"Item":{"__proto__":{"S":"x"},"constructor":{"S":"y"}}}';
    const answer = await served.send({
      method: 'POST',
      headers: { 'x-amz-target': 'DynamoDB_20120810.PutItem' },
      body,
    });
    assert.equal(answer.status, 200, answer.body);
    assert.deepEqual(Object.keys(item!), ['__proto__', 'constructor']);
    assert.equal(Object.getPrototypeOf(item), Object.prototype);
  });
});

describe('malformed XML', () => {
  it('is MalformedXML, and no entity is ever expanded', async () => {
    await using served = await serving([s3Model]);
    const bomb = `<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>`;
    const bodies = [
      '',
      'text',
      '<Delete>',
      '<Delete></Wrong>',
      '<Delete><Object><Key>a</Object></Key></Delete>',
      '<Other><Object><Key>a</Key></Object></Other>',
      '<Delete><Object></Object></Delete>',
      '<Delete><Object><Key><Deep/></Key></Object></Delete>',
      '<Delete><Quiet>maybe</Quiet><Object><Key>a</Key></Object></Delete>',
      '<Delete><Object><Key>&undefined;</Key></Object></Delete>',
      '<!DOCTYPE d SYSTEM "file:///etc/passwd"><Delete><Object><Key>a</Key></Object></Delete>',
      '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&x;</Key></Object></Delete>',
      bomb,
      nested('<Delete>', '</Delete>', 100_000),
      '<Delete a="1" a="2"/>',
      '<Delete>\u0000</Delete>',
    ];
    for (const body of bodies) {
      const answer = await served.send({ method: 'POST', path: '/b?delete', body });
      assert.equal(answer.status, 400, body.slice(0, 80));
      assert.match(answer.body, /<Code>(?:MalformedXML|InvalidRequest)</, body.slice(0, 80));
    }
  });

  it('in a header or the query is InvalidArgument', async () => {
    await using served = await serving([s3Model]);
    assert.equal(xmlCode(await served.send({ path: '/b?list-type=2&max-keys=many' })), 'InvalidArgument');
    assert.equal(
      xmlCode(await served.send({ path: '/b/k', headers: { 'if-modified-since': 'yesterday' } })),
      'InvalidArgument',
    );
    assert.equal(xmlCode(await served.send({ path: '/b/%ff' })), 'InvalidArgument');
    assert.equal(xmlCode(await served.send({ path: '/b/k?versionId=%zz' })), 'InvalidArgument');
  });
});

describe('malformed forms', () => {
  it('are refused under the names of the query protocols', async () => {
    await using served = await serving([iamModel, sqsModel, ec2Model]);
    const send = (service: string, body: string) =>
      served.send({
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...scoped(service) },
        body,
      });
    assert.equal(xmlCode(await send('iam', 'Action=CreateUser&Version=2010-05-08')), 'ValidationError');
    assert.equal(xmlCode(await send('iam', 'Action=ListUsers&Version=2010-05-08&MaxItems=many')), 'MalformedInput');
    assert.equal(xmlCode(await send('iam', 'Action=ListUsers&MaxItems.a.b=1')), 'MalformedInput');
    assert.equal(xmlCode(await send('iam', 'Action=%')), 'MalformedInput');
    assert.equal(xmlCode(await send('iam', '')), 'InvalidAction');
    assert.equal(xmlCode(await send('sqs', 'Action=SendMessage&QueueUrl=q')), 'MissingParameter');
    assert.equal(xmlCode(await send('ec2', 'Action=RunInstances&MinCount=x')), 'InvalidParameterValue');
    assert.equal(xmlCode(await send('ec2', 'Action=RunInstances')), 'MissingParameter');
    assert.equal(xmlCode(await send('iam', `Action=ListUsers&${'a=1&'.repeat(60_000)}`)), 'MalformedInput');
    assert.equal(xmlCode(await send('iam', `Action=ListUsers&${'a.'.repeat(10_000)}=1`)), 'MalformedInput');
  });
});

describe('malformed CBOR', () => {
  it('is a SerializationException', async () => {
    await using served = await serving([cloudWatchModel]);
    const put = (body: Uint8Array) =>
      served.send({
        method: 'POST',
        path: '/service/GraniteServiceVersion20100801/operation/PutMetricData',
        headers: { 'smithy-protocol': 'rpc-v2-cbor', 'content-type': 'application/cbor' },
        body,
      });
    const bodies = [
      Buffer.from([0xff]),
      Buffer.from([0xbf]),
      Buffer.from([0xa1, 0x61]),
      Buffer.from([0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
      Buffer.from([0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
      Buffer.alloc(100_000, 0x81),
      cbor.serialize('text'),
      cbor.serialize([1]),
      cbor.serialize({ Namespace: 1, MetricData: [] }),
      cbor.serialize({ Namespace: 'n', MetricData: {} }),
      cbor.serialize({ Namespace: 'n', MetricData: [{ MetricName: 'm', Timestamp: 'now' }] }),
    ];
    for (const [index, body] of bodies.entries()) {
      const answer = await put(body);
      assert.equal(answer.status, 400, `${index}: ${answer.body}`);
      assert.match(answer.body, /SerializationException/, String(index));
    }
  });
});

describe('hostile requests', () => {
  it('damaged at random never crash, hang or reveal anything', async () => {
    await using served = await serving([
      dynamoDbModel,
      lambdaModel,
      s3Model,
      iamModel,
      ec2Model,
      cloudWatchModel,
      logsModel,
    ]);
    const random = createSeededRandom(7);
    const form = 'application/x-www-form-urlencoded';
    const seeds: Parameters<Served['send']>[0][] = [
      {
        method: 'POST',
        headers: { 'x-amz-target': 'DynamoDB_20120810.PutItem' },
        body: '{"TableName":"t","Item":{"a":{"M":{"b":{"L":[{"N":"1"}]}}}}}',
      },
      {
        method: 'POST',
        path: '/2015-03-31/functions',
        headers: scoped('lambda'),
        body: '{"FunctionName":"f","Role":"r","Code":{"ZipFile":"UEsFBg=="},"Environment":{"Variables":{"A":"b"}}}',
      },
      {
        method: 'PUT',
        path: '/b?lifecycle',
        body: '<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter><Prefix>p</Prefix></Filter><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>',
      },
      {
        method: 'PUT',
        path: '/b/k',
        headers: { 'content-encoding': 'aws-chunked', 'x-amz-decoded-content-length': '4' },
        body: '4\r\nbody\r\n0\r\n\r\n',
      },
      {
        method: 'POST',
        headers: { 'content-type': form, ...scoped('iam') },
        body: 'Action=TagUser&Version=2010-05-08&UserName=u&Tags.member.1.Key=k&Tags.member.1.Value=v',
      },
      {
        method: 'POST',
        headers: { 'content-type': form, ...scoped('ec2') },
        body: 'Action=DescribeVpcs&Version=2016-11-15&Filter.1.Name=n&Filter.1.Value.1=v',
      },
      {
        method: 'POST',
        path: '/service/GraniteServiceVersion20100801/operation/PutMetricData',
        headers: { 'smithy-protocol': 'rpc-v2-cbor' },
        body: cbor.serialize({
          Namespace: 'n',
          MetricData: [{ MetricName: 'm', Value: 1.5, Dimensions: [{ Name: 'a', Value: 'b' }] }],
        }),
      },
    ];
    const statuses = new Map<number, number>();
    for (let round = 0; round < 1400; round++) {
      const seed = seeds[round % seeds.length]!;
      const answer = await served.send({ ...seed, body: damage(Buffer.from(seed.body!), random) });
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      assert.ok(
        answer.status < 300 || (answer.status >= 400 && answer.status < 500),
        `${answer.status}: ${answer.body}`,
      );
      assert.doesNotMatch(answer.body, /node:|\.ts:|at async/);
    }
    assert.deepEqual(served.errors, []);
    assert.ok((statuses.get(400) ?? 0) > 300, 'the damage shows');
  });

  it('with odd targets, paths and headers get an answer each', async () => {
    await using served = await serving([lambdaModel, s3Model, logsModel]);
    const long = 'x'.repeat(8000);
    for (const request of [
      '* HTTP/1.1',
      'http://evil.example/b/k HTTP/1.1',
      '//// HTTP/1.1',
      '/?&&=&=x&a HTTP/1.1',
      `/${long} HTTP/1.1`,
      '/b/k?X-Amz-Algorithm HTTP/1.1',
      '/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a HTTP/1.1',
      '/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=-1 HTTP/1.1',
      '/ HTTP/1.1\r\nauthorization: AWS4-HMAC-SHA256',
      '/ HTTP/1.1\r\nauthorization: AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=x',
      '/ HTTP/1.1\r\nauthorization: Bearer x',
      '/ HTTP/1.1\r\nx-amz-target: .',
      '/ HTTP/1.1\r\nx-amz-target: Logs_20140328.constructor',
      '/constructor/toString HTTP/1.1',
      '/ HTTP/1.1\r\nhost: ..s3.amazonaws.com',
      '/ HTTP/1.1\r\nhost: .localhost',
    ]) {
      const socket = connect(served.port, '127.0.0.1');
      const host = request.includes('host:') ? '' : 'host: 127.0.0.1\r\n';
      socket.write(`GET ${request}\r\n${host}connection: close\r\n\r\n`);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      socket.destroy();
      const status = Number(answer.toString().slice(9, 12));
      assert.ok(status >= 200 && status < 502 && status !== 500, `${request}: ${answer}`);
    }
    assert.deepEqual(served.errors, []);
  });
});

/** Changes, cuts out, repeats or adds a few bytes. */
function damage(body: Buffer, random: ReturnType<typeof createSeededRandom>): Buffer {
  let bytes = Buffer.from(body);
  const times = 1 + Math.floor(random.fraction() * 3);
  for (let i = 0; i < times; i++) {
    const at = Math.floor(random.fraction() * bytes.length);
    const length = 1 + Math.floor(random.fraction() * 8);
    const before = bytes.subarray(0, at);
    const after = bytes.subarray(at);
    switch (Math.floor(random.fraction() * 4)) {
      case 0:
        bytes = Buffer.concat([before, random.bytes(length), after.subarray(length)]);
        break;
      case 1:
        bytes = Buffer.concat([before, after.subarray(length)]);
        break;
      case 2:
        bytes = Buffer.concat([before, after.subarray(0, length), after]);
        break;
      default:
        bytes = Buffer.concat([before, Buffer.from(random.from('{}[]"<>&;=.:,\\/01\n', length)), after]);
    }
  }
  return bytes;
}

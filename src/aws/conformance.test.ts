import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { APIGatewayClient } from '@aws-sdk/client-api-gateway';
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EC2Client } from '@aws-sdk/client-ec2';
import { IAMClient } from '@aws-sdk/client-iam';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { SNSClient } from '@aws-sdk/client-sns';
import { SQSClient } from '@aws-sdk/client-sqs';
import { STSClient } from '@aws-sdk/client-sts';
import { AwsQueryProtocol, AwsSmithyRpcV2CborProtocol } from '@aws-sdk/core/protocols';
import { ServiceError } from '../base/errors.ts';
import { apiGatewayModel, cloudWatchModel, dynamoDbModel, ec2Model } from './conformance/dev-models.ts';
import { type Filling, SampleValues } from './conformance/sample-values.ts';
import { comparable, type SdkClient, WirePair } from './conformance/wire-pair.ts';
import { iamModel, lambdaModel, logsModel, s3Model, snsModel, sqsModel, stsModel } from './index.ts';
import {
  eventStreamMember,
  LoadedModel,
  type OperationModel,
  type ServiceModel,
  streamingBlobMember,
} from './schema/model.ts';

const config = { region: 'us-east-1', credentials: { accessKeyId: '123456789012', secretAccessKey: 'secret' } };

interface Pairing {
  readonly title: string;
  readonly model: ServiceModel;
  readonly client: SdkClient;
  /** Whether the protocol can carry empty lists, maps and structures. */
  readonly keepsEmpty: boolean;
  /** Members that this protocol cannot carry. */
  readonly omit?: readonly string[];
}

const query = (model: ServiceModel, namespace: string) => ({
  protocol: AwsQueryProtocol as never,
  protocolSettings: { defaultNamespace: namespace, xmlNamespace: model.xmlNamespace, version: model.version },
});

const pairings: readonly Pairing[] = [
  { title: 'Lambda over restJson1', model: lambdaModel, client: new LambdaClient(config), keepsEmpty: true },
  {
    title: 'API Gateway over restJson1',
    model: apiGatewayModel,
    client: new APIGatewayClient(config),
    keepsEmpty: true,
  },
  { title: 'S3 over restXml', model: s3Model, client: new S3Client(config), keepsEmpty: false },
  { title: 'SQS over awsJson1_0', model: sqsModel, client: new SQSClient(config), keepsEmpty: true },
  {
    title: 'SQS over query',
    model: sqsModel,
    client: new SQSClient({ ...config, ...query(sqsModel, 'com.amazonaws.sqs') }),
    keepsEmpty: false,
    // Shares its name on the wire with `AttributeNames`.
    omit: ['MessageSystemAttributeNames'],
  },
  { title: 'DynamoDB over awsJson1_0', model: dynamoDbModel, client: new DynamoDBClient(config), keepsEmpty: true },
  {
    title: 'DynamoDB over rpcv2Cbor',
    model: dynamoDbModel,
    client: new DynamoDBClient({ ...config, protocol: AwsSmithyRpcV2CborProtocol as never }),
    keepsEmpty: true,
  },
  {
    title: 'CloudWatch Logs over awsJson1_1',
    model: logsModel,
    client: new CloudWatchLogsClient(config),
    keepsEmpty: true,
  },
  {
    title: 'CloudWatch over awsJson1_0',
    model: cloudWatchModel,
    client: new CloudWatchClient(config),
    keepsEmpty: true,
  },
  {
    title: 'CloudWatch over rpcv2Cbor',
    model: cloudWatchModel,
    client: new CloudWatchClient({ ...config, protocol: AwsSmithyRpcV2CborProtocol as never }),
    keepsEmpty: true,
  },
  {
    title: 'CloudWatch over query',
    model: cloudWatchModel,
    client: new CloudWatchClient({ ...config, ...query(cloudWatchModel, 'com.amazonaws.cloudwatch') }),
    keepsEmpty: false,
  },
  { title: 'STS over query', model: stsModel, client: new STSClient(config), keepsEmpty: false },
  { title: 'IAM over query', model: iamModel, client: new IAMClient(config), keepsEmpty: false },
  { title: 'SNS over query', model: snsModel, client: new SNSClient(config), keepsEmpty: false },
  { title: 'EC2 over ec2Query', model: ec2Model, client: new EC2Client(config), keepsEmpty: false },
];

/** Members that must agree with the body or the address, which a sample cannot. They have tests of their own. */
const omitted: ReadonlySet<string> = new Set([
  'ContentLength',
  'ContentMD5',
  ...['CRC32', 'CRC32C', 'CRC64NVME', 'MD5', 'SHA1', 'SHA256', 'SHA512', 'XXHASH3', 'XXHASH64', 'XXHASH128'].map(
    (kind) => `Checksum${kind}`,
  ),
]);

function samples(filling: Filling, pairing: Pairing): SampleValues {
  const s3 = pairing.model.s3 === true;
  return new SampleValues(filling, {
    omit: s3 ? omitted : new Set(['ResponseStreamContentType', ...(pairing.omit ?? [])]),
    fixed: s3 ? { Bucket: 'my-bucket' } : {},
    keepsEmpty: pairing.keepsEmpty,
  });
}

/** A sample as the client sends it: streams in place of what is streamed. */
function streamed(
  operation: OperationModel,
  direction: 'input' | 'output',
  value: Record<string, unknown>,
): Record<string, unknown> {
  const shape = operation[direction];
  const events = eventStreamMember(shape);
  if (events && value[events.name] !== undefined) {
    const event = value[events.name];
    return {
      ...value,
      [events.name]: (async function* () {
        yield structuredClone(event);
      })(),
    };
  }
  return value;
}

/** The same sample as the other side gets it. */
function received(
  operation: OperationModel,
  direction: 'input' | 'output',
  value: Record<string, unknown>,
): Record<string, unknown> {
  const events = eventStreamMember(operation[direction]);
  return events && value[events.name] !== undefined ? { ...value, [events.name]: [value[events.name]] } : value;
}

for (const pairing of pairings) {
  describe(`wire of ${pairing.title}`, () => {
    for (const filling of ['required', 'full', 'edge'] as const) {
      it(`carries every operation with ${filling} members both ways`, async () => {
        const model = new LoadedModel(pairing.model, await pairing.model.schemas());
        await using pair = await WirePair.start(pairing.client, pairing.model);
        const failures: string[] = [];
        for (const name of model.operationNames) {
          try {
            await roundTrip(pair, model.operation(name)!, filling, pairing);
          } catch (error) {
            failures.push(`${name}: ${(error as Error).message}`);
          }
        }
        assert.deepEqual(failures.slice(0, 5), [], `${failures.length} of ${model.operationNames.length} operations`);
      });
    }

    it('carries every error', async () => {
      const model = new LoadedModel(pairing.model, await pairing.model.schemas());
      await using pair = await WirePair.start(pairing.client, pairing.model);
      const operation = model.operation(
        model.operationNames.find((name) => !streamingBlobMember(model.operation(name)!.output))!,
      )!;
      const input = samples('required', pairing).input(operation);
      const failures: string[] = [];
      for (const name of model.errorNames.filter((error) => !error.endsWith('ServiceException'))) {
        try {
          await errorTrip(pair, operation, input, model, name, pairing);
        } catch (error) {
          failures.push(`${name}: ${(error as Error).message}`);
        }
      }
      assert.deepEqual(failures.slice(0, 5), []);
    });
  });
}

async function roundTrip(pair: WirePair, operation: OperationModel, filling: Filling, pairing: Pairing): Promise<void> {
  const sample = samples(filling, pairing);
  const input = sample.input(operation);
  const output = sample.output(operation);
  let got: unknown;
  let ran = '';
  const answer = await pair.call(operation.name, streamed(operation, 'input', input), async (decoded, context) => {
    ran = context.operation;
    got = await comparable(without(decoded as object));
    return streamed(operation, 'output', output);
  });
  assert.equal(ran, operation.name);
  assert.deepEqual(got, await comparable(received(operation, 'input', input)), 'input');
  assert.deepEqual(
    await comparable(without(answer)),
    await comparable(received(operation, 'output', output)),
    'output',
  );
}

/** Leaves out what samples leave out: the wire itself fills in lengths. */
function without(value: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).filter(([name]) => name !== 'ContentLength' && name !== 'ResponseStreamContentType'),
  );
}

async function errorTrip(
  pair: WirePair,
  operation: OperationModel,
  input: Record<string, unknown>,
  model: LoadedModel,
  name: string,
  pairing: Pairing,
): Promise<void> {
  const error = model.error(name)!;
  const members = Object.fromEntries(
    Object.entries(samples('full', pairing).members(error.shape)).filter(
      ([member]) => !/^(?:message|type|code)$/i.test(member),
    ),
  );
  const thrown = await pair
    .call(operation.name, input, async () => {
      throw new ServiceError(name, 'what went <wrong>', { members });
    })
    .then(
      () => assert.fail('no error'),
      (reason: Error & { $metadata?: { httpStatusCode?: number; requestId?: string } }) => reason,
    );
  // Two errors of CloudWatch share one code; the client takes the first.
  assert.ok(thrown.name === name || thrown.name === error.queryCode, `${thrown.name} for ${name}`);
  assert.equal(thrown.message, 'what went <wrong>');
  assert.equal(thrown.$metadata?.httpStatusCode, error.status ?? 400);
  assert.ok(thrown.$metadata?.requestId);
  const decoded = thrown as unknown as Record<string, unknown>;
  for (const [member, value] of Object.entries(members)) {
    assert.deepEqual(await comparable(decoded[member]), await comparable(value), member);
  }
}

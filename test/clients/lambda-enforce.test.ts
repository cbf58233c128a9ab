import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import {
  AttachRolePolicyCommand,
  CreateAccessKeyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  IAMClient,
  PutRolePolicyCommand,
  PutUserPolicyCommand,
} from '@aws-sdk/client-iam';
import * as lambda from '@aws-sdk/client-lambda';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import { SignatureV4 } from '@smithy/signature-v4';
import { type LambdaServer, startLambdaServer, zipOf } from './lambda-server.ts';

interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

let server: LambdaServer;
let root: lambda.LambdaClient;
let user: lambda.LambdaClient;
let userKey: Key;
let iam: IAMClient;
let role: string;
let functionArn: string;

const trust = (service: string) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { Service: service }, Action: 'sts:AssumeRole' }],
  });
const settings = (credentials: Key) => ({
  endpoint: server.endpoint,
  region: 'us-east-1',
  credentials,
  maxAttempts: 1,
});
const code = async () => ({
  ZipFile: await zipOf({
    'index.js': "exports.handler = async (e) => ({ who: e.requestContext?.authorizer?.iam?.userArn ?? 'nobody' });",
  }),
});

before(async () => {
  server = await startLambdaServer('enforce');
  const key = await server.rootKey();
  root = new lambda.LambdaClient(settings(key));
  iam = new IAMClient(settings(key));
  await iam.send(new CreateUserCommand({ UserName: 'dev' }));
  const made = await iam.send(new CreateAccessKeyCommand({ UserName: 'dev' }));
  userKey = { accessKeyId: made.AccessKey!.AccessKeyId!, secretAccessKey: made.AccessKey!.SecretAccessKey! };
  user = new lambda.LambdaClient(settings(userKey));
  const created = await iam.send(
    new CreateRoleCommand({ RoleName: 'run', AssumeRolePolicyDocument: trust('lambda.amazonaws.com') }),
  );
  role = created.Role!.Arn!;
  await iam.send(
    new AttachRolePolicyCommand({
      RoleName: 'run',
      PolicyArn: 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole',
    }),
  );
  const made2 = await root.send(
    new lambda.CreateFunctionCommand({
      FunctionName: 'guarded',
      Runtime: 'nodejs22.x',
      Role: role,
      Handler: 'index.handler',
      Code: await code(),
    }),
  );
  functionArn = made2.FunctionArn!;
});
after(async () => {
  root?.destroy();
  user?.destroy();
  iam?.destroy();
  await server?.[Symbol.asyncDispose]();
});

const allow = (...statements: object[]) =>
  iam.send(
    new PutUserPolicyCommand({
      UserName: 'dev',
      PolicyName: 'p',
      PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement: statements }),
    }),
  );
const invoke = (client: lambda.LambdaClient) => client.send(new lambda.InvokeCommand({ FunctionName: 'guarded' }));

async function denied(
  call: Promise<unknown>,
  name = 'AccessDeniedException',
  message = /not authorized/,
): Promise<void> {
  await assert.rejects(call, (error: Error) => {
    assert.equal(error.name, name, error.message);
    assert.match(error.message, message);
    return true;
  });
}

describe('Lambda while policies decide', () => {
  it('is invoked by whom an identity policy allows it', async () => {
    await denied(invoke(user), 'AccessDeniedException', /lambda:InvokeFunction on resource: arn:aws:lambda:.*:guarded/);
    await allow({ Effect: 'Allow', Action: 'lambda:InvokeFunction', Resource: functionArn });
    assert.equal((await invoke(user)).StatusCode, 200);
    await denied(user.send(new lambda.GetFunctionCommand({ FunctionName: 'guarded' })));
    await denied(user.send(new lambda.ListFunctionsCommand({})));
  });

  it("is invoked by whom the function's own policy allows it, unless denied", async () => {
    await allow({ Effect: 'Allow', Action: 'lambda:ListFunctions', Resource: '*' });
    await denied(invoke(user));
    await root.send(
      new lambda.AddPermissionCommand({
        FunctionName: 'guarded',
        StatementId: 'dev',
        Action: 'lambda:InvokeFunction',
        Principal: `arn:aws:iam::${functionArn.split(':')[4]}:user/dev`,
      }),
    );
    assert.equal((await invoke(user)).StatusCode, 200);
    await allow({ Effect: 'Deny', Action: 'lambda:*', Resource: '*' });
    await denied(invoke(user), 'AccessDeniedException', /explicit deny/);
    await root.send(new lambda.RemovePermissionCommand({ FunctionName: 'guarded', StatementId: 'dev' }));
  });

  it('gets only roles that exist, trust it, and may be passed', async () => {
    const create = async (client: lambda.LambdaClient, Role: string) =>
      client.send(
        new lambda.CreateFunctionCommand({
          FunctionName: 'other',
          Runtime: 'nodejs22.x',
          Role,
          Handler: 'index.handler',
          Code: await code(),
        }),
      );
    const cannot = /cannot be assumed by Lambda/;
    await denied(create(root, role.replace('/run', '/none')), 'InvalidParameterValueException', cannot);
    const foreign = await iam.send(
      new CreateRoleCommand({ RoleName: 'ec2', AssumeRolePolicyDocument: trust('ec2.amazonaws.com') }),
    );
    await denied(create(root, foreign.Role!.Arn!), 'InvalidParameterValueException', cannot);
    await allow({ Effect: 'Allow', Action: 'lambda:CreateFunction', Resource: '*' });
    await denied(create(user, role), 'AccessDeniedException', /iam:PassRole/);
    await allow({ Effect: 'Allow', Action: ['lambda:CreateFunction', 'iam:PassRole'], Resource: '*' });
    assert.equal((await create(user, role)).FunctionName, 'other');
  });

  it('deploys packages only out of buckets that the caller may read', async () => {
    const s3 = new S3Client({ ...settings(await server.rootKey()), forcePathStyle: true });
    await s3.send(new CreateBucketCommand({ Bucket: 'packages' }));
    await s3.send(new PutObjectCommand({ Bucket: 'packages', Key: 'code.zip', Body: (await code()).ZipFile }));
    s3.destroy();
    const update = () =>
      user.send(
        new lambda.UpdateFunctionCodeCommand({ FunctionName: 'guarded', S3Bucket: 'packages', S3Key: 'code.zip' }),
      );
    await allow({ Effect: 'Allow', Action: 'lambda:UpdateFunctionCode', Resource: '*' });
    await denied(update(), 'AccessDeniedException', /s3:GetObject on resource: "arn:aws:s3:::packages\/code.zip"/);
    await allow({ Effect: 'Allow', Action: ['lambda:UpdateFunctionCode', 's3:GetObject'], Resource: '*' });
    assert.equal((await update()).FunctionName, 'guarded');
  });

  it("takes a destination only when the function's role may send there", async () => {
    const set = () =>
      root.send(
        new lambda.PutFunctionEventInvokeConfigCommand({
          FunctionName: 'guarded',
          DestinationConfig: { OnFailure: { Destination: 'arn:aws:s3:::packages' } },
        }),
      );
    await denied(set(), 'InvalidParameterValueException', /does not have permissions to call PutObject/);
    await iam.send(
      new PutRolePolicyCommand({
        RoleName: 'run',
        PolicyName: 'records',
        PolicyDocument: JSON.stringify({
          Version: '2012-10-17',
          Statement: [{ Effect: 'Allow', Action: 's3:PutObject', Resource: 'arn:aws:s3:::packages/aws/lambda/*' }],
        }),
      }),
    );
    assert.equal((await set()).DestinationConfig?.OnFailure?.Destination, 'arn:aws:s3:::packages');
  });

  it("reads a queue, and sends dead letters to one, only when the function's role may", async () => {
    const queues = new SQSClient(settings(await server.rootKey()));
    for (const QueueName of ['work', 'dead']) await queues.send(new CreateQueueCommand({ QueueName }));
    const arn = (name: string) => `arn:aws:sqs:us-east-1:000000000000:${name}`;
    const map = () =>
      root.send(new lambda.CreateEventSourceMappingCommand({ FunctionName: 'guarded', EventSourceArn: arn('work') }));
    const setDeadLetter = () =>
      root.send(
        new lambda.UpdateFunctionConfigurationCommand({
          FunctionName: 'guarded',
          DeadLetterConfig: { TargetArn: arn('dead') },
        }),
      );
    const words = /^The provided execution role does not have permissions to call (ReceiveMessage|SendMessage) on SQS$/;
    await denied(map(), 'InvalidParameterValueException', words);
    await denied(setDeadLetter(), 'InvalidParameterValueException', words);
    await iam.send(
      new AttachRolePolicyCommand({
        RoleName: 'run',
        PolicyArn: 'arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole',
      }),
    );
    await iam.send(
      new PutRolePolicyCommand({
        RoleName: 'run',
        PolicyName: 'dead',
        PolicyDocument: JSON.stringify({
          Version: '2012-10-17',
          Statement: [{ Effect: 'Allow', Action: 'sqs:SendMessage', Resource: arn('dead') }],
        }),
      }),
    );
    assert.equal((await setDeadLetter()).DeadLetterConfig?.TargetArn, arn('dead'));
    assert.equal((await map()).State, 'Creating');
    const list = new lambda.ListEventSourceMappingsCommand({});
    await denied(user.send(list), 'AccessDeniedException');
    queues.destroy();
  });

  it('serves a URL of type AWS_IAM to signed requests that are allowed', async () => {
    const made = await root.send(
      new lambda.CreateFunctionUrlConfigCommand({ FunctionName: 'guarded', AuthType: 'AWS_IAM' }),
    );
    const url = made.FunctionUrl!;
    assert.equal((await get(url)).status, 403);
    await allow();
    assert.equal((await get(url, userKey)).status, 403);
    await allow({ Effect: 'Allow', Action: 'lambda:InvokeFunctionUrl', Resource: functionArn });
    const answer = await get(url, userKey);
    assert.equal(answer.status, 200, answer.body);
    assert.match(JSON.parse(answer.body).who, /user\/dev$/);
    const forged = await get(url, { ...userKey, secretAccessKey: 'wrong' });
    assert.equal(forged.status, 403);
    await root.send(new lambda.DeleteFunctionUrlConfigCommand({ FunctionName: 'guarded' }));
  });

  it('serves a URL of type NONE only when the policy opens it', async () => {
    const made = await root.send(
      new lambda.CreateFunctionUrlConfigCommand({ FunctionName: 'guarded', AuthType: 'NONE' }),
    );
    assert.equal((await get(made.FunctionUrl!)).status, 403);
    await root.send(
      new lambda.AddPermissionCommand({
        FunctionName: 'guarded',
        StatementId: 'public',
        Action: 'lambda:InvokeFunctionUrl',
        Principal: '*',
        FunctionUrlAuthType: 'NONE',
      }),
    );
    const answer = await get(made.FunctionUrl!);
    assert.equal(answer.status, 200, answer.body);
    assert.equal(JSON.parse(answer.body).who, 'nobody');
  });
});

/** Asks a function URL; Node does not resolve `*.localhost`, so the name goes into the header only. */
async function get(url: string, key?: Key): Promise<{ status: number | undefined; body: string }> {
  const { host } = new URL(url);
  let headers: Record<string, string> = { host };
  if (key) {
    const signer = new SignatureV4({ credentials: key, region: 'us-east-1', service: 'lambda', sha256: Sha256 });
    const signed = await signer.sign({
      method: 'GET',
      protocol: 'http:',
      hostname: host,
      path: '/',
      headers,
      query: {},
    });
    headers = signed.headers;
  }
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port: server.port, path: '/', headers, agent: false }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode, body }), reject);
    })
      .on('error', reject)
      .end();
  });
}

/** What the signer hashes with. */
class Sha256 {
  readonly #hash;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as Uint8Array);
  }
  update(data: string | Uint8Array): void {
    this.#hash.update(data);
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {}
}

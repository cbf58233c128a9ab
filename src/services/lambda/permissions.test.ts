import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { silentLogger } from '../../base/json-logger.ts';
import { createSeededRandom } from '../../base/system-random.ts';
import { openMemoryStore } from '../../store/index.ts';
import { createIam } from '../iam/index.ts';
import { ACCOUNT, arnOf, LambdaFixture, rejects } from './fixture.ts';

let world: LambdaFixture;
beforeEach(async () => {
  world = await LambdaFixture.start();
  await world.create('f');
});
afterEach(() => world.close());

/** Policies decide, as IAM evaluates them. */
const policiesDecide = () => {
  const iam = createIam({
    store: openMemoryStore(),
    clock: world.clock,
    random: createSeededRandom(),
    logger: silentLogger,
  });
  return { enforce: true, access: iam.serviceAccess };
};

const s3 = {
  FunctionName: 'f',
  StatementId: 'from-s3',
  Action: 'lambda:InvokeFunction',
  Principal: 's3.amazonaws.com',
  SourceArn: 'arn:aws:s3:::photos',
  SourceAccount: ACCOUNT,
};

describe('Lambda AddPermission', () => {
  it('writes a statement with its conditions, which GetPolicy shows', async () => {
    const added = await world.call<{ Statement: string }>('AddPermission', s3);
    const statement = {
      Sid: 'from-s3',
      Effect: 'Allow',
      Principal: { Service: 's3.amazonaws.com' },
      Action: 'lambda:InvokeFunction',
      Resource: arnOf('f'),
      Condition: {
        StringEquals: { 'AWS:SourceAccount': ACCOUNT },
        ArnLike: { 'AWS:SourceArn': 'arn:aws:s3:::photos' },
      },
    };
    assert.deepEqual(JSON.parse(added.Statement), statement);
    const got = await world.call<{ Policy: string; RevisionId: string }>('GetPolicy', { FunctionName: 'f' });
    assert.deepEqual(JSON.parse(got.Policy), { Version: '2012-10-17', Id: 'default', Statement: [statement] });
  });

  it('writes accounts, ARNs and everyone as the policy language has them', async () => {
    for (const [index, [principal, written]] of (
      [
        ['123456789012', { AWS: 'arn:aws:iam::123456789012:root' }],
        ['arn:aws:iam::123456789012:user/a', { AWS: 'arn:aws:iam::123456789012:user/a' }],
        ['*', '*'],
      ] as const
    ).entries()) {
      const added = await world.call<{ Statement: string }>('AddPermission', {
        ...s3,
        StatementId: `s${index}`,
        Principal: principal,
      });
      assert.deepEqual(JSON.parse(added.Statement).Principal, written);
    }
    await rejects(world.call('AddPermission', { ...s3, Principal: 'nobody' }), 'InvalidParameterValueException');
  });

  it('refuses doubles, bad names, $LATEST, and an outdated revision', async () => {
    await world.call('AddPermission', s3);
    await rejects(world.call('AddPermission', s3), 'ResourceConflictException', { status: 409 });
    await rejects(world.call('AddPermission', { ...s3, StatementId: 'a b' }), 'ValidationException');
    await rejects(world.call('AddPermission', { ...s3, Action: 's3:GetObject' }), 'ValidationException');
    await rejects(world.call('AddPermission', { ...s3, FunctionName: 'f:$LATEST' }), 'InvalidParameterValueException');
    await rejects(
      world.call('AddPermission', { ...s3, StatementId: 'b', RevisionId: 'old' }),
      'PreconditionFailedException',
      { status: 412 },
    );
    await rejects(world.call('AddPermission', { ...s3, FunctionName: 'none' }), 'ResourceNotFoundException');
  });

  it('is refused when the policy would grow beyond 20 KB', async () => {
    let added = 0;
    await assert.rejects(
      async () => {
        for (; added < 200; added += 1) await world.call('AddPermission', { ...s3, StatementId: `statement-${added}` });
      },
      { code: 'PolicyLengthExceededException' },
    );
    assert.ok(added > 50);
  });
});

describe('Lambda RemovePermission', () => {
  it('takes a statement away, and with the last one the policy', async () => {
    await world.call('AddPermission', s3);
    await rejects(
      world.call('RemovePermission', { FunctionName: 'f', StatementId: 'x' }),
      'ResourceNotFoundException',
      {
        message: 'Statement x is not found in resource policy.',
      },
    );
    await world.call('RemovePermission', { FunctionName: 'f', StatementId: 'from-s3' });
    await rejects(world.call('GetPolicy', { FunctionName: 'f' }), 'ResourceNotFoundException', {
      message: 'The resource you requested does not exist.',
    });
  });
});

describe('a service that invokes a function', () => {
  const caller = { service: 's3.amazonaws.com', sourceArn: 'arn:aws:s3:::photos', sourceAccount: ACCOUNT };
  const permits = (change: Partial<typeof caller> = {}, arn = arnOf('f')) =>
    world.lambda.functions.permits(arn, { ...caller, ...change });

  it('needs only that the function is there while policies do not decide', async () => {
    assert.equal(await permits(), true);
    assert.equal(await permits({}, arnOf('g')), false);
  });
});

describe('a service that invokes a function in enforce mode', () => {
  const caller = { service: 's3.amazonaws.com', sourceArn: 'arn:aws:s3:::photos', sourceAccount: ACCOUNT };
  const permits = (change: Partial<typeof caller> = {}, arn = arnOf('f')) =>
    world.lambda.functions.permits(arn, { ...caller, ...change });
  beforeEach(async () => {
    await world.close();
    world = await LambdaFixture.start(policiesDecide());
    await world.create('f');
  });

  it('needs a statement whose principal and conditions fit', async () => {
    assert.equal(await permits(), false);
    await world.call('AddPermission', s3);
    assert.equal(await permits(), true);
    assert.equal(await permits({ service: 'sns.amazonaws.com' }), false);
    assert.equal(await permits({ sourceArn: 'arn:aws:s3:::photos2' }), false);
    assert.equal(await permits({ sourceAccount: '111111111111' }), false);
    assert.equal(await permits({}, arnOf('f', 'live')), false);
    assert.equal(await permits({}, 'nonsense'), false);
  });

  it('may be named with wildcards in the source ARN', async () => {
    await world.call('AddPermission', { ...s3, SourceArn: 'arn:aws:s3:::photo?*' });
    assert.equal(await permits(), true);
    assert.equal(await permits({ sourceArn: 'arn:aws:s3:::photo' }), false);
    assert.equal(await permits({ sourceArn: 'arn:aws:s3:::other' }), false);
  });
});

describe('what IAM must allow', () => {
  const ask = (operation: string, input: object) =>
    world.lambda.authorization!(
      operation,
      input as never,
      {
        account: ACCOUNT,
        region: 'us-east-1',
        operation,
      } as never,
    );

  it('is lambda:InvokeFunction on the function, with its policy', async () => {
    await world.call('AddPermission', s3);
    const [request] = await ask('Invoke', { FunctionName: 'f' });
    assert.equal(request!.action, 'lambda:InvokeFunction');
    assert.equal(request!.resource, arnOf('f'));
    assert.match(request!.resourcePolicy!, /from-s3/);
    const [qualified] = await ask('InvokeWithResponseStream', { FunctionName: 'f', Qualifier: 'live' });
    assert.equal(qualified!.resource, arnOf('f', 'live'));
    assert.equal(qualified!.resourcePolicy, undefined);
  });

  it('includes iam:PassRole where a role is handed over', async () => {
    const requests = await ask('CreateFunction', { FunctionName: 'g', Role: 'arn:aws:iam::000000000000:role/r' });
    assert.deepEqual(
      requests.map((request) => [request.action, request.resource]),
      [
        ['lambda:CreateFunction', arnOf('g')],
        ['iam:PassRole', 'arn:aws:iam::000000000000:role/r'],
      ],
    );
  });

  it('finds the function of another account by its ARN', async () => {
    const [request] = await ask('Invoke', { FunctionName: 'arn:aws:lambda:us-east-1:222222222222:function:x' });
    assert.equal(request!.resourceAccount, '222222222222');
  });
});

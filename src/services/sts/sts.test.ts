import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import * as sdk from '@aws-sdk/client-sts';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { AdjustableClock } from '../../base/clock.ts';
import { createSystemClock } from '../../base/system-clock.ts';
import { createSeededRandom } from '../../base/system-random.ts';
import { openMemoryStore, type Store } from '../../store/index.ts';
import { accountOfAccessKeyId, createAccessKeyId } from '../access-key-id.ts';
import type { Principal, RequestContext } from '../service.ts';
import type { Identities, OidcProvider, RoleIdentity, TrustQuestion } from './identities.ts';
import { createSts, type Sts } from './index.ts';

const ACCOUNT = '111111111111';
const ROLE = `arn:aws:iam::${ACCOUNT}:role/worker`;
const silent = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
const USER: Principal = {
  type: 'User',
  account: ACCOUNT,
  arn: `arn:aws:iam::${ACCOUNT}:user/bob`,
  userId: 'AIDABOB',
  accessKeyId: 'AKIABOB',
};

let store: Store;
let clock: AdjustableClock;
let roles: Map<string, RoleIdentity>;
let providers: Map<string, OidcProvider>;
let asked: TrustQuestion[];

const identities: Identities = {
  findRole: async (arn) => roles.get(arn),
  findOidcProvider: async (_account, issuer) => providers.get(issuer),
  managedPolicyDocument: async (_account, arn) =>
    arn === 'arn:aws:iam::aws:policy/Known' ? '{"Version":"2012-10-17","Statement":[{"Sid":"managed"}]}' : undefined,
  checkPolicy: (document) => void JSON.parse(document),
  trusts: (policy, question) => {
    asked.push(question);
    return policy === 'yes';
  },
};

function start(enforce: boolean): Sts {
  return createSts({
    store,
    clock,
    random: createSeededRandom(),
    logger: silent,
    identities,
    longTermKeys: { find: async () => undefined },
    enforce,
  });
}

async function call(
  sts: Sts,
  operation: string,
  input: object = {},
  principal: Principal = USER,
  sourceIp = '127.0.0.1',
  // biome-ignore lint/suspicious/noExplicitAny: the answers' shapes are what is being checked
): Promise<any> {
  return sts.service.operations[operation]!(
    input as never,
    { operation, account: ACCOUNT, region: 'us-east-1', principal, sourceIp } as RequestContext,
  );
}

const role = (trustPolicy = 'yes', maxSessionDuration = 3600): RoleIdentity => ({
  arn: ROLE,
  id: 'AROAWORKER',
  name: 'worker',
  account: ACCOUNT,
  trustPolicy,
  maxSessionDuration,
});

beforeEach(() => {
  store = openMemoryStore();
  clock = createSystemClock();
  clock.freeze();
  roles = new Map([[ROLE, role()]]);
  providers = new Map();
  asked = [];
});

afterEach(async () => {
  await store.close();
  clock.close();
});

describe('STS', () => {
  let sts: Sts;
  beforeEach(() => {
    sts = start(false);
  });
  afterEach(() => sts.service.close?.());

  it('serves or refuses by name every operation', async () => {
    const known = Object.keys(sdk)
      .filter((name) => name.endsWith('Command') && name !== '$Command')
      .map((name) => name.slice(0, -'Command'.length))
      .sort();
    const answered = [...Object.keys(sts.service.operations), ...Object.keys(sts.service.refused)].sort();
    assert.deepEqual(answered, known);
    const page = await readFile(new URL('../../../docs/compatibility/sts.md', import.meta.url), 'utf8');
    for (const name of answered) assert.ok(page.includes(`\`${name}\``), `${name} is missing on the page`);
  });

  it('GetCallerIdentity tells who asks', async () => {
    assert.deepEqual(await call(sts, 'GetCallerIdentity'), { Account: ACCOUNT, Arn: USER.arn, UserId: 'AIDABOB' });
  });

  it('GetAccessKeyInfo reads the account from the key id', async () => {
    const AccessKeyId = createAccessKeyId('AKIA', '123456789012', createSeededRandom());
    assert.deepEqual(await call(sts, 'GetAccessKeyInfo', { AccessKeyId }), { Account: '123456789012' });
    for (const account of ['000000000000', '999999999999']) {
      assert.equal(accountOfAccessKeyId(createAccessKeyId('ASIA', account, createSeededRandom(4))), account);
    }
    await assert.rejects(call(sts, 'GetAccessKeyInfo', { AccessKeyId: 'nonsense' }), { code: 'ValidationError' });
  });

  it('AssumeRole gives credentials that are found with their principal until they are swept', async () => {
    const answer = await call(sts, 'AssumeRole', { RoleArn: ROLE, RoleSessionName: 'work', DurationSeconds: 900 });
    assert.equal(answer.AssumedRoleUser.Arn, `arn:aws:sts::${ACCOUNT}:assumed-role/worker/work`);
    assert.equal(answer.AssumedRoleUser.AssumedRoleId, 'AROAWORKER:work');
    assert.match(answer.Credentials.AccessKeyId, /^ASIA/);
    assert.equal(answer.Credentials.Expiration.getTime(), clock.now() + 900_000);
    const found = await sts.credentials.find(answer.Credentials.AccessKeyId);
    assert.equal(found?.sessionToken, answer.Credentials.SessionToken);
    assert.equal(found?.secretAccessKey, answer.Credentials.SecretAccessKey);
    assert.equal(found?.principal.roleArn, ROLE);
    assert.equal(found?.expiration, clock.now() + 900_000);
    const watch = store.watch({ prefix: ['sts', 'session'] });
    clock.advance(3_600_000);
    for await (const _ of watch) break;
    watch.close();
    assert.equal(await sts.credentials.find(answer.Credentials.AccessKeyId), undefined);
  });

  it('credentials are found after a restart', async () => {
    const { Credentials } = await call(sts, 'AssumeRole', { RoleArn: ROLE, RoleSessionName: 'work' });
    const again = start(false);
    assert.equal((await again.credentials.find(Credentials.AccessKeyId))?.secretAccessKey, Credentials.SecretAccessKey);
    await again.service.close?.();
  });

  it('AssumeRole checks its input', async () => {
    const assume = (input: object) => call(sts, 'AssumeRole', { RoleArn: ROLE, RoleSessionName: 'work', ...input });
    for (const input of [
      { DurationSeconds: 899 },
      { DurationSeconds: 3601 },
      { DurationSeconds: 43_201 },
      { RoleSessionName: 'x' },
      { RoleSessionName: 'a b' },
      { RoleArn: 'nonsense' },
      { RoleArn: `arn:aws:iam::${ACCOUNT}:user/x` },
      { PolicyArns: [{ arn: 'arn:aws:iam::aws:policy/Unknown' }] },
    ]) {
      await assert.rejects(assume(input), { code: 'ValidationError' }, JSON.stringify(input));
    }
    await assert.rejects(
      assume({
        Tags: [
          { Key: 'a', Value: '' },
          { Key: 'A', Value: '' },
        ],
      }),
      { code: 'InvalidParameterValue' },
    );
    await assert.rejects(assume({ TokenCode: '123456' }), { code: 'NotImplemented', message: /TokenCode/ });
    roles.set(ROLE, role('yes', 7200));
    await assume({ DurationSeconds: 7200 });
  });

  it('AssumeRole by a role session lasts an hour at most', async () => {
    roles.set(ROLE, role('yes', 43_200));
    const chained: Principal = { ...USER, type: 'AssumedRole' };
    const input = { RoleArn: ROLE, RoleSessionName: 'work' };
    await assert.rejects(call(sts, 'AssumeRole', { ...input, DurationSeconds: 7200 }, chained), {
      code: 'ValidationError',
    });
    await call(sts, 'AssumeRole', input, chained);
  });

  it('AssumeRole keeps session policies and tags', async () => {
    const { Credentials } = await call(sts, 'AssumeRole', {
      RoleArn: ROLE,
      RoleSessionName: 'work',
      Policy: '{"Version":"2012-10-17","Statement":{"Sid":"inline"}}',
      PolicyArns: [{ arn: 'arn:aws:iam::aws:policy/Known' }],
      Tags: [{ Key: 'team', Value: 'a' }],
    });
    const { principal } = (await sts.credentials.find(Credentials.AccessKeyId))!;
    assert.deepEqual(JSON.parse(principal.sessionPolicy!).Statement, [{ Sid: 'inline' }, { Sid: 'managed' }]);
    assert.deepEqual(principal.tags, { team: 'a' });
  });

  it('GetSessionToken keeps the caller, and refuses role sessions', async () => {
    const { Credentials } = await call(sts, 'GetSessionToken', { DurationSeconds: 1000 });
    const found = (await sts.credentials.find(Credentials.AccessKeyId))!;
    assert.deepEqual(found.principal, { ...USER, accessKeyId: Credentials.AccessKeyId });
    await assert.rejects(call(sts, 'GetSessionToken', {}, { ...USER, type: 'AssumedRole' }), { code: 'AccessDenied' });
  });

  it('reuses the credentials of a function until an hour before their end', async () => {
    const first = await sts.roleCredentials.credentialsFor(ROLE, 'my-function', 'us-east-1');
    assert.deepEqual(await sts.roleCredentials.credentialsFor(ROLE, 'my-function', 'us-east-1'), first);
    assert.notEqual(
      (await sts.roleCredentials.credentialsFor(ROLE, 'other', 'us-east-1')).accessKeyId,
      first.accessKeyId,
    );
    assert.equal(
      (await sts.credentials.find(first.accessKeyId))?.principal.arn,
      `arn:aws:sts::${ACCOUNT}:assumed-role/worker/my-function`,
    );
    clock.advance(first.expiration - clock.now() - 3_600_000);
    assert.notEqual(
      (await sts.roleCredentials.credentialsFor(ROLE, 'my-function', 'us-east-1')).accessKeyId,
      first.accessKeyId,
    );
  });

  it('gives functions new credentials when their role was made again', async () => {
    const first = await sts.roleCredentials.credentialsFor(ROLE, 'f', 'us-east-1');
    roles.set(ROLE, { ...role(), id: 'AROAANOTHER' });
    const second = await sts.roleCredentials.credentialsFor(ROLE, 'f', 'us-east-1');
    assert.notEqual(second.accessKeyId, first.accessKeyId);
    assert.equal((await sts.credentials.find(second.accessKeyId))?.principal.userId, 'AROAANOTHER:f');
  });

  it('makes up a role that does not exist, for functions and callers, as nothing is enforced', async () => {
    const RoleArn = `arn:aws:iam::${ACCOUNT}:role/service-role/unknown`;
    await sts.roleCredentials.credentialsFor(RoleArn, 'f', 'us-east-1');
    const { AssumedRoleUser } = await call(sts, 'AssumeRole', { RoleArn, RoleSessionName: 'work' });
    assert.equal(AssumedRoleUser.Arn, `arn:aws:sts::${ACCOUNT}:assumed-role/unknown/work`);
  });
});

describe('STS when policies are enforced', () => {
  it('refuses roles that do not exist or do not trust Lambda', async () => {
    const sts = start(true);
    const unknown = `arn:aws:iam::${ACCOUNT}:role/unknown`;
    await assert.rejects(sts.roleCredentials.credentialsFor(unknown, 'f', 'us-east-1'), { code: 'AccessDenied' });
    await assert.rejects(call(sts, 'AssumeRole', { RoleArn: unknown, RoleSessionName: 'work' }), {
      code: 'AccessDenied',
    });
    roles.set(ROLE, role('no'));
    await assert.rejects(sts.roleCredentials.credentialsFor(ROLE, 'f', 'us-east-1'), { code: 'AccessDenied' });
    roles.set(ROLE, role('yes'));
    await sts.roleCredentials.credentialsFor(ROLE, 'f', 'us-east-1');
    assert.deepEqual(asked.at(-1), {
      action: 'sts:AssumeRole',
      principal: { service: 'lambda.amazonaws.com' },
      conditions: {
        'aws:SourceAccount': [ACCOUNT],
        'aws:SourceArn': [`arn:aws:lambda:us-east-1:${ACCOUNT}:function:f`],
      },
    });
    await sts.service.close?.();
  });

  it('asks the trust policy about AssumeRole, with external id and tags', async () => {
    const sts = start(true);
    const requests = await sts.service.authorization!(
      'AssumeRole',
      { RoleArn: ROLE, RoleSessionName: 'work', ExternalId: 'e', Tags: [{ Key: 'a', Value: 'b' }] } as never,
      {} as RequestContext,
    );
    assert.deepEqual(
      requests.map(({ action }) => action),
      ['sts:AssumeRole', 'sts:TagSession'],
    );
    assert.equal(requests[0]?.resourcePolicy, 'yes');
    assert.deepEqual(requests[0]?.conditions, {
      'sts:RoleSessionName': ['work'],
      'sts:ExternalId': ['e'],
      'aws:RequestTag/a': ['b'],
      'aws:TagKeys': ['a'],
    });
    assert.deepEqual(await sts.service.authorization!('GetCallerIdentity', {} as never, {} as RequestContext), []);
    await sts.service.close?.();
  });
});

describe('STS AssumeRoleWithWebIdentity', () => {
  let issuer: string;
  let server: Server;
  let sts: Sts;
  let keys: Awaited<ReturnType<typeof generateKeyPair>>;
  let discovery: Record<string, unknown>;

  beforeEach(async () => {
    keys = await generateKeyPair('RS256');
    const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'RS256' };
    server = createServer((request, response) => {
      response.setHeader('content-type', 'application/json');
      if (request.url === '/.well-known/openid-configuration') response.end(JSON.stringify(discovery));
      else if (request.url === '/keys') response.end(JSON.stringify({ keys: [jwk] }));
      else if (request.url === '/moved') response.writeHead(302, { location: '/keys' }).end();
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    discovery = { issuer, jwks_uri: `${issuer}/keys` };
    providers.set(issuer, {
      arn: `arn:aws:iam::${ACCOUNT}:oidc-provider/${issuer.slice(7)}`,
      url: issuer,
      clientIds: ['sts.amazonaws.com'],
    });
    sts = start(true);
  });

  afterEach(async () => {
    await sts.service.close?.();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  function token(claims: object = {}, key = keys.privateKey, header: object = {}): Promise<string> {
    const now = Math.floor(clock.now() / 1000);
    return new SignJWT({
      sub: 'system:serviceaccount:ns:app',
      aud: 'sts.amazonaws.com',
      iss: issuer,
      iat: now,
      exp: now + 600,
      ...claims,
    })
      .setProtectedHeader({ alg: 'RS256', kid: 'k1', ...header })
      .sign(key);
  }
  const assume = async (WebIdentityToken: string | Promise<string>, input: object = {}, sourceIp = '127.0.0.1') =>
    call(
      sts,
      'AssumeRoleWithWebIdentity',
      { RoleArn: ROLE, RoleSessionName: 'app', WebIdentityToken: await WebIdentityToken, ...input },
      USER,
      sourceIp,
    );

  it('gives credentials for a token of a trusted issuer', async () => {
    const answer = await assume(token());
    assert.equal(answer.SubjectFromWebIdentityToken, 'system:serviceaccount:ns:app');
    assert.equal(answer.Audience, 'sts.amazonaws.com');
    assert.equal((await sts.credentials.find(answer.Credentials.AccessKeyId))?.principal.roleArn, ROLE);
    const name = issuer.slice('http://'.length);
    assert.deepEqual(asked.at(-1), {
      action: 'sts:AssumeRoleWithWebIdentity',
      principal: { federated: `arn:aws:iam::${ACCOUNT}:oidc-provider/${name}` },
      conditions: {
        [`${name}:sub`]: ['system:serviceaccount:ns:app'],
        [`${name}:aud`]: ['sts.amazonaws.com'],
        'sts:RoleSessionName': ['app'],
      },
    });
  });

  it('refuses a token that is expired, for others, or signed by others', async () => {
    const now = Math.floor(clock.now() / 1000);
    const other = await generateKeyPair('RS256');
    await assert.rejects(assume(token({ exp: now - 400 })), { code: 'ExpiredTokenException' });
    await assert.rejects(assume(token({ aud: 'other' })), {
      code: 'InvalidIdentityToken',
      message: 'Incorrect token audience',
    });
    await assert.rejects(assume(token({ iss: 'http://127.0.0.1:1' })), { code: 'InvalidIdentityToken' });
    await assert.rejects(assume(token({ sub: undefined })), { code: 'InvalidIdentityToken' });
    await assert.rejects(assume(token({}, other.privateKey)), { code: 'InvalidIdentityToken' });
    await assert.rejects(assume('no token'), { code: 'InvalidIdentityToken' });
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${(await token()).split('.')[1]}.`;
    await assert.rejects(assume(unsigned), { code: 'InvalidIdentityToken' });
  });

  it('goes by the clock: an hour later the token has expired', async () => {
    const early = await token();
    await assume(early);
    clock.advance(3_600_000);
    await assert.rejects(assume(early), { code: 'ExpiredTokenException' });
  });

  it('refuses when the role does not trust the issuer or does not exist', async () => {
    roles.set(ROLE, role('no'));
    await assert.rejects(assume(token()), {
      code: 'AccessDenied',
      message: 'Not authorized to perform sts:AssumeRoleWithWebIdentity',
    });
    roles.clear();
    await assert.rejects(assume(token()), { code: 'AccessDenied' });
  });

  it('follows no redirect, and no keys in the clear from elsewhere', async () => {
    discovery = { issuer, jwks_uri: `${issuer}/moved` };
    await assert.rejects(assume(token()), { code: 'IDPCommunicationError' });
    await sts.service.close?.();
    sts = start(true);
    discovery = { issuer, jwks_uri: 'http://192.0.2.1/keys' };
    await assert.rejects(assume(token()), { code: 'IDPCommunicationError' });
    await sts.service.close?.();
    sts = start(true);
    discovery = { issuer: 'http://other', jwks_uri: `${issuer}/keys` };
    await assert.rejects(assume(token()), { code: 'InvalidIdentityToken' });
  });

  it('reads nothing on this machine for a caller who is not on it, as a function in its sandbox', async () => {
    const sandbox = '169.254.130.7';
    let connections = 0;
    server.on('connection', () => {
      connections += 1;
    });
    await assert.rejects(assume(token(), {}, sandbox), { code: 'IDPCommunicationError' });
    const { port } = server.address() as AddressInfo;
    for (const host of ['localhost', 'x.localhost', '[::ffff:127.0.0.1]', '0.0.0.0', '169.254.100.1']) {
      for (const scheme of ['http', 'https']) {
        const iss = `${scheme}://${host}:${port}`;
        providers.set(iss, { arn: 'arn', url: iss, clientIds: ['sts.amazonaws.com'] });
        await assert.rejects(assume(token({ iss }), {}, sandbox), { code: 'IDPCommunicationError' }, iss);
      }
    }
    assert.equal(connections, 0);
    // Nor by the keys that a caller on this machine had read before.
    await assume(token());
    connections = 0;
    await assert.rejects(assume(token(), {}, sandbox), { code: 'IDPCommunicationError' });
    assert.equal(connections, 0);
  });
});

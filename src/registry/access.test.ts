import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ServiceError } from '../base/errors.ts';
import { MEDIA_TYPES } from '../images/index.ts';
import type { AuthorizationRequest, Principal } from '../services/index.ts';
import { digestOf, imageOf, startTestRegistry, type TestRegistry } from './testing/test-registry.ts';

const KEY = 'AKIAIOSFODNN7EXAMPLE';
const ECR = '111122223333.dkr.ecr.eu-west-1.amazonaws.com';
const user: Principal = {
  type: 'User',
  account: '000000000000',
  arn: 'arn:aws:iam::000000000000:user/dev',
  userId: 'AIDAEXAMPLE',
  accessKeyId: KEY,
};

const basic = (name: string, password: string) => `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
const asUser = { authorization: basic(KEY, 'secret') };
const asEcr = { authorization: basic('AWS', 'ecr-password') };

interface Asked extends AuthorizationRequest {
  readonly principal: string;
}

/** A registry in enforce mode, in which `allows` says what IAM would. */
async function enforcing(allows: (request: Asked) => boolean) {
  const asked: Asked[] = [];
  const registry = await startTestRegistry({
    mode: 'enforce',
    credentials: {
      find: async (id) => {
        if (id === KEY) return { secretAccessKey: 'secret', principal: user };
        if (id === 'ASIATEMPORARY') return { secretAccessKey: 'secret', sessionToken: 'token', principal: user };
        return undefined;
      },
    },
    authorizer: {
      authorize: async (principal, requests) => {
        for (const request of requests) {
          const question = { ...request, principal: principal.arn };
          asked.push(question);
          if (allows(question)) continue;
          throw new ServiceError('AccessDenied', `User: ${principal.arn} may not ${request.action}`, { status: 403 });
        }
      },
    },
    ecr: async () => ({
      identify: async (password) => (password === 'ecr-password' ? { ...user, arn: 'arn:ecr-user' } : undefined),
      subject: async (repository) => ({
        arn: `arn:aws:ecr:eu-west-1:111122223333:repository/${repository.slice(repository.indexOf('/') + 1)}`,
        account: '111122223333',
        region: 'eu-west-1',
        policy: '{"policy":"of the repository"}',
        conditions: { 'aws:ResourceTag/a': ['b'] },
      }),
      madeByPush: async (repository) => repository.endsWith('/new'),
      permitsDownload: async (_repository, _digest, query) => query.get('X-Signature') === 'good',
      mayMount: async () => true,
      pullThrough: async () => {},
    }),
  });
  return { registry, asked };
}

async function seed({ repositories }: TestRegistry, repository: string): Promise<void> {
  for (const part of ['{}', 'layer']) await repositories.putBlob(repository, digestOf(part), Buffer.from(part));
  await repositories.putManifest(repository, 'v1', { mediaType: undefined, bytes: Buffer.from(imageOf({}).bytes) });
}

async function tokenFor(registry: TestRegistry, scope: string, headers = asUser): Promise<string> {
  const answer = await registry.ask('GET', `/v2/token?service=x&scope=${scope}`, { headers });
  assert.equal(answer.status, 200);
  return answer.json.token;
}

describe('registry access in open mode', { timeout: 20_000 }, () => {
  it('lets anybody in, with any credentials or none', async () => {
    await using registry = await startTestRegistry();
    await registry.pushImage('app', 'v1');
    for (const authorization of [basic('any', 'body'), 'Bearer nonsense', 'Basic', 'Digest x']) {
      assert.equal((await registry.ask('GET', '/v2/', { headers: { authorization } })).status, 200, authorization);
      const answer = await registry.ask('GET', '/v2/app/manifests/v1', { headers: { authorization } });
      assert.equal(answer.status, 200, authorization);
    }
  });

  it('gives tokens to clients that insist on one', async () => {
    await using registry = await startTestRegistry();
    const { json } = await registry.ask('GET', '/v2/token?scope=repository:app:pull,push&scope=registry:catalog:*');
    assert.equal(json.token, json.access_token);
    assert.equal(json.scope, 'repository:app:pull,push registry:catalog:*');
    const headers = { authorization: `Bearer ${json.token}` };
    assert.equal((await registry.ask('GET', '/v2/', { headers })).status, 200);
  });
});

describe('registry access in enforce mode', { timeout: 20_000 }, () => {
  it('asks who it is, by a challenge that clients understand', async () => {
    const { registry: opened } = await enforcing(() => true);
    await using registry = opened;
    await seed(registry, 'team/app');
    const host = `127.0.0.1:${registry.port}`;
    const realm = `Bearer realm="http://${host}/v2/token",service="${host}"`;
    const challenges: readonly (readonly [string, string, string])[] = [
      ['GET', '/v2/', realm],
      ['GET', '/v2/team/app/manifests/v1', `${realm},scope="repository:team/app:pull"`],
      ['POST', '/v2/team/app/blobs/uploads/', `${realm},scope="repository:team/app:pull,push"`],
      ['DELETE', '/v2/team/app/manifests/v1', `${realm},scope="repository:team/app:delete"`],
      ['GET', '/v2/_catalog', `${realm},scope="registry:catalog:*"`],
    ];
    for (const [method, path, challenge] of challenges) {
      const answer = await registry.ask(method, path);
      assert.deepEqual([answer.status, answer.codes], [401, ['UNAUTHORIZED']], path);
      assert.equal(answer.headers['www-authenticate'], challenge);
    }
    const ecr = await registry.ask('GET', '/v2/', { headers: { host: ECR } });
    assert.equal(ecr.headers['www-authenticate'], `Basic realm="http://${ECR}/",service="ecr.amazonaws.com"`);
  });

  it('knows access keys and tokens of ECR, and nothing else', async () => {
    const { registry: opened } = await enforcing(() => true);
    await using registry = opened;
    const status = async (authorization: string) =>
      (await registry.ask('GET', '/v2/', { headers: { authorization } })).status;
    assert.equal(await status(asUser.authorization), 200);
    assert.equal(await status(asEcr.authorization), 200);
    for (const wrong of [
      basic(KEY, 'wrong'),
      basic(KEY, ''),
      basic(KEY, 'secret2'),
      basic('AKIANOBODY', 'secret'),
      basic('AWS', 'wrong'),
      basic('ASIATEMPORARY', 'secret'),
      `Basic ${Buffer.from('no colon').toString('base64')}`,
      'Basic',
      'Bearer x.y.z',
      `Bearer ${asUser.authorization}`,
    ]) {
      assert.equal(await status(wrong), 401, wrong);
    }
  });

  it('asks IAM for each request, with an action and the ARN of the repository', async () => {
    const { registry: opened, asked } = await enforcing(() => true);
    await using registry = opened;
    await seed(registry, 'team/app');
    await seed(registry, `${ECR}/team/app`);
    const layer = digestOf('layer');
    const requests: readonly (readonly [string, string, string])[] = [
      ['GET', 'manifests/v1', 'BatchGetImage'],
      ['HEAD', 'manifests/v1', 'BatchGetImage'],
      ['GET', `blobs/${layer}`, 'GetDownloadUrlForLayer'],
      ['HEAD', `blobs/${layer}`, 'BatchCheckLayerAvailability'],
      ['POST', 'blobs/uploads/', 'InitiateLayerUpload'],
      ['PATCH', 'blobs/uploads/x', 'UploadLayerPart'],
      ['GET', 'blobs/uploads/x', 'UploadLayerPart'],
      ['PUT', 'blobs/uploads/x', 'CompleteLayerUpload'],
      ['DELETE', 'blobs/uploads/x', 'UploadLayerPart'],
      ['PUT', 'manifests/v1', 'PutImage'],
      ['GET', 'tags/list', 'ListImages'],
      ['GET', `referrers/${layer}`, 'ListImageReferrers'],
      ['DELETE', `blobs/${digestOf('none')}`, 'BatchDeleteImage'],
      ['DELETE', 'manifests/none', 'BatchDeleteImage'],
    ];
    for (const [method, path, action] of requests) {
      for (const [prefix, headers, arn] of [
        ['/v2/team/app', asUser, 'arn:aws:ecr::000000000000:repository/team/app'],
        ['/v2/team/app', { ...asUser, host: ECR }, 'arn:aws:ecr:eu-west-1:111122223333:repository/team/app'],
        [`/v2/${ECR}/team/app`, asEcr, 'arn:aws:ecr:eu-west-1:111122223333:repository/team/app'],
      ] as const) {
        asked.length = 0;
        await registry.ask(method, `${prefix}/${path}`, { headers });
        assert.deepEqual(
          asked.map(({ action: name, resource }) => [name, resource]),
          [[`ecr:${action}`, arn]],
          `${method} ${prefix}/${path}`,
        );
        if (!arn.includes('::0')) assert.equal(asked[0]!.resourcePolicy, '{"policy":"of the repository"}');
      }
    }
    assert.equal(asked[0]!.principal, 'arn:ecr-user');
  });

  it('answers 403 to what policies are against, and does nothing', async () => {
    const { registry: opened } = await enforcing(({ action }) => action !== 'ecr:PutImage');
    await using registry = opened;
    await seed(registry, 'app');
    const { bytes } = imageOf({ more: { annotations: { a: 'b' } } });
    const headers = { ...asUser, 'content-type': MEDIA_TYPES.ociManifest };
    const answer = await registry.ask('PUT', '/v2/app/manifests/v2', { headers, body: bytes });
    assert.deepEqual([answer.status, answer.codes], [403, ['DENIED']]);
    assert.match(answer.json.errors[0].message, /may not ecr:PutImage/);
    assert.equal((await registry.ask('GET', '/v2/app/manifests/v2', { headers: asUser })).status, 404);
  });

  it('asks whether the caller may make a repository of ECR that a push would make', async () => {
    const { registry: opened, asked } = await enforcing(({ action }) => action !== 'ecr:CreateRepository');
    await using registry = opened;
    const headers = { ...asEcr, host: ECR };
    const start = (name: string) => registry.ask('POST', `/v2/${name}/blobs/uploads/`, { headers });
    const refused = await start('new');
    assert.deepEqual([refused.status, refused.codes], [403, ['DENIED']]);
    assert.equal(await registry.repositories.exists(`${ECR}/new`), false);
    assert.equal((await start('old')).status, 202);
    assert.deepEqual(
      asked.map(({ action, resource }) => `${action} ${resource}`),
      [
        'ecr:InitiateLayerUpload arn:aws:ecr:eu-west-1:111122223333:repository/new',
        'ecr:CreateRepository arn:aws:ecr:eu-west-1:111122223333:repository/new',
        'ecr:InitiateLayerUpload arn:aws:ecr:eu-west-1:111122223333:repository/old',
      ],
    );
  });

  it('gives tokens for what the caller may do, for a short time, at this registry', async () => {
    const { registry: opened } = await enforcing(({ action }) => !/Put|Upload|Delete/.test(action));
    await using registry = opened;
    await seed(registry, 'app');
    await seed(registry, 'other');
    const { json } = await registry.ask('GET', '/v2/token?scope=repository:app:pull,push,delete', { headers: asUser });
    assert.equal(json.scope, 'repository:app:pull');
    assert.equal(json.expires_in, 300);
    const headers = { authorization: `Bearer ${json.token}` };
    const status = async (method: string, path: string, more = {}) =>
      (await registry.ask(method, path, { headers: { ...headers, ...more } })).status;
    assert.equal(await status('GET', '/v2/app/manifests/v1'), 200);
    assert.equal(await status('GET', '/v2/other/manifests/v1'), 401);
    assert.equal(await status('POST', '/v2/app/blobs/uploads/'), 401);
    assert.equal(await status('GET', '/v2/_catalog'), 401);
    const scoped = await registry.ask('POST', '/v2/app/blobs/uploads/', { headers });
    assert.match(scoped.headers['www-authenticate']!, /error="insufficient_scope"/);
    assert.equal(await status('GET', '/v2/app/manifests/v1', { host: 'other.example' }), 401);
    registry.clock.advance(301_000);
    assert.equal(await status('GET', '/v2/app/manifests/v1'), 401);
  });

  it('gives no token for a token', async () => {
    const { registry: opened } = await enforcing(() => true);
    await using registry = opened;
    const headers = { authorization: `Bearer ${await tokenFor(registry, 'repository:app:pull')}` };
    const answer = await registry.ask('GET', '/v2/token?scope=repository:other:pull,push', { headers });
    assert.deepEqual([answer.status, answer.codes], [401, ['UNAUTHORIZED']]);
  });

  it('grants nothing for actions that there are not, whatever they are called', async () => {
    const { registry: opened } = await enforcing(() => true);
    await using registry = opened;
    const scope = 'repository:app:constructor,__proto__,pull,pull';
    const answer = await registry.ask('GET', `/v2/token?scope=${scope}`, { headers: asUser });
    assert.deepEqual([answer.status, answer.json.scope], [200, 'repository:app:pull']);
    assert.deepEqual(registry.failures, []);
  });

  it('looks at policies also when a token was given before', async () => {
    let allowed = true;
    const { registry: opened } = await enforcing(() => allowed);
    await using registry = opened;
    await seed(registry, 'app');
    const authorization = `Bearer ${await tokenFor(registry, 'repository:app:pull')}`;
    assert.equal((await registry.ask('GET', '/v2/app/manifests/v1', { headers: { authorization } })).status, 200);
    allowed = false;
    assert.equal((await registry.ask('GET', '/v2/app/manifests/v1', { headers: { authorization } })).status, 403);
  });

  it('gives tokens to forms, too, and none to strangers', async () => {
    const { registry: opened } = await enforcing(() => true);
    await using registry = opened;
    const post = (body: string) =>
      registry.ask('POST', '/v2/token', {
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body,
      });
    const good = await post(`grant_type=password&username=${KEY}&password=secret&scope=repository:app:pull`);
    assert.equal(good.json.scope, 'repository:app:pull');
    assert.equal((await post(`grant_type=password&username=${KEY}&password=wrong`)).status, 401);
    assert.equal((await post('grant_type=refresh_token&refresh_token=x')).status, 400);
    assert.equal((await post('x'.repeat(100_000))).status, 413);
    assert.equal((await registry.ask('GET', '/v2/token')).status, 401);
    for (const scope of ['app', 'repository:app', 'repository::pull', 'other:app:pull', 'repository:..:pull']) {
      const answer = await registry.ask('GET', `/v2/token?scope=${scope}`, { headers: asUser });
      assert.equal(answer.status, 400, scope);
    }
  });

  it('mounts no blob of a repository that the caller may not read, whether it is named or not', async () => {
    const secret = 'arn:aws:ecr::000000000000:repository/secret';
    const { registry: opened } = await enforcing(({ resource }) => resource !== secret);
    await using registry = opened;
    await seed(registry, 'secret');
    const layer = digestOf('layer');
    const mount = async (query: string) =>
      (await registry.ask('POST', `/v2/mine/blobs/uploads/?${query}`, { headers: asUser })).status;
    assert.equal(await mount(`mount=${layer}&from=secret`), 202);
    assert.equal(await mount(`mount=${layer}`), 202);
    await seed(registry, 'public');
    assert.equal(await mount(`mount=${layer}`), 201);
  });

  it('mounts no blob of a repository that the token is not for', async () => {
    const { registry: opened } = await enforcing(() => true);
    await using registry = opened;
    await seed(registry, 'other');
    const mount = async (scopes: string, query: string) => {
      const headers = { authorization: `Bearer ${await tokenFor(registry, scopes)}` };
      return (await registry.ask('POST', `/v2/mine/blobs/uploads/?${query}`, { headers })).status;
    };
    const mine = 'repository:mine:pull,push';
    const layer = digestOf('layer');
    assert.equal(await mount(mine, `mount=${layer}&from=other`), 202);
    assert.equal(await mount(mine, `mount=${layer}`), 202);
    assert.equal(await mount(`${mine}&scope=repository:other:push`, `mount=${layer}&from=other`), 202);
    assert.equal(await mount(`${mine}&scope=repository:other:pull`, `mount=${layer}&from=other`), 201);
  });

  it('gives a layer to who has its signed address', async () => {
    const { registry: opened } = await enforcing(() => true);
    await using registry = opened;
    await seed(registry, `${ECR}/app`);
    await seed(registry, 'app');
    const layer = digestOf('layer');
    const get = async (path: string, method = 'GET') => (await registry.ask(method, path)).status;
    assert.equal(await get(`/v2/${ECR}/app/blobs/${layer}?X-Signature=good`), 200);
    assert.equal(await get(`/v2/${ECR}/app/blobs/${layer}?X-Signature=bad`), 401);
    assert.equal(await get(`/v2/${ECR}/app/blobs/${layer}?X-Signature=good`, 'DELETE'), 401);
    assert.equal(await get(`/v2/app/blobs/${layer}?X-Signature=good`), 401);
  });
});

import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { digestOf, startTestRegistry } from './testing/test-registry.ts';

const digest = digestOf('x');

describe('OCI names and paths that are none', { timeout: 20_000 }, () => {
  it('refuses names outside the grammar, whatever is asked of them', async () => {
    await using registry = await startTestRegistry();
    const names = [
      '..',
      'a/..',
      '../../etc',
      'a/./b',
      'A',
      'Team/app',
      'a//b',
      '-a',
      'a-',
      'a..b',
      'a___b',
      'a/.b',
      'a b',
      'a%20b',
      'a%00b',
      '%2e%2e',
      'é',
      'a'.repeat(256),
      'a/'.repeat(200),
    ];
    const before = await readdir(registry.directory);
    for (const name of names) {
      const path = `/v2/${name.replaceAll(' ', '+').replaceAll('é', '%C3%A9')}`;
      for (const [method, rest] of [
        ['GET', `manifests/v1`],
        ['PUT', `manifests/v1`],
        ['GET', `blobs/${digest}`],
        ['POST', 'blobs/uploads/'],
        ['POST', `blobs/uploads/?digest=${digest}`],
        ['GET', 'tags/list'],
        ['GET', `referrers/${digest}`],
        ['DELETE', `manifests/${digest}`],
      ] as const) {
        const answer = await registry.ask(method, `${path}/${rest}`, method === 'GET' ? {} : { body: 'x' });
        assert.ok([400, 404].includes(answer.status), `${method} ${path}/${rest}: ${answer.status}`);
        assert.ok(['NAME_INVALID', 'UNSUPPORTED'].includes(answer.codes[0]!), `${path}: ${answer.codes}`);
      }
    }
    assert.deepEqual((await registry.ask('GET', '/v2/_catalog')).json, { repositories: [] });
    assert.deepEqual(await readdir(registry.directory), before);
    assert.deepEqual(registry.failures, []);
  });

  it('takes names within it', async () => {
    await using registry = await startTestRegistry();
    for (const name of [
      'a',
      '0',
      'a.b_c-d__e---f/g',
      'blobs',
      'manifests/tags/list',
      'a/blobs/uploads',
      'token/token',
      'a'.repeat(255),
    ]) {
      await registry.pushImage(name, 'v1');
      assert.equal((await registry.ask('GET', `/v2/${name}/manifests/v1`)).status, 200, name);
      assert.deepEqual((await registry.ask('GET', `/v2/${name}/tags/list`)).json.tags, ['v1'], name);
    }
  });

  it('reads an encoded colon, but no encoded slash', async () => {
    await using registry = await startTestRegistry();
    const pushed = await registry.pushBlob('a/b', 'content');
    assert.equal((await registry.ask('GET', `/v2/a/b/blobs/${pushed.replace(':', '%3A')}`)).status, 200);
    for (const path of [`/v2/a%2Fb/blobs/${pushed}`, `/v2/a%2fb/tags/list`, `/v2/a/b/blobs/x%2F..%2F${pushed}`]) {
      assert.ok([400, 404].includes((await registry.ask('GET', path)).status), path);
    }
    assert.equal((await registry.ask('GET', '/v2/a/b/manifests/%')).status, 404);
    assert.equal((await registry.ask('GET', '/v2/a/b/manifests/%zz')).status, 404);
  });

  it('finds the same repository of ECR by each name of its registry', async () => {
    await using registry = await startTestRegistry();
    const host = '123456789012.dkr.ecr.us-east-1.amazonaws.com';
    await registry.pushImage(`${host}/app`, 'v1');
    for (const name of [host, host.replace('amazonaws.com', 'localhost'), `${host}.cn`]) {
      assert.equal((await registry.ask('GET', `/v2/${name}/app/tags/list`)).status, 200, name);
      assert.equal((await registry.ask('GET', '/v2/app/tags/list', { headers: { host: name } })).status, 200, name);
    }
    await registry.pushBlob(`${host.replace('amazonaws.com', 'localhost.localstack.cloud')}/app`, 'x');
    assert.deepEqual(await registry.repositories.list(), [`${host}/app`]);
  });

  it('answers 404 to paths that it has not, and 405 to methods', async () => {
    await using registry = await startTestRegistry();
    await registry.pushImage('app', 'v1');
    for (const path of [
      '/v2/x',
      '/v2/app/none',
      '/v2/app/tags',
      '/v2/app/tags/x',
      '/v2//manifests/x',
      '/v2/_catalog/x',
    ]) {
      assert.ok([400, 404].includes((await registry.ask('GET', path)).status), path);
    }
    for (const [method, path] of [
      ['POST', '/v2/app/manifests/v1'],
      ['PATCH', '/v2/app/manifests/v1'],
      ['PUT', `/v2/app/blobs/${digest}`],
      ['GET', '/v2/app/blobs/uploads/'],
      ['DELETE', '/v2/app/tags/list'],
      ['POST', '/v2/_catalog'],
      ['OPTIONS', '/v2/'],
    ] as const) {
      const answer = await registry.ask(method, path);
      assert.deepEqual([answer.status, answer.codes], [405, ['UNSUPPORTED']], `${method} ${path}`);
      assert.ok(answer.headers.allow);
    }
  });

  it('leaves to others what is not for it', async () => {
    await using registry = await startTestRegistry();
    const status = async (path: string, headers: Readonly<Record<string, string>> = {}) =>
      (await registry.ask('GET', path, { headers })).status;
    assert.equal(await status('/'), 421);
    assert.equal(await status('/v20/'), 421);
    assert.equal(await status('/v2/apis', { authorization: 'AWS4-HMAC-SHA256 Credential=x' }), 421);
    assert.equal(await status('/v2/apis?X-Amz-Algorithm=AWS4-HMAC-SHA256'), 421);
    for (const host of ['pictures.s3.amazonaws.com', 'pictures.localhost:4566', 'x.lambda-url.us-east-1.on.aws']) {
      assert.equal(await status('/v2/', { host }), 421, host);
    }
    for (const host of [
      'localhost:4566',
      '127.0.0.1',
      '[::1]:4566',
      'registry.example',
      '123456789012.dkr.ecr.us-east-1.amazonaws.com',
      '123456789012.dkr.ecr.eu-central-1.localhost:4566',
      '123456789012.DKR.ECR.cn-north-1.amazonaws.com.cn',
    ]) {
      assert.equal(await status('/v2/', { host }), 200, host);
    }
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ServiceError } from '../../../base/errors.ts';
import type { Principal } from '../../service.ts';
import { digestOf, HOST, imageOf, startTestEcr, type TestEcr } from '../testing/test-ecr.ts';
import type { UpstreamRepository, Upstreams } from './upstream.ts';

const DAY = 24 * 3_600_000;

/** A registry elsewhere: manifests by repository and reference, blobs by digest. */
class FakeUpstream implements Upstreams {
  readonly asked: string[] = [];
  readonly manifests = new Map<string, string>();
  readonly blobs = new Map<string, string>();
  failure: ServiceError | undefined;

  push(repository: string, tag: string | undefined, layer: string): string {
    const text = imageOf(layer);
    for (const part of ['{}', layer]) this.blobs.set(digestOf(part), part);
    return this.put(repository, tag, text);
  }

  put(repository: string, tag: string | undefined, text: string): string {
    this.manifests.set(`${repository}@${digestOf(text)}`, text);
    if (tag !== undefined) this.manifests.set(`${repository}@${tag}`, text);
    return digestOf(text);
  }

  async manifest({ url, repository, credentials }: UpstreamRepository, reference: string) {
    this.asked.push(`${url} ${repository} ${reference}${credentials ? ` as ${credentials.username}` : ''}`);
    await new Promise(setImmediate);
    if (this.failure) throw this.failure;
    const text = this.manifests.get(`${repository}@${reference}`);
    return text === undefined
      ? undefined
      : { digest: digestOf(text), mediaType: JSON.parse(text).mediaType, bytes: Buffer.from(text) };
  }

  async blob(_from: UpstreamRepository, digest: string) {
    this.asked.push(digest.slice(0, 12));
    const content = this.blobs.get(digest);
    if (content === undefined) throw new ServiceError('UpstreamUnavailable', 'no blob', { status: 502 });
    return (async function* () {
      yield Buffer.from(content);
    })();
  }

  async check() {
    if (this.failure) throw this.failure;
  }
}

/** What reading a secret comes to: its text, or the code of an error. */
interface Secret {
  text: string;
  error?: string;
}

async function withRule(more = {}): Promise<TestEcr & { upstream: FakeUpstream; secret: Secret }> {
  const upstream = new FakeUpstream();
  const secret: Secret = { text: '{"username":"me","accessToken":"secret"}' };
  const secrets = {
    read: async () => {
      if (secret.error !== undefined) throw new ServiceError(secret.error, 'it cannot be read');
      return secret.text;
    },
  };
  const at = await startTestEcr({ upstreams: upstream, secrets });
  await at.call('CreatePullThroughCacheRule', {
    ecrRepositoryPrefix: 'hub',
    upstreamRegistryUrl: 'registry.example.com',
    ...more,
  });
  return Object.assign(at, { upstream, secret });
}

const pull = (at: TestEcr, name: string, reference: string) =>
  at.ecr.registry.pullThrough(`${HOST}/${name}`, reference, undefined);

const digestHere = async (at: TestEcr, name: string, reference: string) =>
  (await at.repositories.statManifest(`${HOST}/${name}`, reference)).descriptor.digest;

describe('ECR pull through cache', { timeout: 20_000 }, () => {
  it('brings an image when it is asked for, and makes its repository', async () => {
    await using at = await withRule();
    const digest = at.upstream.push('library/app', 'v1', 'layer');
    await pull(at, 'hub/library/app', 'v1');
    assert.equal(await digestHere(at, 'hub/library/app', 'v1'), digest);
    await at.repositories.statBlob(`${HOST}/hub/library/app`, digestOf('layer'));
    assert.deepEqual(at.upstream.asked[0], 'https://registry.example.com library/app v1');
    const { repositories } = await at.call('DescribeRepositories');
    assert.equal(repositories[0].repositoryName, 'hub/library/app');
    const [event, ...none] = at.events();
    assert.deepEqual(none, []);
    assert.equal(event!.type, 'ECR Pull Through Cache Action');
    assert.deepEqual(event!.detail, {
      'rule-version': '1',
      'sync-status': 'SUCCESS',
      'ecr-repository-prefix': 'hub',
      'repository-name': 'hub/library/app',
      'upstream-registry-url': 'registry.example.com',
      'image-tag': 'v1',
      'image-digest': digest,
    });
  });

  it('leaves alone what no rule covers', async () => {
    await using at = await withRule();
    for (const name of ['other/app', 'hubble/app']) await pull(at, name, 'v1');
    assert.deepEqual(at.upstream.asked, []);
    assert.deepEqual((await at.call('DescribeRepositories')).repositories, []);
  });

  it('makes nothing of what is not there', async () => {
    await using at = await withRule();
    await pull(at, 'hub/none', 'v1');
    assert.deepEqual((await at.call('DescribeRepositories')).repositories, []);
  });

  it('compares a tag with its upstream once a day, and never a digest', async () => {
    await using at = await withRule();
    const first = at.upstream.push('app', 'latest', 'one');
    await pull(at, 'hub/app', 'latest');
    const second = at.upstream.push('app', 'latest', 'two');
    at.upstream.asked.length = 0;
    at.clock.advance(DAY - 1);
    await pull(at, 'hub/app', 'latest');
    await pull(at, 'hub/app', first);
    assert.deepEqual(at.upstream.asked, []);
    assert.equal(await digestHere(at, 'hub/app', 'latest'), first);
    at.clock.advance(1);
    await pull(at, 'hub/app', 'latest');
    assert.equal(await digestHere(at, 'hub/app', 'latest'), second);
    at.clock.advance(DAY);
    at.upstream.asked.length = 0;
    await pull(at, 'hub/app', 'latest');
    await pull(at, 'hub/app', 'latest');
    assert.equal(at.upstream.asked.length, 1, 'what has not changed is not brought again');
  });

  it('gives what it has while its upstream cannot be reached, or has it no more', async () => {
    await using at = await withRule();
    const digest = at.upstream.push('app', 'v1', 'one');
    await pull(at, 'hub/app', 'v1');
    at.clock.advance(2 * DAY);
    at.upstream.failure = new ServiceError('UpstreamUnavailable', 'down', { status: 502 });
    await pull(at, 'hub/app', 'v1');
    assert.equal(await digestHere(at, 'hub/app', 'v1'), digest);
    await assert.rejects(pull(at, 'hub/app', 'v2'), { code: 'UpstreamUnavailable' });
    const input = { repositoryName: 'hub/app', imageIds: [{ imageTag: 'v2' }] };
    assert.equal((await at.call('BatchGetImage', input)).failures[0].failureCode, 'UpstreamUnavailable');
    at.upstream.failure = undefined;
    at.upstream.manifests.clear();
    await pull(at, 'hub/app', 'v1');
    assert.equal(await digestHere(at, 'hub/app', 'v1'), digest);
  });

  it('brings of an index what is asked for, when it is asked for', async () => {
    await using at = await withRule();
    const [amd64, arm64] = [at.upstream.push('app', undefined, 'amd64'), at.upstream.push('app', undefined, 'arm64')];
    const manifests = [amd64, arm64].map((digest) => ({ mediaType: 'a/b', digest, size: 1 }));
    const index = JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests,
    });
    at.upstream.put('app', 'multi', index);
    await pull(at, 'hub/app', 'multi');
    assert.equal(await digestHere(at, 'hub/app', 'multi'), digestOf(index));
    await assert.rejects(digestHere(at, 'hub/app', amd64!), { code: 'MANIFEST_UNKNOWN' });
    await pull(at, 'hub/app', amd64!);
    await digestHere(at, 'hub/app', amd64!);
    await assert.rejects(at.repositories.statBlob(`${HOST}/hub/app`, digestOf('arm64')), { code: 'BLOB_UNKNOWN' });
  });

  it('asks once for many who want the same', async () => {
    await using at = await withRule();
    at.upstream.push('app', 'v1', 'layer');
    await Promise.all(Array.from({ length: 20 }, () => pull(at, 'hub/app', 'v1')));
    assert.equal(at.upstream.asked.filter((what) => what.startsWith('https')).length, 1);
  });

  it('keeps nothing of what is not what it says it is', async () => {
    await using at = await withRule();
    at.upstream.push('app', 'v1', 'layer');
    const fault = { code: 'UpstreamUnavailable', status: 502 };
    for (const other of ['else!', 'something longer']) {
      at.upstream.blobs.set(digestOf('layer'), other);
      await assert.rejects(pull(at, 'hub/app', 'v1'), { ...fault, message: /^registry\.example\.com: / });
    }
    await assert.rejects(digestHere(at, 'hub/app', 'v1'), { code: 'MANIFEST_UNKNOWN' });
    const layers = [{ digest: 1 }];
    for (const text of ['{"mediaType":"text/html"}', '[]', JSON.stringify({ layers }), '{"config":1,"layers":{}}']) {
      at.upstream.put('app', 'v2', text);
      await assert.rejects(pull(at, 'hub/app', 'v2'), fault, text);
    }
    const { failures } = await at.call('BatchGetImage', { repositoryName: 'hub/app', imageIds: [{ imageTag: 'v2' }] });
    assert.equal(failures[0].failureCode, 'UpstreamUnavailable');
  });

  it('reads nothing beyond the size that a blob is to have', async () => {
    await using at = await withRule();
    at.upstream.push('app', 'v1', 'layer');
    let read = 0;
    at.upstream.blob = async () =>
      (async function* () {
        for (;;) {
          read++;
          yield Buffer.from('layer');
        }
      })();
    await assert.rejects(pull(at, 'hub/app', 'v1'), { code: 'UpstreamUnavailable', message: /more than the 2 bytes/ });
    assert.equal(read, 1);
  });

  it('leaves layers where they are that are not kept in registries, as their type says', async () => {
    await using at = await withRule();
    const foreign = {
      mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
      digest: digestOf('foreign'),
      size: 7,
    };
    const image = JSON.parse(imageOf('layer'));
    image.layers[0].urls = ['https://mirror.example.com/layer'];
    image.layers.push(foreign);
    at.upstream.push('app', undefined, 'layer');
    const digest = at.upstream.put('app', 'v1', JSON.stringify(image));
    await pull(at, 'hub/app', 'v1');
    assert.equal(await digestHere(at, 'hub/app', 'v1'), digest);
  });

  it('goes below a prefix of its upstream, by the rule with the longest prefix, and as a template says', async () => {
    await using at = await withRule({ upstreamRepositoryPrefix: 'mirror/of' });
    await at.call('CreatePullThroughCacheRule', {
      ecrRepositoryPrefix: 'hub/special',
      upstreamRegistryUrl: 'http://special.example.com:5000',
    });
    const template = { prefix: 'hub', appliedFor: ['PULL_THROUGH_CACHE'], imageTagMutability: 'IMMUTABLE' };
    await at.call('CreateRepositoryCreationTemplate', template);
    at.upstream.push('mirror/of/app', 'v1', 'layer');
    at.upstream.push('app', 'v1', 'layer');
    await pull(at, 'hub/app', 'v1');
    await pull(at, 'hub/special/app', 'v1');
    assert.deepEqual(
      at.upstream.asked.filter((what) => what.startsWith('http')),
      ['https://registry.example.com mirror/of/app v1', 'http://special.example.com:5000 app v1'],
    );
    const { repositories } = await at.call('DescribeRepositories', { repositoryNames: ['hub/app'] });
    assert.equal(repositories[0].imageTagMutability, 'IMMUTABLE');
  });

  it('takes the slash at the end of a prefix as meant', async () => {
    await using at = await withRule();
    await at.call('CreatePullThroughCacheRule', {
      ecrRepositoryPrefix: 'mirror/',
      upstreamRegistryUrl: 'mirror.example.com',
      upstreamRepositoryPrefix: 'all/',
    });
    await pull(at, 'mirror/app', 'v1');
    await pull(at, 'mirrored/app', 'v1');
    assert.deepEqual(at.upstream.asked, ['https://mirror.example.com all/app v1']);
  });

  it('covers everything with the prefix ROOT', async () => {
    await using at = await withRule();
    await at.call('CreatePullThroughCacheRule', {
      ecrRepositoryPrefix: 'ROOT',
      upstreamRegistryUrl: 'root.example.com',
    });
    at.upstream.push('any/app', 'v1', 'layer');
    await pull(at, 'any/app', 'v1');
    assert.equal(at.upstream.asked[0], 'https://root.example.com any/app v1');
  });

  it('shows its upstream the credentials of a secret', async () => {
    const arn = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:ecr-pullthroughcache/hub-AbCdEf';
    await using at = await withRule({ credentialArn: arn });
    at.upstream.push('app', 'v1', 'layer');
    await pull(at, 'hub/app', 'v1');
    assert.match(at.upstream.asked[0]!, / as me$/);
    const update = (credentialArn: string) =>
      at.call('UpdatePullThroughCacheRule', { ecrRepositoryPrefix: 'hub', credentialArn });
    const validate = () => at.call('ValidatePullThroughCacheRule', { ecrRepositoryPrefix: 'hub' });
    const other = { ecrRepositoryPrefix: 'other', upstreamRegistryUrl: 'quay.io', credentialArn: arn };
    assert.equal((await validate()).isValid, true);
    await update(arn);
    for (const [secret, code] of [
      [{ text: '', error: 'ResourceNotFoundException' }, 'SecretNotFoundException'],
      [{ text: '', error: 'AccessDeniedException' }, 'UnableToAccessSecretException'],
      [{ text: '', error: 'DecryptionFailure' }, 'UnableToDecryptSecretValueException'],
      [{ text: 'not JSON' }, 'UnableToDecryptSecretValueException'],
      [{ text: '{"username":"me"}' }, 'UnableToDecryptSecretValueException'],
    ] as const) {
      Object.assign(at.secret, { error: undefined }, secret);
      await assert.rejects(pull(at, 'hub/app', 'v2'), { code });
      await assert.rejects(update(arn), { code });
      await assert.rejects(at.call('CreatePullThroughCacheRule', other), { code });
      const { isValid, failure } = await validate();
      assert.equal(isValid, false);
      assert.match(failure, /secret/);
      const images = { repositoryName: 'hub/app', imageIds: [{ imageTag: 'v2' }] };
      await assert.rejects(at.call('BatchGetImage', images), { code: 'UnableToGetUpstreamImageException' });
    }
    for (const bad of [
      'arn:aws:secretsmanager:us-east-1:000000000000:secret:other',
      arn.replace('000000000000', '111122223333'),
      arn.replace('us-east-1', 'eu-west-1'),
    ]) {
      await assert.rejects(update(bad), { code: 'InvalidParameterException' }, bad);
    }
  });

  it('reads another registry of this Kobune directly', async () => {
    await using at = await withRule();
    await at.create('team/app');
    const digest = await at.push('team/app', 'v1');
    const region = 'eu-west-1';
    const rule = { ecrRepositoryPrefix: 'us', upstreamRegistryUrl: HOST };
    const made = await at.call('CreatePullThroughCacheRule', rule, { region });
    assert.equal(made.upstreamRegistry, 'ecr');
    const there = '000000000000.dkr.ecr.eu-west-1.amazonaws.com/us/team/app';
    await at.ecr.registry.pullThrough(there, 'v1', undefined);
    assert.equal((await at.repositories.statManifest(there, 'v1')).descriptor.digest, digest);
    const valid = await at.call('ValidatePullThroughCacheRule', { ecrRepositoryPrefix: 'us' }, { region });
    assert.equal(valid.isValid, true);
  });

  it('asks policies, where they decide', async () => {
    let denied = '';
    const upstream = new FakeUpstream();
    upstream.push('app', 'v1', 'layer');
    await using at = await startTestEcr({
      upstreams: upstream,
      enforce: true,
      authorizer: {
        authorize: async ({ arn }, requests) => {
          if (arn !== 'arn:nobody' && requests.every(({ action }) => action !== denied)) return;
          throw new ServiceError('AccessDenied', `no ${denied}`, { status: 403 });
        },
      },
    });
    const rule = { ecrRepositoryPrefix: 'hub', upstreamRegistryUrl: 'registry.example.com' };
    await at.call('CreatePullThroughCacheRule', rule);
    const principal = { type: 'User', account: '000000000000', arn: 'arn:u', userId: 'u', accessKeyId: 'k' } as const;
    const pullAs = (as: Principal = principal) => at.ecr.registry.pullThrough(`${HOST}/hub/app`, 'v1', as);
    for (denied of ['ecr:BatchImportUpstreamImage', 'ecr:CreateRepository']) {
      await assert.rejects(pullAs(), { code: 'AccessDenied' });
    }
    const nobody = { ...principal, arn: 'arn:nobody' };
    denied = '';
    const [refused] = await Promise.allSettled([pullAs(nobody), pullAs()]);
    assert.equal(refused.status, 'rejected', 'who may not waits for nobody who may');
    await digestHere(at, 'hub/app', 'v1');
  });
});

describe('ECR pull through cache rules', { timeout: 20_000 }, () => {
  it('are made, described, changed and deleted', async () => {
    await using at = await withRule({ upstreamRegistryUrl: 'quay.io', upstreamRegistry: 'quay' });
    const { pullThroughCacheRules } = await at.call('DescribePullThroughCacheRules', {});
    const now = new Date(at.clock.now());
    assert.deepEqual(pullThroughCacheRules, [
      {
        ecrRepositoryPrefix: 'hub',
        upstreamRegistryUrl: 'quay.io',
        createdAt: now,
        updatedAt: now,
        registryId: '000000000000',
        upstreamRepositoryPrefix: 'ROOT',
        upstreamRegistry: 'quay',
      },
    ]);
    const again = { ecrRepositoryPrefix: 'hub', upstreamRegistryUrl: 'quay.io' };
    await assert.rejects(at.call('CreatePullThroughCacheRule', again), {
      code: 'PullThroughCacheRuleAlreadyExistsException',
    });
    const none = at.call('DescribePullThroughCacheRules', { ecrRepositoryPrefixes: [] });
    await assert.rejects(none, { code: 'InvalidParameterException' });
    await at.call('DeletePullThroughCacheRule', { ecrRepositoryPrefix: 'hub' });
    for (const [operation, input] of [
      ['DeletePullThroughCacheRule', { ecrRepositoryPrefix: 'hub' }],
      ['ValidatePullThroughCacheRule', { ecrRepositoryPrefix: 'hub' }],
      ['DescribePullThroughCacheRules', { ecrRepositoryPrefixes: ['hub'] }],
    ] as const) {
      await assert.rejects(at.call(operation, input), { code: 'PullThroughCacheRuleNotFoundException' });
    }
  });

  it('lead to no machine of Kobune, unless they are made there', async () => {
    await using at = await withRule();
    const make = (upstreamRegistryUrl: string, sourceIp: string) =>
      at.call('CreatePullThroughCacheRule', { ecrRepositoryPrefix: 'own', upstreamRegistryUrl }, { sourceIp });
    for (const url of ['http://127.0.0.1:5000', '169.254.169.254', 'http://[::1]:5000', 'https://0x7f000001']) {
      await assert.rejects(make(url, '10.1.2.3'), { code: 'InvalidParameterException' }, url);
    }
    await make('http://127.0.0.1:5000', '127.0.0.1');
  });

  it('are refused where they make no sense', async () => {
    await using at = await withRule();
    const make = (more: object) =>
      at.call('CreatePullThroughCacheRule', { ecrRepositoryPrefix: 'x1', upstreamRegistryUrl: 'quay.io', ...more });
    for (const bad of [
      { ecrRepositoryPrefix: 'A' },
      { ecrRepositoryPrefix: '../x' },
      { ecrRepositoryPrefix: '/' },
      { ecrRepositoryPrefix: 'x//' },
      { ecrRepositoryPrefix: 'x' },
      { ecrRepositoryPrefix: 'x'.repeat(31) },
      { upstreamRegistryUrl: 'https://user:password@quay.io' },
      { upstreamRegistryUrl: 'quay.io/path' },
      { upstreamRegistryUrl: 'ftp://quay.io' },
      { upstreamRegistryUrl: '' },
      { upstreamRepositoryPrefix: 'No' },
      { credentialArn: 'x' },
    ]) {
      await assert.rejects(make(bad), { code: 'InvalidParameterException' }, JSON.stringify(bad));
    }
    await assert.rejects(make({ upstreamRegistry: 'docker-hub' }), { code: 'UnsupportedUpstreamRegistryException' });
    await assert.rejects(make({ customRoleArn: 'arn:aws:iam::000000000000:role/x' }), { code: 'NotImplemented' });
  });
});

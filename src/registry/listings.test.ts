import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MEDIA_TYPES } from '../images/index.ts';
import {
  type Answer,
  descriptorOf,
  digestOf,
  imageOf,
  startTestRegistry,
  type TestRegistry,
} from './testing/test-registry.ts';

const next = ({ headers }: Answer) => /^<([^>]+)>; rel="next"$/.exec(headers.link?.toString() ?? '')?.[1];

/** Goes through pages as a client does: by the Link header. */
async function pages(registry: TestRegistry, path: string, read: (answer: Answer) => string[]): Promise<string[][]> {
  const all: string[][] = [];
  for (let at: string | undefined = path; at !== undefined; ) {
    const answer: Answer = await registry.ask('GET', at);
    assert.equal(answer.status, 200);
    all.push(read(answer));
    at = next(answer);
  }
  return all;
}

/** OCI Distribution Specification 1.1, "Listing Tags". */
describe('OCI tag list', { timeout: 20_000 }, () => {
  it('lists tags in order, in pages of n, after last (end-8a, end-8b)', async () => {
    await using registry = await startTestRegistry();
    const tags = ['v10', 'latest', 'v1', 'B', 'a', '_x', '1.0'];
    for (const tag of tags) await registry.pushImage('team/app', tag);
    const sorted = [...tags].sort();
    const list = (query = '') => registry.ask('GET', `/v2/team/app/tags/list${query}`);
    assert.deepEqual((await list()).json, { name: 'team/app', tags: sorted });
    assert.equal((await list()).headers['content-type'], 'application/json');
    assert.deepEqual((await list('?n=100')).json.tags, sorted);
    assert.deepEqual((await list('?n=3')).json.tags, sorted.slice(0, 3));
    assert.deepEqual((await list(`?last=${sorted[2]}`)).json.tags, sorted.slice(3));
    assert.deepEqual((await list(`?n=2&last=${sorted[2]}`)).json.tags, sorted.slice(3, 5));
    assert.deepEqual((await list('?last=bb')).json.tags, sorted.slice(4), 'a tag that is not there will do');
    const read = ({ json }: Answer) => json.tags;
    assert.deepEqual(await pages(registry, '/v2/team/app/tags/list?n=3', read), [
      sorted.slice(0, 3),
      sorted.slice(3, 6),
      sorted.slice(6),
    ]);
    assert.equal(next(await list('?n=7')), undefined, 'nothing comes after the last page');
  });

  it('answers n=0 with an empty list and no link', async () => {
    await using registry = await startTestRegistry();
    await registry.pushImage('app', 'v1');
    const answer = await registry.ask('GET', '/v2/app/tags/list?n=0');
    assert.deepEqual([answer.status, answer.json.tags, answer.headers.link], [200, [], undefined]);
    assert.equal((await registry.ask('GET', '/v2/none/tags/list?n=0')).status, 404);
  });

  it('answers 404 for a repository that is not there, 400 for a page of no size', async () => {
    await using registry = await startTestRegistry();
    assert.deepEqual((await registry.ask('GET', '/v2/none/tags/list')).codes, ['NAME_UNKNOWN']);
    await registry.pushBlob('app', 'x');
    for (const n of ['-1', 'x', '1.5', '99999999999999']) {
      assert.equal((await registry.ask('GET', `/v2/app/tags/list?n=${n}`)).status, 400, n);
    }
    assert.deepEqual((await registry.ask('GET', '/v2/app/tags/list')).json, { name: 'app', tags: [] });
  });
});

describe('OCI catalog', { timeout: 20_000 }, () => {
  it('lists repositories in pages', async () => {
    await using registry = await startTestRegistry();
    const names = ['b', 'a/b', 'a', 'a-b', 'a/b/c'];
    for (const name of names) await registry.pushBlob(name, 'x');
    const sorted = [...names].sort();
    assert.deepEqual((await registry.ask('GET', '/v2/_catalog')).json, { repositories: sorted });
    const read = ({ json }: Answer) => json.repositories;
    assert.deepEqual(await pages(registry, '/v2/_catalog?n=2', read), [
      sorted.slice(0, 2),
      sorted.slice(2, 4),
      sorted.slice(4),
    ]);
    assert.deepEqual((await registry.ask('GET', '/v2/_catalog?n=0')).json, { repositories: [] });
    assert.deepEqual((await registry.ask('GET', '/v2/_catalog?last=a-b')).json.repositories, ['a/b', 'a/b/c', 'b']);
  });

  it("lists an ECR registry's own repositories under its host", async () => {
    await using registry = await startTestRegistry();
    const host = '111122223333.dkr.ecr.eu-west-1.amazonaws.com';
    await registry.repositories.create(`${host}/team/app`);
    await registry.repositories.create(`${host}/b`);
    await registry.repositories.create('444455556666.dkr.ecr.eu-west-1.amazonaws.com/other');
    await registry.pushBlob('plain', 'x');
    const own = await registry.ask('GET', '/v2/_catalog?n=1', { headers: { host } });
    assert.deepEqual(own.json, { repositories: ['b'] });
    const second = await registry.ask('GET', next(own)!, { headers: { host } });
    assert.deepEqual(second.json, { repositories: ['team/app'] });
    assert.equal((await registry.ask('GET', '/v2/_catalog')).json.repositories.length, 4);
  });
});

/** OCI Distribution Specification 1.1, "Listing Referrers". */
describe('OCI referrers', { timeout: 20_000 }, () => {
  const EMPTY = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [] };

  async function attach(registry: TestRegistry, subject: string, more: Readonly<Record<string, unknown>>) {
    await registry.pushBlob('app', '{}');
    const manifest = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: descriptorOf('{}', MEDIA_TYPES.ociEmpty),
      layers: [],
      subject: { mediaType: MEDIA_TYPES.ociManifest, digest: subject, size: 7 },
      ...more,
    };
    const bytes = JSON.stringify(manifest);
    const answer = await registry.ask('PUT', `/v2/app/manifests/${digestOf(bytes)}`, { body: bytes });
    assert.equal(answer.status, 201);
    assert.equal(answer.headers['oci-subject'], subject);
    return { digest: digestOf(bytes), size: bytes.length };
  }

  it('lists the manifests about another with their types and annotations (end-12a)', async () => {
    await using registry = await startTestRegistry();
    const subject = await registry.pushImage('app', 'v1');
    const annotations = { 'org.example.format': 'json' };
    const sbom = await attach(registry, subject, { artifactType: 'application/vnd.example.sbom', annotations });
    const signature = await attach(registry, subject, { config: descriptorOf('{}', 'application/vnd.example.sig') });
    const list = await attach(registry, subject, {
      mediaType: MEDIA_TYPES.ociIndex,
      config: undefined,
      layers: undefined,
      manifests: [],
    });
    const answer = await registry.ask('GET', `/v2/app/referrers/${subject}`);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], MEDIA_TYPES.ociIndex);
    const expected = [
      { mediaType: MEDIA_TYPES.ociManifest, ...sbom, annotations, artifactType: 'application/vnd.example.sbom' },
      { mediaType: MEDIA_TYPES.ociManifest, ...signature, artifactType: 'application/vnd.example.sig' },
      { mediaType: MEDIA_TYPES.ociIndex, ...list },
    ].sort((a, b) => (a.digest < b.digest ? -1 : 1));
    assert.deepEqual(answer.json, { ...EMPTY, manifests: expected });
  });

  it('filters by artifact type (end-12b)', async () => {
    await using registry = await startTestRegistry();
    const subject = await registry.pushImage('app', 'v1');
    const sbom = await attach(registry, subject, { artifactType: 'application/vnd.example.sbom' });
    await attach(registry, subject, { artifactType: 'application/vnd.example.sig' });
    const answer = await registry.ask('GET', `/v2/app/referrers/${subject}?artifactType=application/vnd.example.sbom`);
    assert.equal(answer.headers['oci-filters-applied'], 'artifactType');
    assert.deepEqual(
      answer.json.manifests.map(({ digest }: { digest: string }) => digest),
      [sbom.digest],
    );
    const none = await registry.ask('GET', `/v2/app/referrers/${subject}?artifactType=a/b`);
    assert.deepEqual(none.json, EMPTY);
    assert.equal((await registry.ask('GET', `/v2/app/referrers/${subject}`)).headers['oci-filters-applied'], undefined);
  });

  it('never answers 404, but 400 to what is no digest', async () => {
    await using registry = await startTestRegistry();
    await registry.pushImage('app', 'v1');
    for (const path of [`/v2/app/referrers/${digestOf('none')}`, `/v2/none/referrers/${digestOf('none')}`]) {
      const answer = await registry.ask('GET', path);
      assert.deepEqual([answer.status, answer.json], [200, EMPTY], path);
    }
    for (const digest of ['v1', 'sha256:abc', 'sha256', `md5:${'a'.repeat(32)}`]) {
      const answer = await registry.ask('GET', `/v2/app/referrers/${digest}`);
      assert.deepEqual([answer.status, answer.codes], [400, ['DIGEST_INVALID']], digest);
    }
  });

  it('takes what is about a manifest before that itself', async () => {
    await using registry = await startTestRegistry();
    const subject = digestOf(imageOf({}).bytes);
    const early = await attach(registry, subject, { artifactType: 'application/vnd.example.sbom' });
    assert.equal(await registry.pushImage('app', 'v1'), subject);
    const answer = await registry.ask('GET', `/v2/app/referrers/${subject}`);
    assert.deepEqual(
      answer.json.manifests.map(({ digest }: { digest: string }) => digest),
      [early.digest],
    );
  });

  it('lists many in pages', async () => {
    await using registry = await startTestRegistry();
    const subject = await registry.pushImage('app', 'v1');
    await registry.pushBlob('app', '{}');
    const digests: string[] = [];
    for (let i = 0; i < 501; i++) {
      const manifest = {
        schemaVersion: 2,
        mediaType: MEDIA_TYPES.ociManifest,
        artifactType: i === 500 ? 'a/last' : 'a/b',
        config: descriptorOf('{}', MEDIA_TYPES.ociEmpty),
        layers: [],
        subject: { mediaType: MEDIA_TYPES.ociManifest, digest: subject, size: 7 },
        annotations: { i: String(i) },
      };
      const bytes = Buffer.from(JSON.stringify(manifest));
      await registry.repositories.putManifest('app', digestOf(bytes), { mediaType: undefined, bytes });
      digests.push(digestOf(bytes));
    }
    const read = ({ json }: Answer) => json.manifests.map(({ digest }: { digest: string }) => digest);
    const listed = await pages(registry, `/v2/app/referrers/${subject}`, read);
    assert.deepEqual(
      listed.map(({ length }) => length),
      [500, 1],
    );
    assert.deepEqual(listed.flat(), [...digests].sort());
    const filtered = await pages(registry, `/v2/app/referrers/${subject}?artifactType=a/b`, read);
    assert.deepEqual(filtered.flat(), digests.slice(0, 500).sort());
  });
});

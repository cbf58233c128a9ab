import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { digestOf, startTestRegistry, type TestRegistry } from './testing/test-registry.ts';

const PATH = '/v2/team/app/blobs/uploads/';

async function start(registry: TestRegistry): Promise<string> {
  const answer = await registry.ask('POST', PATH);
  assert.equal(answer.status, 202);
  return answer.headers.location!;
}

const uploads = async (registry: TestRegistry) =>
  readdir(join(registry.directory, 'uploads')).catch(() => [] as string[]);

const chunk = (registry: TestRegistry, location: string, content: string, range?: string) =>
  registry.ask('PATCH', location, {
    headers: { 'content-type': 'application/octet-stream', ...(range === undefined ? {} : { 'content-range': range }) },
    body: content,
  });

/** OCI Distribution Specification 1.1, "Pushing blobs". */
describe('OCI blob push', { timeout: 20_000 }, () => {
  it('takes a blob by POST, then PUT (end-4a, end-6)', async () => {
    await using registry = await startTestRegistry();
    const digest = digestOf('content');
    const location = await start(registry);
    assert.match(location, /[0-9a-f]{8}-[0-9a-f]{4}-/, 'the location contains a UUID');
    const answer = await registry.ask('PUT', `${location}?digest=${digest}`, { body: 'content' });
    assert.equal(answer.status, 201);
    assert.equal(answer.headers['docker-content-digest'], digest);
    const blob = await registry.ask('GET', answer.headers.location!);
    assert.equal(blob.body.toString(), 'content');
    assert.deepEqual(await uploads(registry), []);
    assert.deepEqual((await registry.ask('GET', location)).codes, ['BLOB_UPLOAD_UNKNOWN']);
  });

  it('takes a blob by a single POST (end-4b)', async () => {
    await using registry = await startTestRegistry();
    const digest = digestOf('content');
    const answer = await registry.ask('POST', `${PATH}?digest=${digest}`, { body: 'content' });
    assert.equal(answer.status, 201);
    assert.equal((await registry.ask('GET', answer.headers.location!)).body.toString(), 'content');
  });

  it('takes a blob in chunks, in order (end-5), the last one by PATCH or PUT', async () => {
    await using registry = await startTestRegistry();
    for (const lastByPut of [false, true]) {
      const digest = digestOf(`abcdefgh${lastByPut}`);
      let location = await start(registry);
      const first = await chunk(registry, location, 'abc', '0-2');
      assert.deepEqual([first.status, first.headers.range], [202, '0-2']);
      location = first.headers.location!;
      const second = await chunk(registry, location, 'defgh', '3-7');
      assert.deepEqual([second.status, second.headers.range], [202, '0-7']);
      location = second.headers.location!;
      const rest = String(lastByPut);
      const range = `8-${7 + rest.length}`;
      if (!lastByPut) assert.equal((await chunk(registry, location, rest, range)).status, 202);
      const last = await registry.ask('PUT', `${location}?digest=${digest}`, {
        ...(lastByPut ? { body: rest, headers: { 'content-range': range } } : {}),
      });
      assert.equal(last.status, 201);
      assert.equal((await registry.ask('GET', last.headers.location!)).body.toString(), `abcdefgh${lastByPut}`);
    }
  });

  it('takes streams without a range, one after the other, of unknown length too', async () => {
    await using registry = await startTestRegistry();
    const location = await start(registry);
    await chunk(registry, location, 'abc');
    const streamed = await registry.ask('PATCH', location, {
      headers: { 'transfer-encoding': 'chunked' },
      body: 'def',
    });
    assert.deepEqual([streamed.status, streamed.headers.range], [202, '0-5']);
    const answer = await registry.ask('PUT', `${location}?digest=${digestOf('abcdef')}`);
    assert.equal(answer.status, 201);
  });

  it('answers 416 to a chunk that is not the next one, and tells where to go on (end-13)', async () => {
    await using registry = await startTestRegistry();
    const location = await start(registry);
    assert.equal((await chunk(registry, location, 'def', '3-5')).status, 416, 'the first chunk begins with 0');
    await chunk(registry, location, 'abc', '0-2');
    for (const range of ['0-2', '2-4', '4-6']) {
      const answer = await chunk(registry, location, 'xyz', range);
      assert.equal(answer.status, 416, range);
      assert.deepEqual(answer.codes, ['BLOB_UPLOAD_INVALID']);
      assert.equal(answer.headers.range, '0-2');
      assert.equal(answer.headers.location, location);
    }
    const status = await registry.ask('GET', location);
    assert.deepEqual([status.status, status.headers.range, status.headers.location], [204, '0-2', location]);
    const late = await registry.ask('PUT', `${location}?digest=${digestOf('abcxyz')}`, {
      headers: { 'content-range': '4-6' },
      body: 'xyz',
    });
    assert.equal(late.status, 416);
    await chunk(registry, location, 'def', '3-5');
    assert.equal((await registry.ask('PUT', `${location}?digest=${digestOf('abcdef')}`)).status, 201);
  });

  it('refuses ranges that are none, or not those of the bytes', async () => {
    await using registry = await startTestRegistry();
    const location = await start(registry);
    for (const range of ['abc', '3', '5-2', '-1-2', '0-99999999999999999999', '0x1-2']) {
      const answer = await chunk(registry, location, 'abc', range);
      assert.equal(answer.status, 400, range);
      assert.deepEqual(answer.codes, ['BLOB_UPLOAD_INVALID'], range);
    }
    const wrong = await chunk(registry, location, 'abc', '0-9');
    assert.deepEqual([wrong.status, wrong.codes], [400, ['SIZE_INVALID']]);
    for (const body of ['ab', 'abcd']) {
      const headers = { 'transfer-encoding': 'chunked', 'content-range': '0-2' };
      const answer = await registry.ask('PATCH', location, { headers, body });
      assert.deepEqual([answer.status, answer.codes], [400, ['SIZE_INVALID']], body);
    }
    const large = await registry.ask('PATCH', location, {
      headers: { 'transfer-encoding': 'chunked', 'content-range': '0-2' },
      body: Buffer.alloc(5_000_000),
    });
    assert.deepEqual([large.status, large.codes], [400, ['SIZE_INVALID']], 'the client sees it');
    assert.equal((await registry.ask('GET', location)).headers.range, '0-0', 'nothing of it was kept');
    assert.equal((await chunk(registry, location, 'abc', 'bytes 0-2/3')).status, 202, "HTTP's own form is understood");
    assert.equal((await registry.ask('PUT', `${location}?digest=${digestOf('abc')}`)).status, 201);
  });

  it('says how small a chunk may be', async () => {
    await using registry = await startTestRegistry();
    assert.equal((await registry.ask('POST', PATH)).headers['oci-chunk-min-length'], '1');
  });

  it('throws away what does not have the digest, however it came', async () => {
    await using registry = await startTestRegistry();
    const wrong = digestOf('something else');
    const posted = await registry.ask('POST', `${PATH}?digest=${wrong}`, { body: 'content' });
    assert.deepEqual([posted.status, posted.codes], [400, ['DIGEST_INVALID']]);
    const location = await start(registry);
    const put = await registry.ask('PUT', `${location}?digest=${wrong}`, { body: 'content' });
    assert.deepEqual([put.status, put.codes], [400, ['DIGEST_INVALID']]);
    assert.equal((await registry.ask('GET', location)).status, 404);
    for (const digest of [wrong, digestOf('content')]) {
      assert.equal((await registry.ask('HEAD', `/v2/team/app/blobs/${digest}`)).status, 404);
    }
    assert.deepEqual(await uploads(registry), []);
  });

  it('refuses digests that are none, and keeps the upload', async () => {
    await using registry = await startTestRegistry();
    const location = await start(registry);
    await chunk(registry, location, 'abc');
    for (const digest of [
      '',
      'abc',
      'sha256:abc',
      'md5:900150983cd24fb0d6963f7d28e17f72',
      `sha256:${'A'.repeat(64)}`,
      `sha512:${'a'.repeat(64)}`,
      `sha256:${'a'.repeat(64)}/../x`,
    ]) {
      for (const [method, path] of [
        ['PUT', `${location}?digest=${encodeURIComponent(digest)}`],
        ['POST', `${PATH}?digest=${encodeURIComponent(digest)}`],
      ] as const) {
        const answer = await registry.ask(method, path);
        assert.deepEqual([answer.status, answer.codes], [400, ['DIGEST_INVALID']], `${method} ${digest}`);
      }
    }
    assert.deepEqual((await registry.ask('PUT', location)).codes, ['DIGEST_INVALID'], 'it is needed');
    assert.equal((await registry.ask('GET', location)).headers.range, '0-2');
  });

  it('knows no upload that is not there, or is of another repository', async () => {
    await using registry = await startTestRegistry();
    await registry.pushBlob('other', 'x');
    const location = await start(registry);
    const id = location.split('/').at(-1)!;
    const none = '00000000-0000-4000-8000-000000000000';
    for (const path of [
      `${PATH}${none}`,
      `/v2/other/blobs/uploads/${id}`,
      `${PATH}not-a-uuid`,
      `${PATH}..%2f..%2fblobs`,
      `${PATH}%2e%2e`,
    ]) {
      for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
        const query = method === 'PUT' ? `?digest=${digestOf('')}` : '';
        const answer = await registry.ask(method, `${path}${query}`);
        assert.equal(answer.status, 404, `${method} ${path}`);
      }
    }
    assert.equal((await registry.ask('GET', location)).status, 204);
  });

  it('cancels an upload (end-14)', async () => {
    await using registry = await startTestRegistry();
    const location = await start(registry);
    await chunk(registry, location, 'abc');
    assert.equal((await registry.ask('DELETE', location)).status, 204);
    assert.deepEqual(await uploads(registry), []);
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      assert.equal((await registry.ask(method, location)).status, 404);
    }
  });

  it('mounts a blob from another repository (end-11), or begins an upload', async () => {
    await using registry = await startTestRegistry();
    const digest = await registry.pushBlob('source', 'content');
    const mount = (query: string) => registry.ask('POST', `/v2/target/blobs/uploads/?${query}`);
    const mounted = await mount(`mount=${digest}&from=source`);
    assert.equal(mounted.status, 201);
    assert.equal(mounted.headers['docker-content-digest'], digest);
    assert.equal((await registry.ask('GET', mounted.headers.location!)).body.toString(), 'content');
    for (const query of [
      `mount=${digestOf('none')}&from=source`,
      `mount=${digest}&from=nowhere`,
      `mount=${digestOf('none')}`,
      'from=source',
      'mount=sha256:none&from=source',
      'mount=',
      `mount=${digest}&from=No%2Fname`,
      `mount=${digest}&from=${'a'.repeat(300)}`,
    ]) {
      const answer = await mount(query);
      assert.equal(answer.status, 202, query);
      assert.match(answer.headers.location!, /^\/v2\/target\/blobs\/uploads\/./);
    }
  });

  it('mounts a blob from wherever it is, when no repository is named', async () => {
    await using registry = await startTestRegistry();
    const digest = await registry.pushBlob('source', 'content');
    const answer = await registry.ask('POST', `/v2/target/blobs/uploads/?mount=${digest}`);
    assert.equal(answer.status, 201);
    await registry.ask('DELETE', `/v2/source/blobs/${digest}`);
    assert.equal((await registry.ask('GET', `/v2/target/blobs/${digest}`)).body.toString(), 'content');
    await registry.ask('DELETE', `/v2/target/blobs/${digest}`);
    assert.equal((await registry.ask('POST', `/v2/third/blobs/uploads/?mount=${digest}`)).status, 202);
  });

  it('takes SHA-512 digests', async () => {
    await using registry = await startTestRegistry();
    for (const how of ['post', 'put', 'patch']) {
      const content = `content ${how}`;
      const digest = digestOf(content, 'sha512');
      const wrong = digestOf('else', 'sha512');
      if (how === 'post') {
        assert.equal((await registry.ask('POST', `${PATH}?digest=${wrong}`, { body: content })).status, 400);
        assert.equal((await registry.ask('POST', `${PATH}?digest=${digest}`, { body: content })).status, 201);
      } else {
        const location = await start(registry);
        if (how === 'patch') await chunk(registry, location, content);
        const body = how === 'put' ? { body: content } : {};
        assert.equal((await registry.ask('PUT', `${location}?digest=${digest}`, body)).status, 201);
      }
      const answer = await registry.ask('GET', `/v2/team/app/blobs/${digest}`);
      assert.deepEqual([answer.status, answer.body.toString()], [200, content]);
      assert.equal(answer.headers['docker-content-digest'], digest);
      assert.equal((await registry.ask('GET', `/v2/team/app/blobs/${digestOf(content)}`)).status, 404);
    }
  });

  it('keeps what has come of a request that was cut off, for its client to go on', async () => {
    await using registry = await startTestRegistry();
    const location = await start(registry);
    const content = Buffer.alloc(4_000_000, 'abcdefg');
    const socket = await sendPart(registry, location, content.subarray(0, 2_500_000), content.length);
    socket.resetAndDestroy();
    let range = (await registry.ask('GET', location)).headers.range!;
    for (;;) {
      const from = Number(range.split('-')[1]) + 1;
      assert.ok(from > 1 && from <= 2_500_000);
      const rest = await registry.ask('PATCH', location, {
        headers: { 'content-range': `${from}-${content.length - 1}` },
        body: content.subarray(from),
      });
      if (rest.status === 202) break;
      // More had come before the connection was cut than was written when the client asked.
      assert.equal(rest.status, 416);
      assert.notEqual(rest.headers.range, range);
      range = rest.headers.range!;
    }
    assert.equal((await registry.ask('PUT', `${location}?digest=${digestOf(content)}`)).status, 201);
  });

  it('lets a new request go on with an upload whose old one hangs', async () => {
    await using registry = await startTestRegistry();
    const location = await start(registry);
    const begin = Buffer.alloc(2_000_000, 'a');
    const socket = await sendPart(registry, location, begin, 10_000_000);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const answer = await chunk(registry, location, 'def');
    assert.equal(answer.status, 202);
    await closed;
    const size = Number(answer.headers.range!.split('-')[1]) + 1;
    const all = Buffer.concat([begin.subarray(0, size - 3), Buffer.from('def')]);
    assert.equal((await registry.ask('PUT', `${location}?digest=${digestOf(all)}`)).status, 201);
  });

  it('takes many blobs at once, and the same blob from several', async () => {
    await using registry = await startTestRegistry();
    const digests = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const content = `content ${i % 8}`.repeat(10_000);
        const digest = digestOf(content);
        const location = await start(registry);
        await chunk(registry, location, content);
        const answer = await registry.ask('PUT', `${location}?digest=${digest}`);
        assert.equal(answer.status, 201);
        return digest;
      }),
    );
    for (const digest of new Set(digests)) {
      assert.equal(digestOf((await registry.ask('GET', `/v2/team/app/blobs/${digest}`)).body), digest);
    }
    assert.deepEqual(await uploads(registry), []);
    assert.deepEqual(registry.failures, []);
  });
});

/** Sends a part of a chunk that is said to be larger; resolves when some of it has been written. */
async function sendPart(registry: TestRegistry, location: string, part: Uint8Array, announced: number) {
  const socket = connect(registry.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(`PATCH ${location} HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${announced}\r\n\r\n`);
  socket.write(part);
  while ((await registry.ask('GET', location)).headers.range === '0-0') await new Promise(setImmediate);
  return socket;
}

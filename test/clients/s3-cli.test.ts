import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type RunningKobune, runKobune, withoutCli } from '../support/running-kobune.ts';

const LONG_AGO = new Date('2026-01-01T00:00:00Z');

describe('S3 by the AWS CLI', { skip: withoutCli }, () => {
  let server: RunningKobune;
  before(async () => {
    server = await runKobune();
  });
  after(() => server[Symbol.asyncDispose]());

  const aws = (...args: string[]) => server.cli(args);
  const json = async (...args: string[]) => JSON.parse((await aws(...args)) || '{}');

  it('makes a bucket, copies files both ways, lists and removes them', async () => {
    await aws('s3', 'mb', 's3://cli-copies');
    const bytes = randomBytes(20 * 1024 * 1024);
    await writeFile(join(server.scratch, 'big file.bin'), bytes);
    await aws('s3', 'cp', 'big file.bin', 's3://cli-copies/in/big file.bin');
    const head = await json('s3api', 'head-object', '--bucket', 'cli-copies', '--key', 'in/big file.bin');
    assert.equal(head.ContentLength, bytes.length);
    assert.match(head.ETag, /-3"$/);
    await aws('s3', 'cp', 's3://cli-copies/in/big file.bin', 's3://cli-copies/out/copy.bin');
    await aws('s3', 'cp', 's3://cli-copies/out/copy.bin', 'back.bin');
    assert.ok((await readFile(join(server.scratch, 'back.bin'))).equals(bytes));
    assert.match(await aws('s3', 'ls', 's3://cli-copies/'), /PRE in\/\s+PRE out\//);
    await aws('s3', 'rb', '--force', 's3://cli-copies');
    assert.doesNotMatch(await aws('s3', 'ls'), /cli-copies/);
  });

  it('synchronises a folder, with nothing to do the second time', async () => {
    await aws('s3', 'mb', 's3://cli-sync');
    const folder = join(server.scratch, 'site');
    await mkdir(join(folder, 'css'), { recursive: true });
    await writeFile(join(folder, 'index.html'), '<h1>ü</h1>');
    await writeFile(join(folder, 'css/a b+c.css'), 'x');
    // S3 tells times in whole seconds: a file of the same second would count as newer than its copy.
    for (const name of ['index.html', 'css/a b+c.css']) await utimes(join(folder, name), LONG_AGO, LONG_AGO);
    assert.match(await aws('s3', 'sync', 'site', 's3://cli-sync/www'), /upload: .*index\.html/);
    assert.equal(await aws('s3', 'sync', 'site', 's3://cli-sync/www'), '');
    await aws('s3', 'sync', 's3://cli-sync/www', 'down');
    assert.deepEqual(await readdir(join(server.scratch, 'down/css')), ['a b+c.css']);
    const { ContentType } = await json('s3api', 'head-object', '--bucket', 'cli-sync', '--key', 'www/index.html');
    assert.equal(ContentType, 'text/html');
  });

  it('presigns addresses', async () => {
    await aws('s3', 'mb', 's3://cli-presign');
    await writeFile(join(server.scratch, 'note.txt'), 'hello');
    await aws('s3', 'cp', 'note.txt', 's3://cli-presign/a note.txt');
    const url = (await aws('s3', 'presign', 's3://cli-presign/a note.txt', '--expires-in', '60')).trim();
    const answer = await fetch(url);
    assert.equal(answer.status, 200);
    assert.equal(await answer.text(), 'hello');
  });

  it('sets what buckets and objects have', async () => {
    const bucket = ['--bucket', 'cli-settings'];
    await aws('s3api', 'create-bucket', ...bucket);
    await aws('s3api', 'put-bucket-versioning', ...bucket, '--versioning-configuration', 'Status=Enabled');
    await writeFile(join(server.scratch, 'x'), 'x');
    const key = [...bucket, '--key', 'x'];
    const put = await json('s3api', 'put-object', ...key, '--body', 'x', '--metadata', 'a=b', '--tagging', 't=1');
    assert.ok(put.VersionId);
    assert.deepEqual((await json('s3api', 'head-object', ...key)).Metadata, { a: 'b' });
    assert.equal((await json('s3api', 'get-object-tagging', ...key)).TagSet[0].Value, '1');
    assert.equal((await json('s3api', 'list-object-versions', ...bucket)).Versions.length, 1);
    const rules = '{"Rules":[{"ID":"a","Status":"Enabled","Filter":{"Prefix":"x"},"Expiration":{"Days":1}}]}';
    await aws('s3api', 'put-bucket-lifecycle-configuration', ...bucket, '--lifecycle-configuration', rules);
    assert.equal((await json('s3api', 'get-bucket-lifecycle-configuration', ...bucket)).Rules[0].ID, 'a');
    await assert.rejects(aws('s3api', 'head-bucket', '--bucket', 'cli-not-there'), /404/);
    await assert.rejects(
      aws('s3api', 'put-object', ...key, '--body', 'x', '--acl', 'public-read'),
      /AccessControlListNotSupported/,
    );
  });
});

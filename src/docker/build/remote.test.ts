import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { noContainersReason } from '../../containers/testing/test-engine.ts';
import { makeArchive } from '../../images/test-support.ts';
import { TestDocker } from '../testing/test-docker.ts';

describe('a build whose context is elsewhere', { skip: noContainersReason }, () => {
  let docker: TestDocker;
  let server: Server;
  let address: string;
  before(async () => {
    docker = await TestDocker.open();
    const files = join(docker.directory, 'served');
    await mkdir(files);
    server = createServer(async (request, response) => {
      const path = (request.url ?? '').split('?')[0]!;
      const content = await readFile(join(files, path)).catch(() => undefined);
      response.writeHead(
        content === undefined ? 404 : 200,
        path.endsWith('.txt') ? { 'content-type': 'text/plain' } : {},
      );
      response.end(content);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await writeFile(join(files, 'Dockerfile.txt'), 'FROM busybox\nRUN echo text\n');
    await writeFile(join(files, 'Dockerfile'), 'FROM busybox\nRUN echo untold\n');
    const archive = makeArchive([
      { path: 'Dockerfile', content: 'FROM busybox\nCOPY file /\n' },
      { path: 'file', content: 'x' },
    ]);
    await writeFile(join(files, 'context.tar.gz'), gzipSync(archive));
    makeRepository(join(files, 'repository.git'), join(docker.directory, 'work'));
  });
  after(async () => {
    server.close();
    await docker[Symbol.asyncDispose]();
  });

  async function build(remote: string, more = ''): Promise<string> {
    const url = `http://docker/v1.41/build?remote=${encodeURIComponent(remote)}${more}`;
    return (await docker.run(['-s', '-X', 'POST', '--unix-socket', docker.socket, url], { client: 'curl' })).stdout;
  }

  it('takes text as the Dockerfile, and an archive as the context', async () => {
    assert.match(await build(`${address}/Dockerfile.txt`), /"stream":"text\\n"[\s\S]*Successfully built/);
    assert.match(await build(`${address}/context.tar.gz`), /Step 2\/2 : COPY file \/[\s\S]*Successfully built/);
  });

  it('takes text as the Dockerfile also where its server does not say so, and whatever the Dockerfile is called', async () => {
    assert.match(await build(`${address}/Dockerfile`), /"stream":"untold\\n"[\s\S]*Successfully built/);
    assert.match(await build(`${address}/Dockerfile.txt`, '&dockerfile=sub%2Fother'), /Successfully built/);
  });

  it('takes a Git repository at a branch, and a directory of it', async () => {
    assert.match(
      await build(`${address}/repository.git#side:sub`),
      /Step 2\/2 : COPY inside \/[\s\S]*Successfully built/,
    );
  });

  it('says what could not be had', async () => {
    assert.match(
      await build(`${address}/nosuch.tar`),
      /failed to GET http:\/\/127\.0\.0\.1:\d+\/nosuch\.tar with status 404/,
    );
    assert.match(
      await build(`${address}/repository.git#nosuch`),
      /unable to prepare context from .*has no branch, tag or commit nosuch/,
    );
    assert.match(await build(`${address}/repository.git#side:nosuch`), /there is no directory nosuch in it/);
    assert.match(await build(`${address}/repository.git#side:..`), /there is no directory \.\. in it/);
    assert.match(
      await build(`${address}/repository.git?nosuch=1`),
      /unable to prepare context: \?nosuch=1 is not supported/,
    );
    assert.match(await build('ftp://x/y'), /remote \\"ftp:\/\/x\/y\\" is not supported/);
    assert.match(await build('client-session'), /remote=client-session is BuildKit’s/);
  });
});

/** A repository that plain files are served of, with a Dockerfile in a directory of a branch. */
function makeRepository(bare: string, work: string): void {
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.com'];
  const git = (...words: string[]) => execFileSync('git', [...identity, ...words], { stdio: 'pipe' });
  git('init', '-q', '-b', 'side', work);
  execFileSync(
    'sh',
    ['-c', 'mkdir sub && printf "FROM busybox\\nCOPY inside /\\n" > sub/Dockerfile && echo x > sub/inside'],
    { cwd: work },
  );
  git('-C', work, 'add', '.');
  git('-C', work, 'commit', '-q', '-m', 'one');
  git('clone', '-q', '--bare', work, bare);
  git('-C', bare, 'update-server-info');
}

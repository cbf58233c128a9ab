import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { ScratchBuilder, tar } from '../testing/scratch-builder.ts';
import { parseGitAddress } from './git-source.ts';
import { gitAuthorization } from './remote-credentials.ts';

const skip = process.getuid?.() === 0 ? false : 'roots need the rights of root';
const has = (program: string) => existsSync(`/usr/bin/${program}`) || existsSync(`/bin/${program}`);

describe('ADD', { skip }, () => {
  let scratch: ScratchBuilder;
  before(async () => {
    scratch = await ScratchBuilder.open(() => ({
      run: () => Promise.reject(new Error('nothing is run here')),
    }));
    await scratch.image('base', { 'etc/passwd': 'app:x:1001:1002::/:\n', link: '-> ../../../../escape' });
  });
  after(() => scratch[Symbol.asyncDispose]());

  describe('of local archives', () => {
    const inner = { 'a/b.txt': 'B', 'a/l': '-> b.txt', 'bin/x': 'X' };

    it('unpacks them, whatever they are called and however compressed', async () => {
      const plain = await tar(inner);
      const forms: Record<string, Buffer> = {
        'plain.bin': plain,
        'gzip.bin': gzipSync(plain),
        'zstd.bin': zstdCompressSync(plain),
      };
      if (has('xz')) forms['xz.bin'] = execFileSync('xz', ['-c'], { input: plain });
      if (has('bzip2')) forms['bzip2.bin'] = execFileSync('bzip2', ['-c'], { input: plain });
      for (const [name, content] of Object.entries(forms)) {
        const { image } = await scratch.build(`FROM scratch\nADD ${name} /n`, { files: { [name]: content } });
        const list = await scratch.list(image);
        assert.deepEqual([...list.keys()].sort(), ['n', 'n/a', 'n/a/b.txt', 'n/a/l', 'n/bin', 'n/bin/x'], name);
        assert.equal(list.get('n/bin/x'), 'f 755 0:0');
      }
    });

    it('copies what is none, and what --unpack=false or COPY says', async () => {
      const plain = await tar(inner);
      const files = {
        't.tar': plain,
        'x.tar.gz': 'no archive',
        'y.gz': gzipSync('text'),
        'z.gz': Buffer.from([0x1f, 0x8b, 1]),
      };
      const { image } = await scratch.build(
        'FROM scratch\nADD x.tar.gz y.gz z.gz /n/\nADD --unpack=false t.tar /m/\nCOPY t.tar /o/',
        { files },
      );
      assert.deepEqual([...(await scratch.list(image)).keys()].sort(), [
        'm',
        'm/t.tar',
        'n',
        'n/x.tar.gz',
        'n/y.gz',
        'n/z.gz',
        'o',
        'o/t.tar',
      ]);
    });

    it('that are damaged, or need a program that is not there, are told with their place', async () => {
      const archive = gzipSync(await tar({ a: randomBytes(100_000) }));
      const add = (name: string, content: Buffer) =>
        scratch.build(`FROM base\nADD ${name} /x/`, { files: { [name]: content } });
      await assert.rejects(add('t.tar.gz', archive.subarray(0, 50_000)), /Dockerfile:2: the archive is damaged: /);
      const { PATH } = process.env;
      process.env.PATH = '/nonexistent';
      try {
        const xz = Buffer.from('fd377a585a000000', 'hex');
        await assert.rejects(add('t.tar.xz', xz), /Dockerfile:2: ADD of a \.tar\.xz archive needs the program xz/);
      } finally {
        process.env.PATH = PATH;
      }
    });

    it('no name and no link in an archive leads out of the root', async () => {
      const attack = await tar({ '../../../../up': '1', '/abs': '2', l: '-> ../../../../..', 'l/through': '3' });
      const build = scratch.build('FROM base\nADD t.tar /in/', { files: { 't.tar': attack } });
      const { image } = await build.catch(() => ({ image: undefined }));
      assert.ok(!existsSync('/up') && !existsSync('/through') && !existsSync('/abs'));
      if (image !== undefined) for (const path of (await scratch.list(image)).keys()) assert.ok(!path.includes('..'));
    });

    it('into a directory behind a link stays inside', async () => {
      const { image } = await scratch.build('FROM base\nADD t.tar /link/', { files: { 't.tar': await tar(inner) } });
      assert.equal((await scratch.list(image)).get('escape/a/b.txt'), 'f 644 0:0');
    });
  });

  describe('of addresses', () => {
    let server: Server;
    let origin: string;
    let answers: Record<string, { body: string | Buffer; headers?: Record<string, string>; status?: number }>;
    const requests: string[] = [];
    before(async () => {
      server = createServer((request, response) => {
        const answer = answers[request.url!];
        requests.push(`${request.url} ${request.headers['if-none-match'] ?? ''}`.trim());
        if (answer?.headers?.etag !== undefined && request.headers['if-none-match'] === answer.headers.etag) {
          response.writeHead(304).end();
          return;
        }
        response.writeHead(answer === undefined ? 404 : (answer.status ?? 200), answer?.headers);
        response.end(answer?.body);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    });
    after(() => server.close());
    beforeEach(() => {
      requests.length = 0;
      answers = {
        '/files/a.txt?x=1': { body: 'A', headers: { 'last-modified': 'Wed, 21 Oct 2015 07:28:00 GMT', etag: '"1"' } },
        '/moved': { body: '', status: 302, headers: { location: '/files/a.txt?x=1' } },
        '/loop': { body: '', status: 301, headers: { location: '/loop' } },
        '/': { body: 'root' },
      };
    });

    it('gets a file of mode 0600, called as the address says, of the time that the server says', async () => {
      const { image } = await scratch.build(`FROM scratch\nADD ${origin}/files/a.txt?x=1 /n/\nADD ${origin}/moved /m`);
      const list = await scratch.list(image);
      assert.equal(list.get('n/a.txt'), 'f 600 0:0');
      assert.equal(await scratch.read(image, 'm'), 'A');
      const root = await scratch.images.roots.create('times', image.layers, { readOnly: true });
      assert.equal((await scratch.images.roots.stat(root, '/n/a.txt'))?.modifiedAt, Date.parse('2015-10-21T07:28:00Z'));
      await root.remove();
    });

    it('the name in an address does not lead out of the directory that it comes into', async () => {
      const outside = join(scratch.directory, 'outside');
      const path = `/${encodeURIComponent(`${'../'.repeat(30)}${outside.slice(1)}`)}`;
      answers[path] = { body: 'escaped' };
      for (const destination of ['/etc', '/etc/']) {
        await assert.rejects(scratch.build(`FROM base\nADD ${origin}${path} ${destination}`), /Dockerfile:2: .*name/);
      }
      assert.ok(!existsSync(outside));
    });

    it('is fetched with what secrets have for its server, which no other server is told', async () => {
      const seen: string[] = [];
      const other = createServer((request, response) => {
        seen.push(`other ${request.headers.authorization}`);
        response.end('O');
      });
      const own = createServer((request, response) => {
        seen.push(`own ${request.headers.authorization}`);
        const elsewhere = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`;
        if (request.url === '/here') response.writeHead(302, { location: '/file' }).end();
        else if (request.url === '/away') response.writeHead(302, { location: elsewhere }).end();
        else response.end('F');
      });
      for (const one of [other, own]) await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve));
      try {
        const at = `http://127.0.0.1:${(own.address() as AddressInfo).port}`;
        const text = `FROM scratch\nADD ${at}/here /h\nADD ${at}/away /a`;
        const of = async (...secrets: (readonly [string, string])[]) => {
          seen.length = 0;
          const given = new Map(secrets.map(([id, value]) => [id, Buffer.from(value)] as const));
          const { image } = await scratch.build(text, { secrets: given });
          const history = JSON.stringify(image.config.history);
          for (const [, value] of secrets) assert.ok(!history.includes(value.trim()));
          return seen.toSorted();
        };
        const token = ['HTTP_AUTH_TOKEN_127.0.0.1', 'tok\n'] as const;
        const header = ['HTTP_AUTH_HEADER_127.0.0.1', 'Basic YTpi'] as const;
        const told = (value: string) => ['other undefined', ...Array(3).fill(`own ${value}`)];
        assert.deepEqual(await of(token), told('Bearer tok'));
        assert.deepEqual(await of(header), told('Basic YTpi'));
        assert.deepEqual(await of(['HTTP_AUTH_TOKEN_example.com', 'no']), told('undefined'));
      } finally {
        for (const one of [other, own]) one.close();
      }
    });

    it('asks again only whether it has changed', async () => {
      const text = `FROM scratch\nADD --chmod=644 ${origin}/files/a.txt?x=1 /n/`;
      await scratch.build(text);
      requests.length = 0;
      assert.deepEqual((await scratch.build(text, { tags: ['remote'] })).misses, []);
      assert.deepEqual(requests, ['/files/a.txt?x=1 "1"']);
      answers['/files/a.txt?x=1'] = { body: 'AA', headers: { etag: '"2"' } };
      const changed = await scratch.build(text, { tags: ['remote'] });
      assert.deepEqual(changed.misses, [
        `ADD --chmod=644 ${origin}/files/a.txt?x=1 /n/: file ${origin}/files/a.txt?x=1 changed`,
      ]);
      assert.equal(await scratch.read(changed.image, 'n/a.txt'), 'AA');
    });

    it('--checksum is held against it, and spares the question', async () => {
      const right = createHash('sha256').update('A').digest('hex');
      const text = `FROM scratch\nADD --checksum=sha256:${right} ${origin}/files/a.txt?x=1 /c`;
      await scratch.build(text);
      requests.length = 0;
      await scratch.build(text);
      assert.deepEqual(requests, []);
      const wrong = right.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
      await assert.rejects(
        scratch.build(text.replace(right, wrong)),
        new RegExp(`Dockerfile:2: .* has the digest sha256:${right}, not sha256:${wrong}`),
      );
      await assert.rejects(
        scratch.build(`FROM scratch\nADD --checksum=md5:x ${origin}/ /c`),
        /--checksum=md5:x is not supported/,
      );
    });

    it('archives are unpacked only when that is asked for', async () => {
      answers['/t.tar.gz'] = { body: gzipSync(await tar({ 'a/b': 'B' })) };
      const { image } = await scratch.build(
        `FROM scratch\nADD ${origin}/t.tar.gz /n/\nADD --unpack=true ${origin}/t.tar.gz /m/`,
      );
      assert.deepEqual([...(await scratch.list(image)).keys()].sort(), ['m', 'm/a', 'm/a/b', 'n', 'n/t.tar.gz']);
      const mixed = await scratch.build(`FROM scratch\nADD local.tar ${origin}/t.tar.gz /n/`, {
        files: { 'local.tar': await tar({ 'c/d': 'D' }) },
      });
      assert.deepEqual([...(await scratch.list(mixed.image)).keys()].sort(), ['n', 'n/c', 'n/c/d', 'n/t.tar.gz']);
    });

    it('a server that is gone leaves nothing held of what it gave before', async () => {
      const gone = createServer((_, response) => response.writeHead(200, { etag: '"1"' }).end('held'));
      await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve));
      const text = `FROM scratch\nADD http://127.0.0.1:${(gone.address() as AddressInfo).port}/held /h`;
      const { image } = await scratch.build(text);
      const { digest } = image.layers[0]!.descriptor;
      gone.closeAllConnections();
      await new Promise((resolve) => gone.close(resolve));
      await assert.rejects(scratch.build(text), /ECONNREFUSED/);
      await scratch.images.remove(image.id);
      await scratch.builder.pruneCache({ all: true });
      assert.equal(await scratch.content.stat(digest), undefined);
      const held = createHash('sha256').update('held').digest('hex');
      assert.equal(await scratch.content.stat(`sha256:${held}`), undefined);
    });

    it('what was fetched is part of the cache, and goes with it', async () => {
      await scratch.builder.pruneCache({ all: true });
      await scratch.build(`FROM scratch\nADD ${origin}/files/a.txt?x=1 /n/`);
      const usage = await scratch.builder.cacheUsage();
      assert.deepEqual(usage.map(({ description, size }) => [description, size > 0]).sort(), [
        [`ADD ${origin}/files/a.txt?x=1 /n/`, true],
        [`file of ${origin}/files/a.txt?x=1`, true],
      ]);
      await scratch.builder.pruneCache();
      assert.deepEqual(await scratch.builder.cacheUsage(), []);
    });

    it('a server that goes away in the middle is told with the place, and nothing is kept', async () => {
      const cut = createServer((_, response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('half', () => response.destroy());
      });
      await new Promise<void>((resolve) => cut.listen(0, '127.0.0.1', resolve));
      try {
        const url = `http://127.0.0.1:${(cut.address() as AddressInfo).port}/x`;
        const { href } = new URL(url);
        await assert.rejects(scratch.build(`FROM scratch\nADD ${url} /x`), (error: Error) => {
          assert.ok(error.message.startsWith(`Dockerfile:2: ${href}: `), error.message);
          return true;
        });
        assert.ok((await scratch.builder.cacheUsage()).every(({ description }) => !description.includes(href)));
      } finally {
        cut.close();
      }
    });

    it('what cannot be had is said', async () => {
      await assert.rejects(scratch.build(`FROM scratch\nADD ${origin}/none /x`), /Dockerfile:2: .*\/none answers 404/);
      await assert.rejects(scratch.build(`FROM scratch\nADD ${origin}/loop /x`), /redirects more than 10 times/);
      await assert.rejects(scratch.build(`FROM scratch\nADD ${origin}/ /x/`), /cannot determine a file name/);
      await assert.rejects(scratch.build(`FROM scratch\nCOPY ${origin}/ /x/`), /source of COPY can't be an address/);
      await assert.rejects(scratch.build('FROM scratch\nADD http://169.254.169.254/latest /x'), /link-local/);
      await assert.rejects(scratch.build('FROM scratch\nADD http://127.0.0.1:1/x /x'), /Dockerfile:2: .*ECONNREFUSED/);
    });
  });

  describe('of Git repositories', { skip: has('git') ? false : 'git is not installed' }, () => {
    let server: Server;
    let origin: string;
    let repository: string;
    const git = (...words: string[]) =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...words], {
        cwd: repository,
        env: { ...process.env, GIT_COMMITTER_DATE: '2020-01-02T03:04:05Z', GIT_AUTHOR_DATE: '2020-01-02T03:04:05Z' },
        stdio: ['ignore', 'pipe', 'ignore'],
      })
        .toString()
        .trim();
    const commit = async (path: string, content: string) => {
      await writeFile(join(repository, path), content);
      git('add', '.');
      git('commit', '-q', '-m', path);
      git('update-server-info');
      return git('rev-parse', 'HEAD');
    };
    before(async () => {
      repository = await scratch.context({ 'sub/s.txt': 'S' });
      git('init', '-q', '-b', 'main');
      await commit('a.txt', 'one');
      git('tag', 'v1');
      git('branch', 'old');
      await commit('a.txt', 'two');
      // Any file of it, as the simplest kind of server gives them out.
      server = createServer((request, response) => {
        const path = normalize(decodeURIComponent(request.url!.split('?')[0]!)).replace('/x.git', '/.git');
        readFile(join(repository, path)).then(
          (bytes) => response.end(bytes),
          () => response.writeHead(404).end(),
        );
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x.git`;
    });
    after(() => server.close());

    it('checks out a branch, a tag or a commit, or a directory of it', async () => {
      const first = git('rev-parse', 'v1');
      for (const [reference, content] of [
        ['', 'two'],
        ['#main', 'two'],
        ['#v1', 'one'],
        ['#old', 'one'],
        [`#${first}`, 'one'],
        ['?tag=v1', 'one'],
        [`?commit=${first}`, 'one'],
        ['?branch=old', 'one'],
      ] as const) {
        const { image } = await scratch.build(`FROM scratch\nADD ${origin}${reference} /n`);
        assert.equal(await scratch.read(image, 'n/a.txt'), content, reference);
        assert.equal((await scratch.list(image)).get('n/.git'), undefined);
      }
      await scratch.build(`FROM scratch\nADD ${origin}?branch=main&subdir=sub /n`);
      const { image } = await scratch.build(`FROM scratch\nADD ${origin}#main:sub /n`);
      assert.deepEqual([...(await scratch.list(image)).keys()].sort(), ['n', 'n/s.txt']);
      const kept = await scratch.build(`FROM scratch\nADD --keep-git-dir=true ${origin} /n`);
      assert.equal((await scratch.list(kept.image)).get('n/.git'), 'd 755 0:0');
    });

    it('--checksum is the hash of the commit, or how it begins', async () => {
      const hash = git('rev-parse', 'v1');
      for (const checksum of [hash, hash.slice(0, 7), hash[0]]) {
        const { image } = await scratch.build(`FROM scratch\nADD --checksum=${checksum} ${origin}#v1 /n`);
        assert.equal(await scratch.read(image, 'n/a.txt'), 'one');
      }
      await assert.rejects(
        scratch.build(`FROM scratch\nADD --checksum=sha256:${'0'.repeat(64)} ${origin}#v1 /n`),
        /--checksum=sha256:0+ of a Git repository must be a commit's hash/,
      );
    });

    it('gives files 644 or 755 and directories 755, whatever the umask', async () => {
      const umask = process.umask(0o077);
      try {
        const { image } = await scratch.build(`FROM scratch\nADD --keep-git-dir ${origin}#v1 /n`);
        const list = await scratch.list(image);
        assert.deepEqual(
          ['n', 'n/a.txt', 'n/sub', 'n/sub/s.txt'].map((path) => list.get(path)),
          ['d 755 0:0', 'f 644 0:0', 'd 755 0:0', 'f 644 0:0'],
        );
      } finally {
        process.umask(umask);
      }
    });

    it('--exclude leaves files out, and counts for the cache', async () => {
      const without = async (pattern: string) => {
        const { image } = await scratch.build(`FROM scratch\nADD --exclude=${pattern} ${origin}#v1 /n`);
        return [...(await scratch.list(image)).keys()].sort();
      };
      assert.deepEqual(await without('a.txt'), ['n', 'n/sub', 'n/sub/s.txt']);
      assert.deepEqual(await without('sub'), ['n', 'n/a.txt']);
    });

    it('is cached by the commit that a name means now', async () => {
      const text = `FROM scratch\nADD ${origin} /c`;
      await scratch.build(text, { tags: ['from-git'] });
      assert.deepEqual((await scratch.build(text, { tags: ['from-git'] })).misses, []);
      await commit('b.txt', 'new');
      const changed = await scratch.build(text, { tags: ['from-git'] });
      assert.equal(changed.misses.length, 1);
      assert.equal(await scratch.read(changed.image, 'c/b.txt'), 'new');
    });

    it('refuses what is no reference, is not there, or is another commit', async () => {
      await assert.rejects(scratch.build(`FROM scratch\nADD ${origin}#none /n`), /has no branch, tag or commit none/);
      await assert.rejects(
        scratch.build(`FROM scratch\nADD ${origin}#--upload-pack=x /n`),
        /is not the name of a branch/,
      );
      await assert.rejects(
        scratch.build(`FROM scratch\nADD --checksum=${'0'.repeat(40)} ${origin} /n`),
        /is at commit [0-9a-f]{40}, not 0{40}/,
      );
    });

    it('is asked for with what secrets have for its server', () => {
      const basic = (token: string) => `basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`;
      const all = {
        GIT_AUTH_TOKEN: 'any\n',
        'GIT_AUTH_TOKEN.one.example': 'one',
        'GIT_AUTH_HEADER.two.example': 'Basic dHdv',
        'GIT_AUTH_HEADER.one.example:8443': 'Bearer port',
      };
      const secrets = new Map(Object.entries(all).map(([id, value]) => [id, Buffer.from(value)] as const));
      for (const [remote, authorization] of [
        ['https://one.example/x.git', basic('one')],
        ['https://one.example:8443/x.git', 'Bearer port'],
        ['https://two.example/x.git', 'Basic dHdv'],
        ['http://three.example/x.git', basic('any')],
        ['git@one.example:x.git', undefined],
        ['ssh://one.example/x.git', undefined],
      ] as const) {
        assert.equal(gitAuthorization(secrets, remote), authorization, remote);
      }
      assert.equal(gitAuthorization(undefined, 'https://one.example/x.git'), undefined);
    });

    it('addresses are told from files and from other addresses', () => {
      assert.deepEqual(parseGitAddress('git@example.com:a/b.git#v1:dir'), {
        remote: 'git@example.com:a/b.git',
        reference: 'v1',
        subdirectory: 'dir',
      });
      assert.equal(parseGitAddress('https://example.com/a.git')?.remote, 'https://example.com/a.git');
      assert.equal(parseGitAddress('ssh://git@example.com/a')?.remote, 'ssh://git@example.com/a');
      for (const [query, reference, subdirectory] of [
        ['ref=v1', 'v1', ''],
        ['branch=main&subdir=a/b', 'refs/heads/main', 'a/b'],
        ['subdir=c&tag=v2', 'refs/tags/v2', 'c'],
        ['commit=abc', 'abc', ''],
      ] as const) {
        const remote = 'https://example.com/a.git';
        assert.deepEqual(parseGitAddress(`${remote}?${query}`), { remote, reference, subdirectory });
      }
      assert.throws(() => parseGitAddress('https://example.com/a.git?ref=a&tag=b'), /is not supported: one of/);
      assert.throws(() => parseGitAddress('https://example.com/a.git?submodules=false'), /is not supported/);
      assert.throws(() => parseGitAddress('https://example.com/a.git?ref=a#b'), /has a \? and a #/);
      assert.equal(parseGitAddress('https://example.com/a?b=c.git'), undefined);
      for (const text of ['a.git', './x', 'https://example.com/a.tar', 'file:///x.git', 'ext::sh -c x', 'C:/x']) {
        assert.equal(parseGitAddress(text), undefined, text);
      }
    });
  });
});

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, link, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ServiceError } from '../../../base/errors.ts';
import { type Files, ScratchBuilder } from '../testing/scratch-builder.ts';
import { stepContainers } from '../testing/step-containers.ts';

const skip = process.getuid?.() === 0 ? false : 'roots need the rights of root';

describe('COPY', { skip }, () => {
  let scratch: ScratchBuilder;
  before(async () => {
    scratch = await ScratchBuilder.open(stepContainers);
    await scratch.image('base', {
      'etc/passwd': 'root:x:0:0::/:\napp:x:1001:1002::/:\n',
      'etc/group': 'staff:x:50:\n',
      'there/old': 'old',
      inside: '-> /there',
      outside: '-> ../../../../../../escape',
      absolute: '-> /etc/passwd',
    });
  });
  after(() => scratch[Symbol.asyncDispose]());

  /** Paths that a Dockerfile's lines after `FROM scratch` make. */
  const made = async (lines: string, files: Files, options: Parameters<ScratchBuilder['build']>[1] = {}) => {
    const { image } = await scratch.build(`FROM scratch\n${lines}`, { files, ...options });
    return [...(await scratch.list(image)).keys()].sort();
  };
  const fails = (text: string, pattern: RegExp, options: Parameters<ScratchBuilder['build']>[1] = {}) =>
    assert.rejects(scratch.build(text, options), (error: ServiceError) => {
      assert.match(error.message, pattern);
      assert.equal(error.code, 'DockerfileError');
      return true;
    });

  describe('where things go', () => {
    const files = { 'a.txt': 'A', 'b.txt': 'B', 'd/e.txt': 'E', 'd/f/g.txt': 'G' };

    it('a file to a name, or into a directory that is there or ends with a slash', async () => {
      assert.deepEqual(await made('COPY a.txt /x/y', files), ['x', 'x/y']);
      assert.deepEqual(await made('COPY a.txt /x/', files), ['x', 'x/a.txt']);
      assert.deepEqual(await made('COPY d /x\nCOPY a.txt /x', files), ['x', 'x/a.txt', 'x/e.txt', 'x/f', 'x/f/g.txt']);
      assert.deepEqual(await made('WORKDIR /w\nCOPY a.txt .', files), ['w', 'w/a.txt']);
    });

    it('a directory by what it holds', async () => {
      assert.deepEqual(await made('COPY d /', files), ['e.txt', 'f', 'f/g.txt']);
      assert.deepEqual(await made('COPY d /n', files), ['n', 'n/e.txt', 'n/f', 'n/f/g.txt']);
    });

    it('several sources into a directory', async () => {
      assert.deepEqual(await made('COPY a.txt d /n/', files), ['n', 'n/a.txt', 'n/e.txt', 'n/f', 'n/f/g.txt']);
      await fails('FROM scratch\nCOPY a.txt b.txt /n', /Dockerfile:2: .*several sources/, { files });
      await fails('FROM scratch\nCOPY *.txt /n', /Dockerfile:2: several files are copied/, { files });
    });

    it('patterns', async () => {
      assert.deepEqual(await made('COPY ?.txt /n/', files), ['n', 'n/a.txt', 'n/b.txt']);
      assert.deepEqual(await made('COPY [b-z].txt /n/', files), ['n', 'n/b.txt']);
      assert.deepEqual(await made('COPY d/*/*.txt /n/', files), ['n', 'n/g.txt']);
      const built = await scratch.build('FROM scratch\nCOPY *.none /n/', { files });
      assert.deepEqual(built.warnings, ['"*.none" matches nothing in the build context']);
      assert.deepEqual(await made('COPY a[[]1].txt /n/', { 'a[1].txt': '', 'a1.txt': '' }), ['n', 'n/a[1].txt']);
    });

    it('here-documents', async () => {
      const text = 'FROM scratch\nARG V=1\nCOPY <<one <<"two" /n/\nv=$V\none\nv=$V\ntwo\nCOPY <<EOF /m\nx\nEOF';
      const { image } = await scratch.build(text);
      assert.equal(await scratch.read(image, 'n/one'), 'v=1\n');
      assert.equal(await scratch.read(image, 'n/two'), 'v=$V\n');
      assert.equal(await scratch.read(image, 'm'), 'x\n');
      assert.equal((await scratch.list(image)).get('m'), 'f 644 0:0');
    });

    it('files replace files and links, but not directories, nor the other way around', async () => {
      const { image } = await scratch.build('FROM base\nCOPY a.txt /absolute\nCOPY a.txt /there/old', { files });
      const list = await scratch.list(image);
      assert.equal(list.get('absolute'), 'f 644 0:0');
      assert.match((await scratch.read(image, 'etc/passwd'))!, /^root/);
      assert.equal(await scratch.read(image, 'there/old'), 'A');
      await fails('FROM base\nCOPY x /', /cannot replace the directory \/there with a file/, {
        files: { 'x/there': '' },
      });
      await fails('FROM base\nCOPY x /', /cannot copy a directory to \/inside/, { files: { 'x/inside/y': '' } });
      await fails('FROM base\nCOPY x /there/old', /cannot copy a directory to \/there\/old/, { files: { 'x/y': '' } });
      await fails('FROM base\nCOPY a.txt /there/old/x', /not a directory/, { files });
    });

    it('what is not there is said, also when it is only ignored', async () => {
      await fails('FROM scratch\n\nCOPY nope /', /^Dockerfile:3: "nope" is not found in the build context$/, { files });
      await fails('FROM scratch\nCOPY a.txt /', /not found in the build context \(it is there, but \.dockerignore/, {
        files: { ...files, '.dockerignore': '*.txt' },
      });
    });
  });

  describe('owner and mode', () => {
    const files = { 'a.txt': 'A', 'd/b.txt': 'B' };

    it('are root’s and the context’s', async () => {
      const directory = await scratch.context(files);
      await chmod(join(directory, 'a.txt'), 0o4751);
      await chmod(join(directory, 'd'), 0o700);
      const { image } = await scratch.build('FROM scratch\nCOPY . /c', { directory });
      const list = await scratch.list(image);
      assert.equal(list.get('c'), 'd 755 0:0');
      assert.equal(list.get('c/a.txt'), 'f 4751 0:0');
      assert.equal(list.get('c/d'), 'd 700 0:0');
    });

    it('--chown takes numbers, and names of the stage’s own accounts', async () => {
      for (const [chown, owner] of [
        ['55', '55:55'],
        ['55:66', '55:66'],
        ['app', '1001:1002'],
        ['app:staff', '1001:50'],
        ['7:staff', '7:50'],
      ]) {
        const { image } = await scratch.build(`FROM base\nCOPY --chown=${chown} . /new/`, { files });
        const list = await scratch.list(image);
        assert.equal(list.get('new/a.txt'), `f 644 ${owner}`);
        assert.equal(list.get('new/d'), `d 755 ${owner}`);
      }
      await fails('FROM base\nCOPY --chown=nobody . /', /unable to find user nobody/, { files });
      await fails('FROM base\nCOPY --chown=app:none . /', /unable to find group none/, { files });
      await fails('FROM scratch\nCOPY --chown=app . /', /unable to find user app/, { files });
    });

    it('--chmod takes octal and symbolic modes, and variables', async () => {
      const mode = async (chmod: string) => {
        const { image } = await scratch.build(`FROM scratch\nARG M=600\nCOPY --chmod=${chmod} . /n/`, { files });
        const list = await scratch.list(image);
        return [list.get('n/a.txt'), list.get('n/d')].map((line) => line!.split(' ')[1]);
      };
      assert.deepEqual(await mode('4711'), ['4711', '4711']);
      assert.deepEqual(await mode('$M'), ['600', '600']);
      assert.deepEqual(await mode('u=rwX,go=rX'), ['644', '755']);
      assert.deepEqual(await mode('g+w,o-r'), ['660', '771']);
      assert.deepEqual(await mode('+x'), ['755', '755']);
      await fails('FROM scratch\nCOPY --chmod=888 . /', /--chmod=888 is neither/, { files });
      await fails('FROM scratch\nCOPY --chmod=10000 . /', /--chmod=10000 is neither/, { files });
    });

    it('times of files stay', async () => {
      const directory = await scratch.context(files);
      await utimes(join(directory, 'a.txt'), 1_000_000, 1_000_000.5);
      const { image } = await scratch.build('FROM scratch\nCOPY a.txt /', { directory });
      const root = await scratch.images.roots.create('times', image.layers, { readOnly: true });
      assert.equal((await scratch.images.roots.stat(root, '/a.txt'))?.modifiedAt, 1_000_000_500);
      await root.remove();
    });

    it('hard links to a file that a later source has replaced are not made to that one', async () => {
      const directory = await scratch.context({ 'one/a': 'first', 'two/a': 'second', 'two/c': 'C' });
      await link(join(directory, 'one/a'), join(directory, 'two/b'));
      const { image } = await scratch.build('FROM scratch\nCOPY one two /n/', { directory });
      assert.equal(await scratch.read(image, 'n/a'), 'second');
      assert.equal(await scratch.read(image, 'n/b'), 'first');
    });

    it('hard links stay links, links below a directory too', async () => {
      const directory = await scratch.context({ one: 'x', l: '-> one', dangling: '-> nowhere' });
      await link(join(directory, 'one'), join(directory, 'two'));
      const { image } = await scratch.build('FROM scratch\nCOPY . /n/', { directory });
      const list = await scratch.list(image);
      assert.equal(list.get('n/l'), 'l 777 0:0 one');
      assert.equal(list.get('n/dangling'), 'l 777 0:0 nowhere');
      assert.equal(list.get('n/two'), 'f 644 0:0');
      const root = await scratch.images.roots.create('hard-links', image.layers, { readOnly: true });
      const { statSync } = await import('node:fs');
      assert.equal(statSync(join(root.path, 'n/one')).ino, statSync(join(root.path, 'n/two')).ino);
      await root.remove();
    });
  });

  describe('--exclude, --parents and --link', () => {
    const files = { 'a.txt': '1', 'b.md': '2', 'd/c.txt': '3', 'd/e/f.md': '4', 'd/e/g.txt': '5' };

    it('--exclude leaves out what matches within the source', async () => {
      assert.deepEqual(await made('COPY --exclude=*.txt . /n/', files), [
        'n',
        'n/b.md',
        'n/d',
        'n/d/c.txt',
        'n/d/e',
        'n/d/e/f.md',
        'n/d/e/g.txt',
      ]);
      assert.deepEqual(await made('COPY --exclude=**/*.txt --exclude=d/e . /n/', files), ['n', 'n/b.md', 'n/d']);
      assert.deepEqual(await made('COPY --exclude=*.md *.txt *.md /n/', files), ['n', 'n/a.txt']);
      assert.deepEqual(await made('COPY --exclude=* --exclude=!d/e/g.txt . /n/', files), [
        'n',
        'n/d',
        'n/d/e',
        'n/d/e/g.txt',
      ]);
    });

    it('--parents keeps the directories above, from a /./ on', async () => {
      assert.deepEqual(await made('COPY --parents d/e/f.md /n/', files), ['n', 'n/d', 'n/d/e', 'n/d/e/f.md']);
      assert.deepEqual(await made('COPY --parents d/./e/f.md /n/', files), ['n', 'n/e', 'n/e/f.md']);
      assert.deepEqual(await made('COPY --parents **/*.md /n/', files), ['n', 'n/b.md', 'n/d', 'n/d/e', 'n/d/e/f.md']);
      assert.deepEqual(await made('COPY --parents ./d/./e /n/', files), ['n', 'n/e', 'n/e/f.md', 'n/e/g.txt']);
      await fails('FROM scratch\nCOPY --parents d/nope /n/', /"d\/nope" is not found/, { files });
    });

    it('--link makes a layer that knows nothing of what is below', async () => {
      const { image } = await scratch.build('FROM base\nCOPY --link a.txt /inside/x', { files });
      const list = await scratch.list(image);
      assert.equal(list.get('inside'), 'd 755 0:0');
      assert.equal(list.get('inside/x'), 'f 644 0:0');
      assert.equal(list.get('there/x'), undefined);
      const other = await scratch.build('FROM scratch\nCOPY --link a.txt /inside/x', { files });
      assert.equal(other.image.layers.at(-1)!.diffId, image.layers.at(-1)!.diffId);
      assert.deepEqual(other.misses, []);
    });
  });

  describe('--from', () => {
    it('takes from a stage by name or number, and from an image, keeping owners', async () => {
      const text = [
        'FROM base AS one',
        'COPY --chown=5:6 --chmod=640 a.txt /x/a',
        'FROM scratch',
        'COPY --from=one /x/a /1',
        'COPY --from=0 x /2',
        'COPY --from=base /there/old /3',
        'COPY --from=one --chown=7 /x/a /4',
        'COPY --from=ONE / /5',
      ].join('\n');
      const { image } = await scratch.build(text, { files: { 'a.txt': 'A' } });
      const list = await scratch.list(image);
      assert.equal(list.get('1'), 'f 640 5:6');
      assert.equal(list.get('2/a'), 'f 640 5:6');
      assert.equal(await scratch.read(image, '3'), 'old');
      assert.equal(list.get('4'), 'f 640 7:7');
      assert.equal(list.get('5/inside'), 'l 777 0:0 /there');
      assert.equal(list.get('5/x/a'), 'f 640 5:6');
    });

    it('a stage that comes later, or not at all, is none', async () => {
      await fails('FROM scratch\nCOPY --from=1 / /\nFROM base', /there is no stage 1 before this one/, { target: '0' });
      await fails('FROM base\nCOPY --from=scratch / /', /scratch has no files/);
    });
  });

  describe('attacks by the context and by the root', () => {
    it('no path of the context leads out of it', async () => {
      const directory = await scratch.context({
        'in/file': 'mine',
        rel: '-> ../../../../../../../../etc',
        abs: '-> /etc',
      });
      await symlink('/etc/passwd', join(directory, 'passwd'));
      for (const source of ['rel/passwd', 'abs/passwd', 'passwd', '../../../../../../etc/passwd', '/etc/passwd']) {
        await fails(`FROM scratch\nCOPY ${source} /x`, /is not found in the build context/, { directory });
      }
      // The same path, when the context has it, is the context's.
      await mkdir(join(directory, 'etc'));
      await writeFile(join(directory, 'etc/passwd'), 'the context’s own');
      for (const source of ['rel/passwd', 'abs/passwd', 'passwd', '../../../etc/passwd']) {
        const { image } = await scratch.build(`FROM scratch\nCOPY ${source} /x`, { directory });
        assert.equal(await scratch.read(image, 'x'), 'the context’s own');
      }
    });

    it('a pattern copies a link that leads out as the link that it is', async () => {
      const files = { 'l-passwd': '-> /etc/passwd', 'l-host': '-> ../../../etc/hostname' };
      const { image } = await scratch.build('FROM scratch\nCOPY l-* /n/', { files });
      const list = await scratch.list(image);
      assert.equal(list.get('n/l-passwd'), 'l 777 0:0 /etc/passwd');
      assert.equal(list.get('n/l-host'), 'l 777 0:0 ../../../etc/hostname');
    });

    it('no destination leads out of the root', async () => {
      const files = { 'a.txt': 'A', 'd/b.txt': 'B' };
      const { image } = await scratch.build(
        'FROM base\nCOPY a.txt /outside/a\nCOPY d ../../../outside/d\nCOPY a.txt /inside/new/\nCOPY a.txt /outside/',
        { files },
      );
      const list = await scratch.list(image);
      assert.equal(list.get('escape/a'), 'f 644 0:0');
      assert.equal(list.get('escape/d/b.txt'), 'f 644 0:0');
      assert.equal(list.get('there/new/a.txt'), 'f 644 0:0');
      assert.equal(list.get('outside'), 'l 777 0:0 ../../../../../../escape');
    });

    it('no name of a here-document leads out of the directory that it comes into', async () => {
      const outside = join(scratch.directory, 'outside');
      const up = '../'.repeat(30);
      for (const name of [`${up}${outside.slice(1)}`, '..', 'a/b']) {
        for (const destination of ['/new/', '/there']) {
          await fails(`FROM base\nCOPY <<${name} ${destination}\nx\n${name}`, /is not the name of a file/);
        }
      }
      assert.ok(!existsSync(outside));
      const { image } = await scratch.build('FROM base\nCOPY <<a/b /named\nx\na/b');
      assert.equal(await scratch.read(image, 'named'), 'x\n');
    });

    it('links that a copy itself brings are not followed by it', async () => {
      const files = { 'one/x': '-> /tmp', 'two/x/file': 'F' };
      await fails('FROM scratch\nCOPY one two /n/', /cannot copy a directory to \/n\/x/, { files });
    });

    it('a loop of links ends', async () => {
      await fails('FROM scratch\nCOPY a/b /x', /is not found/, { files: { a: '-> b', b: '-> a' } });
      await scratch.image('loop', { a: '-> b', b: '-> a' });
      await assert.rejects(scratch.build('FROM loop\nCOPY f /a/x', { files: { f: '' } }), /too many links/);
    });

    it('an account file that is a link out of the root is not read', async () => {
      await scratch.image('trap', { 'etc/passwd': '-> ../../../../../../etc/passwd' });
      await fails('FROM trap\nCOPY --chown=daemon f /', /unable to find user daemon/, { files: { f: '' } });
    });

    it('pipes in a context are refused by name', async () => {
      const directory = await scratch.context({ f: '' });
      execFileSync('mkfifo', [join(directory, 'pipe')]);
      await fails('FROM scratch\nCOPY . /', /pipe in the build context is a named pipe/, { directory });
    });
  });

  describe('of many files', () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`d${n % 7}/f${n}`, `content ${n}`]));

    it('does the same on a thread of its own', async () => {
      const { image } = await scratch.build('FROM base\nCOPY --chown=app --chmod=u=rw,go= . /inside/', { files: many });
      const list = await scratch.list(image);
      for (const [path, content] of Object.entries(many)) {
        assert.equal(list.get(`there/${path}`), 'f 600 1001:1002');
        assert.equal(await scratch.read(image, `there/${path}`), content);
      }
    });

    it('its errors are told in the same words', async () => {
      await fails('FROM base\nCOPY . /', /Dockerfile:2: cannot copy a directory to \/inside/, {
        files: { ...many, 'inside/x': '' },
      });
      assert.deepEqual(await scratch.images.roots.list(), []);
    });
  });

  it('to a path or a name that is too long says where', async () => {
    for (const destination of [`/${'x/'.repeat(3000)}`, `/${'x'.repeat(300)}`]) {
      await assert.rejects(
        scratch.build(`FROM scratch\nCOPY a ${destination}`, { files: { a: '' } }),
        /^DockerfileError: Dockerfile:2: (a path is longer than 4095 bytes, or a name in it than 255|the path of the destination is too long)$/,
      );
    }
  });

  describe('on a full disk', () => {
    it('is said, and nothing half-made is left', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'kobune-full-'));
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', directory]);
      try {
        await using full = await ScratchBuilder.open(
          () => ({ run: () => Promise.reject(new Error('nothing is run')) }),
          {
            directory,
          },
        );
        const context = await scratch.context({ big: Buffer.alloc(40 << 20, 'x'), small: 'S' });
        await assert.rejects(full.build('FROM scratch\nCOPY small /\nCOPY big /', { directory: context }), {
          code: 'DiskFull',
          message: /^Dockerfile:3: no space left on device/,
        });
        assert.deepEqual(await full.images.roots.list(), []);
        const { image, misses } = await full.build('FROM scratch\nCOPY small /', { directory: context });
        assert.deepEqual(misses, []);
        assert.equal(await full.read(image, 'small'), 'S');
      } finally {
        execFileSync('umount', ['-l', directory]);
        await rm(directory, { recursive: true, force: true });
      }
    });
  });

  describe('.dockerignore', () => {
    it('filters what is copied, with exceptions, and the file of the Dockerfile’s own name goes first', async () => {
      const files = { '.dockerignore': 'd\n!d/keep\n*.log\n', 'x.log': '', 'd/keep': '', 'd/drop': '', y: '' };
      assert.deepEqual(await made('COPY . /', files), ['.dockerignore', 'd', 'd/keep', 'y']);
      assert.deepEqual(await made('COPY d /', files), ['keep']);
      assert.deepEqual(await made('COPY . /', { ...files, 'Dockerfile.dockerignore': '*\n!y' }), ['y']);
      assert.deepEqual(await made('COPY . /', files, { ignore: 'd\n.dockerignore' }), ['x.log', 'y']);
    });
  });
});

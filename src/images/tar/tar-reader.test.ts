import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { makeArchive } from '../test-support.ts';
import { encodeName } from './names.ts';
import { type TarEntry, TarError } from './tar-entry.ts';
import { END_OF_ARCHIVE, paddingOf, tarHeader } from './tar-header.ts';
import { TarReader } from './tar-reader.ts';

interface Read {
  readonly entry: TarEntry;
  readonly content: string;
}

/** Reads an archive that comes in steps of so many bytes; content is at the place that was told, holes are dots. */
function read(archive: Uint8Array, step = archive.length): Read[] {
  const files: Read[] = [];
  let entry: TarEntry | undefined;
  let content: Buffer = Buffer.alloc(0);
  const reader = new TarReader({
    begin: (next) => {
      entry = next;
      content = Buffer.alloc(Math.min(next.type === 'file' ? next.size : 0, 4_000_000), '.');
    },
    write: (bytes, position) => void content.set(bytes, position),
    end: () => void files.push({ entry: entry!, content: content.toString('latin1') }),
  });
  for (let at = 0; at < archive.length; at += step) reader.write(archive.subarray(at, at + step));
  reader.finish();
  return files;
}

const sparse = () => `${'.'.repeat(500_000)}x${'.'.repeat(99_999)}`;

describe('tar reader', () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'kobune-tar-'));
    const long = 'n'.repeat(90);
    execFileSync(
      'sh',
      [
        '-c',
        `mkdir -p d/${long}/${long}; echo one > d/a; ln d/a d/hard; ln -s ${long}${long} d/soft; mkfifo d/pipe
       echo deep > d/${long}/${long}/deep; truncate -s 600000 d/sparse; printf x | dd of=d/sparse bs=1 seek=500000 conv=notrunc 2>&1
       touch -d '2001-02-03 04:05:06.789 UTC' d/a; touch -d '1960-01-01 UTC' d/old; chmod 4750 d/a; printf 'é' > d/ü
       setfattr -n user.kobune -v value d/a 2>/dev/null; exit 0`,
      ],
      { cwd: directory },
    );
  });
  after(() => rmSync(directory, { recursive: true }));

  for (const format of ['gnu', 'pax', 'oldgnu', 'ustar']) {
    it(`reads what GNU tar writes in format ${format}, however it comes in pieces`, () => {
      const options = ['gnu', 'oldgnu', 'pax'].includes(format) ? ['-S'] : [];
      const only = format === 'ustar' ? ['d/a', 'd/hard', 'd/pipe', 'd/sparse'] : ['d'];
      const archive = execFileSync('tar', [`--format=${format}`, ...options, '--sort=name', '-cf', '-', ...only], {
        cwd: directory,
        maxBuffer: 1e8,
      });
      const whole = read(archive);
      for (const step of [1, 7, 511, 512, 513, 100_000]) assert.deepEqual(read(archive, step), whole);
      const files = new Map(whole.map((file) => [file.entry.path, file]));
      const a = files.get('d/a')!;
      assert.deepEqual([a.entry.type, a.content, a.entry.mode], ['file', 'one\n', 0o4750]);
      const fraction = format === 'pax' ? 789_000_000 : 0;
      assert.deepEqual(a.entry.mtime, { seconds: 981_173_106, nanoseconds: fraction });
      assert.deepEqual([files.get('d/hard')!.entry.type, files.get('d/hard')!.entry.linkTarget], ['hard-link', 'd/a']);
      assert.equal(files.get('d/pipe')!.entry.type, 'fifo');
      const holes = files.get('d/sparse')!;
      assert.equal(holes.entry.size, 600_000);
      assert.equal(holes.content.replaceAll('\0', '.'), sparse());
      if (format === 'ustar') return;
      const long = 'n'.repeat(90);
      assert.equal(files.get('d/soft')!.entry.linkTarget, long + long);
      assert.equal(files.get(`d/${long}/${long}/deep`)!.content, 'deep\n');
      assert.equal(files.get('d/old')!.entry.mtime.seconds, -315_619_200);
      assert.equal(files.get('d/ü')!.entry.size, 2);
    });
  }

  it('reads the sparse formats that pax has had', () => {
    for (const version of ['0.0', '0.1', '1.0']) {
      const archive = execFileSync(
        'tar',
        ['--format=pax', '-S', `--sparse-version=${version}`, '-cf', '-', 'd/sparse'],
        {
          cwd: directory,
        },
      );
      const [file] = read(archive, 100);
      assert.equal(file!.entry.path, 'd/sparse', version);
      assert.equal(file!.content.replaceAll('\0', '.'), sparse(), version);
    }
  });

  it('takes an old archive without magic, and one without an end', () => {
    const archive = execFileSync('tar', ['--format=v7', '-cf', '-', 'd/a'], { cwd: directory });
    assert.equal(read(archive)[0]!.content, 'one\n');
    assert.equal(read(archive.subarray(0, 1024)).length, 1);
    assert.deepEqual(read(new Uint8Array(0)), []);
    assert.deepEqual(read(END_OF_ARCHIVE), []);
  });

  it('keeps extended attributes as bytes', () => {
    const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
    const archive = makeArchive([
      {
        path: 'a',
        xattrs: new Map([
          ['security.capability', capability],
          ['user.x', Buffer.from([0, 0xff, 0x0a])],
        ]),
      },
    ]);
    const { xattrs } = read(archive)[0]!.entry;
    assert.deepEqual(Buffer.from(xattrs.get('security.capability')!), capability);
    assert.deepEqual([...xattrs.get('user.x')!], [0, 0xff, 0x0a]);
  });

  it('gives back names that are no UTF-8', () => {
    const name = Buffer.from([0x61, 0xff, 0x2f, 0xc3, 0xa9, 0xc3, 0x28]);
    const [header, end] = [Buffer.from(makeArchive([{ path: 'name' }]).subarray(0, 512)), END_OF_ARCHIVE];
    name.copy(header);
    writeChecksum(header);
    const entry = read(Buffer.concat([header, end]))[0]!.entry;
    assert.equal(entry.path, 'a\udcff/é\udcc3(');
    assert.deepEqual(encodeName(entry.path), name);
    assert.equal(read(Buffer.concat([tarHeader(entry), end]))[0]!.entry.path, entry.path);
  });

  it('refuses by name what it cannot read', () => {
    const archive = makeArchive([{ path: 'a', content: 'x'.repeat(600) }]);
    const changed = (at: number, text: string, fix = true) => {
      const copy = Buffer.from(archive);
      copy.write(text, at, 'latin1');
      if (fix) writeChecksum(copy);
      return copy;
    };
    for (const [bytes, problem] of [
      [Buffer.alloc(600, 'nonsense'), /no tar archive/],
      [changed(0, 'b', false), /checksum/],
      [changed(156, 'M'), /entry of type "M", which is not supported/],
      [changed(124, 'xyz'), /size of a header is not a number/],
      [changed(124, '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xf0'), /negative/],
      [changed(124, '\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xf0'), /out of range/],
      [changed(156, '3'), /character in the archive has content/],
      [archive.subarray(0, 900), /ends in the middle/],
      [archive.subarray(0, 300), /ends in the middle/],
      [extended('x', '5 a=b\n'), /malformed/],
      [extended('x', '30 mtime=12\n'), /malformed/],
      [extended('x', '999999999999 a=b\n'), /malformed/],
      [extended('x', '12 mtime=no\n'), /not a time/],
      [extended('x', '14 uid=9999999\n'.replace('14', '15')), undefined],
      [extended('x', `${'x'.repeat(10)}`), /malformed/],
      [extended('L', 'name'), undefined],
    ] as const) {
      if (problem)
        assert.throws(
          () => read(bytes),
          (error) => error instanceof TarError && problem.test(error.message),
          String(problem),
        );
      else assert.doesNotThrow(() => read(bytes));
    }
  });

  it('never throws anything else for bytes at will, nor hands out what is not in the file', () => {
    const base = execFileSync(
      'tar',
      ['--format=pax', '-S', '-cf', '-', 'd/a', 'd/hard', 'd/sparse', 'd/soft', 'd/old'],
      { cwd: directory },
    );
    const change = fc.tuple(fc.nat(base.length - 1), fc.nat(255));
    fc.assert(
      fc.property(
        fc.array(change, { minLength: 1, maxLength: 8 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 2000 }),
        (changes, fix, step) => {
          const bytes = Buffer.from(base);
          for (const [at, value] of changes) bytes[at] = value;
          // With right checksums more of what is changed is believed.
          if (fix)
            for (let at = 0; at + 512 <= bytes.length; at += 512)
              if (bytes.toString('latin1', at + 257, at + 262) === 'ustar') writeChecksum(bytes, at);
          readSafely(bytes, step);
        },
      ),
      { seed: 1, numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => readSafely(bytes, 512)),
      { seed: 1, numRuns: 200 },
    );
  });
});

describe('tar headers', () => {
  it('are read back the same, whatever they say', () => {
    const path = fc.stringMatching(/^[a-zé/]{1,300}[a-z]$/);
    const entries = fc.record({
      path,
      type: fc.constantFrom(
        'file' as const,
        'directory' as const,
        'symlink' as const,
        'hard-link' as const,
        'fifo' as const,
        'block' as const,
      ),
      mode: fc.nat(0o7777),
      uid: fc.nat(0xfffffffe),
      gid: fc.nat(0xfffffffe),
      mtime: fc.record({ seconds: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }), nanoseconds: fc.constant(0) }),
      linkTarget: fc.oneof(fc.constant(''), path),
      deviceMajor: fc.nat(4095),
      deviceMinor: fc.nat(0o7777777),
      xattrs: fc
        .dictionary(fc.stringMatching(/^user\.[a-z]{1,9}$/), fc.uint8Array({ maxLength: 200 }), { maxKeys: 3 })
        .map((map) => new Map(Object.entries(map))),
    });
    fc.assert(
      fc.property(entries, (given) => {
        const entry: TarEntry = {
          ...given,
          mtime: { ...given.mtime },
          size: 0,
          path: given.type === 'directory' ? `${given.path}/` : given.path,
        };
        const back = read(Buffer.concat([tarHeader(entry), END_OF_ARCHIVE]))[0]!.entry;
        assert.deepEqual({ ...back, xattrs: sorted(back.xattrs) }, { ...entry, xattrs: sorted(entry.xattrs) });
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it('are read by GNU tar', () => {
    const long = `${'d'.repeat(120)}/${'é'.repeat(80)}`;
    const archive = makeArchive([
      { path: 'dir/', mode: 0o750 },
      {
        path: 'dir/file',
        content: 'text',
        mode: 0o4755,
        uid: 3_000_000,
        mtime: { seconds: 981_173_106, nanoseconds: 0 },
      },
      { path: `${'p'.repeat(60)}/${'q'.repeat(80)}`, content: 'prefix' },
      { path: long, content: 'long' },
      { path: 'link', type: 'symlink', linkTarget: long },
      { path: 'hard', type: 'hard-link', linkTarget: 'dir/file' },
    ]);
    const listed = execFileSync('tar', ['--numeric-owner', '--utc', '-tvf', '-'], {
      input: archive,
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    });
    assert.match(listed, /^-rwsr-xr-x 3000000\/0 +4 2001-02-03 04:05 dir\/file$/m);
    assert.match(listed, new RegExp(`${long}$`, 'm'));
    assert.match(listed, new RegExp(`${'p'.repeat(60)}/${'q'.repeat(80)}$`, 'm'));
    assert.match(listed, new RegExp(`link -> ${long}$`, 'm'));
    assert.match(listed, /hard link to dir\/file$/m);
  });

  it('leave out nothing of large files', () => {
    const header = tarHeader({ ...read(makeArchive([{ path: 'a' }]))[0]!.entry, size: 2 ** 40 });
    let told = 0;
    new TarReader({ begin: ({ size }) => (told = size), write() {}, end() {} }).write(header);
    assert.equal(told, 2 ** 40);
    assert.equal(paddingOf(513), 511);
  });
});

function sorted(map: ReadonlyMap<string, Uint8Array>): unknown {
  return [...map]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => [name, Buffer.from(value).toString('hex')]);
}

/** Reads as a hostile archive must be: it is refused, or what it hands out is in order. */
function readSafely(bytes: Uint8Array, step: number): void {
  let size = 0;
  let end = 0;
  const reader = new TarReader({
    begin: (entry) => {
      size = entry.size;
      end = 0;
    },
    write: (chunk, position) => {
      assert.ok(position >= end && position + chunk.length <= size);
      end = position + chunk.length;
    },
    end() {},
  });
  try {
    for (let at = 0; at < bytes.length; at += step) reader.write(bytes.subarray(at, at + step));
    reader.finish();
  } catch (error) {
    if (!(error instanceof TarError)) throw error;
  }
}

/** An extended header before a file. */
function extended(type: string, body: string): Buffer {
  const header = Buffer.from(makeArchive([{ path: 'h', content: body }]).subarray(0, 1024));
  header.write(type, 156, 'latin1');
  writeChecksum(header);
  return Buffer.concat([header, makeArchive([{ path: 'a' }])]);
}

function writeChecksum(block: Buffer, at = 0): void {
  block.fill(0x20, at + 148, at + 156);
  let sum = 0;
  for (const byte of block.subarray(at, at + 512)) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1');
}

import { chmod, link, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type ArchiveFile, makeArchive } from '../../src/images/test-support.ts';

/** Files of the context by path; links begin with `-> `, directories end with `/`. */
const FILES: Readonly<Record<string, string | readonly [content: string, mode: number]>> = {
  'a.txt': 'A\n',
  'b.txt': 'B\n',
  'run.sh': ['#!/bin/sh\necho ran > /ran\n', 0o755],
  'private.txt': ['P\n', 0o600],
  'special/setuid': ['S\n', 0o4755],
  'sp ace.txt': 'space\n',
  'special/arr[0].txt': 'brackets\n',
  '.hidden': 'H\n',
  link: '-> a.txt',
  dangling: '-> nowhere',
  'empty/': '',
  'closed/': ['', 0o700],
  'closed/x': 'X\n',
  'dir/c.txt': 'C\n',
  'dir/link': '-> c.txt',
  'dir/up': '-> ../a.txt',
  'dir/sub/d.txt': 'D\n',
  'data/1.log': '1\n',
  'data/2.log': '2\n',
  'data/x.md': 'x\n',
  'tree/x/a.txt': 'xa\n',
  'tree/x/y/b.txt': 'xyb\n',
  'tree/y/a.txt': 'ya\n',
  'not-an-archive.tar.gz': 'text\n',
  'empty.tar': '',
};

const ARCHIVED: readonly ArchiveFile[] = [
  { path: 'in/', mode: 0o750, uid: 5, gid: 6 },
  { path: 'in/file', content: 'archived\n', mode: 0o640, uid: 5, gid: 6 },
  { path: 'in/link', type: 'symlink', mode: 0o777, linkTarget: 'file' },
  { path: 'in/hard', type: 'hard-link', linkTarget: 'in/file', mode: 0o640, uid: 5, gid: 6 },
  { path: 'top', content: 'top\n', mode: 0o4711 },
];

const COMMANDS = 'sh cat echo ls mkdir rm touch true false cp mv ln id stat test chmod chown mkfifo pwd awk'.split(' ');

/** The base image's layer: everything that a builder would make for a RUN is there already. */
export function baseFiles(busybox: Buffer): readonly ArchiveFile[] {
  return [
    ...['bin/', 'dev/', 'etc/', 'home/', 'proc/', 'run/', 'run/secrets/', 'sys/', 'usr/', 'usr/bin/', 'var/'].map(
      (path): ArchiveFile => ({ path }),
    ),
    { path: 'tmp/', mode: 0o1777 },
    { path: 'root/', mode: 0o700 },
    { path: 'bin/busybox', mode: 0o755, content: busybox },
    ...COMMANDS.map(
      (name): ArchiveFile => ({ path: `bin/${name}`, type: 'symlink', mode: 0o777, linkTarget: 'busybox' }),
    ),
    { path: 'etc/passwd', content: 'root:x:0:0:root:/root:/bin/sh\napp:x:1001:1002:App:/home/app:/bin/sh\n' },
    { path: 'etc/group', content: 'root:x:0:\napp:x:1002:\nstaff:x:50:app\n' },
    { path: 'etc/hosts', content: '' },
    { path: 'etc/hostname', content: '' },
    { path: 'etc/resolv.conf', content: '' },
    { path: 'base/', mode: 0o755 },
    { path: 'base/file', content: 'base\n', mode: 0o640, uid: 7, gid: 8 },
    { path: 'base/other', content: 'other\n' },
    { path: 'base/inner/', mode: 0o711 },
    { path: 'base/inner/deep', content: 'deep\n' },
    { path: 'to-base', type: 'symlink', mode: 0o777, linkTarget: 'base' },
    { path: 'to-file', type: 'symlink', mode: 0o777, linkTarget: '/base/other' },
  ];
}

/** Writes the build context that all cases share. */
export async function writeContext(directory: string): Promise<void> {
  for (const [path, file] of Object.entries(FILES)) {
    const at = join(directory, path);
    const [content, mode] = typeof file === 'string' ? [file, path.endsWith('/') ? 0o755 : 0o644] : file;
    await mkdir(path.endsWith('/') ? at : dirname(at), { recursive: true });
    if (content.startsWith('-> ')) {
      await symlink(content.slice(3), at);
      continue;
    }
    if (!path.endsWith('/')) await writeFile(at, content);
    await chmod(at, mode);
  }
  await link(join(directory, 'data/1.log'), join(directory, 'data/1-again.log'));
  const archive = makeArchive(ARCHIVED);
  await writeFile(join(directory, 'archive.tar'), archive);
  await writeFile(join(directory, 'archive.tar.gz'), gzipSync(archive));
  await writeFile(join(directory, 'archive.tar.zst'), zstdCompressSync(archive));
}

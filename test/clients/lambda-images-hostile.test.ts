import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { type Header, pack } from 'tar-stream';
import { DOCKER_28, noDockerReason } from '../../src/docker/testing/test-docker.ts';
import { BUSYBOX_RUNTIME } from '../../src/functions/test-support/busybox-image.ts';
import { FunctionImages } from '../support/function-images.ts';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';

/** Files of an archive: text, or what else it is. */
type Entries = Readonly<Record<string, string | Buffer | Partial<Header>>>;

/** Prints where something is mounted, and what is at the places that sandboxes show. */
const LOOK = `
cut -d' ' -f2 /proc/mounts | sort -u | tr '\\n' ' '; echo
ls /run /etc/kobune | tr '\\n' ' '; echo
stat -c '%F' /etc /tmp /proc /dev /run | sort -u
`;
const MOUNTS = [
  ...['/', '/dev', '/dev/full', '/dev/null', '/dev/pts', '/dev/random', '/dev/shm', '/dev/tty', '/dev/urandom'],
  ...['/dev/zero', '/etc/hosts', '/etc/kobune', '/etc/resolv.conf', '/proc', '/run/kobune', '/run/kobune-shell'],
  '/tmp',
];

describe('Lambda functions from hostile images', { skip: noDockerReason(DOCKER_28), timeout: 240_000 }, () => {
  let server: RunningKobune;
  let images: FunctionImages;
  before(async () => {
    server = await runKobune();
    const { scratch } = server;
    images = await FunctionImages.start({ dataDirectory: join(scratch, 'data'), scratch, settings: server.settings() });
  });
  after(async () => {
    images?.[Symbol.dispose]();
    await server?.[Symbol.asyncDispose]();
  });

  /** A function of an image with these files and busybox. */
  async function functionOf(name: string, entries: Entries, changes: readonly string[] = []): Promise<void> {
    const archive = pack();
    archive.entry({ name: 'bin/busybox', mode: 0o755 }, readFileSync('/bin/busybox'));
    archive.entry({ name: 'runtime', mode: 0o755 }, BUSYBOX_RUNTIME.replace('#!/bin/sh', '#!/bin/busybox sh'));
    for (const [path, entry] of Object.entries(entries)) {
      if (typeof entry === 'string' || Buffer.isBuffer(entry)) archive.entry({ name: path }, entry);
      else archive.entry({ name: path, ...entry });
    }
    archive.finalize();
    const config = ['ENTRYPOINT ["/runtime"]', ...changes].flatMap((change) => ['-c', change]);
    await images.docker(['import', ...config, '-', `${name}:1`], await buffer(archive));
    await images.create(name, await images.push(`${name}:1`, `${name}:1`));
  }

  it('whose places for what sandboxes show lead elsewhere', async () => {
    const link = (linkname: string): Partial<Header> => ({ type: 'symlink', linkname });
    await functionOf('links', {
      etc: link('/root'),
      tmp: link('/var/tmp'),
      proc: link('/'),
      dev: link('/oldroot/dev'),
      run: link('../../../../run'),
    });
    const { output } = await images.run('links', LOOK);
    assert.deepEqual(
      output
        ?.trim()
        .split('\n')
        .map((line) => line.trim()),
      [MOUNTS.join(' '), '/etc/kobune: authority.pem bundle.pem  /run: kobune kobune-shell', 'directory'],
    );
  });

  it('whose places are files, devices, or lead elsewhere one step below', async () => {
    const link = (linkname: string): Partial<Header> => ({ type: 'symlink', linkname });
    await functionOf('files', {
      tmp: 'a file',
      proc: 'a file',
      dev: { type: 'fifo' },
      'etc/hosts': link('/../../../../../../etc/shadow'),
      'etc/resolv.conf/below': 'a directory',
      'etc/kobune': link('/root'),
      'run/kobune': link('/var/lib'),
      'run/kobune-shell': link('/bin'),
    });
    const { output } = await images.run('files', `${LOOK}head -1 /etc/hosts; cut -d' ' -f1 /etc/resolv.conf | head -1`);
    assert.deepEqual(
      output
        ?.trim()
        .split('\n')
        .map((line) => line.trim()),
      [
        MOUNTS.join(' '),
        '/etc/kobune: authority.pem bundle.pem  /run: kobune kobune-shell',
        'directory',
        '127.0.0.1 localhost',
        'nameserver',
      ],
    );
  });

  it('with extensions that are programs of a machine', async () => {
    await functionOf('extensions', { 'opt/extensions': { type: 'symlink', linkname: '/usr/bin' } });
    assert.equal((await images.run('extensions', 'echo works')).output, 'works\n');
  });

  it('with programs that would make root of whoever runs them', async () => {
    await functionOf('setuid', {});
    await images.build(
      'rooted',
      'FROM setuid:1\nRUN ["/bin/busybox", "cp", "/bin/busybox", "/id"]\nRUN ["/bin/busybox", "chmod", "4755", "/id"]\nENTRYPOINT ["/runtime"]',
    );
    await images.create('rooted', await images.push('rooted', 'rooted:1'));
    assert.equal(
      (await images.run('rooted', '/bin/busybox stat -c %a /id; /id -u; /bin/busybox id -u')).output,
      '4755\n993\n993\n',
    );
  });

  it('with variables without end, and names that no shell has', async () => {
    const many = Array.from({ length: 400 }, (_, i) => `ENV LONG_${i}=${'x'.repeat(1_000)}`);
    await functionOf('variables', {}, [
      ...many,
      'ENV LD_PRELOAD=/lib/nosuch.so',
      'ENV BASH_ENV=/runtime',
      'ENV ENV=/runtime',
    ]);
    const { output } = await images.run('variables', 'env | grep -c ^LONG_; echo $LD_PRELOAD');
    assert.equal(output, '400\n/lib/nosuch.so\n');
  });

  it('with a hundred and more layers', async () => {
    const layers = Array.from({ length: 110 }, (_, i) => `COPY file /layer-${i}`);
    await images.build('deep', ['FROM base', ...layers].join('\n'), { file: 'here' });
    await images.create('deep', await images.push('deep', 'deep:1'));
    assert.equal((await images.run('deep', 'cat /layer-0 /layer-109; ls -d /layer-* | wc -l')).output, 'herehere110\n');
  });
});
